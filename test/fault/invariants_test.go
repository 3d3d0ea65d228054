package fault

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"dex/internal/domain/session"
	"dex/test/program"
)

// settled holds everything to what clients were told: with nothing failing any more,
// at every worker, and in the database.
func (s *site) settled(after string) {
	s.t.Helper()
	for _, p := range s.places {
		p.process.AwaitReady()
	}
	ctx, cancel := context.WithTimeout(context.Background(), program.Patience)
	defer cancel()
	for _, f := range s.ledger.all() {
		switch {
		case f.revoked:
			s.gone(ctx, f)
		case f.uncertain: // nobody knows, so nothing is promised
		default:
			s.persons[0].refresh(ctx, f)
		}
	}
	for _, l := range s.ledger.left {
		s.out(ctx, l.had)
	}
	s.recorded(ctx)
	s.quiet(ctx)
	if len(s.ledger.wrong) > 0 {
		s.t.Errorf("after %s:\n%s", after, strings.Join(s.ledger.wrong, "\n"))
		s.ledger.wrong = nil
	}
	s.t.Logf("after %s:\n%s", after, s.ledger.table())
	// Families that have been looked at for long are let go, and the history with them.
	s.forget()
}

// forget keeps a few families from scenario to scenario, so that a session that was
// opened before one fault is seen to outlive the next.
func (s *site) forget() {
	const keep = 10
	all := s.ledger.all()
	for i, f := range all {
		if i >= keep {
			delete(s.ledger.families, f.id)
		}
	}
	for _, p := range s.persons {
		p.kept = nil
	}
	s.ledger.left = s.ledger.left[:min(len(s.ledger.left), keep)]
}

// recorded compares what clients were told with the rows that tell of it.
func (s *site) recorded(ctx context.Context) {
	s.t.Helper()
	db, err := pgx.Connect(ctx, s.primary.URL("postgres"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }() // all has been read
	number := func(query string, args ...any) (n int) {
		if err := db.QueryRow(ctx, query, args...).Scan(&n); err != nil {
			s.ledger.wrongly("%s of %v: %v", query, args, err)
		}
		return n
	}
	for person, told := range s.ledger.logins {
		if n := number(`SELECT count(*) FROM audit_events JOIN users ON users.id = user_id WHERE kind = 'auth.login.success' AND username = $1`, person); n < told {
			s.ledger.wrongly("%s was let in %d times, and the record has %d", person, told, n)
		}
	}
	for _, f := range s.ledger.all() {
		if n := number(`SELECT coalesce(max(generation), 0) FROM grants WHERE id = $1 AND redeemed_at IS NOT NULL`, f.id); n < f.generation {
			s.ledger.wrongly("the client has generation %d of %s, and the database %d", f.generation, f.id, n)
		}
		if !f.revoked {
			continue
		}
		if n := number(`SELECT count(*) FROM grants WHERE id = $1 AND revoked_at IS NOT NULL`, f.id); n != 1 {
			s.ledger.wrongly("%s was revoked, and the row does not say so", f.id)
		}
		if n := number(`SELECT count(*) FROM audit_events WHERE grant_id = $1 AND kind IN ('token.revoked', 'code.replayed')`, f.id); n < 1 {
			s.ledger.wrongly("%s was revoked, and the record does not say so", f.id)
		}
	}
	ended, err := s.ended(ctx, db)
	if err != nil {
		s.ledger.wrongly("the record of sessions that have ended: %v", err)
	}
	for _, l := range s.ledger.left {
		if !ended[l.session] {
			s.ledger.wrongly("the session %s has ended, and the record does not say so", l.session)
		}
	}
}

// ended returns the sessions that the record says have ended, as the client knows them.
func (s *site) ended(ctx context.Context, db *pgx.Conn) (map[string]bool, error) {
	rows, err := db.Query(ctx, `SELECT session_id FROM audit_events WHERE kind = 'session.terminated'`)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	ended := map[string]bool{}
	for _, id := range ids {
		ended[session.SID(id, "app")] = true
	}
	return ended, err
}

// What one process may have open when it has nothing to do: connections to the
// database, and files with its listeners and connections.
const (
	maxConnections = 16
	maxFiles       = 64
)

// quiet makes sure that connections are as few as before.
func (s *site) quiet(ctx context.Context) {
	s.t.Helper()
	db, err := pgx.Connect(ctx, s.primary.URL("postgres"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }() // all has been read
	var open, stuck int
	busy := true
	for until := time.Now().Add(10 * time.Second); busy && time.Now().Before(until); {
		err := db.QueryRow(ctx, `
			SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%' OR wait_event_type = 'Lock')
			FROM pg_stat_activity WHERE application_name = 'dex'`).Scan(&open, &stuck)
		if err != nil {
			s.t.Fatal(err)
		}
		busy = stuck > 0 || open > maxConnections*len(s.places)
	}
	if busy {
		s.ledger.wrongly("%d connections to the database, and %d of them stuck", open, stuck)
	}
	for _, p := range s.places {
		if n := files(s.t, p.process); n > maxFiles {
			s.ledger.wrongly("%s has %d files open", p.address, n)
		}
	}
	s.ledger.mu.Lock()
	s.ledger.counts["connections to the database at rest"] = open
	s.ledger.mu.Unlock()
}
