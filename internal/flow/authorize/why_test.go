package authorize

import (
	"testing"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

func TestEachDecisionNamesWhatDecidedIt(t *testing.T) {
	app, trusted := client.Client{ID: "app"}, client.Client{ID: "app", Trusted: true}
	device := client.Client{ID: "tool", Public: true, Native: true}
	before := func(k *session.Known) { k.Session.ExpiresAt, k.Session.IdleUntil = noon, noon }
	unused := func(k *session.Known) { k.Session.IdleUntil = noon }
	for _, tt := range []struct {
		name   string
		asks   func(*grant.Request)
		client client.Client
		known  *session.Known
		denial *grant.Denial
		want   []string // what, what was said, and why, one after the other
	}{
		{name: "a stranger", client: app},
		{name: "a session of a trusted client", client: trusted, known: ann(nil), want: []string{
			"session", "answers for usr_ann: the last login was 1h0m0s ago, by ", "neither prompt nor max_age asks for a new login",
			"consent", "is not asked for", "trusted: true of client app",
		}},
		{name: "a login of this very attempt", client: trusted, known: ann(nil), asks: func(r *grant.Request) { r.Answered.SessionID = "ses_1" }, want: []string{
			"consent", "is not asked for", "trusted: true of client app",
		}},
		{name: "allowed before", client: app, known: ann(nil), asks: func(r *grant.Request) { r.Answered.SessionID = "ses_1" }, want: []string{
			"consent", "is not asked for", "the person has allowed it before",
		}},
		{name: "allowed now", client: app, known: ann(func(k *session.Known) { k.Consent = nil }), asks: func(r *grant.Request) {
			r.Answered.SessionID, r.Answered.ConsentBy, r.Answered.Consent = "ses_1", "usr_ann", oauth.Scopes{"openid", "email"}
		}},
		{name: "not allowed yet", client: app, known: ann(func(k *session.Known) { k.Consent = nil }), want: []string{"consent", "is asked for", "trusted: false of client app"}},
		{name: "asked for consent", client: trusted, known: ann(nil), asks: func(r *grant.Request) { r.Asked.Prompt = oauth.Prompt{Consent: true} }, want: []string{"consent", "is asked for", "prompt=consent"}},
		{name: "an application on a device", client: device, known: ann(nil), want: []string{"consent", "is asked for", "public: true and native: true of client tool: nothing is remembered"}},
		{name: "administrative scopes on the person's machine", client: client.Client{ID: "page", Trusted: true, Public: true}, known: ann(nil), asks: func(r *grant.Request) {
			r.Asked.RedirectURI, r.Asked.Scopes = "http://127.0.0.1:5555/cb", oauth.Scopes{"openid", "dex:users:read"}
		}, want: []string{"consent", "is asked for", "public: true of client page, and a redirect URI on the person's own machine: administrative scopes always ask"}},
		{name: "a scheme of its own", client: device, known: ann(nil), asks: func(r *grant.Request) { r.Asked.RedirectURI = "com.example.app:/cb" }, want: []string{"consent", "is asked for", "a redirect URI with a scheme of its own always asks"}},
		{name: "the device flow", client: trusted, known: ann(nil), asks: func(r *grant.Request) { r.Device = &grant.Waits{ID: "dev_1"} }, want: []string{"consent", "is asked for", "the device flow always asks"}},
		{name: "asked to log in", client: app, known: ann(nil), asks: func(r *grant.Request) { r.Asked.Prompt = oauth.Prompt{Login: true} }, want: []string{"session", "is passed over: a new login is asked for", "prompt=login"}},
		{name: "asked to choose", client: app, known: ann(nil), asks: func(r *grant.Request) { r.Asked.Prompt = oauth.Prompt{SelectAccount: true} }, want: []string{"session", "is passed over: a choice of account is asked for", "prompt=select_account"}},
		{name: "the person's own choice", client: app, known: ann(nil), asks: func(r *grant.Request) { r.Answered.Switch = true }, want: []string{"session", "is passed over", "the person wants another account"}},
		{name: "too long ago", client: app, known: ann(nil), asks: func(r *grant.Request) { r.Asked.MaxAge = seconds(300) }, want: []string{"session", "is passed over: the last login was 1h0m0s ago", "max_age=300"}},
		{name: "ended", client: app, known: ann(before), want: []string{"session", "has ended", "expiry.sessions"}},
		{name: "ended because nobody used it", client: app, known: ann(unused), want: []string{"session", "has ended, unused", "expiry.sessions_idle"}},
		{name: "another connector", client: app, known: ann(func(k *session.Known) { k.Session.ConnectorID = "local" }), asks: func(r *grant.Request) { r.Asked.ConnectorID = "corp" }, want: []string{"session", "is of another connector: local", "connector_id=corp"}},
		{name: "another person", client: app, known: ann(nil), asks: func(r *grant.Request) { r.About = "usr_ben" }, want: []string{"session", "is of somebody else than is asked about", "id_token_hint"}},
		{name: "another subject", client: app, known: ann(nil), asks: func(r *grant.Request) { r.Claimed = "usr_ben" }, want: []string{"session", "is of somebody else than is asked about", "claims"}},
		{name: "the gate is against it", client: app, known: ann(nil), denial: &grant.Denial{Reason: grant.ConnectorNotAllowed, Setting: "connectors: [corp] of client app"}, want: []string{"session", "does not count: the client does not accept this connector", "connectors: [corp] of client app"}},
		{name: "the gate, without a setting", client: app, known: ann(nil), denial: &grant.Denial{Reason: grant.UserEpoch}, want: []string{"session", "does not count: issued before the account's epoch", "the gate"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, counts := asks(tt.asks), tt.known
			if tt.denial != nil || tt.known != nil && !isMeant(r, tt.known) {
				counts = nil
			}
			var got []string
			for _, s := range reasons(r, tt.client, seen{tt.known, tt.denial}, next(r, tt.client, counts, noon), noon) {
				got = append(got, s.What, s.Said, s.Why)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %q", got)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("got %q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

// Who reloads a page is told no longer story.
func TestAReasonIsNotedOnce(t *testing.T) {
	r := asks(nil)
	for range 3 {
		r.Because(noon, "session", "has ended", "expiry.sessions")
	}
	r.Because(noon.Add(time.Second), "consent", "is asked for", "prompt=consent")
	if len(r.Steps) != 2 {
		t.Errorf("noted %+v", r.Steps)
	}
}
