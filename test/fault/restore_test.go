package fault

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"dex/test/postgres"
	"dex/test/program"
)

// lone is a site of one worker, which has the duties, and a Postgres that may be another
// each time that the worker starts.
func lone(t *testing.T) *site {
	t.Helper()
	address := program.FreeAddress(t)
	s := &site{t: t, url: "http://" + address, ledger: newLedger(), transport: &http.Transport{DisableKeepAlives: true}, file: filepath.Join(t.TempDir(), "dex.yaml")}
	var err error
	s.home, err = url.Parse(s.url)
	s.must(errors.Join(err, os.WriteFile(s.file, []byte(configuration(s.url)), 0o600)))
	s.places = []*place{{site: s, program: worker, address: address, admin: program.FreeAddress(t)}}
	return s
}

// at starts the worker at a database, and returns what ends it.
func (s *site) at(pg *postgres.Cluster) (end func()) {
	s.t.Helper()
	p := s.places[0]
	p.process = program.Start(s.t, p.program, nil, "--config", s.file, "--listen", p.address, "--admin-listen", p.admin, "--db", pg.URL("postgres"))
	p.process.URL = s.url
	s.t.Cleanup(p.process.Kill)
	p.process.AwaitReady()
	return p.process.Stop
}

// login is a login in a browser of its own, up to the code.
func (s *site) login(ctx context.Context) (b *browser, form url.Values) {
	s.t.Helper()
	b = s.browser()
	r := s.request()
	code, err := b.code(ctx, r, "p0")
	s.must(err)
	return b, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {r.verifier}}
}

// given sends a form to the token endpoint, and returns the tokens that it must give.
func (s *site) given(ctx context.Context, form url.Values) tokens {
	s.t.Helper()
	got, err := s.token(ctx, form)
	s.must(err)
	if got.status != http.StatusOK {
		s.t.Fatalf("no tokens: %d %s %s", got.status, got.Error, got.Description)
	}
	return got
}

func refreshing(t tokens) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.RefreshToken}}
}

// TestARestoredPostgresHonoursNothingOfTheTimeThatItLost goes through docs/operate/backup.md
// with the real programs: a base backup and a dump of a running database, time that goes
// on, the end of the database, and the way back from each of the two.
func TestARestoredPostgresHonoursNothingOfTheTimeThatItLost(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), program.Patience)
	defer cancel()
	ctl := filepath.Join(t.TempDir(), "dexctl")
	s := lone(t)
	s.must(build(ctl, "dex/cmd/dexctl"))
	pg, err := postgres.Start(postgres.Options{})
	s.must(err)
	t.Cleanup(func() { s.must(pg.Stop()) })
	end := s.at(pg)

	early, code := s.login(ctx)
	_, form := s.login(ctx)
	revoked := s.given(ctx, form)
	_, form = s.login(ctx)
	kept := s.given(ctx, form)

	based, err := pg.Backup()
	s.must(err)
	t.Cleanup(func() { s.must(based.Stop()) })
	dump := filepath.Join(t.TempDir(), "dex.dump")
	s.must(pg.Dump("postgres", dump))

	p := &person{site: s, name: "p0", chance: rand.New(rand.NewPCG(1, 1))}
	p.revoke(ctx, &family{id: claim(revoked.AccessToken, "gid"), token: revoked.RefreshToken, access: revoked.AccessToken})
	redeemed := s.given(ctx, code)
	renewed := s.given(ctx, refreshing(kept))
	late, form := s.login(ctx)
	unknown := s.given(ctx, form)
	_, lateCode := s.login(ctx)
	end()
	s.must(pg.Kill9())

	for name, bring := range map[string]func() *postgres.Cluster{
		"a base backup": func() *postgres.Cluster {
			s.must(based.Restart())
			return based
		},
		"a dump": func() *postgres.Cluster {
			fresh, err := postgres.Start(postgres.Options{})
			s.must(err)
			t.Cleanup(func() { s.must(fresh.Stop()) })
			s.must(fresh.Load("postgres", dump))
			return fresh
		},
	} {
		back := bring()
		if n := standing(ctx, t, back, claim(revoked.AccessToken, "gid")); n != 1 {
			t.Fatalf("%s: %d grants stand that were revoked later, so that there is nothing to see here", name, n)
		}
		out, err := exec.CommandContext(ctx, ctl, "restore", "finalize", "--config", s.file, "--db", back.URL("postgres")).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Nothing counts that was issued before now") {
			t.Fatalf("%s: finalize: %v\n%s", name, err, out)
		}
		end := s.at(back)
		for what, form := range map[string]url.Values{
			"a refresh token that was revoked": refreshing(revoked), "one that was used": refreshing(kept), "its successor": refreshing(renewed),
			"a code that was redeemed": code, "the refresh token of it": refreshing(redeemed),
			"a refresh token that the backup does not know": refreshing(unknown), "a code that it does not know": lateCode,
		} {
			if got, err := s.token(ctx, form); err != nil || got.Error != "invalid_grant" {
				t.Errorf("%s: %s: %d %s, %v", name, what, got.status, got.Error, err)
			}
		}
		for what, token := range map[string]tokens{"revoked": revoked, "kept": kept, "renewed": renewed, "redeemed": redeemed, "unknown": unknown} {
			a, err := s.send(ctx, "/introspect", url.Values{"token": {token.AccessToken}})
			if err != nil || a.status != http.StatusOK || strings.Contains(a.body, `"active":true`) {
				t.Errorf("%s: the access token that was %s: %v, %v", name, what, a, err)
			}
		}
		s.out(ctx, early.cookies())
		s.out(ctx, late.cookies())
		_, form := s.login(ctx)
		fresh := s.given(ctx, form)
		s.given(ctx, refreshing(fresh))
		end()
		s.must(back.Kill9())
	}
	if len(s.ledger.wrong) > 0 {
		t.Error(strings.Join(s.ledger.wrong, "\n"))
	}
}

// standing is how many grants of an id a database honours.
func standing(ctx context.Context, t *testing.T, pg *postgres.Cluster, id string) (n int) {
	t.Helper()
	db, err := pgx.Connect(ctx, pg.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }() // all has been read
	if err := db.QueryRow(ctx, `SELECT count(*) FROM grants WHERE id = $1 AND revoked_at IS NULL`, id).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
