package token

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
)

func TestARefreshNarrowsWhatItIsFor(t *testing.T) {
	granted := oauth.Scopes{"openid", "email", "offline_access", "audience:server:client_id:other"}
	for _, tt := range []struct {
		name     string
		asked    oauth.Scopes
		want     oauth.Scopes
		audience []string
		refused  bool
	}{
		{name: "nothing in particular is all of it", want: granted, audience: []string{"other"}},
		{name: "all of it", asked: granted, want: granted, audience: []string{"other"}},
		{name: "less, and still offline", asked: oauth.Scopes{"openid"}, want: oauth.Scopes{"openid", "offline_access"}},
		{name: "the audience alone", asked: oauth.Scopes{"audience:server:client_id:other"}, want: oauth.Scopes{"audience:server:client_id:other", "offline_access"}, audience: []string{"other"}},
		{name: "one more", asked: oauth.Scopes{"openid", "profile"}, refused: true},
		{name: "another audience", asked: oauth.Scopes{"audience:server:client_id:third"}, refused: true},
	} {
		got, err := narrow(granted, oauth.TokenRequest{Scopes: tt.asked, ScopesGiven: len(tt.asked) > 0})
		if (err != nil) != tt.refused || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
		if left := addressed([]string{"other"}, got); !slices.Equal(left, tt.audience) {
			t.Errorf("%s: it is for %q", tt.name, left)
		}
	}
	if _, err := narrow(oauth.Scopes{"openid"}, oauth.TokenRequest{Scopes: oauth.Scopes{"offline_access"}, ScopesGiven: true}); err == nil {
		t.Error("a refresh makes itself offline")
	}
}

func TestTheGraceIsTheClientsIfItHasOne(t *testing.T) {
	g := RefreshToken{Lifetimes: tenant.Lifetimes{RefreshGrace: time.Minute}}
	for given, want := range map[time.Duration]time.Duration{0: time.Minute, time.Second: time.Second, -1: -1} {
		if got := g.grace(client.Client{RefreshGrace: given}); got != want {
			t.Errorf("of a client with %s it is %s", given, got)
		}
	}
}

func TestAFamilyNeverIdlesLongerThanItLives(t *testing.T) {
	now := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	f := newFamily(tenant.Lifetimes{RefreshIdle: 2 * time.Hour, Refresh: time.Hour}, now)
	if f.Generation != 1 || !f.IdleUntil.Equal(now.Add(time.Hour)) || !f.ExpiresAt.Equal(now.Add(time.Hour)) || !f.RotatedAt.Equal(now) {
		t.Errorf("it is %+v", f)
	}
}

func TestWhatAClientIsToldOfAnError(t *testing.T) {
	secretCause := errors.New("pq: password of 10.0.0.7 is hunter2")
	for _, tt := range []struct {
		name   string
		err    error
		status int
		code   oauth.Code
	}{
		{"a protocol error, as it is", oauth.Wrap(oauth.InvalidScope, secretCause, "Too much."), 400, oauth.InvalidScope},
		{"one that is wrapped", fmt.Errorf("redeem: %w", oauth.Errorf(oauth.InvalidGrant, "No.")), 400, oauth.InvalidGrant},
		{"a closed gate", fmt.Errorf("gate: %w", &grant.Denial{Reason: grant.UserDisabled}), 400, oauth.InvalidGrant},
		{"a closed gate, for the client", &grant.Denial{Reason: grant.ClientDisabled}, 401, oauth.InvalidClient},
		{"a closed gate, for the grant type", &grant.Denial{Reason: grant.GrantTypeMissing}, 400, oauth.UnauthorizedClient},
		{"a closed gate, for a scope", &grant.Denial{Reason: grant.ScopeNotAllowed}, 400, oauth.InvalidScope},
		{"a closed gate, for an audience", &grant.Denial{Reason: grant.AudienceNotAllowed}, 400, oauth.InvalidScope},
		{"a body that is no form", fault.Wrap(fault.Invalid, httpx.ErrContentType, "No form."), 415, oauth.InvalidRequest},
		{"a body that is too large", fault.Wrap(fault.Invalid, httpx.ErrTooLarge, "Too large."), 413, oauth.InvalidRequest},
		{"another mistake", fault.Wrap(fault.Invalid, secretCause, "No."), 400, oauth.InvalidRequest},
		{"a database that is away", fault.Wrap(fault.Unavailable, secretCause, "Away."), 503, oauth.TemporarilyUnavailable},
		{"too many", fault.New(fault.Throttled, "Slowly."), 503, oauth.TemporarilyUnavailable},
		{"something that is gone", fault.Wrap(fault.NotFound, secretCause, "Gone."), 500, oauth.ServerError},
		{"a failure of our own", secretCause, 500, oauth.ServerError},
	} {
		w := httptest.NewRecorder()
		writeError(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil), tt.err)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), `"error":"`+string(tt.code)+`"`) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "hunter2") || strings.Contains(fmt.Sprint(w.Header()), "hunter2") {
			t.Errorf("%s: the cause is told: %s", tt.name, w.Body)
		}
		if (w.Header().Get("WWW-Authenticate") != "") != (tt.status == 401) || (w.Header().Get("Retry-After") != "") != (tt.status == 503) {
			t.Errorf("%s: headers %v", tt.name, w.Header())
		}
	}
}

// Whatever the gate finds, the client hears one of a few words, and never which
// person, session or connector it was about.
func TestEveryDenialHasAWord(t *testing.T) {
	var told []string
	for _, reason := range []grant.Reason{
		grant.TenantDisabled, grant.TenantEpoch, grant.ClientEpoch, grant.RedirectURIRemoved, grant.ConnectorGone, grant.ConnectorNotAllowed, grant.UserGone,
		grant.UserDisabled, grant.UserEpoch, grant.IdentityGone, grant.GroupNotAllowed, grant.SessionEnded, grant.GrantRevoked, grant.TokenRevoked,
	} {
		e := translate(&grant.Denial{Path: grant.Refresh, Reason: reason})
		told = append(told, fmt.Sprint(e.Code, e.Description))
	}
	if all := slices.Compact(told); len(all) != 1 {
		t.Errorf("reasons can be told apart: %q", all)
	}
}

func TestALogLineHoldsNoMoreThanAClip(t *testing.T) {
	if got := clip(strings.Repeat("x", 1000)); len(got) != 64 {
		t.Errorf("%d bytes", len(got))
	}
	if got := clip("short"); got != "short" {
		t.Errorf("got %q", got)
	}
}
