package story

import (
	"strings"
	"testing"
	"time"

	"dex/internal/domain/audit"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func TestAStoryIsToldInOrder(t *testing.T) {
	got := Tell(audit.Trace{
		SupportCode: "K7QX-9WDM-3T", StartedAt: noon,
		Steps: []audit.Step{
			{At: 0, What: "request", Said: "app asks for openid email"},
			{At: 1500, What: "connector", Said: "local: password right"},
			{At: 1500, What: "consent", Said: "is not asked for", Why: "trusted: true of client app"},
			{At: 1500, What: "gate", Said: "open"},
		},
		Grants: []audit.GrantStory{{ID: "gra_1", ClientID: "app", UserID: "usr_ann", Scopes: "openid email", IssuedAt: noon.Add(1500 * time.Millisecond), RedeemedAt: noon.Add(2 * time.Second), Generation: 2, RotatedAt: noon.Add(time.Hour), RevokedAt: noon.Add(2 * time.Hour), Reason: "token.revoked"}},
	})
	want := `Attempt K7QX-9WDM-3T began 2026-06-01 12:00:00.000Z.
app was let in, and what it got has been revoked since.

        0s  request    app asks for openid email
      1.5s  connector  local: password right
      1.5s  consent    is not asked for
                       because: trusted: true of client app
      1.5s  gate       open

Grant gra_1
  client app, account usr_ann, scopes openid email
  2026-06-01 12:00:01.500Z  code issued
  2026-06-01 12:00:02.000Z  code redeemed
  2026-06-01 13:00:00.000Z  refreshed, 2 times so far
  2026-06-01 14:00:00.000Z  revoked: token.revoked
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheVerdictSaysHowItEnded(t *testing.T) {
	refused := []audit.Step{{What: "request", Said: "admins asks for openid"}, {What: "gate", Said: "the person is in none of the client's groups", Why: "groups: [admins] of client admins"}, {What: "answer", Said: "access_denied"}}
	for _, tt := range []struct {
		name  string
		trace audit.Trace
		want  string
	}{
		{"nothing at all", audit.Trace{}, "Nothing more is known of it."},
		{"refused by a setting", audit.Trace{Steps: refused}, "It ended at the gate: the person is in none of the client's groups. What decided it: groups: [admins] of client admins. The application was told access_denied."},
		{"given up", audit.Trace{Steps: refused[:1]}, "It ended at the request: admins asks for openid."},
		{"a code that nobody has redeemed", audit.Trace{Grants: []audit.GrantStory{{ClientID: "app", IssuedAt: noon}}}, "app was let in, and has not come for its tokens."},
		{"tokens", audit.Trace{Grants: []audit.GrantStory{{ClientID: "app", IssuedAt: noon, RedeemedAt: noon}}}, "app was let in, and has got its tokens."},
	} {
		if got := verdict(tt.trace); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

func TestWhatOthersSaidDoesNotReachTheTerminal(t *testing.T) {
	evil := "\x1b[2J\r\u202e"
	got := Tell(audit.Trace{
		SupportCode: evil, Steps: []audit.Step{{What: evil, Said: evil, Why: evil}},
		Grants: []audit.GrantStory{{ID: evil, ClientID: evil, UserID: evil, Scopes: evil, Reason: evil, RevokedAt: noon}},
	})
	if strings.ContainsAny(got, "\x1b\r\u202e") {
		t.Errorf("%q", got)
	}
}
