package worker_test

import (
	"crypto"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/protocol/jose"
)

// una is somebody of whom everything is known.
const una = `
- id: una
  username: una
  email: una@example.com
  email_verified: true
  name: Una Example
  given_name: Una
  family_name: Example
  middle_name: M.
  nickname: u
  profile: https://una.example/
  picture: https://una.example/p.png
  website: https://una.example/w
  gender: female
  birthdate: "1985-12-30"
  zoneinfo: Europe/Paris
  locale: fr-FR
  phone_number: +33 1 23456789
  phone_number_verified: true
  address: {formatted: "1 Rue X\nParis", locality: Paris, country: FR}
  groups: [staff]
  password_hash: "` + workertest.PasswordHash + `"
`

// asUna logs una in and returns her tokens.
func asUna(t *testing.T, s *workertest.Server, c *workertest.Client, pairs ...string) workertest.Tokens {
	t.Helper()
	b := s.Browser(t)
	a := b.SignIn(b.Get(c.Authorize(pairs...)), "una", workertest.Password)
	if a.Has("allow") {
		a = b.Follow(b.Submit(a.Form(t, "allow"), "answer", "allow"))
	}
	if a.Param("code") == "" {
		t.Fatalf("no code: %d %s", a.Status, a.Header.Get("Location"))
	}
	return c.Redeem(a.Param("code"))
}

// oidcc-userinfo-get, oidcc-scope-all, oidcc-scope-profile, -email, -address, -phone: each
// standard claim comes with its scope, and not in the ID token beside an access token.
func TestEachStandardClaimComesWithItsScope(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: una})
	c := s.Client(t, "certified")
	scopes := map[string][]string{
		"profile": {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"},
		"email":   {"email", "email_verified"},
		"address": {"address"},
		"phone":   {"phone_number", "phone_number_verified"},
	}
	for asked, want := range map[string][]string{
		"openid":                             nil,
		"openid profile":                     scopes["profile"],
		"openid email":                       scopes["email"],
		"openid address":                     scopes["address"],
		"openid phone":                       scopes["phone"],
		"openid profile email address phone": slices.Concat(scopes["profile"], scopes["email"], scopes["address"], scopes["phone"]),
	} {
		tokens := asUna(t, s, c, "scope", asked)
		got := jsonOf(t, c.Userinfo(tokens.AccessToken))
		want = append([]string{"sub"}, want...)
		for name := range got {
			if !slices.Contains(want, name) {
				t.Errorf("%s: there is %s", asked, name)
			}
		}
		for _, name := range want {
			if got[name] == nil {
				t.Errorf("%s: there is no %s", asked, name)
			}
		}
		for _, name := range want[1:] {
			if workertest.Claims(t, tokens.IDToken)[name] != nil {
				t.Errorf("%s: the ID token tells the %s", asked, name)
			}
		}
		if asked == "openid profile email address phone" {
			address, _ := got["address"].(map[string]any)
			if at, ok := got["updated_at"].(float64); !ok || at <= 0 || address["locality"] != "Paris" || got["phone_number_verified"] != true || got["birthdate"] != "1985-12-30" {
				t.Errorf("userinfo is %v", got)
			}
		}
	}
}

// oidcc-claims-essential: a claim comes by its name, where its scope is allowed, and only
// if the person allows that.
func TestAClaimThatIsAskedForByNameIsAllowedByThePerson(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: una, Clients: `
- {id: narrow, name: Narrow, profile: openid, secret: narrow-secret, scopes: [openid, email], redirect_uris: ["https://narrow.example.com/cb"]}
`})
	request := `{"userinfo":{"name":{"essential":true}},"id_token":{"email":null}}`
	c := s.Client(t, "asks")
	tokens := asUna(t, s, c, "scope", "openid", "claims", request)
	if got := jsonOf(t, c.Userinfo(tokens.AccessToken)); len(got) != 2 || got["name"] != "Una Example" {
		t.Errorf("userinfo is %v", got)
	}
	if got := workertest.Claims(t, tokens.IDToken); got["email"] != "una@example.com" || got["name"] != nil {
		t.Errorf("the ID token is %v", got)
	}
	b := s.Browser(t)
	page := b.SignIn(b.Get(c.Authorize("scope", "openid", "claims", request)), "una", workertest.Password)
	for _, told := range []string{"See your name and profile", "See your email address"} {
		if !strings.Contains(page.Body, told) {
			t.Errorf("the person is not asked: %q", told)
		}
	}
	narrow := s.Client(t, "narrow")
	tokens = asUna(t, s, narrow, "scope", "openid", "claims", request)
	if got := jsonOf(t, narrow.Userinfo(tokens.AccessToken)); len(got) != 1 {
		t.Errorf("a client that may not have a name hears %v", got)
	}
	// What was allowed of the scope openid is not allowed of a claim.
	b = s.Browser(t)
	a := b.SignIn(b.Get(c.Authorize("scope", "openid")), "una", workertest.Password)
	b.Follow(b.Submit(a.Form(t, "allow"), "answer", "allow", "remember", "1"))
	if a := b.Follow(b.Get(c.Authorize("scope", "openid", "prompt", "none"))); a.Param("code") == "" {
		t.Errorf("what was allowed is asked again: %s", a.Header.Get("Location"))
	}
	if a := b.Follow(b.Get(c.Authorize("scope", "openid", "prompt", "none", "claims", request))); a.Param("error") != "consent_required" {
		t.Errorf("claims that nobody has allowed: %s", a.Header.Get("Location"))
	}
}

