package oidc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dex/internal/connector"
	"dex/internal/connector/connectortest"
	"dex/internal/protocol/jose"
)

// pemOf returns a private key in PEM.
func pemOf(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newKey(t testing.TB, alg jose.Algorithm) crypto.Signer {
	t.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// published is what a provider is told of a key of ours.
func published(t testing.TB, key crypto.Signer, alg jose.Algorithm) jose.Key {
	t.Helper()
	kid, err := jose.Thumbprint(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return jose.Key{KID: kid, Alg: alg, Public: key.Public()}
}

// strict opens a connector to a provider that insists on something.
func strict(t testing.TB, d connectortest.Demands, change map[string]any) *house {
	t.Helper()
	h := newHouse(t, nil)
	h.provider.Demand(d)
	h.open(change, h.Connector.(*provider).env.Client)
	return h
}

// sharp is a secret that is long enough to sign with.
const sharp = "a secret of more than thirty-two bytes"

// withSecret opens a connector that knows another secret.
func withSecret(t testing.TB, secret string, d connectortest.Demands, change map[string]any) *house {
	t.Helper()
	h := newHouse(t, nil)
	h.provider.ClientSecret = secret
	h.provider.Demand(d)
	all := map[string]any{"client_secret": secret}
	maps.Copy(all, change)
	h.open(all, h.Connector.(*provider).env.Client)
	return h
}

// Every way to prove who we are, and every way to ask, as a provider that lets
// nothing pass sees them. Each is told what it demands, and a login and a refresh
// succeed only if that is what it got.
func TestAStrictProviderFindsNothingWrong(t *testing.T) {
	ec, rsaKey, ed := newKey(t, jose.ES256), newKey(t, jose.RS256), newKey(t, jose.EdDSA)
	secret := newKey(t, jose.RS256).(*rsa.PrivateKey)
	sealed := connectortest.Demands{EncryptTo: jose.EncryptionKey{KID: published(t, secret, "").KID, Alg: jose.RSAOAEP256, Public: secret.Public()}}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type settings = map[string]any
	byKey := settings{"client_secret": "", "auth_method": "private_key_jwt", "signing_key": pemOf(t, ec)}
	keys := []jose.Key{published(t, ec, jose.ES256)}
	for name, tt := range map[string]struct {
		demands  connectortest.Demands
		settings settings
		secret   string
	}{
		"client_secret_jwt": {connectortest.Demands{Auth: "client_secret_jwt"}, settings{"auth_method": "client_secret_jwt"}, sharp},
		"private_key_jwt":   {connectortest.Demands{Auth: "private_key_jwt", ClientKeys: keys}, byKey, ""},
		"private_key_jwt with RSA": {
			connectortest.Demands{Auth: "private_key_jwt", ClientKeys: []jose.Key{published(t, rsaKey, jose.RS256)}},
			settings{"auth_method": "private_key_jwt", "signing_key": pemOf(t, rsaKey)}, "",
		},
		"private_key_jwt with Ed25519": {
			connectortest.Demands{Auth: "private_key_jwt", ClientKeys: []jose.Key{published(t, ed, jose.EdDSA)}},
			settings{"auth_method": "private_key_jwt", "signing_key": pemOf(t, ed)}, "",
		},
		"pushed":             {connectortest.Demands{Push: true}, nil, "s"},
		"pushed by choice":   {connectortest.Demands{Push: true}, settings{"par": true}, "s"},
		"a request object":   {connectortest.Demands{Object: true, ClientKeys: keys}, settings{"request_object": true, "signing_key": pemOf(t, ec)}, "s"},
		"an answer, signed":  {connectortest.Demands{}, settings{"response_mode": "query.jwt"}, "s"},
		"… and posted":       {connectortest.Demands{}, settings{"response_mode": "form_post.jwt"}, "s"},
		"hybrid":             {connectortest.Demands{}, settings{"response_type": "code id_token", "response_mode": "form_post"}, "s"},
		"hybrid, signed":     {connectortest.Demands{}, settings{"response_type": "code id_token", "response_mode": "form_post.jwt"}, "s"},
		"bound tokens":       {connectortest.Demands{DPoP: true}, settings{"dpop": true}, "s"},
		"… with a nonce":     {connectortest.Demands{DPoP: true, Nonce: "n1"}, settings{"dpop": true}, "s"},
		"the token in body":  {connectortest.Demands{TokenInBody: true}, settings{"userinfo_token": "body"}, "s"},
		"encrypted":          {sealed, settings{"decryption_key": pemOf(t, secret), "encrypted_id_token": true}, "s"},
		"encrypted, unasked": {sealed, settings{"decryption_key": pemOf(t, elliptical) + pemOf(t, secret)}, "s"},
		"encrypted to a curve": {
			connectortest.Demands{EncryptTo: jose.EncryptionKey{Alg: jose.ECDHES, Public: elliptical.Public()}},
			settings{"decryption_key": pemOf(t, elliptical), "encrypted_id_token": true}, "s",
		},
		"everything of FAPI 2.0, and more": {
			connectortest.Demands{
				Auth: "private_key_jwt", ClientKeys: keys, Push: true, Object: true, DPoP: true, Nonce: "n1", EncryptTo: sealed.EncryptTo,
			},
			settings{
				"auth_method": "private_key_jwt", "signing_key": pemOf(t, ec) + pemOf(t, rsaKey), "par": true, "request_object": true, "dpop": true,
				"response_mode": "query.jwt", "decryption_key": pemOf(t, secret), "encrypted_id_token": true,
			}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := maps.Clone(tt.settings)
			if change == nil {
				change = settings{}
			}
			change["refresh"] = true
			h := withSecret(t, tt.secret, tt.demands, change)
			person := ann()
			step := h.in(person)
			id := *step.Identity
			if jose.Encrypted(string(step.Upstream)) {
				t.Error("the ID token is kept as nobody else can read it")
			}
			for range 2 {
				person["groups"] = []string{"ops"}
				fresh, err := h.refresh(id)
				if err != nil || len(fresh.Profile.Groups) != 1 {
					t.Fatalf("%+v, %v", fresh.Profile, err)
				}
				id = fresh
			}
		})
	}
}

func TestAProviderThatGivesOnlyAnIDToken(t *testing.T) {
	h := strict(t, connectortest.Demands{}, map[string]any{"response_type": "id_token", "response_mode": "form_post", "client_secret": "", "auth_method": "none"})
	if step := h.in(ann()); step.Identity.Profile.Email != "ann@example.com" {
		t.Errorf("%+v", step.Identity)
	}
	if h.provider.Calls(connectortest.TokenPath)+h.provider.Calls(connectortest.UserinfoPath) != 0 {
		t.Error("somebody was asked with nothing to show")
	}
}

// Where we demand something, its absence is refused and nobody is asked any further.
// oidcc-client-test-invalid-chash, -missing-chash, -invalid-sig-es256, -nonce-invalid,
// fapi2-security-profile-final-client-test-…: what a module makes wrong is in the name.
func TestAnAnswerThatIsNotAsAgreedIsRefused(t *testing.T) {
	type claims = connectortest.Claims
	hybrid := map[string]any{"response_type": "code id_token", "response_mode": "form_post"}
	jarm := map[string]any{"response_mode": "query.jwt"}
	front := func(f func(claims)) connectortest.Knobs { return connectortest.Knobs{Front: f} }
	signed := func(f func(claims)) connectortest.Knobs { return connectortest.Knobs{Signed: f} }
	set := func(name string, value any) func(claims) { return func(c claims) { c[name] = value } }
	drop := func(name string) func(claims) { return func(c claims) { delete(c, name) } }
	response := func(f func(url.Values)) connectortest.Knobs { return connectortest.Knobs{Response: f} }
	for name, tt := range map[string]struct {
		settings map[string]any
		knobs    connectortest.Knobs
	}{
		"hybrid: another code":              {hybrid, response(func(v url.Values) { v.Set("code", "code-of-somebody-else") })},
		"hybrid: no code":                   {hybrid, response(func(v url.Values) { v.Del("code") })},
		"hybrid: no ID token":               {hybrid, response(func(v url.Values) { v.Del("id_token") })},
		"hybrid: two ID tokens":             {hybrid, response(func(v url.Values) { v.Add("id_token", v.Get("id_token")) })},
		"hybrid: missing-chash":             {hybrid, front(drop("c_hash"))},
		"hybrid: invalid-chash":             {hybrid, front(set("c_hash", "AAAAAAAAAAAAAAAAAAAAAA"))},
		"hybrid: nonce-invalid":             {hybrid, front(set("nonce", "another"))},
		"hybrid: another audience":          {hybrid, front(set("aud", "another"))},
		"hybrid: another issuer":            {hybrid, front(set("iss", "https://evil.example"))},
		"hybrid: it has expired":            {hybrid, front(set("exp", 1))},
		"hybrid: signed by a stranger":      {hybrid, response(func(v url.Values) { v.Set("id_token", by(claims{"sub": "1"}, "")) })},
		"signed answer: no issuer":          {map[string]any{"response_mode": "form_post.jwt"}, signed(drop("iss"))},
		"signed answer: another audience":   {jarm, signed(set("aud", "another"))},
		"signed answer: no audience":        {jarm, signed(drop("aud"))},
		"signed answer: another issuer":     {jarm, signed(set("iss", "https://evil.example"))},
		"signed answer: it never expires":   {jarm, signed(drop("exp"))},
		"signed answer: it has expired":     {jarm, signed(set("exp", 1))},
		"signed answer: another state":      {jarm, signed(set("state", "another"))},
		"signed answer: no state":           {jarm, signed(drop("state"))},
		"signed answer: a code that is not": {jarm, signed(set("code", 5))},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, tt.settings)
			h.provider.Set(tt.knobs)
			h.failed(h.finish(login, ann()))
			if h.provider.Calls(connectortest.TokenPath) != 0 {
				t.Error("a code was redeemed")
			}
		})
	}
	t.Run("a plain answer where a signed one was agreed on", func(t *testing.T) {
		h := newHouse(t, jarm)
		step, err := h.Begin(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		h.failed(h.Continue(t.Context(), login, connector.Answer{
			Form: url.Values{"state": {login.ID}, "iss": {h.provider.Issuer}, "code": {"c"}}, State: step.Prompt.State,
		}))
		h.failed(h.Continue(t.Context(), login, connector.Answer{
			Form: url.Values{"response": {by(claims{"iss": h.provider.Issuer, "state": login.ID, "code": "c"}, "")}}, State: step.Prompt.State,
		}))
	})
	t.Run("a refusal within a signed answer", func(t *testing.T) {
		h := newHouse(t, jarm)
		h.provider.Set(signed(func(c claims) { c["error"] = "access_denied" }))
		if _, err := h.finish(login, ann()); !errors.Is(err, connector.ErrRefused) {
			t.Error(err)
		}
	})
	t.Run("hybrid: the second token is about somebody else", func(t *testing.T) {
		h := newHouse(t, hybrid)
		h.provider.Set(front(set("sub", "2")))
		h.failed(h.finish(login, ann()))
	})
	t.Run("bound tokens were agreed on, and these are not", func(t *testing.T) {
		h := newHouse(t, map[string]any{"dpop": true})
		h.failed(h.finish(login, ann()))
		if h.provider.Calls(connectortest.UserinfoPath) != 0 {
			t.Error("the token was shown")
		}
	})
	t.Run("an encrypted ID token was agreed on, and this is not", func(t *testing.T) {
		h := newHouse(t, map[string]any{"decryption_key": pemOf(t, newKey(t, jose.ES256)), "encrypted_id_token": true})
		h.failed(h.finish(login, ann()))
	})
	t.Run("an ID token that is encrypted to somebody else", func(t *testing.T) {
		h := strict(t, connectortest.Demands{EncryptTo: jose.EncryptionKey{Alg: jose.ECDHES, Public: newKey(t, jose.ES256).Public()}},
			map[string]any{"decryption_key": pemOf(t, newKey(t, jose.ES256))})
		h.failed(h.finish(login, ann()))
	})
	t.Run("encrypted by anybody, signed by nobody we know", func(t *testing.T) {
		key := newKey(t, jose.ES256)
		h := newHouse(t, map[string]any{"decryption_key": pemOf(t, key)})
		h.provider.Set(connectortest.Knobs{Sign: func(c claims) string {
			token, err := jose.Encrypt([]byte(by(c, "")), "JWT", jose.EncryptionKey{Alg: jose.ECDHES, Public: key.Public()}, jose.A256GCM)
			if err != nil {
				t.Error(err)
			}
			return token
		}})
		h.failed(h.finish(login, ann()))
	})
	t.Run("signed userinfo was agreed on, and this is not", func(t *testing.T) {
		h := newHouse(t, map[string]any{"signed_userinfo": true})
		h.failed(h.finish(login, ann()))
	})
}

