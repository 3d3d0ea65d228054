package worker_test

import (
	"context"
	"net/http"
	"time"

	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
)

// gateMatrix is what is expected of every way to stop, on every way to something
// of worth in the order of gateWays. "-" lets it pass.
const gateMatrix = `
way to stop                | login callback session silent consent remembered | redeem refresh | userinfo in-session | introspect in-session refresh | administer in-session | itself introspect administer | let-in device | tokens and-code | allow-call call | exchange in-session | assertion to-asks foreign | password | share | assert in-session
nothing                    | -     -        -       -      -       -          | -      -       | -        -          | -          -          -       | -          -          | -      -          - | -      - | -      - | -          -    | -        - | -         -       -                                     | -        | - | -  -
tenant disabled            | 403   403      login   lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | ig     no         401 | login  ig | lr     lr | login      ig   | ir       ir | ig        ig      ir                               | ig       | ig | ir  ir
tenant's epoch             | -     -        login   lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      no         401 | login  ig | lr     lr | login      ig   | ir       ir | ig        ig      ir                               | -        | ig | ir  ir
client disabled            | 403   403      400     400    400     400        | ic     ic      | 401      401        | ic         ic         ic      | 401        401        | ic     ic         401 | 400    ic | 400    400 | 400        ic   | ic       ic | ic        ic      ic                              | ic       | ic | ic  ic
client disabled by file    | 403   403      400     400    400     400        | ic     ic      | 401      401        | ic         ic         ic      | 401        401        | ic     ic         401 | 400    ic | 400    400 | 400        ic   | ic       ic | ic        ic      ic                              | ic       | ic | ic  ic
client not declared        | 403   403      400     400    400     400        | ic     ic      | 401      401        | ic         ic         ic      | 401        401        | ic     ic         401 | 400    ic | 400    400 | 400        ic   | ic       ic | ic        ic      ic                              | ic       | ic | ic  ic
client is another's now    | -     -        -       -      -       -          | ig     ig      | 401      401        | no         no         no      | 401        401        | -      no         401 | -      ig | -      - | -          ig   | ir       ir | ig        ig      ir                                | -        | uc | ir  ir
codes taken away           | uc    uc       uc      uc     uc      uc         | uc     uc      | -        -          | -          -          -       | -          -          | -      -          - | out    uc | uc uc | out        uc   | uc       uc | uc        uc      uc                                     | uc       | uc | uc  uc
refresh taken away         | -     -        -       -      -       -          | -      uc      | -        -          | -          -          -       | -          -          | -      -          - | -      - | -      - | -          -    | -        - | -         -       -                                     | -        | - | -  -
itself taken away          | -     -        -       -      -       -          | -      -       | -        -          | -          -          -       | -          -          | uc     no         401 | -      - | -      - | -          -    | -        - | -         -       -                                   | -        | - | -  -
tokens taken away          | -     -        -       -      -       -          | -      -       | -        -          | -          -          -       | -          -          | -      -          - | -      - | uc     uc | -          -    | -        - | -         -       -                                    | -        | - | -  -
login not shared           | -     -        -       -      -       -          | -      -       | -        -          | -          -          -       | -          -          | -      -          - | -      - | -      -  | -          -    | -        - | -         -       -                                    | -        | uc | -  -
response types taken away  | uc    uc       uc      uc     uc      uc         | -      -       | -        -          | -          -          -       | -          -          | -      -          - | -      - | uc     uc | -          -    | -        - | -         -       -                                    | -        | - | -  -
redirect URI removed       | 400   400      400     400    400     400        | ig     -       | -        -          | -          -          -       | -          -          | -      -          - | -      - | 400    400 | -          -    | -        - | -         -       -                                   | -        | - | -  -
scope removed              | is    is       -       -      is      -          | is     is      | 401      401        | no         no         no      | 401        401        | -      -          - | out    is | -      - | out        is   | ir       ir | is        is      is                                  | -        | is | ir  ir
own scope removed          | -     -        -       -      -       -          | -      -       | -        -          | -          -          -       | -          -          | -      no         - | -      - | -      - | -          -    | -        - | -         -       -                                     | -        | - | -  -
peer trusts nobody         | is    is       is      is     is      is         | is     is      | 401      401        | no         no         no      | 401        401        | -      -          - | out    is | is     is | out        is   | ir       ir | is        -       it                                 | -        | is | -  ir
server elsewhere removed   | -     -        -       -      -       -          | -      -       | -        -          | -          -          -       | -          -          | -      -          - | -      - | -      - | -          -    | -        - | -         -       -                                     | -        | - | it  it
peer disabled              | is    is       is      is     is      is         | is     is      | 401      401        | no         no         no      | 401        401        | -      -          - | out    is | is     is | out        is   | ir       ir | is        -       it                                 | -        | is | -  ir
peer not declared          | is    is       is      is     is      is         | is     is      | 401      401        | no         no         no      | 401        401        | -      -          - | out    is | is     is | out        is   | ir       ir | is        -       it                                 | -        | is | -  ir
connector disabled         | 404   404      404     lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | lr     lr | 404        ig   | ir       ir | ig        ig      ir                                 | ig       | ig | ir  ir
connector not declared     | 404   404      404     lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | lr     lr | 404        ig   | ir       ir | ig        ig      ir                                 | ig       | ig | ir  ir
connector not accepted     | 403   403      ir      ir     login   ir         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | ir     ir | 404        ig   | ir       ir | ig        ig      ir                                 | ig       | ig | ir  ir
user gone                  | -     -        login   lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | lr     lr | login      ig   | ir       ir | ig        ig      ir                                 | -        | ig | ir  ir
user disabled              | 403   403      login   lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | lr     lr | login      ig   | ir       ir | ig        ig      ir                                 | ig       | ig | ir  ir
user only marked disabled  | 403   403      login   lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | lr     lr | login      ig   | ir       ir | ig        ig      ir                                 | ig       | ig | ir  ir
user disabled and enabled  | -     -        login   lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | lr     lr | login      ig   | ir       ir | ig        ig      ir                                 | -        | ig | ir  ir
user's epoch               | -     -        login   lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | lr     lr | login      ig   | ir       ir | ig        ig      ir                                 | -        | ig | ir  ir
identity unlinked          | -     -        login   lr     login   lr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | login  ig | lr     lr | login      ig   | ir       ir | ig        ig      ir                                 | -        | ig | ir  ir
group not accepted         | ad    ad       ad      ad     ad      ad         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | out    ig | ad     ad | out        ig   | ir       ir | ig        ig      ir                                 | ig       | ig | ir  ir
group taken away           | -     ad       ad      ad     ad      ad         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | out    ig | ad     ad | out        ig   | ir       ir | ig        ig      ir                                 | -        | ig | ir  ir
session ended              | -     -        login   lr     login   lr         | ig     -       | -        401        | -          no         -       | -          401        | -      -          - | login  ig | lr     lr | login      ig   | ir       ir | -         -       -                                  | -        | ig | -  ir
session idle for too long  | -     -        login   lr     login   lr         | ig     -       | -        401        | -          no         -       | -          401        | -      -          - | login  ig | lr     lr | 404        ig   | ir       ir | -         -       -                                  | -        | ig | -  ir
proof too old              | -     -        login   lr     login   lr         | -      -       | -        -          | -          -          -       | -          -          | -      -          - | -      - | lr     lr | -          -    | -        - | -         -       -                                    | -        | - | -  -
login too weak             | -     ur       login   lr     -       lr         | -      -       | -        -          | -          -          -       | -          -          | -      -          - | -      - | lr     lr | -          -    | -        - | -         -       -                                    | -        | - | -  -
consent revoked            | -     -        -       -      -       cr         | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | -      ig | -      - | -          ig   | ir       ir | -         ig      -                                   | -        | - | ir  ir
role taken away            | -     -        -       -      -       -          | ig     -       | 401      401        | no         no         -       | 401        401        | -      -          - | -      ig | -      - | -          ig   | ir       ir | ig        -       ir                                  | -        | - | ir  ir
client not trusted         | consent consent consent cr    -       -          | is     is      | 401      401        | no         no         no      | 401        401        | -      -          401 | out    is | cr     cr | out        is   | ir       ir | is        -       is                               | ig       | is | ir  ir
grant revoked              | -     -        -       -      -       -          | ig     ig      | 401      401        | no         no         no      | 401        401        | -      -          - | -      ig | -      - | -          ig   | ir       ir | -         -       -                                   | -        | ig | ir  ir
token revoked              | -     -        -       -      -       -          | -      -       | 401      401        | no         no         -       | 401        401        | -      no         401 | -      - | -      - | -          -    | ir       ir | -         -       -                                  | -        | - | -  -
`

