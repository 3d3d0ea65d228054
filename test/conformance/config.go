package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Setup is where everything is, and by which keys the suite's clients are known.
type Setup struct {
	Issuer string // of dex, under test
	MTLS   string // the base of its addresses that look at certificates
	Suite  string // without a slash at its end
	// Resource is a protected resource of dex's that enforces what tokens are bound to,
	// and Approve where a backchannel request is decided on: both of the build for tests.
	Resource, Approve string
	Keys              [2]Key         // of the two clients that the suite plays
	Certificates      [2]Certificate // of the same
}

// Key is a key pair of a client.
type Key struct {
	Private json.RawMessage // a JWK Set
	Public  json.RawMessage
}

// Certificate is a certificate in PEM with its key, and the name that it is for.
type Certificate struct{ Chain, Key, Subject string }

// alias is what the suite calls our runs: it is part of the addresses that it serves.
const alias = "dex"

// callback is where the suite takes authorization responses.
func (s Setup) callback() string { return s.Suite + "/test/a/" + alias + "/callback" }

// Person is who logs in: they have every standard claim.
const (
	Person   = "alice"
	Password = "conformance-password"
)

type object = map[string]any

// list is a list of JSON; command is one line of the suite's browser.
type (
	list    = []any
	command = []any
)

// Config returns the configuration of a plan, as the suite takes it.
func (s Setup) Config(p Plan) (map[string]any, error) {
	c := object{
		"alias": alias, "description": "dex, " + p.String(), "publish": "everything",
		"options": object{"browsercontrol_css_enable": false},
	}
	if p.family == relying {
		c["client"] = s.relyingParty(p)
		c["waitTimeoutSeconds"] = 2
		return c, nil
	}
	c["server"] = object{
		"discoveryUrl": s.Issuer + "/.well-known/openid-configuration", "discoveryIssuer": s.Issuer,
		"login_hint": Person, "jwks_refresh_delay": 5,
	}
	c["browser"], c["override"] = s.browser(), s.overrides()
	if p.family == core {
		s.coreClients(c, p)
	} else {
		s.fapiClients(c, p)
	}
	return c, nil
}

func (s Setup) coreClients(c object, p Plan) {
	if p.dynamic() || p.Variant["client_registration"] == "" {
		c["client"] = object{"client_name": "Conformance one"}
		c["client2"] = object{"client_name": "Conformance two"}
		if p.Variant["client_auth_type"] == "mtls" {
			c["mtls"], c["mtls2"] = s.Certificates[0].config(), s.Certificates[1].config()
		}
		return
	}
	secret := func(id string) object {
		return object{"client_id": id, "client_secret": secretOf(id), "client_name": "Conformance " + id}
	}
	c["client"], c["client2"], c["client_secret_post"] = secret("oidcc-1"), secret("oidcc-2"), secret("oidcc-post")
}

// secretOf is the secret of a client of the suite.
func secretOf(id string) string { return id + "-secret-0123456789abcdefghijklmnopqrstuvwxyz" }

func (c Certificate) config() object { return object{"cert": c.Chain, "key": c.Key} }

func (s Setup) fapiClients(c object, p Plan) {
	for i, name := range []string{"client", "client2"} {
		client := object{"scope": scopes(p), "jwks": s.Keys[i].Private}
		if !p.dynamic() {
			client["client_id"] = fapiClient(p, i)
		}
		if p.Variant["sender_constrain"] == "dpop" {
			client["dpop_signing_alg"] = "ES256"
		}
		if p.family == ciba {
			client["hint_type"], client["hint_value"] = "login_hint", Person
		}
		c[name] = client
	}
	c["mtls"], c["mtls2"] = s.Certificates[0].config(), s.Certificates[1].config()
	resource := object{"resourceUrl": s.Resource}
	if p.Variant["authorization_request_type"] == "rar" {
		resource["richAuthorizationRequest"] = list{object{"type": detailsType, "actions": list{"read"}}}
	}
	c["resource"] = resource
	if p.family == ciba {
		c["automated_ciba_approval_url"] = s.Approve + "?auth_req_id={auth_req_id}&action={action}"
	}
}

