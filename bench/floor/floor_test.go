package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dex/bench/load"
)

// newDatabase returns a database on SQLite, or one on the server of
// DEX_TEST_POSTGRES if that is what is to be tested on.
func newDatabase(t *testing.T) string {
	t.Helper()
	server := os.Getenv("DEX_TEST_POSTGRES")
	if os.Getenv("DEX_TEST_DB") != "postgres" || server == "" {
		return "sqlite:" + filepath.Join(t.TempDir(), "floor.db")
	}
	ctx := context.Background() // the test's own is done when it cleans up
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	name := "floor_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := conn.Exec(ctx, "DROP DATABASE "+name)
		if err := errors.Join(err, conn.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// start serves the floor and returns it as the generator sees it.
func start(t *testing.T, hash string) *load.Target {
	t.Helper()
	dsn := newDatabase(t)
	store, err := openStore(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	s, err := newServer("http://"+server.Listener.Addr().String(), hash, store)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s.routes()
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := store.close(); err != nil {
			t.Error(err)
		}
	})
	target, err := load.NewTarget(server.URL, load.Clients[0], load.Users)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestTheFloorDoesEveryOperationOfTheBudget(t *testing.T) {
	target := start(t, "none")
	for _, c := range load.Clients {
		for _, o := range load.Operations {
			if !o.Alg && c.ID != load.Clients[0].ID {
				continue
			}
			t.Run(o.Name+" "+c.IDTokenAlg, func(t *testing.T) {
				crowd, err := load.NewCrowd(target.For(c), o, 4)
				if err != nil {
					t.Fatal(err)
				}
				defer crowd.Close()
				if err := crowd.Run(t.Context(), 50*time.Millisecond).Err(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestAHashedPasswordLogsIn(t *testing.T) {
	o, _ := load.Find(load.FirstLogin)
	crowd, err := load.NewCrowd(start(t, "argon2id"), o, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.Close()
	if err := crowd.Run(t.Context(), time.Millisecond).Err(); err != nil {
		t.Error(err)
	}
}

func TestTheGeneratorSeesThatTheServerSignsWithTheWrongAlgorithm(t *testing.T) {
	c := load.Clients[0]
	c.IDTokenAlg = "ES256"
	o, _ := load.Find(load.SessionLogin)
	if _, err := load.NewCrowd(start(t, "none").For(c), o, 1); err == nil {
		t.Error("an ID token in RS256 passed for one in ES256")
	}
}

// The floor keeps a code's single use and has no grace for a refresh token: a race
// must show both.
func TestARaceTellsWhatAServerIsWorth(t *testing.T) {
	race, err := load.NewRace(start(t, "none"), 20)
	if err != nil {
		t.Fatal(err)
	}
	defer race.Close()
	for kind, run := range map[string]func() (load.Round, error){"code": race.Code, "refresh": race.Refresh} {
		for range 5 {
			round, err := run()
			if err != nil {
				t.Fatal(err)
			}
			if want := (load.Round{Succeeded: 1, Refused: 19, Successors: 1}); round != want {
				t.Errorf("%s: %+v, want %+v", kind, round, want)
			}
		}
	}
}