// gateWords are what the short words in the matrix stand for.
var gateWords = map[string]string{
	"lr": "login_required", "cr": "consent_required", "ad": "access_denied", "is": "invalid_scope",
	"uc": "unauthorized_client", "it": "invalid_target", "ir": "invalid_request", "ig": "invalid_grant", "ic": "invalid_client", "no": "inactive",
	"ur": "unmet_authentication_requirements",
}

// gateStop is one way in which something comes to be stopped.
type gateStop struct {
	name   string
	reason grant.Reason // that the gate has for it
	do     func(w *gateWorld)
}

var gateStops = []gateStop{
	{"nothing", "", func(*gateWorld) {}},
	{"tenant disabled", grant.TenantDisabled, func(w *gateWorld) { w.must(w.s.Tenant.DisableTenant(w.ctx(), audit.By{At: w.now()})) }},
	{"tenant's epoch", grant.TenantEpoch, func(w *gateWorld) {
		w.s.Clock.Advance(time.Second)
		w.must(w.s.Tenant.SetTenantNotBefore(w.ctx(), w.now(), audit.By{At: w.now()}))
	}},
	{"client disabled", grant.ClientDisabled, func(w *gateWorld) {
		w.must(w.s.Tenant.DisableClient(w.ctx(), "app", audit.By{At: w.now()}))
		w.must(w.s.Tenant.DisableClient(w.ctx(), "asks", audit.By{At: w.now()}))
	}},
	{"client disabled by file", grant.ClientDisabled, func(w *gateWorld) {
		w.apply("{id: app,", "{id: app, disabled: true,", "{id: asks,", "{id: asks, disabled: true,")
	}},
	{"client not declared", grant.ClientDisabled, func(w *gateWorld) {
		w.apply("{id: app,", "{id: another,", "{id: asks,", "{id: yet-another,", "[app, asks]", "[]")
	}},
	{"client is another's now", grant.ClientEpoch, func(w *gateWorld) {
		w.s.Clock.Advance(time.Second)
		w.raw(`UPDATE clients SET created_at = $1`, w.now())
		w.must(w.s.Tenant.DisableConnector(w.ctx(), "spare", audit.By{At: w.now()})) // and nobody goes by memory
	}},
	{"codes taken away", grant.GrantTypeMissing, func(w *gateWorld) {
		w.apply(`[authorization_code, refresh_token, client_credentials, implicit, "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", password]`, "[client_credentials]", ", ciba_mode: poll", "", `, id_jag_audiences: [{issuer: "https://chat.example.com", client_id: app, scopes: [openid, profile, chat]}]`, "", `, response_types: [code, "id_token token", "code id_token"]`, "")
	}},
	{"refresh taken away", grant.GrantTypeMissing, func(w *gateWorld) {
		w.apply(`[authorization_code, refresh_token, client_credentials, implicit, "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", password]`, `[authorization_code, client_credentials, implicit, "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", password]`)
	}},
	{"itself taken away", grant.GrantTypeMissing, func(w *gateWorld) {
		w.apply(`[authorization_code, refresh_token, client_credentials, implicit, "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", password]`, `[authorization_code, refresh_token, implicit, "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", password]`)
	}},
	{"tokens taken away", grant.GrantTypeMissing, func(w *gateWorld) {
		w.apply("client_credentials, implicit,", "client_credentials,", `, response_types: [code, "id_token token", "code id_token"]`, "")
	}},
	{"login not shared", grant.LoginNotShared, func(w *gateWorld) {
		w.apply("native_sso_group: apps, trusted: true, id_token_alg", "native_sso_group: others, trusted: true, id_token_alg")
	}},
	{"response types taken away", grant.ResponseTypeMissing, func(w *gateWorld) {
		w.apply(`response_types: [code, "id_token token", "code id_token"]`, `response_types: [id_token]`)
	}},
	{"redirect URI removed", grant.RedirectURIRemoved, func(w *gateWorld) { w.apply(".example.com/cb", ".example.com/moved") }},
	{"scope removed", grant.ScopeNotAllowed, func(w *gateWorld) { w.apply("[openid, profile,", "[openid,") }},
	{"own scope removed", grant.ScopeNotAllowed, func(w *gateWorld) {
		w.apply("offline_access, api,", "offline_access,", "offline_access, api]", "offline_access]")
	}},
	{"peer trusts nobody", grant.AudienceNotAllowed, func(w *gateWorld) { w.apply("[app, asks]", "[]") }},
	{"server elsewhere removed", grant.AudienceNotAllowed, func(w *gateWorld) { w.apply("https://chat.example.com", "https://mail.example.com") }},
	{"peer disabled", grant.AudienceNotAllowed, func(w *gateWorld) { w.must(w.s.Tenant.DisableClient(w.ctx(), "peer", audit.By{At: w.now()})) }},
	{"peer not declared", grant.AudienceNotAllowed, func(w *gateWorld) { w.apply("{id: peer,", "{id: another,") }},
	{"connector disabled", grant.ConnectorGone, func(w *gateWorld) {
		w.must(w.s.Tenant.DisableConnector(w.ctx(), "elsewhere", audit.By{At: w.now()}))
		w.must(w.s.Tenant.DisableConnector(w.ctx(), "people", audit.By{At: w.now()}))
	}},
	{"connector not declared", grant.ConnectorGone, func(w *gateWorld) { w.apply("{id: elsewhere,", "{id: other,", "{id: people,", "{id: folk,") }},
	{"connector not accepted", grant.ConnectorNotAllowed, func(w *gateWorld) { w.apply("groups: [staff]}\n", "groups: [staff], connectors: [spare]}\n") }},
	{"user gone", grant.UserGone, func(w *gateWorld) { w.raw(`DELETE FROM users`) }},
	{"user disabled", grant.UserDisabled, func(w *gateWorld) {
		for _, id := range w.ids("users") {
			w.must(w.s.Tenant.DisableUser(w.ctx(), id, audit.By{At: w.now()}))
		}
	}},
	{"user disabled and enabled", grant.UserDisabled, func(w *gateWorld) {
		w.s.Clock.Advance(time.Second)
		for _, id := range w.ids("users") {
			w.must(w.s.Tenant.DisableUser(w.ctx(), id, audit.By{At: w.now()}))
			w.must(w.s.Tenant.EnableUser(w.ctx(), id, audit.By{At: w.now()}))
		}
	}},
	// No verb does these three alone. What they do to the database is what is left of
	// one if its session and its grants come in at the same moment.
	{"user only marked disabled", grant.UserDisabled, func(w *gateWorld) { w.raw(`UPDATE users SET disabled = TRUE`) }},
	{"user's epoch", grant.UserEpoch, func(w *gateWorld) {
		w.s.Clock.Advance(time.Second)
		w.raw(`UPDATE users SET not_before = $1`, w.now())
	}},
	{"identity unlinked", grant.IdentityGone, func(w *gateWorld) { w.raw(`DELETE FROM identities`) }},
	{"group not accepted", grant.GroupNotAllowed, func(w *gateWorld) { w.apply("groups: [staff]}\n", "groups: [admins]}\n") }},
	{"group taken away", grant.GroupNotAllowed, func(w *gateWorld) {
		w.up.Again = func(_ context.Context, id user.Identity) (user.Identity, error) {
			id.Profile.Groups = nil
			return id, nil
		}
		w.up.Arrive = func(_ context.Context, name string) (connector.Step, error) {
			step := w.up.Vouch(name)
			step.Identity.Profile.Groups = nil
			return step, nil
		}
		w.s.Clock.Advance(time.Minute) // somebody's refresh asks the provider again
		if got := answered(w.app.Refresh(w.other)); got != "invalid_grant" {
			w.t.Fatalf("a refresh without the group: %s", got)
		}
	}},
	{"role taken away", grant.RoleMissing, func(w *gateWorld) { w.raw(`UPDATE users SET role = ''`) }},
	{"session ended", grant.SessionEnded, func(w *gateWorld) {
		for _, id := range w.ids("sessions") {
			_, err := w.s.Tenant.EndSession(w.ctx(), id, time.Time{}, w.now())
			w.must(err)
		}
	}},
	{"session idle for too long", grant.SessionEnded, func(w *gateWorld) { w.s.Clock.Advance(5 * time.Minute) }},
	{"proof too old", grant.AuthTooOld, func(w *gateWorld) { w.s.Clock.Advance(61 * time.Second) }},
	{"login too weak", grant.AuthTooWeak, func(w *gateWorld) {
		w.raw(`UPDATE sessions SET methods = '["fed"]'`)
		w.up.Arrive = func(_ context.Context, name string) (connector.Step, error) { return w.up.Vouch(name), nil }
	}},
	{"consent revoked", grant.ConsentMissing, func(w *gateWorld) {
		for _, id := range w.ids("users") {
			w.must(w.s.Tenant.RevokeConsent(w.ctx(), id, "app", w.now()))
			w.must(w.s.Tenant.RevokeConsent(w.ctx(), id, "asks", w.now()))
		}
	}},
	{"client not trusted", grant.ConsentMissing, func(w *gateWorld) { w.apply("trusted: true", "trusted: false", `, "dex:sessions:read"`, "") }},
	{"grant revoked", grant.GrantRevoked, func(w *gateWorld) {
		for _, id := range w.ids("grants") {
			w.must(w.s.Tenant.Revoke(w.ctx(), id, audit.TokenRevoked, w.now()))
		}
	}},
	{"token revoked", grant.TokenRevoked, func(w *gateWorld) {
		for _, token := range w.access {
			if a := w.app.Revoke(token); a.Status != http.StatusOK {
				w.t.Fatalf("revoke: %d %s", a.Status, a.Body)
			}
		}
	}},
}
