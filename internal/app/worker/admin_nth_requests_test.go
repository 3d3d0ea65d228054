package worker_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/domain/outbox"
	"dex/internal/protocol/oauth"
)

// requests has a valid request for each route of the API, by the route's id. What it
// is about is made anew each time, so that one does not depend on what became of
// another.
var requests = map[string]func(f *field) asked{
	"list-users":   at("/users?text=ben"),
	"create-user":  func(f *field) asked { return asked{path: "/users", body: f.person()} },
	"get-user":     func(f *field) asked { return asked{path: "/users/" + f.ben} },
	"replace-user": func(f *field) asked { return asked{path: f.user(), body: f.person()} },
	"change-user":  func(f *field) asked { return asked{path: f.user(), body: `{"name": "Another"}`} },
	"delete-user":  func(f *field) asked { return asked{path: f.user()} },
	"disable-user": func(f *field) asked { return asked{path: f.user() + "/disable"} },
	"enable-user":  func(f *field) asked { return asked{path: f.disabled(f.user()) + "/enable"} },
	"set-role":     func(f *field) asked { return asked{path: f.user() + "/role", body: `{"role": "auditor"}`} },
	"set-login-names": func(f *field) asked {
		return asked{path: f.user() + "/login-names", body: map[string]any{"login_names": []string{f.fresh() + "-x"}}}
	},
	"set-password": func(f *field) asked {
		return asked{path: f.user() + "/password", body: map[string]any{"password_hash": workertest.PasswordHash}}
	},
	"invite-user":     func(f *field) asked { return asked{path: f.user() + "/invite"} },
	"reset-password":  func(f *field) asked { return asked{path: f.user() + "/reset"} },
	"list-identities": func(f *field) asked { return asked{path: "/users/" + f.ben + "/identities"} },
	"link-identity": func(f *field) asked {
		return asked{path: f.user() + "/identities", body: map[string]any{"connector_id": f.connector(), "subject": f.fresh()}}
	},
	"unlink-identity": func(f *field) asked {
		u, c := f.user(), f.connector()
		f.owner.Call(http.MethodPost, u+"/identities", map[string]any{"connector_id": c, "subject": "s"}).Into(f, &resource.Identity{})
		return asked{path: u + "/identities/" + c + "?subject=s"}
	},

	"get-registration": at("/registration"),
	"replace-registration": func(f *field) asked {
		return asked{path: "/registration", body: map[string]any{"admission": "token", "scopes": []string{"openid"}}}
	},
	"list-initial-tokens":  at("/initial-tokens"),
	"create-initial-token": func(f *field) asked { return asked{path: "/initial-tokens", body: map[string]any{"note": f.fresh()}} },
	"delete-initial-token": func(f *field) asked {
		var made resource.NewInitialToken
		f.owner.Call(http.MethodPost, "/initial-tokens", map[string]any{"note": "x"}).Into(f, &made)
		return asked{path: "/initial-tokens/" + made.ID}
	},

	"list-sessions":               func(f *field) asked { return asked{path: "/users/" + f.ben + "/sessions"} },
	"end-session":                 func(f *field) asked { return asked{path: "/sessions/" + f.first("sessions")} },
	"end-sessions":                func(f *field) asked { f.signedIn(); return asked{path: "/users/" + f.ben + "/sessions"} },
	"list-grants":                 func(f *field) asked { return asked{path: "/users/" + f.ben + "/grants"} },
	"revoke-grant":                func(f *field) asked { return asked{path: "/grants/" + f.first("grants")} },
	"revoke-grants":               func(f *field) asked { f.signedIn(); return asked{path: "/users/" + f.ben + "/grants"} },
	"list-consents":               func(f *field) asked { f.consented(); return asked{path: "/users/" + f.ben + "/consents"} },
	"revoke-consent":              func(f *field) asked { f.consented(); return asked{path: "/users/" + f.ben + "/consents/app"} },
	"list-events":                 at("/audit?limit=3"),
	"list-backchannel-requests":   func(f *field) asked { return asked{path: "/users/" + f.ben + "/backchannel-requests"} },
	"approve-backchannel-request": func(f *field) asked { return asked{path: "/backchannel-requests/" + f.called() + "/approve"} },
	"deny-backchannel-request":    func(f *field) asked { return asked{path: "/backchannel-requests/" + f.called() + "/deny"} },
	"get-trace": func(f *field) asked {
		code := strings.ToUpper(f.fresh())
		must(f, f.s.Tenant.KeepTrace(f.Context(), code, f.s.Clock.Now(), []audit.Step{{What: "something"}}))
		return asked{path: "/traces/" + code}
	},

	"list-groups":  at("/groups"),
	"create-group": func(f *field) asked { return asked{path: "/groups", body: map[string]any{"id": f.fresh()}} },
	"get-group":    func(f *field) asked { return asked{path: f.group()} },
	"replace-group": func(f *field) asked {
		return asked{path: f.group(), body: map[string]any{"id": f.fresh(), "description": "x"}}
	},
	"delete-group": func(f *field) asked { return asked{path: f.group()} },
	"list-members": func(f *field) asked { return asked{path: f.group() + "/members"} },
	"add-members": func(f *field) asked {
		return asked{path: f.group() + "/members", body: map[string]any{"users": []string{f.ben}}}
	},
	"remove-member": func(f *field) asked {
		g := f.group()
		if got := f.owner.Call(http.MethodPost, g+"/members", map[string]any{"users": []string{f.ben}}); got.Status >= http.StatusBadRequest {
			f.Fatal(got.Body)
		}
		return asked{path: g + "/members/" + f.ben}
	},

	"list-clients":      at("/clients"),
	"create-client":     func(f *field) asked { return asked{path: "/clients", body: f.application()} },
	"get-client":        at("/clients/app"),
	"replace-client":    func(f *field) asked { return asked{path: f.client(), body: f.application()} },
	"delete-client":     func(f *field) asked { return asked{path: f.client(), steps: true} },
	"disable-client":    func(f *field) asked { return asked{path: f.client() + "/disable"} },
	"enable-client":     func(f *field) asked { return asked{path: f.disabled(f.client()) + "/enable"} },
	"add-client-secret": func(f *field) asked { return asked{path: f.client() + "/secrets"} },
	"remove-client-secret": func(f *field) asked {
		c := f.client()
		return asked{path: c + "/secrets/" + url.PathEscape(f.make(c+"/secrets", nil))}
	},
	"get-client-use": at("/clients/app/use"),

	"list-connectors":  at("/connectors"),
	"create-connector": func(f *field) asked { return asked{path: "/connectors", body: f.upstream()} },
	"test-new-connector": func(f *field) asked {
		return asked{path: "/connectors/test", body: map[string]any{"id": f.fresh(), "kind": "mock"}}
	},
	"get-connector":     func(f *field) asked { return asked{path: "/connectors/" + f.connector()} },
	"replace-connector": func(f *field) asked { return asked{path: "/connectors/" + f.connector(), body: f.upstream()} },
	"delete-connector":  func(f *field) asked { return asked{path: "/connectors/" + f.connector(), steps: true} },
	"disable-connector": func(f *field) asked { return asked{path: "/connectors/" + f.connector() + "/disable"} },
	"enable-connector":  func(f *field) asked { return asked{path: f.disabled("/connectors/"+f.connector()) + "/enable"} },
	"test-connector":    at("/connectors/local/test"),
	"get-connector-use": at("/connectors/local/use"),

	"list-tenants":   at("/tenants"),
	"create-tenant":  func(f *field) asked { return asked{path: "/tenants", body: f.issuer("")} },
	"get-tenant":     at("/tenants/default"),
	"replace-tenant": func(f *field) asked { return asked{path: f.tenant(), body: f.issuer("Another")} },
	"delete-tenant":  func(f *field) asked { return asked{path: f.tenant()} },
	"disable-tenant": func(f *field) asked { return asked{path: f.tenant() + "/disable"} },
	"enable-tenant":  func(f *field) asked { return asked{path: f.disabled(f.tenant()) + "/enable"} },

	"plan": func(f *field) asked { return asked{path: "/plan", body: map[string]any{"resources": f.files()}} },
	"apply": func(f *field) asked {
		body := map[string]any{"resources": f.files()}
		var p resource.Plan
		f.owner.Call(http.MethodPost, "/plan", body).Into(f, &p)
		body["basis"] = p.Basis
		return asked{path: "/apply", body: body}
	},
	"export": at("/export"),

	"bootstrap": func(f *field) asked {
		f.raw(`DELETE FROM clients WHERE id = 'dexctl'`)
		f.raw(`UPDATE bootstrap SET closed_at = NULL, closed_by = '', attempts = 0`)
		value := secret.New(secret.ClientPrefix)
		must(f, f.s.DB.OfferFounding(f.Context(), value.Hash(), f.s.Clock.Now().Add(time.Hour), operatorNow(f.s)))
		return asked{path: "/bootstrap", leaves: "changed in bootstrap", body: map[string]any{
			"secret": string(value), "email": f.fresh() + "@example.com", "password": "meadow lantern 47 kestrel",
		}}
	},
	"get-state":   at("/state"),
	"get-health":  at("/health"),
	"list-duties": at("/duties"),
	"run-duty": func(*field) asked {
		return asked{path: "/duties/clear%20away/run", steps: true}
	},
	"list-outbox":    at("/outbox"),
	"retry-message":  func(f *field) asked { return asked{path: "/outbox/" + f.message() + "/retry"} },
	"drop-message":   func(f *field) asked { return asked{path: "/outbox/" + f.message()} },
	"reseal":         func(*field) asked { return asked{path: "/keys/reseal", steps: true} },
	"list-keys":      at("/keys"),
	"rotate-keys":    func(f *field) asked { f.oneKey(); return asked{path: "/keys/rotate"} },
	"compromise-key": func(f *field) asked { return asked{path: "/keys/" + f.announced() + "/compromise"} },
}