// OpenID Connect Core sections 5.3.2, 8, 10 and 16.14, RFC 9701: what clients are told is
// signed and encrypted as they want it, and about whom only their sector can tell.
func TestWhatAClientIsToldIsProtectedAsItWants(t *testing.T) {
	key, err := jose.GenerateKey(jose.EncryptRSA)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.MarshalForeignJWKS(nil, []jose.EncryptionKey{{KID: "e1", Public: key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	s := workertest.Start(t, workertest.Options{Config: una + "keys: {algorithms: [RS256, PS256, ES256, EdDSA]}\n", Clients: strings.ReplaceAll(`
- {id: sealed, name: Sealed, profile: openid, secret: sealed-secret, redirect_uris: ["https://sealed.example.com/cb"], trusted: true, jwks: JWKS, id_token_alg: PS256,
   id_token_encryption_alg: RSA-OAEP-256, id_token_encryption_enc: A256GCM, userinfo_alg: RS256, userinfo_encryption_alg: RSA-OAEP, introspection_alg: ES256, response_encryption_alg: RSA-OAEP,
   subject_type: pairwise}
- {id: signed, name: Signed, profile: openid, secret: signed-secret, redirect_uris: ["https://signed.example.com/cb"], trusted: true, userinfo_alg: RS256, id_token_alg: RS256, subject_type: pairwise}
`, "JWKS", string(set))})
	decrypt := func(token string) string {
		t.Helper()
		plain, _, err := jose.Decrypt(token, jose.KeyManagements(), jose.ContentEncryptions(), func(string, jose.KeyManagement) []crypto.PrivateKey {
			return []crypto.PrivateKey{key}
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(plain)
	}
	c, plain := s.Client(t, "sealed"), s.Client(t, "signed")
	tokens := asUna(t, s, c, "scope", "openid email")
	idToken := decrypt(tokens.IDToken)
	claims := workertest.Claims(t, idToken)
	sub, _ := claims["sub"].(string)
	if sub == "una" || !strings.HasPrefix(sub, "pws_") || claims["aud"] != "sealed" {
		t.Errorf("the ID token is %v", claims)
	}
	answer := c.Userinfo(tokens.AccessToken)
	told := workertest.Claims(t, decrypt(answer.Body))
	if answer.Header.Get("Content-Type") != "application/jwt" || told["sub"] != sub || told["iss"] != s.URL || told["aud"] != "sealed" || told["email"] != "una@example.com" || told["nonce"] != nil {
		t.Errorf("userinfo is %v, as %s", told, answer.Header.Get("Content-Type"))
	}
	worth := c.Send("/introspect", values("token", tokens.AccessToken))
	said := workertest.Claims(t, worth.Body)
	inside, _ := said["token_introspection"].(map[string]any)
	if worth.Header.Get("Content-Type") != "application/token-introspection+jwt" || said["aud"] != "sealed" || inside["active"] != true || inside["sub"] != sub {
		t.Errorf("the introspection is %v, as %s", said, worth.Header.Get("Content-Type"))
	}
	b := s.Browser(t)
	a := b.SignIn(b.Get(c.Authorize("response_mode", "jwt")), "una", workertest.Password)
	if response := workertest.Claims(t, decrypt(a.Param("response"))); response["code"] == nil || response["aud"] != "sealed" {
		t.Errorf("the response is %v", response)
	}
	// The hint is the signed part, which the client has decrypted; its pairwise subject
	// means the same person here.
	if a := b.Get(c.Authorize("prompt", "none", "id_token_hint", idToken)); a.Param("code") == "" {
		t.Errorf("with a hint: %s", a.Header.Get("Location"))
	}
	if a := b.Get(c.Authorize("prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+sub+`"}}}`)); a.Param("code") == "" {
		t.Errorf("with its subject as a claim: %s", a.Header.Get("Location"))
	}
	if a := b.Get(plain.Authorize("prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+sub+`"}}}`)); a.Param("error") != "login_required" {
		t.Errorf("with the subject of another sector: %d %s %s", a.Status, a.Header.Get("Location"), a.Body)
	}
	other := asUna(t, s, plain)
	if got := workertest.Claims(t, other.IDToken)["sub"]; got == sub || got == "una" {
		t.Errorf("two sectors know una as %v", got)
	}
	if a := plain.Userinfo(other.AccessToken); a.Status != http.StatusOK || workertest.Claims(t, a.Body)["aud"] != "signed" {
		t.Errorf("signed userinfo: %d %s", a.Status, a.Body)
	}
	if a := plain.Send("/introspect", values("token", other.AccessToken)); !json.Valid([]byte(a.Body)) {
		t.Errorf("a client that has not said so gets %s", a.Body)
	}
}
