package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"dex/internal/base/fault"
	"dex/internal/store/storetest"
	"dex/test/fault/calls"
)

func TestAConnectionThatWasClosedInPassingIsADatabaseThatIsAway(t *testing.T) {
	line := &calls.Line{}
	db := storetest.OpenPostgres(t, storetest.WithLine(line))
	c, err := pgx.Connect(t.Context(), storetest.URL(t, db))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What the driver says when it finds its connection closed: "conn closed".
	if _, line.Lost = c.Exec(t.Context(), "SELECT 1"); line.Lost == nil {
		t.Fatal("a closed connection answers")
	}
	line.SetJudge((&calls.Nth{N: 1, Fate: calls.Before}).Judge)
	if err := db.Ping(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}