// oidcc-client-test-refresh-token-invalid-sub and -invalid-issuer stand in
// TestRefreshThatDoesNotVouch.
func TestARefreshedIDTokenOfAnotherLoginIsRefused(t *testing.T) {
	h := newHouse(t, map[string]any{"refresh": true})
	id := *h.in(ann()).Identity
	h.provider.Set(connectortest.Knobs{IDToken: func(c connectortest.Claims) { c["nonce"] = "another" }})
	if _, err := h.refresh(id); err == nil || errors.Is(err, connector.ErrRefused) {
		t.Error(err)
	}
}

func TestAPushedRequestThatIsRefusedSendsNobodyAnywhere(t *testing.T) {
	for name, handler := range map[string]http.Handler{
		"we are not known": says(http.StatusUnauthorized, `{"error":"invalid_client"}`),
		"no handle":        says(http.StatusCreated, `{"expires_in":60}`),
		"a handle that is more than one parameter": says(http.StatusCreated, `{"request_uri":"a b"}`),
		"a very long handle":                       says(http.StatusCreated, `{"request_uri":"`+strings.Repeat("x", maxRequestURI+1)+`"}`),
		"out of order":                             says(http.StatusBadGateway, ``),
	} {
		t.Run(name, func(t *testing.T) {
			h := strict(t, connectortest.Demands{Push: true}, nil)
			h.provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{connectortest.PushPath: handler}})
			h.failed(h.Begin(t.Context(), login))
		})
	}
	t.Run("there is nowhere to push it to", func(t *testing.T) {
		h := newHouse(t, map[string]any{"par": true})
		h.failed(h.Begin(t.Context(), login))
	})
}