// at is a request that needs nothing of its own.
func at(path string) func(*field) asked {
	return func(*field) asked { return asked{path: path} }
}

func (f *field) person() map[string]any {
	return map[string]any{"username": f.fresh(), "email": f.fresh() + "@example.com", "name": "Some Body"}
}

// user makes somebody, and returns the path of them.
func (f *field) user() string { return "/users/" + f.make("/users", f.person()) }

func (f *field) group() string {
	return "/groups/" + f.make("/groups", map[string]any{"id": f.fresh()})
}

func (f *field) application() map[string]any {
	return map[string]any{"id": f.fresh(), "redirect_uris": []string{"https://grafana.example.com/login"}, "id_token_alg": "ES256"}
}

func (f *field) client() string { return "/clients/" + f.make("/clients", f.application()) }

func (f *field) upstream() map[string]any {
	return map[string]any{"id": f.fresh(), "kind": "oidc", "config": map[string]any{
		"issuer": "https://id.corp.example", "client_id": "dex", "client_secret": "upstream-secret",
	}}
}

// connector makes a connector, and returns its id.
func (f *field) connector() string { return f.make("/connectors", f.upstream()) }

func (f *field) issuer(name string) map[string]any {
	return map[string]any{"id": f.fresh(), "issuer": "https://" + f.fresh() + ".example.com", "name": name}
}

