package worker_test

import (
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

// OpenID Connect Core section 4, as the module oidcc-3rd_party-init-login has it at the
// application's side: our home page is the third party.
func TestTheHomePageLeadsToApplicationsThatSomebodyHasUsed(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: `
- {id: begins, name: Begins here, secret: begins-secret, redirect_uris: ["https://begins.example.com/cb"], initiate_login_uri: "https://begins.example.com/login?from=dex"}
- {id: own, name: Of our own, secret: own-secret, trusted: true, redirect_uris: ["https://own.example.com/cb"], initiate_login_uri: "https://own.example.com/login"}
- {id: never, name: Never used, secret: never-secret, redirect_uris: ["https://never.example.com/cb"], initiate_login_uri: "https://never.example.com/login"}
- {id: closed, name: Closed, secret: closed-secret, trusted: true, groups: [admins], redirect_uris: ["https://closed.example.com/cb"], initiate_login_uri: "https://closed.example.com/login"}
`})
	b := s.Browser(t)
	if home := b.Get("/"); strings.Contains(home.Body, "example.com/login") {
		t.Errorf("a stranger is told of applications: %s", home.Body)
	}
	for _, id := range []string{"begins", "own", "closed", "asks"} {
		c := s.Client(t, id)
		c.Redeem(c.Code(b))
	}
	home := b.Get("/")
	for id, link := range map[string]string{
		"begins": "https://begins.example.com/login?from=dex&amp;iss=", "own": "https://own.example.com/login?iss=", "closed": "https://closed.example.com/login?iss=",
	} {
		if !home.Has("app-"+id) || !strings.Contains(home.Body, link) {
			t.Errorf("%s is not there: %s", id, home.Body)
		}
	}
	if home.Has("app-never") || home.Has("app-asks") {
		t.Error("there is an application that was never used, or that does not say where a login begins")
	}
	other := s.Browser(t)
	other.SignIn(other.Get(s.Client(t, "app").Authorize()), "ben", workertest.Password)
	if home := other.Get("/"); !strings.Contains(home.Body, "ben@example.com") || home.Has("app-begins") || home.Has("app-closed") {
		t.Errorf("somebody else sees the same: %s", home.Body)
	}
}
