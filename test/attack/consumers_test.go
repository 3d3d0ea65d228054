package attack

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"

	"dex/internal/app/workertest"
	"dex/internal/connector/connectortest"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// consumer is something that takes a token.
type consumer struct {
	name string
	good func() token              // a fresh one that is taken
	send func(token string) string // plays one, and says what was answered
	yes  string                    // what is answered to a good one
	no   string                    // what is answered to a hostile one
	// malformed is what is answered to what is no token by its characters or its length,
	// where that is not no.
	malformed []string
	claims    bool // it looks at the claims of RFC 7519
	keeps     bool // a request goes on without it, and is kept
	longest   int  // that it looks at; zero is as long as tokens are
	// other is what is answered to some attacks, where the standard has a word for them.
	other map[string]string
	// takes are attacks that are none here, and why.
	takes map[string]string
}

// consumers returns everything that takes a signed token.
func (w *world) consumers() []consumer {
	all := w.assertions()
	all = append(all, w.objects()...)
	all = append(all, w.proofs()...)
	all = append(all, w.accessTokens()...)
	all = append(all, w.hints()...)
	all = append(all, w.vouching()...)
	return append(all, w.registrations()...)
}

// What is good for each.
var (
	unboundTime = "a request object of OpenID Connect says nothing of its time"
	unverified  = "the profile openid asks for no more than a signature"
)

// assertions are where clients prove who they are, RFC 7523: each kind of key at the
// token endpoint, and one of them at every other.
func (w *world) assertions() []consumer {
	var all []consumer
	at := func(path, id string, k key, yes string, more url.Values) {
		all = append(all, consumer{
			name: "client assertion in " + string(k.alg) + " at " + path,
			good: func() token {
				body := w.soon(id, w.s.URL)
				body["sub"] = id
				return w.by(k, "", body)
			},
			send: func(token string) string {
				form := url.Values{"client_assertion_type": {oauth.AssertionTypeJWT}, "client_assertion": {token}, "client_id": {id}}
				for name, values := range more {
					form[name] = values
				}
				return w.ask(http.MethodPost, path, form).said()
			},
			yes: yes, no: "Unauthorized invalid_client", malformed: []string{"Bad Request invalid_request"}, claims: true,
		})
	}
	itself := url.Values{"grant_type": {"client_credentials"}}
	at("/token", "ed", w.ed, "OK", itself)
	at("/token", "ec", w.ec, "OK", itself)
	at("/token", "rs", w.rs, "OK", itself)
	at("/token", "shared", w.shared, "OK", itself)
	at("/introspect", "ec", w.ec, "OK", url.Values{"token": {"x"}})
	at("/revoke", "ec", w.ec, "OK", url.Values{"token": {"x"}})
	at("/par", "ec", w.ec, "Created", w.s.Client(w.t, "ec").AuthorizeParams())
	return all
}

// objects are where clients ask by a signed request, RFC 9101: at the authorization
// endpoint, pushed, and by the back channel.
func (w *world) objects() []consumer {
	object := func(id string) func() token {
		return func() token {
			body := w.soon(id, w.s.URL)
			for name, values := range w.s.Client(w.t, id).AuthorizeParams("scope", "openid") {
				body[name] = values[0]
			}
			return w.by(w.ec, "oauth-authz-req+jwt", body)
		}
	}
	authorize := func(id string) func(string) string {
		return func(token string) string {
			params := url.Values{
				"client_id": {id}, "request": {token}, "response_type": {"code"}, "scope": {"openid"},
				"redirect_uri": {"https://" + id + ".example.com/cb"},
			}
			a := w.ask(http.MethodGet, "/authorize?"+params.Encode(), nil)
			to, _ := url.Parse(a.Header().Get("Location"))
			if code := to.Query().Get("error"); code != "" {
				return "error " + code
			}
			return http.StatusText(a.Code) + " " + to.Path
		}
	}
	push := func(token string) string {
		form := url.Values{"client_id": {"open"}, "request": {token}}
		return w.ask(http.MethodPost, "/par", form, basic("open")...).said()
	}
	call := func(token string) string {
		return w.ask(http.MethodPost, "/backchannel_authentication", url.Values{"request": {token}}, basic("caller")...).said()
	}
	lax := map[string]string{
		"encrypted to our key": "request objects may be encrypted",
		"exp is null":          unboundTime, "no claims": unverified,
	}
	strict := map[string]string{"encrypted to our key": "request objects may be encrypted"}
	return []consumer{
		{
			name: "request object", good: object("ec"), send: authorize("ec"), claims: true,
			yes: "See Other /login", no: "error invalid_request_object", malformed: []string{"error invalid_request", "Bad Request ", "Request URI Too Long "}, takes: strict,
		},
		{
			name: "request object of OpenID Connect", good: object("open"), send: authorize("open"), claims: true,
			yes: "See Other /login", no: "error invalid_request_object", malformed: []string{"error invalid_request", "Bad Request ", "Request URI Too Long "}, takes: lax,
		},
		{
			name: "pushed request object", good: object("open"), send: push, claims: true,
			yes: "Created", no: "Bad Request invalid_request_object", malformed: []string{"Bad Request invalid_request"}, takes: lax,
		},
		{
			name: "request by the back channel",
			good: func() token {
				body := w.soon("caller", w.s.URL)
				body["scope"], body["login_hint"] = "openid", "ann"
				return w.by(w.ec, "", body)
			},
			send: call, yes: "OK", no: "Bad Request invalid_request", claims: true,
		},
	}
}