func (f *field) tenant() string { return "/tenants/" + f.make("/tenants", f.issuer("")) }

// disabled disables what is at a path, and returns the path.
func (f *field) disabled(path string) string {
	f.Helper()
	if got := f.owner.Call(http.MethodPost, path+"/disable", nil); got.Status >= http.StatusBadRequest {
		f.Fatalf("disable: %d %s", got.Status, got.Body)
	}
	return path
}

func (f *field) files() json.RawMessage {
	text, err := json.Marshal(map[string]any{
		"clients": []any{f.application()}, "groups": []any{map[string]any{"id": f.fresh()}},
		"users": []any{map[string]any{"username": f.fresh()}},
	})
	must(f, err)
	return text
}

// signIn signs ben in, and keeps what came of it.
func (f *field) signIn() {
	f.Helper()
	app, b := f.s.Client(f, "app"), f.s.Browser(f)
	app.Redeem(b.SignIn(b.Get(app.Authorize()), "ben", workertest.Password).Param("code"))
	for _, table := range []string{"sessions", "grants"} {
		f.raw(`CREATE TABLE kept_`+table+` AS SELECT * FROM `+table+` WHERE user_id = $1`, f.ben)
	}
}

// signedIn is ben with the session and the grant of the beginning.
func (f *field) signedIn() {
	f.Helper()
	for _, table := range []string{"grants", "sessions"} {
		f.raw(`DELETE FROM `+table+` WHERE user_id = $1`, f.ben)
	}
	for _, table := range []string{"sessions", "grants"} {
		f.raw(`INSERT INTO ` + table + ` SELECT * FROM kept_` + table)
	}
}

