package store_test

import (
	"os"
	"testing"

	"dex/internal/store/storetest"
)

func TestInMemory(t *testing.T) { storetest.Run(t, storetest.OpenSQLite) }
func TestInAFile(t *testing.T)  { storetest.Run(t, storetest.OpenFile) }
func TestPostgres(t *testing.T) { storetest.Run(t, storetest.OpenPostgres) }

// On the engines that outlive a process.
func TestOfEachVerbEachCallFails(t *testing.T) {
	open := storetest.OpenFile
	if os.Getenv("DEX_TEST_DB") == "postgres" {
		open = storetest.OpenPostgres
	}
	storetest.RunNth(t, open)
}
