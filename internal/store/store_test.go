package store_test

import (
	"testing"

	"dex/internal/store/storetest"
)

func TestInMemory(t *testing.T) { storetest.Run(t, storetest.OpenSQLite) }
func TestInAFile(t *testing.T)  { storetest.Run(t, storetest.OpenFile) }
func TestPostgres(t *testing.T) { storetest.Run(t, storetest.OpenPostgres) }
