package config

import "testing"

func TestDatabases(t *testing.T) {
	for _, db := range []Database{"sqlite:dex.db", "sqlite:/var/lib/dex/dex.db", "sqlite:./a b.db", "postgres://dex:p%40ss@db/dex?sslmode=verify-full", "postgresql:///dex?host=/run/postgresql"} {
		if err := db.valid(); err != nil {
			t.Errorf("%s: %v", db, err)
		}
	}
	for _, db := range []Database{"", "dex.db", "sqlite:", "sqlite::memory:", "sqlite://dex.db", "sqlite:dex.db?_pragma=synchronous(0)", "sqlite:dex.db#", "mysql://a/b", "postgres:dex", "postgres://a b/c", "postgres://db/dex#x", "SQLITE:dex.db"} {
		if err := db.valid(); err == nil {
			t.Errorf("%q passed", string(db))
		}
	}
	for db, want := range map[Database]string{
		"postgres://dex:hunter2@db/dex?sslpassword=hunter2": "postgres://dex:xxxxx@db/dex",
		"postgres://dex:hun ter2@db/dex":                    "postgres://",
		"sqlite:dex.db":                                     "sqlite:dex.db",
	} {
		if got := db.String(); got != want {
			t.Errorf("%s is shown, want %s", got, want)
		}
	}
}
