package worker_test

import (
	"database/sql"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/store"
)

// subject is who an operator's token speaks for.
func subject(t *testing.T, o *workertest.Operator) string {
	t.Helper()
	return workertest.Claims(t, o.Token)["sub"].(string)
}

func rowOf(s *workertest.Server, query string, args ...any) *sql.Row {
	return store.Raw(s.DB).QueryRow(query, args...)
}

// operatorNow is somebody who does what operators do.
func operatorNow(s *workertest.Server) audit.By {
	return audit.By{Actor: "usr_operator", At: s.Clock.Now()}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
