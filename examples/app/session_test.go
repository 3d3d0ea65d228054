package app

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAMemoryKeepsSoManyAndSoLong(t *testing.T) {
	m := newMemory[int](3, time.Hour)
	for i := range 5 {
		m.put(strconv.Itoa(i), i)
	}
	for i := range 5 {
		if _, ok := m.get(strconv.Itoa(i)); ok != (i >= 2) {
			t.Errorf("%d is kept: %t", i, ok)
		}
	}
	if len(m.values) != 3 || len(m.order) != 3 {
		t.Errorf("%d values and %d places, not 3", len(m.values), len(m.order))
	}
	old := newMemory[int](3, -time.Second)
	old.put("a", 1)
	if _, ok := old.get("a"); ok {
		t.Error("a value outlived its time")
	}
}

func TestOfManyWhoTakeOneHasIt(t *testing.T) {
	m := newMemory[int](1, time.Hour)
	m.put("a", 1)
	var had atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if m.take("a") {
				had.Add(1)
			}
		})
	}
	all.Wait()
	if had.Load() != 1 {
		t.Errorf("%d had it", had.Load())
	}
}
