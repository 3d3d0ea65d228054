package store_test

import (
	"strings"
	"testing"
	"time"

	"dex/internal/store"
	"dex/internal/store/storetest"
)

func TestPendingIsWhatTheDatabaseLacks(t *testing.T) {
	all, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := store.Open(t.Context(), store.Options{URL: "sqlite::memory:", Keys: keys(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fresh.Close() }()
	pending, oldest, err := fresh.Pending(t.Context())
	if err != nil || oldest != 0 || len(pending) != len(all) {
		t.Errorf("before: %v, %d, %+v", err, oldest, pending)
	}
	pending, oldest, err = storetest.Open(t).Pending(t.Context())
	if err != nil || oldest != 1 || len(pending) > 0 {
		t.Errorf("afterwards: %v, %d, %+v", err, oldest, pending)
	}
}

func TestTheDatabaseSaysHowItStands(t *testing.T) {
	c, err := storetest.Open(t).Condition(t.Context())
	if err != nil || !strings.Contains(c.Version, "SQL") || c.Standby || c.Skew.Abs() > time.Hour {
		t.Errorf("%+v, %v", c, err)
	}
}
