package api

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dex/internal/admin/resource"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/domain/audit"
	"dex/internal/domain/role"
)

type nobody struct{}

func (nobody) Realm(context.Context, string) (*Realm, error) { return nil, nil }
func (nobody) Knows(string) bool                             { return false }

func put(t *testing.T, routes ...Route) error {
	t.Helper()
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	var noun Noun
	for _, r := range routes {
		noun = append(noun, Handle(r, func(context.Context, *Call, *struct{}) (*Done, error) { return &Done{}, nil }))
	}
	_, err = New(Options{
		Nouns: []Noun{noun}, Authority: nobody{}, Cursors: ring.Box("cursor"), Clock: &clock.Fake{},
		Receipts: func(context.Context, string) (audit.Receipts, error) { return nil, nil },
	})
	return err
}

func TestARouteThatDoesNotSayWhatItTakesKeepsTheServerFromStarting(t *testing.T) {
	good := Route{ID: "list-things", Method: "GET", Path: "/things", Summary: "List things", Scope: role.Read(role.Users)}
	with := func(change func(r *Route)) Route {
		r := good
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name   string
		routes []Route
		wrong  string // nothing: it starts
	}{
		{"one that does", []Route{good}, ""},
		{"a public one", []Route{with(func(r *Route) { r.Scope, r.Public = "", true })}, ""},
		{"no scope", []Route{with(func(r *Route) { r.Scope = "" })}, "declares no scope"},
		{"a scope, and public", []Route{with(func(r *Route) { r.Public = true })}, "is public"},
		{"a scope that nobody has", []Route{with(func(r *Route) { r.Scope = "dex:moon:read" })}, "none of the API's"},
		{"a scope of another kind", []Route{with(func(r *Route) { r.Scope = "openid" })}, "none of the API's"},
		{"no name", []Route{with(func(r *Route) { r.ID = "" })}, "no id"},
		{"no method", []Route{with(func(r *Route) { r.Method = "" })}, "method"},
		{"no path", []Route{with(func(r *Route) { r.Path = "things" })}, "path"},
		{"a change that is not guarded", []Route{with(func(r *Route) { r.Method = "PUT" })}, "does not guard"},
		{"a look that is guarded", []Route{with(func(r *Route) { r.Guarded = true })}, "guards"},
		{"a look that creates", []Route{with(func(r *Route) { r.Creates = true })}, "creates"},
		{"two of one name", []Route{good, with(func(r *Route) { r.Path = "/others" })}, "twice"},
		{"two at one place", []Route{good, with(func(r *Route) { r.ID = "see-things" })}, "twice"},
		{"two that a path cannot tell apart", []Route{
			with(func(r *Route) { r.ID, r.Path = "a", "/things/{a}/x" }), with(func(r *Route) { r.ID, r.Path = "b", "/things/y/{b}" }),
		}, "conflicts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := put(t, tt.routes...)
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
				t.Errorf("got %v, want %q", err, tt.wrong)
			}
		})
	}
}

// asked counts how often the database would be.
type asked struct{ times int }

func (a *asked) Knows(issuer string) bool { return issuer == "https://dex.example.com" }

func (a *asked) Realm(_ context.Context, issuer string) (*Realm, error) {
	if !a.Knows(issuer) {
		a.times++
	}
	return nil, fault.New(fault.NotFound, "No tenant here has this issuer.")
}

func TestWhoeverInventsIssuersDoesNotHaveTheDatabaseAskedForThem(t *testing.T) {
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	all := &asked{}
	s, err := New(Options{
		Nouns: []Noun{{Handle(Route{ID: "list-things", Method: "GET", Path: "/things", Summary: "List things", Scope: role.Read(role.Users)},
			func(context.Context, *Call, *struct{}) (*Done, error) { return &Done{}, nil })}},
		Authority: all, Cursors: ring.Box("cursor"), Clock: &clock.Fake{}, Strangers: Rate{PerSecond: 1, Burst: 3},
		Receipts: func(context.Context, string) (audit.Receipts, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	statuses := map[int]int{}
	ask := func(from, issuer string) {
		r := httptest.NewRequest(http.MethodGet, resource.Prefix+"/things", nil)
		r.RemoteAddr = from
		claims := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"` + issuer + `"}`))
		r.Header.Set("Authorization", "Bearer e30."+claims+".c2ln")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		statuses[w.Code]++
	}
	for i := range 20 {
		ask("192.0.2.1:1000", fmt.Sprintf("https://invented-%d.example.com", i))
	}
	if all.times != 3 || statuses[http.StatusUnauthorized] != 3 || statuses[http.StatusTooManyRequests] != 17 {
		t.Errorf("of 20 invented issuers the database was asked for %d: %v", all.times, statuses)
	}
	ask("198.51.100.1:1000", "https://invented.example.com")
	if all.times != 4 {
		t.Error("another network is not looked at")
	}
}