// detailsType is the type of authorization details that the suite asks for.
const detailsType = "conformance"

func scopes(p Plan) string {
	if p.Variant["openid"] == "plain_oauth" {
		return "api"
	}
	return "openid"
}

// fapiClient names one of the two clients of a plan. They differ in how they prove
// who they are, in what their tokens are bound to, and in what they sign and have
// signed.
func fapiClient(p Plan, i int) string {
	parts := []string{map[family]string{fapi1: "fapi1", fapi2: "fapi2", ciba: "ciba"}[p.family]}
	for _, name := range []string{
		"client_auth_type", "sender_constrain", "fapi_auth_request_method", "fapi_request_method", "fapi_response_mode", "ciba_mode", "fapi_profile",
	} {
		switch value := p.Variant[name]; value {
		case "", "plain_fapi", "plain_response", "unsigned", "by_value":
		default:
			parts = append(parts, strings.NewReplacer("private_key_jwt", "key", "signed_non_repudiation", "signed", "fapi_client_credentials_grant", "credentials").Replace(value))
		}
	}
	return fmt.Sprintf("%s-%d", strings.Join(parts, "-"), i+1)
}

// relyingParty is how the suite knows us where it plays the provider.
func (s Setup) relyingParty(p Plan) object {
	return object{
		"client_id": "dex", "client_secret": secretOf("dex"), "client_name": "dex", "redirect_uri": RedirectURI,
		"post_logout_redirect_uri": PostLogoutRedirectURI, "jwks": s.Keys[0].Public, "id_token_signed_response_alg": "RS256",
		"response_types": list{"code"}, "grant_types": list{"authorization_code", "refresh_token"},
		"token_endpoint_auth_method": p.auth(),
	}
}

// auth is how our relying party proves who it is in a plan.
func (p Plan) auth() string {
	if method := p.Variant["client_auth_type"]; method != "" {
		return method
	}
	return "client_secret_basic"
}

// signIn and consent are how the suite's browser goes through our pages. Both are left
// out where a session or an answer is remembered.
func (s Setup) signIn(before ...command) object {
	commands := list{}
	for _, c := range before {
		commands = append(commands, c)
	}
	return object{
		"task": "Log in", "optional": true, "match": s.Issuer + "/login*",
		"commands": append(commands, command{"text", "id", "login", Person}, command{"text", "id", "password", Password}, command{"click", "css", "button[type=submit]"}),
	}
}

func (s Setup) consent() object {
	return object{"task": "Consent", "optional": true, "match": s.Issuer + "/consent*", "commands": list{command{"click", "id", "allow"}}}
}

func arrive() object {
	return object{
		"task": "Back at the suite", "match": "*/test/a/*/callback*",
		"commands": list{command{"wait", "id", "submission_complete", 20}},
	}
}

func (s Setup) authorization(tasks ...object) object {
	return object{"match": s.Issuer + "/authorize*", "tasks": tasks}
}

// browser is how the suite's browser goes through any of our pages.
func (s Setup) browser() list {
	return list{s.authorization(s.signIn(), s.consent(), arrive()), object{
		"match": s.Issuer + "/logout*",
		"tasks": list{
			object{
				"task": "Confirm the logout", "optional": true, "match": s.Issuer + "/logout*",
				"commands": list{command{"click", "id", "confirm-logout", "optional"}},
			},
			object{"task": "Back after the logout", "match": "*/test/a/*/post_logout_redirect*"},
		},
	}}
}

// pictured are the modules that want a picture of a page of ours, and which page that
// is: what it says.
var pictured = map[string]string{
	"oidcc-ensure-registered-redirect-uri":               "redirect_uri is not registered",
	"oidcc-redirect-uri-query-added":                     "redirect_uri is not registered",
	"oidcc-redirect-uri-query-mismatch":                  "redirect_uri is not registered",
	"oidcc-ensure-redirect-uri-in-authorization-request": "redirect_uri",
}

