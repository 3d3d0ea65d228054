package store_test

import (
	"os"
	"testing"

	"dex/internal/store/storetest"
)

func TestTheStore(t *testing.T) {
	for engine, open := range engines() {
		t.Run(engine, func(t *testing.T) { storetest.Run(t, open) })
	}
}

// On the engines that outlive a process.
func TestOfEachVerbEachCallFails(t *testing.T) {
	for engine, open := range engines() {
		if engine != "in memory" {
			storetest.RunNth(t, open)
		}
	}
}

// engines are those that this run is for.
func engines() map[string]storetest.Opener {
	if os.Getenv("DEX_TEST_DB") == "postgres" {
		return map[string]storetest.Opener{"Postgres": storetest.OpenPostgres}
	}
	return map[string]storetest.Opener{"in memory": storetest.OpenSQLite, "in a file": storetest.OpenFile}
}
