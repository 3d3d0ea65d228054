package duty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/sink"
	"dex/internal/domain/audit"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// collector is a sink that says what the test wants.
type collector struct {
	got  []string
	says error
}

func (c *collector) Name() string { return "collector" }

func (c *collector) Write(_ context.Context, lines []sink.Line) error {
	if c.says != nil {
		return c.says
	}
	for _, l := range lines {
		c.got = append(c.got, l.ID)
	}
	return nil
}

// archive is a database with events to hand on.
type archive struct {
	*testing.T
	now    *clock.Fake
	db     *store.DB
	tenant *store.Tenant
	ids    []string
}

func newArchive(t *testing.T, events int) *archive {
	now := &clock.Fake{}
	db, tenant := storetest.OpenTenant(t, storetest.WithClock(now))
	a := &archive{T: t, now: now, db: db, tenant: tenant}
	for range events {
		a.record()
	}
	return a
}

func (a *archive) record() {
	a.Helper()
	a.now.Advance(time.Microsecond)
	e := audit.Event{At: a.now.Now(), Kind: audit.LoginSucceeded, Actor: "zoe"}
	e.ID = audit.NewEventID(e.At)
	if err := a.tenant.Record(a.Context(), e); err != nil {
		a.Fatal(err)
	}
	a.ids = append(a.ids, e.ID)
}

func (a *archive) same(what string, got []string) {
	a.Helper()
	if fmt.Sprint(got) != fmt.Sprint(a.ids) {
		a.Errorf("%s: %d events arrived of %d, or in another order", what, len(got), len(a.ids))
	}
}

func TestEveryEventIsHandedOnToAllInOrderAndOnce(t *testing.T) {
	a := newArchive(t, 2*exportBatch+7)
	one, other := &collector{}, &collector{}
	d := Export(a.db, []sink.Sink{one, other}, a.now, time.Second)
	did, err := d.Do(t.Context())
	if err != nil || did != fmt.Sprintf("handed on %d events", len(a.ids)) {
		t.Fatalf("%q, %v", did, err)
	}
	a.record()
	if did, err := d.Do(t.Context()); err != nil || did != "handed on 1 events" {
		t.Errorf("%q, %v", did, err)
	}
	if did, err := d.Do(t.Context()); err != nil || did != "" {
		t.Errorf("with nothing to do: %q, %v", did, err)
	}
	a.same("one", one.got)
	a.same("the other", other.got)
}

func TestWhenOneSinkFailsNothingIsLostToAnyAndItIsAskedEverMoreRarely(t *testing.T) {
	a := newArchive(t, 3)
	one, other := &collector{}, &collector{says: errors.New("away")}
	d := Export(a.db, []sink.Sink{one, other}, a.now, time.Second)
	for try, pause := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second} {
		if _, err := d.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "away") {
			t.Fatalf("try %d: %v", try, err)
		}
		a.now.Advance(pause - time.Millisecond)
		if !d.Rests(a.now.Now()) {
			t.Errorf("it is asked again before %v", pause)
		}
		a.now.Advance(time.Millisecond)
		if d.Rests(a.now.Now()) {
			t.Errorf("it is not asked again after %v", pause)
		}
	}
	a.record()
	other.says = nil
	if _, err := d.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.same("the one that always took", one.got)
	a.same("the one that came back", other.got)
}

func TestWhatAnOperatorAsksForDoesNotMeetTheRunThatIsUnderWay(t *testing.T) {
	a := newArchive(t, 20)
	one, other := &collector{}, &collector{}
	d := Export(a.db, []sink.Sink{one, other}, a.now, time.Second)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := d.Do(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	a.same("one", one.got)
	a.same("the other", other.got)
}

// killed is a record whose reader dies before it can say what has arrived.
type killed struct{ *store.DB }

func (killed) MarkExported(context.Context, []audit.Exported, time.Time) error {
	return errors.New("killed")
}

func TestWhoeverDiesBetweenDeliveryAndMarkDeliversTwiceAndLosesNothing(t *testing.T) {
	a := newArchive(t, 5)
	file := sink.File{Path: filepath.Join(t.TempDir(), "audit.jsonl")}
	if _, err := Export(killed{a.db}, []sink.Sink{file}, a.now, time.Second).Do(t.Context()); err == nil {
		t.Fatal("it was not killed")
	}
	a.record()
	if _, err := Export(a.db, []sink.Sink{file}, a.now, time.Second).Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for line := range strings.Lines(string(data)) {
		var e struct{ ID, Kind, Tenant, Actor string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Kind != "auth.login.success" || e.Tenant != "default" || e.Actor != "zoe" {
			t.Errorf("the line %s: %v", line, err)
		}
		times[e.ID]++
	}
	for i, id := range a.ids {
		want := 2
		if i == 5 {
			want = 1
		}
		if times[id] != want {
			t.Errorf("event %d came %d times, want %d", i, times[id], want)
		}
	}
}