// seenLoggingIn are the modules that want a picture of the login page: of the second, or
// of what stands on it.
var seenLoggingIn = []string{
	"oidcc-prompt-login", "oidcc-max-age-1", "oidcc-registration-logo-uri", "oidcc-registration-policy-uri", "oidcc-registration-tos-uri",
}

// loggedOut are the modules that end on a page of the logout, and what it says.
var loggedOut = map[string]string{
	"bad-post-logout-redirect-uri":            "post_logout_redirect_uri is not registered",
	"query-added-to-post-logout-redirect-uri": "post_logout_redirect_uri is not registered",
	"modified-id-token-hint":                  ".*", "bad-id-token-hint": ".*", "no-id-token-hint": ".*",
	"no-params": ".*", "no-post-logout-redirect-uri": ".*", "only-state": ".*",
}

// overrides are the modules for which the suite's browser looks at a page more closely.
func (s Setup) overrides() object {
	picture := func(says string) command {
		return command{"wait", "xpath", "//*", 10, says, "update-image-placeholder"}
	}
	all := object{}
	for module, says := range pictured {
		all[module] = object{"browser": list{s.authorization(object{
			"task": "The error page, at the address that was asked for", "match": s.Issuer + "/authorize*", "commands": list{picture(says)},
		})}}
	}
	for _, module := range seenLoggingIn {
		all[module] = object{"browser": list{s.authorization(
			s.signIn(command{"wait", "xpath", "//*", 10, ".*", "update-image-placeholder-optional"}), s.consent(), arrive(),
		)}}
	}
	for module, says := range loggedOut {
		all["oidcc-rp-initiated-logout-"+module] = object{"browser": list{
			s.authorization(s.signIn(), s.consent(), arrive()),
			object{"match": s.Issuer + "/logout*", "tasks": list{
				object{
					"task": "Confirm the logout", "optional": true, "match": s.Issuer + "/logout*",
					"commands": list{command{"click", "id", "confirm-logout", "optional"}},
				},
				object{"task": "The page of the logout", "match": s.Issuer + "/logout*", "commands": list{picture(says)}},
			}},
		}}
	}
	for _, module := range []string{"fapi1-advanced-final-user-rejects-authentication", "fapi2-security-profile-final-user-rejects-authentication"} {
		all[module] = object{"browser": list{s.authorization(object{
			"task": "Give up", "optional": true, "match": s.Issuer + "/login*", "commands": list{command{"click", "id", "cancel"}},
		}, arrive())}}
	}
	return all
}

// Clients returns the clients that dex knows before a plan begins, as its configuration
// has them.
func (s Setup) Clients(plans []Plan) ([]any, error) {
	byID := map[string]object{}
	for _, p := range plans {
		if p.dynamic() || p.family == relying {
			continue
		}
		for _, c := range s.clients(p) {
			id := c["id"].(string)
			if before, known := byID[id]; known {
				c = widen(before, c)
			}
			byID[id] = c
		}
	}
	var all []any
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		all = append(all, byID[id])
	}
	return all, nil
}

// widen gives a client of two plans what either of them needs.
func widen(a, b object) object {
	for _, name := range []string{"scopes", "grant_types"} {
		for _, value := range b[name].(list) {
			if have := a[name].(list); !slices.Contains(have, value) {
				a[name] = append(have, value)
			}
		}
	}
	return a
}

func (s Setup) clients(p Plan) []object {
	if p.family == core {
		return []object{
			s.coreClient("oidcc-1", "client_secret_basic"), s.coreClient("oidcc-2", "client_secret_basic"), s.coreClient("oidcc-post", "client_secret_post"),
		}
	}
	return []object{s.fapiClient(p, 0), s.fapiClient(p, 1)}
}

func anyOf(texts []string) list {
	all := list{}
	for _, text := range texts {
		all = append(all, text)
	}
	return all
}