// proofs are where senders prove to hold a key, RFC 9449.
func (w *world) proofs() []consumer {
	proof := func(k key, method, path, bearer string) func() token {
		return func() token {
			body := object{"jti": rand.Text(), "htm": method, "htu": w.s.URL + path, "iat": w.s.Clock.Now().Unix()}
			if bearer != "" {
				body["ath"] = oauth.TokenHash(bearer)
			}
			t := w.by(k, oauth.TypeDPoP, body)
			delete(t.head, "kid")
			t.head["jwk"] = publicJWK(k.private.Public(), "")
			return t
		}
	}
	ps := w.rs
	ps.alg = jose.PS256
	var all []consumer
	for _, k := range []key{w.ec, w.ed, ps} {
		all = append(all, consumer{
			name: "proof in " + string(k.alg) + " at the token endpoint",
			good: proof(k, http.MethodPost, "/token", ""),
			send: func(token string) string {
				form := url.Values{"grant_type": {"client_credentials"}}
				return w.ask(http.MethodPost, "/token", form, append(basic("app"), "DPoP", token)...).said()
			},
			yes: "OK", no: "Bad Request invalid_dpop_proof",
		})
	}
	bound := w.again(w.mine, w.of("app").AccessToken)
	thumbprint, err := jose.Thumbprint(w.ec.private.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	bound.body["cnf"] = object{"jkt": thumbprint}
	access := bound.signed()
	return append(all, consumer{
		name: "proof at userinfo",
		good: proof(w.ec, http.MethodGet, "/userinfo", access),
		send: func(token string) string {
			a := w.ask(http.MethodGet, "/userinfo", nil, "Authorization", "DPoP "+access, "DPoP", token)
			if a.Code != http.StatusOK && !strings.Contains(strings.Join(a.Header().Values("WWW-Authenticate"), " "), `error="invalid_dpop_proof"`) {
				return "a challenge that does not say so"
			}
			return a.said()
		},
		yes: "OK", no: "Unauthorized invalid_dpop_proof",
	})
}

// accessTokens are where our own access tokens come back.
func (w *world) accessTokens() []consumer {
	issued := func(id string) func() token {
		tokens := w.of(id)
		return func() token { return w.again(w.mine, tokens.AccessToken) }
	}
	swap := func(name string) func(string) string {
		return func(token string) string {
			subject := w.of("orders").AccessToken
			form := url.Values{"grant_type": {exchange}, "subject_token": {subject}, "subject_token_type": {accessToken}, "audience": {"orders"}, "scope": {"read"}}
			form.Set(name+"_token", token)
			form.Set(name+"_token_type", accessToken)
			return w.ask(http.MethodPost, "/token", form, basic("orders")...).said()
		}
	}
	w.s.SetRole(w.t, "ann", "owner")
	return []consumer{
		{
			name: "access token at userinfo", good: issued("app"), claims: true,
			send: func(token string) string {
				return w.ask(http.MethodGet, "/userinfo", nil, "Authorization", "Bearer "+token).said()
			},
			yes: "OK", no: "Unauthorized invalid_token", malformed: []string{"Bad Request invalid_request"},
		},
		{
			name: "access token in the body at userinfo", good: issued("app"), claims: true,
			send: func(token string) string {
				return w.ask(http.MethodPost, "/userinfo", url.Values{"access_token": {token}}).said()
			},
			yes: "OK", no: "Unauthorized invalid_token", malformed: []string{"Bad Request invalid_request"},
		},
		{
			name: "access token at introspection", good: issued("app"), claims: true,
			send: func(token string) string {
				a := w.ask(http.MethodPost, "/introspect", url.Values{"token": {token}}, basic("app")...)
				if strings.TrimSpace(a.Body.String()) == `{"active":false}` {
					return a.said() + ", inactive"
				}
				return a.said()
			},
			yes: "OK", no: "OK, inactive", malformed: []string{"Bad Request invalid_request"},
			takes: map[string]string{"aud of another": "a resource's token may be asked about"},
		},
		{
			name: "access token at the administrators' API", good: issued("ops"), claims: true,
			send: func(token string) string {
				a := w.serve(w.s.Worker.AdminHandler(), http.MethodGet, w.s.Admin+"/api/v1/users", "", "Authorization", "Bearer "+token)
				return http.StatusText(a.Code)
			},
			yes: "OK", no: "Unauthorized", malformed: []string{"Bad Request"},
		},
		{name: "subject token", good: issued("orders"), claims: true, send: swap("subject"), yes: "OK", no: "Bad Request invalid_request"},
		{
			name: "ID token of ours as a subject token", claims: true,
			good: func() token { return w.again(w.mine, w.of("orders").IDToken) },
			send: func(token string) string {
				form := url.Values{"grant_type": {exchange}, "subject_token": {token}, "subject_token_type": {idToken}, "audience": {"orders"}, "scope": {"read"}}
				return w.ask(http.MethodPost, "/token", form, basic("orders")...).said()
			},
			yes: "OK", no: "Bad Request invalid_request",
		},
		{name: "actor token", good: issued("orders"), claims: true, send: swap("actor"), yes: "OK", no: "Bad Request invalid_request"},
	}
}

// hints are where our own ID tokens come back, and say who is meant.
func (w *world) hints() []consumer {
	var cookies []string
	w.of("app")
	for _, c := range w.ann.Cookies("") {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	cookie := strings.Join(cookies, "; ")
	old := map[string]string{}
	for _, name := range []string{"exp is past", "exp is null", "exp is below zero", "nbf of the future", "iat of the future"} {
		old[name] = "a hint says who is meant, whenever it was issued"
	}
	for _, name := range []string{"aud of another", "aud is nothing", "aud with a slash", "aud before more"} {
		old[name] = "whom a hint was for counts for nothing here"
	}
	return []consumer{
		{
			// Ann is signed in, and the hint means ben.
			name: "ID token as a hint at the authorization endpoint", claims: true, takes: old,
			good: func() token {
				t := w.again(w.mine, w.of("app").IDToken)
				t.body["sub"] = "usr_ben"
				return t
			},
			send: func(token string) string {
				params := w.s.Client(w.t, "app").AuthorizeParams("prompt", "none", "scope", "openid", "id_token_hint", token)
				a := w.ask(http.MethodGet, "/authorize?"+params.Encode(), nil, "Cookie", cookie)
				to, _ := url.Parse(a.Header().Get("Location"))
				switch q := to.Query(); {
				case q.Get("error") != "":
					return q.Get("error")
				case q.Get("code") != "":
					return "as if there were none"
				default:
					return http.StatusText(a.Code)
				}
			},
			yes: "login_required", no: "as if there were none", malformed: []string{"invalid_request", "Bad Request", "Request URI Too Long"}, keeps: true, longest: oauth.MaxIDTokenHint,
		},
		{
			// The browser has no session, so that nothing ends; only where it is sent shows
			// whether the hint is believed.
			name: "ID token as a hint at logout", claims: true, takes: old,
			good: func() token { return w.again(w.mine, w.of("app").IDToken) },
			send: func(token string) string {
				params := url.Values{"id_token_hint": {token}, "post_logout_redirect_uri": {"https://app.example.com/bye"}}
				a := w.ask(http.MethodGet, "/logout?"+params.Encode(), nil)
				if strings.Contains(a.Header().Get("Location")+a.Body.String(), "app.example.com/bye") {
					return "sent on"
				}
				return http.StatusText(a.Code)
			},
			yes: "sent on", no: "OK", malformed: []string{"Bad Request", "Request URI Too Long"},
		},
		{
			name: "ID token as a hint by the back channel", claims: true, takes: old,
			good: func() token { return w.again(w.mine, w.of("hinter").IDToken) },
			send: func(token string) string {
				form := url.Values{"scope": {"openid"}, "id_token_hint": {token}}
				return w.ask(http.MethodPost, "/backchannel_authentication", form, basic("hinter")...).said()
			},
			yes: "OK", no: "Bad Request invalid_request",
		},
	}
}

// vouching is where another issuer's word for somebody comes in.
func (w *world) vouching() []consumer {
	word := func(aud string) func() token {
		return func() token {
			body := w.soon(vouchingIssuer, aud)
			body["sub"] = "build"
			return w.by(w.issuer, "", body)
		}
	}
	bring := func(grant, name string, more ...string) func(string) string {
		return func(token string) string {
			form := url.Values{"grant_type": {grant}, name: {token}, "scope": {"read"}}
			for i := 0; i+1 < len(more); i += 2 {
				form.Set(more[i], more[i+1])
			}
			return w.ask(http.MethodPost, "/token", form, basic("builder")...).said()
		}
	}
	return []consumer{
		{
			name: "assertion of another issuer", claims: true, good: word(w.s.URL), send: bring(jwtBearer, "assertion"),
			yes: "OK", no: "Bad Request invalid_grant", malformed: []string{"Bad Request invalid_request"},
		},
		{
			name: "identity assertion grant of another issuer", claims: true,
			good: func() token {
				body := w.soon(vouchingIssuer, w.s.URL)
				body["sub"], body["client_id"], body["scope"] = "build", "builder", "read"
				return w.by(w.issuer, jose.TypeIDJAG, body)
			},
			send: bring(jwtBearer, "assertion"),
			yes:  "OK", no: "Bad Request invalid_grant", malformed: []string{"Bad Request invalid_request"},
		},
		{
			name: "logout token of another provider", claims: true,
			good: func() token {
				body := w.soon(leavingIssuer, "us")
				body["sid"], body["events"] = "one", object{"http://schemas.openid.net/event/backchannel-logout": object{}}
				return w.by(w.issuer, "logout+jwt", body)
			},
			send: func(token string) string {
				return w.ask(http.MethodPost, "/logout/upstream/leaving", url.Values{"logout_token": {token}}).said()
			},
			yes: "OK", no: "Bad Request invalid_request",
		},
		{
			name: "ID token of another issuer", claims: true, good: word("builds"), send: bring(exchange, "subject_token", "subject_token_type", idToken),
			yes: "OK", no: "Bad Request invalid_request",
		},
	}
}

// registrations are where clients register themselves.
func (w *world) registrations() []consumer {
	unapproved := map[string]string{}
	for _, name := range []string{"no claims", "iss of another", "iss with a slash", "iss in capitals"} {
		unapproved[name] = "Bad Request unapproved_software_statement"
	}
	return []consumer{{
		name: "software statement", claims: true, other: unapproved,
		good: func() token {
			body := w.soon(statedIssuer, w.s.URL)
			body["software_id"] = "software"
			return w.by(w.issuer, "", body)
		},
		send: func(token string) string {
			said := object{"redirect_uris": []string{"https://x.example.com/cb"}, "software_statement": token}
			return w.enrol(text(said)).said()
		},
		yes: "Created", no: "Bad Request invalid_software_statement",
	}}
}

// enrol registers a client that says something of itself.
func (w *world) enrol(said string) answer {
	return w.serve(w.s.Worker.Handler(), http.MethodPost, w.s.URL+"/register", said, "Content-Type", "application/json", "Authorization", "Bearer "+w.initial)
}

// arrive logs somebody in by the other provider, which signs as it is told, and
// publishes one key.
func (w *world) arrive(sign func(connectortest.Claims) string) string {
	w.up.Set(connectortest.Knobs{Sign: sign, Replace: map[string]http.Handler{connectortest.KeysPath: http.HandlerFunc(
		func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(text(set(w.ec.public())))) },
	)}})
	b := w.s.Browser(w.t)
	c := w.s.Client(w.t, "app")
	away := b.Follow(b.Get(c.Authorize("connector_id", "far")))
	back := w.up.Authorize(w.t, away.Header.Get("Location"), connectortest.Claims{"sub": "1", "email": "zoe@example.com", "preferred_username": "zoe"})
	return arrived(b.Get(w.s.URL + "/callback/far?" + back.Encode()))
}

func arrived(a *workertest.Answer) string {
	where := ""
	if to := a.Location(); to != nil {
		where = " " + to.Path
	}
	return http.StatusText(a.Status) + where
}