// first is the id of what came of it that ben has signed in.
func (f *field) first(what string) string {
	f.Helper()
	f.signedIn()
	var list resource.List[struct {
		ID string `json:"id"`
	}]
	f.owner.Call(http.MethodGet, "/users/"+f.ben+"/"+what, nil).Into(f, &list)
	if len(list.Items) == 0 {
		f.Fatalf("ben has no %s", what)
	}
	return list.Items[0].ID
}

func (f *field) consented() {
	f.Helper()
	must(f, f.s.Tenant.KeepConsent(f.Context(), f.ben, "app", oauth.Scopes{"openid"}, f.s.Clock.Now()))
}

// called is the id of a request by the back channel that waits.
func (f *field) called() string {
	f.Helper()
	u, identities, err := f.s.Tenant.ByHint(f.Context(), f.ben)
	must(f, err)
	d := grant.Device{
		ID: grant.NewBackchannelID(), Code: secret.New(secret.BackchannelPrefix).Hash(), UserCode: secret.New(secret.BackchannelPrefix).Hash(),
		ClientID: "caller", Scopes: oauth.Scopes{"openid"}, CreatedAt: f.s.Clock.Now(), ExpiresAt: f.s.Clock.Now().Add(grant.BackchannelLife),
		For: &grant.Addressee{UserID: u.ID, ConnectorID: identities[0].ConnectorID, Subject: identities[0].Subject},
	}
	must(f, f.s.Tenant.OpenDevice(f.Context(), d))
	return d.ID
}

// message is the id of a message that was given up.
func (f *field) message() string {
	f.Helper()
	id, now := outbox.NewID(f.s.Clock.Now()), f.s.Clock.Now()
	must(f, f.s.Tenant.Enqueue(f.Context(), outbox.Message{ID: id, Kind: outbox.Mail, Body: []byte("Dear")}, now))
	f.raw(`UPDATE outbox SET dead_at = next_at WHERE id = $1`, id)
	return id
}

// oneKey takes away the keys that do not sign yet.
func (f *field) oneKey() {
	f.raw(`DELETE FROM signing_keys WHERE sign_from > (SELECT MIN(sign_from) FROM signing_keys)`)
	f.raw(`UPDATE signing_keys SET sign_until = NULL, unpublish_at = NULL`)
}

// announced is the id of a key that does not sign yet.
func (f *field) announced() (id string) {
	f.oneKey()
	f.owner.Call(http.MethodPost, "/keys/rotate", nil).Into(f, &resource.List[resource.Key]{})
	must(f, rowOf(f.s, `SELECT id FROM signing_keys ORDER BY sign_from DESC LIMIT 1`).Scan(&id))
	return url.PathEscape(id)
}