func (s Setup) coreClient(id, auth string) object {
	return object{
		"id": id, "name": "Conformance " + id, "profile": "openid", "secret": secretOf(id), "auth_method": auth, "require_pkce": false,
		"redirect_uris": list{s.callback()}, "post_logout_redirect_uris": list{s.Suite + "/test/a/" + alias + "/post_logout_redirect"},
		"response_types": anyOf(responseTypes), "grant_types": list{"authorization_code", "implicit", "refresh_token"},
		"scopes":                  list{"openid", "profile", "email", "address", "phone", "offline_access"},
		"frontchannel_logout_uri": s.Suite + "/test/a/" + alias + "/frontchannel_logout", "frontchannel_logout_session_required": true,
		"backchannel_logout_uri": s.Suite + "/test/a/" + alias + "/backchannel_logout", "backchannel_logout_session_required": true,
	}
}

func (s Setup) fapiClient(p Plan, i int) object {
	callback := s.callback()
	if i == 1 {
		callback += "?dummy1=lorem&dummy2=ipsum"
	}
	c := object{
		"id": fapiClient(p, i), "name": "Conformance " + fapiClient(p, i), "profile": "fapi2", "jwks": s.Keys[i].Public,
		"id_token_alg": "PS256", "auth_method": "private_key_jwt", "redirect_uris": list{callback},
		"grant_types": list{"authorization_code", "refresh_token"}, "scopes": anyOf(strings.Fields(scopes(p))),
	}
	if p.Variant["client_auth_type"] == "mtls" {
		c["auth_method"], c["tls_client_auth_subject_dn"] = "tls_client_auth", s.Certificates[i].Subject
	}
	if p.Variant["sender_constrain"] == "dpop" {
		c["dpop_bound_tokens"] = true
	} else {
		c["certificate_bound_tokens"] = true
	}
	switch p.family {
	case fapi1:
		c["profile"] = "fapi1"
		if p.Variant["fapi_response_mode"] != "jarm" {
			c["response_types"] = list{"code id_token"}
			c["grant_types"] = list{"authorization_code", "implicit", "refresh_token"}
		}
		c["require_par"] = p.Variant["fapi_auth_request_method"] == "pushed"
	case ciba:
		c["profile"], c["ciba_mode"], c["ciba_request_alg"] = "fapi1", p.Variant["ciba_mode"], "PS256"
		c["grant_types"], c["redirect_uris"] = list{"urn:openid:params:grant-type:ciba", "refresh_token"}, list{}
		if p.Variant["ciba_mode"] == "ping" {
			c["ciba_notification_endpoint"] = s.Suite + "/test/a/" + alias + "/ciba-notification-endpoint"
		}
	default:
		s.fapi2Client(c, p)
	}
	return c
}

func (s Setup) fapi2Client(c object, p Plan) {
	if p.Variant["fapi_request_method"] == "signed_non_repudiation" {
		c["require_signed_request"], c["request_object_alg"] = true, "PS256"
	}
	if p.Variant["fapi_response_mode"] == "jarm" {
		c["response_alg"] = "PS256"
	}
	if p.Variant["fapi_profile"] == "fapi_client_credentials_grant" {
		c["grant_types"], c["redirect_uris"] = list{"client_credentials"}, list{}
	}
	if p.Variant["openid"] != "" && p.Variant["fapi_request_method"] == "" {
		c["authorization_details_types"] = list{detailsType}
	}
}

// People are who can log in.
func People() []any {
	return list{object{
		"id": Person, "username": Person, "password": Password, "email": "alice@example.com", "email_verified": true,
		"name": "Alice Van Example", "given_name": "Alice", "family_name": "Example", "middle_name": "Van", "nickname": "Ali",
		"preferred_username": "alice", "profile": "https://example.com/alice", "picture": "https://example.com/alice.png",
		"website": "https://alice.example.com", "gender": "female", "birthdate": "1987-10-16", "zoneinfo": "Europe/Berlin", "locale": "en-GB",
		"phone_number": "+49 30 901820", "phone_number_verified": true,
		"address": object{
			"formatted": "Karl-Liebknecht-Str. 1\n10178 Berlin\nGermany", "street_address": "Karl-Liebknecht-Str. 1",
			"locality": "Berlin", "region": "Berlin", "postal_code": "10178", "country": "Germany",
		},
	}}
}
