package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

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

func TestADatabaseThatHasNoRoomLeftIsAway(t *testing.T) {
	line := &calls.Line{}
	db := storetest.OpenPostgres(t, storetest.WithLine(line))
	for code, away := range map[string]bool{
		"53100": true, // the disk is full
		"53200": true, // there is no memory
		"53300": true, // there are too many connections
		"58030": true, // it cannot be read from the disk
		"57P03": true, // it is starting
		"08006": true, // the connection has failed
		"42P01": false,
		"22001": false,
	} {
		line.Lost = &pgconn.PgError{Code: code}
		line.SetJudge((&calls.Nth{N: 1, Fate: calls.Before}).Judge)
		if err := db.Ping(t.Context()); fault.Is(err, fault.Unavailable) != away {
			t.Errorf("%s: %v", code, err)
		}
	}
}
