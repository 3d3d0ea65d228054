package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dex/internal/connector"
	"dex/internal/connector/connectortest"
)

func TestOnlyAProviderThatMayBeAskedAgainIsARefresher(t *testing.T) {
	if _, ok := newHouse(t, nil).Connector.(connector.Refresher); ok {
		t.Error("without a refresh token")
	}
	if _, ok := newHouse(t, map[string]any{"refresh": true}).Connector.(connector.Refresher); !ok {
		t.Error("not with one either")
	}
}

func TestRefreshTellsWhatIsTrueNow(t *testing.T) {
	type claims = connectortest.Claims
	tests := []struct {
		name   string
		knobs  connectortest.Knobs
		change map[string]any
		person func(claims) // changed after the login
		groups []string
		email  string
	}{
		{
			name: "by an ID token and the userinfo endpoint", person: func(c claims) { c["groups"] = []string{"ops"} },
			groups: []string{"ops"}, email: "ann@example.com",
		},
		{
			name: "by the userinfo endpoint alone", knobs: connectortest.Knobs{NoIDToken: true},
			person: func(c claims) { c["groups"] = []string{"ops"}; c["email"] = "new@example.com" },
			groups: []string{"ops"}, email: "new@example.com",
		},
		{
			name:   "by the userinfo endpoint, which knows no groups",
			knobs:  connectortest.Knobs{NoIDToken: true, Userinfo: func(c claims) { delete(c, "groups") }},
			person: func(c claims) { c["email"] = "new@example.com" },
			groups: []string{"dev", "ops"}, email: "new@example.com",
		},
		{
			name: "by an ID token alone", change: map[string]any{"userinfo": false},
			person: func(c claims) { c["groups"] = []string{} }, email: "ann@example.com",
		},
		{
			name: "by the mere fact that the provider answers", change: map[string]any{"userinfo": false},
			knobs: connectortest.Knobs{NoIDToken: true}, person: func(c claims) { c["groups"] = []string{"none of these"} },
			groups: []string{"dev", "ops"}, email: "ann@example.com",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			change := map[string]any{"refresh": true}
			for name, value := range tt.change {
				change[name] = value
			}
			h := newHouse(t, change)
			person := ann()
			id := *h.in(person).Identity
			tt.person(person)
			h.provider.Set(tt.knobs)
			// Several times, since each refresh token of this provider is good once.
			for range 3 {
				fresh, err := h.refresh(id)
				if err != nil {
					t.Fatal(err)
				}
				if fresh.Subject != id.Subject || fresh.ConnectorID != id.ConnectorID || !fresh.CheckedAt.Equal(h.clock.Now()) {
					t.Errorf("%+v", fresh)
				}
				if diff := cmp.Diff(tt.groups, fresh.Profile.Groups); diff != "" || fresh.Profile.Email != tt.email || !fresh.Profile.EmailVerified {
					t.Errorf("%+v", fresh.Profile)
				}
				id = fresh
			}
		})
	}
}

func TestRefreshThatDoesNotVouch(t *testing.T) {
	type claims = connectortest.Claims
	tests := []struct {
		name    string
		knobs   connectortest.Knobs
		refused bool
	}{
		{"the provider has ended it", connectortest.Knobs{Replace: map[string]http.Handler{connectortest.TokenPath: says(http.StatusBadRequest, `{"error":"invalid_grant"}`)}}, true},
		{"the provider is down", connectortest.Knobs{Replace: map[string]http.Handler{connectortest.TokenPath: says(http.StatusBadGateway, ``)}}, false},
		{"an ID token about somebody else", connectortest.Knobs{IDToken: func(c claims) { c["sub"] = "2" }}, false},
		{"an ID token of another provider", connectortest.Knobs{IDToken: func(c claims) { c["iss"] = "https://evil.example" }}, false},
		{"an ID token by a stranger", connectortest.Knobs{Sign: func(c claims) string { return by(c, "") }}, false},
		{"userinfo about somebody else", connectortest.Knobs{Userinfo: func(c claims) { c["sub"] = "2" }}, false},
		{"userinfo that is down", connectortest.Knobs{Replace: map[string]http.Handler{connectortest.UserinfoPath: says(http.StatusBadGateway, ``)}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse(t, map[string]any{"refresh": true})
			id := *h.in(ann()).Identity
			h.provider.Set(tt.knobs)
			fresh, err := h.refresh(id)
			if err == nil || errors.Is(err, connector.ErrRefused) != tt.refused || fresh.Subject != "" {
				t.Errorf("%+v, %v", fresh, err)
			}
		})
	}
}

func TestWhoCannotBeAskedAboutAgainIsRefused(t *testing.T) {
	h := newHouse(t, map[string]any{"refresh": true})
	h.provider.Set(connectortest.Knobs{Tokens: func(c connectortest.Claims) { delete(c, "refresh_token") }})
	step := h.in(ann())
	if step.Said != "the provider vouched, and gave no refresh token" {
		t.Errorf("%q", step.Said)
	}
	nothing := *step.Identity
	elsewhere := nothing
	elsewhere.Subject = "https://other.example#1"
	for name, data := range map[string][]byte{"no data": nil, "no token": nothing.Data} {
		nothing.Data = data
		if _, err := h.refresh(nothing); !errors.Is(err, connector.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.refresh(elsewhere); !errors.Is(err, connector.ErrRefused) {
		t.Errorf("somebody of another provider: %v", err)
	}
	nothing.Data = []byte("garbage")
	if _, err := h.refresh(nothing); err == nil {
		t.Error("garbage was read")
	}
	if calls := h.provider.Calls(connectortest.TokenPath); calls != 1 {
		t.Errorf("the provider was asked %d times", calls-1)
	}
}

func TestEndURL(t *testing.T) {
	h := newHouse(t, nil)
	ender := h.Connector.(connector.Ender)
	got, err := ender.EndURL(t.Context(), []byte("the.id.token"), "https://dex.example.com/logout/callback", "a state")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"id_token_hint": {"the.id.token"}, "client_id": {"dex"}, "state": {"a state"},
		"post_logout_redirect_uri": {"https://dex.example.com/logout/callback"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" || u.Scheme+"://"+u.Host+u.Path != h.provider.Issuer+connectortest.EndPath {
		t.Error(got, diff)
	}
}

func TestNothingIsEndedWhereThereIsNoEndpoint(t *testing.T) {
	h := newHouse(t, nil)
	h.provider.Set(connectortest.Knobs{Discovery: func(c connectortest.Claims) { delete(c, "end_session_endpoint") }})
	if got, err := h.Connector.(connector.Ender).EndURL(t.Context(), nil, "https://dex.example.com/", ""); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
