package grant

import (
	"errors"
	"strings"
	"testing"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Whoever asks why somebody was not let in is told which setting to look at.
func TestADenialNamesTheSetting(t *testing.T) {
	age := 5 * time.Minute
	app := client.Client{
		ID: "app", GrantTypes: []string{"authorization_code"}, Scopes: oauth.Scopes{"openid"}, Connectors: []string{"corp"}, Groups: []string{"admins", "staff"},
	}
	c := &Case{
		Path: IssueCode, Client: app, Connector: &Connector{ID: "local", Disabled: true}, MaxAge: &age,
		User:          &user.User{ID: "usr_ann", Role: "support"},
		Authorization: Authorization{ConnectorID: "gone", Scopes: oauth.Scopes{"openid"}, Audience: []string{"other"}},
	}
	for reason, want := range map[Reason]string{
		ClientDisabled:      "disabled: true of client app",
		GrantTypeMissing:    "grant_types: [authorization_code] of client app",
		RedirectURIRemoved:  "redirect_uris of client app",
		ScopeNotAllowed:     "scopes: [openid] of client app",
		AudienceNotAllowed:  "trusted_peers of other",
		ConnectorGone:       "disabled: true of connector local",
		ConnectorNotAllowed: "connectors: [corp] of client app",
		GroupNotAllowed:     "groups: [admins, staff] of client app",
		RoleMissing:         `role: "support" of account usr_ann`,
		AuthTooOld:          "max_age=300",
		ConsentMissing:      "trusted: false of client app",
		GrantRevoked:        "", // no setting has decided it
	} {
		if got := settingOf(reason, c); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
	c.Connector = nil
	if got := settingOf(ConnectorGone, c); got != "connector gone is not configured" {
		t.Errorf("got %q", got)
	}
	c.Authorization.Scopes = oauth.Scopes{"dex:users:read"}
	if got := settingOf(ScopeNotAllowed, c); got != "trusted: false of client app" {
		t.Errorf("got %q", got)
	}
	c.Path = AssertIdentity
	for _, reason := range []Reason{ScopeNotAllowed, AudienceNotAllowed} {
		c.Authorization.Scopes = oauth.Scopes{"chat"}
		if got := settingOf(reason, c); got != "id_jag_audiences of client app" {
			t.Errorf("%s: %q", reason, got)
		}
	}
	_, err := Decide(Case{Path: IssueCode, Client: client.Client{ID: "app", Disabled: true}})
	denial, ok := errors.AsType[*Denial](err)
	if !ok || !strings.Contains(denial.Setting, "of client app") {
		t.Errorf("got %v", err)
	}
}