func TestWhatWasPushedDoesNotTravelWithTheBrowser(t *testing.T) {
	h := strict(t, connectortest.Demands{Push: true}, nil)
	l := login
	l.Hint = "ann@example.com"
	step, err := h.Begin(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(step.Prompt.Redirect)
	if err != nil {
		t.Fatal(err)
	}
	if q := u.Query(); len(q) != 3 || q.Get("client_id") != "dex" || q.Get("request_uri") == "" || q.Get("tenant") != "it" {
		t.Errorf("the browser takes along %s", u.RawQuery)
	}
}

func TestTheAudienceOfAnAssertion(t *testing.T) {
	h := newHouse(t, nil)
	h.provider.ClientSecret = sharp
	h.provider.Demand(connectortest.Demands{Auth: "client_secret_jwt", Audience: h.provider.Issuer + connectortest.TokenPath})
	h.open(map[string]any{"client_secret": sharp, "auth_method": "client_secret_jwt"}, h.Connector.(*provider).env.Client)
	h.failed(h.finish(login, ann()))
	h.open(map[string]any{"client_secret": sharp, "auth_method": "client_secret_jwt", "assertion_audience": "token_endpoint"}, h.Connector.(*provider).env.Client)
	h.in(ann())
}

// RFC 8705, section 5: where we show a certificate, we ask at the addresses that look
// at it, and elsewhere at the usual ones.
func TestACertificateIsShownWhereItIsLookedAt(t *testing.T) {
	m := metadata{TokenEndpoint: "https://a/token", UserinfoEndpoint: "https://a/userinfo", Aliases: aliases{TokenEndpoint: "https://mtls.a/token"}}
	without, with := provider{}, provider{settings: settings{ClientCertificate: "x"}}
	if got := without.by(m); got.TokenEndpoint != "https://a/token" || got.UserinfoEndpoint != "https://a/userinfo" {
		t.Errorf("without a certificate: %+v", got)
	}
	if got := with.by(m); got.TokenEndpoint != "https://mtls.a/token" || got.UserinfoEndpoint != "https://a/userinfo" {
		t.Errorf("with one: %+v", got)
	}
}

func TestWhatIsPublishedOfOurKeys(t *testing.T) {
	first, next, secret := newKey(t, jose.ES256), newKey(t, jose.RS256), newKey(t, jose.ES256)
	h := newHouse(t, map[string]any{"signing_key": pemOf(t, first) + pemOf(t, next), "decryption_key": pemOf(t, secret)})
	set, err := h.Connector.(connector.KeyHolder).PublicKeys()
	if err != nil {
		t.Fatal(err)
	}
	signing, err := jose.ParseJWKS(set)
	if err != nil || len(signing) != 2 || signing[0].KID != published(t, first, "").KID || signing[1].Alg != jose.RS256 {
		t.Errorf("%+v, %v", signing, err)
	}
	encryption, err := jose.ParseEncryptionJWKS(set)
	if err != nil || len(encryption) != 1 || encryption[0].KID != published(t, secret, "").KID {
		t.Errorf("%+v, %v", encryption, err)
	}
	if bytes.Contains(set, []byte(`"d"`)) {
		t.Errorf("a private key is published: %s", set)
	}
	if set, err := newHouse(t, nil).Connector.(connector.KeyHolder).PublicKeys(); len(set) != 0 || err != nil {
		t.Errorf("of no keys: %s, %v", set, err)
	}
}

// A key that tokens are bound to is made for each login, and nobody else's.
func TestEachLoginHasAKeyOfItsOwn(t *testing.T) {
	h := strict(t, connectortest.Demands{DPoP: true}, map[string]any{"dpop": true})
	var keys [][]byte
	for range 2 {
		step, err := h.Begin(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		var j journey
		if err := json.Unmarshal(step.Prompt.State, &j); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, j.Key)
	}
	if len(keys[0]) == 0 || bytes.Equal(keys[0], keys[1]) {
		t.Error("two logins share a key")
	}
	// One login's code is not redeemed with the key of another.
	answer := h.begin(login, ann())
	var j journey
	if err := json.Unmarshal(answer.State, &j); err != nil {
		t.Fatal(err)
	}
	j.Key = keys[0]
	answer.State, _ = json.Marshal(j)
	h.failed(h.Continue(t.Context(), login, answer))
}

func TestThePrivateKeysThatAreTaken(t *testing.T) {
	rsaKey := newKey(t, jose.RS256).(*rsa.PrivateKey)
	elliptical := newKey(t, jose.ES256).(*ecdsa.PrivateKey)
	sec1, err := x509.MarshalECPrivateKey(elliptical)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(ed.Public())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for name, tt := range map[string]struct {
		text        string
		signs, open bool
	}{
		"RSA":                        {pemOf(t, rsaKey), true, true},
		"RSA as it was once written": {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), true, true},
		"a curve":                    {pemOf(t, elliptical), true, true},
		"a curve as OpenSSL has it":  {block("EC PRIVATE KEY", sec1), true, true},
		"Ed25519":                    {pemOf(t, ed), true, false},
		"two":                        {pemOf(t, elliptical) + "\nnotes between them\n" + pemOf(t, rsaKey), true, true},
		"a public key":               {block("PUBLIC KEY", public), false, false},
		"a weak key":                 {pemOf(t, weak), false, false},
		"garbage":                    {block("PRIVATE KEY", []byte("garbage")), false, false},
		"too many":                   {strings.Repeat(pemOf(t, elliptical), maxOurKeys+1), false, false},
		"none":                       {"", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parseOurKeys(tt.text, ""); (err == nil) != tt.signs {
				t.Errorf("to sign: %v", err)
			}
			if _, err := parseOpener(tt.text); (err == nil) != tt.open {
				t.Errorf("to open: %v", err)
			}
		})
	}
	if _, err := parseOurKeys(pemOf(t, elliptical), jose.RS256); err == nil {
		t.Error("an elliptic key signs with RS256")
	}
}

func FuzzPrivateKeys(f *testing.F) {
	key := newKey(f, jose.ES256)
	f.Add(pemOf(f, key))
	f.Add("-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n")
	f.Add("x")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parsePEM(text)
		if err == nil && (len(keys) == 0 || len(keys) > maxOurKeys) {
			t.Fatal(len(keys))
		}
	})
}

func FuzzResponse(f *testing.F) {
	h := newHouse(f, map[string]any{"response_mode": "query.jwt"})
	p := h.Connector.(*provider)
	f.Add(h.provider.SignAs(connectortest.Claims{"iss": h.provider.Issuer, "aud": "dex", "exp": 1 << 40, "state": "s", "code": "c"}))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		r, err := p.response(t.Context(), url.Values{"response": {token}}, "s", metadata{})
		if err == nil && r.code == "" {
			t.Fatal("an answer without a code is taken")
		}
	})
}
