package session

import (
	"testing"
	"time"
)

func TestWhatASessionIsWorth(t *testing.T) {
	now := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	s := &Session{AuthTime: now.Add(-time.Hour), IdleUntil: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour)}
	zero, hour, less := time.Duration(0), time.Hour, time.Hour-time.Second
	for _, tt := range []struct {
		name string
		got  bool
		want bool
	}{
		{"it lives while it is used", s.Alive(now), true},
		{"not after its idle timeout", s.Alive(now.Add(time.Minute)), false},
		{"not after its end, however much it is used", (&Session{IdleUntil: now.Add(9 * time.Hour), ExpiresAt: now}).Alive(now), false},
		{"none is not alive", (*Session)(nil).Alive(now), false},
		{"it is fresh for whoever does not care", s.Fresh(now, nil), true},
		{"and within max_age", s.Fresh(now, &hour), true},
		{"and not beyond", s.Fresh(now, &less), false},
		{"nothing is younger than zero", s.Fresh(now, &zero), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %v", tt.name, tt.got)
		}
	}
}

func TestASessionInUseIsNotWrittenDownEachTime(t *testing.T) {
	now := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	idle := 8 * time.Hour
	s := &Session{IdleUntil: now.Add(idle), ExpiresAt: now.Add(24 * time.Hour)}
	if s.Stale(now.Add(10*time.Minute), idle) {
		t.Error("ten minutes later it is written down again")
	}
	if !s.Stale(now.Add(2*time.Hour), idle) {
		t.Error("two hours later it is still not written down")
	}
	s.IdleUntil = s.ExpiresAt
	if s.Stale(now.Add(23*time.Hour), idle) {
		t.Error("what cannot last any longer is written down in vain")
	}
}
