package workertest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Client is one application as it stands in [BaseConfig], on the clients' side.
type Client struct {
	t      testing.TB
	server *Server
	agent  *Browser // for the endpoints that know no cookies

	ID, Secret, RedirectURI string
	Verifier                string // of PKCE, for the requests to come

	Key    crypto.Signer // with which it proves each of its requests by DPoP; nil if it does not
	Nonce  string        // that its proofs hold
	Signs  bool          // it proves itself with a signature, as the client "jwt" does
	Signer Signer        // what it signs with; the zero value is [AssertionKey]
}

// Signer is what a client signs its assertions and request objects with.
type Signer struct {
	Key crypto.Signer
	Alg jose.Algorithm
	ID  string // of the key, in the client's key set
}

// NewSigner returns a key of an algorithm to sign with.
func NewSigner(t testing.TB, alg jose.Algorithm) Signer {
	t.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return Signer{Key: key, Alg: alg, ID: "signs-" + string(alg)}
}

// KeySet is the public key of several signers, as clients register theirs.
func KeySet(t testing.TB, signers ...Signer) string {
	t.Helper()
	var keys []jose.Key
	for _, s := range signers {
		keys = append(keys, jose.Key{KID: s.ID, Public: s.Key.Public()})
	}
	set, err := jose.MarshalForeignJWKS(keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(set)
}

// Sign signs claims as the client does.
func (c *Client) Sign(typ string, claims map[string]any) string {
	c.t.Helper()
	by := c.Signer
	if by.Key == nil {
		by = Signer{Key: AssertionKey, Alg: jose.EdDSA, ID: "jwt-1"}
	}
	token, err := jose.Sign(by.Key, by.Alg, by.ID, typ, claims)
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

// Client returns a client of [BaseConfig] by its id.
func (s *Server) Client(t testing.TB, id string) *Client {
	c := &Client{
		t: t, server: s, agent: s.Browser(t), ID: id, Secret: id + "-secret",
		RedirectURI: "https://" + id + ".example.com/cb", Verifier: rand.Text() + rand.Text(),
	}
	switch id {
	case "spa", "jwt", "tv", "shared":
		c.Secret = ""
	case "native":
		c.Secret, c.RedirectURI = "", "http://127.0.0.1:49152/cb"
	}
	return c
}

// AuthorizeParams returns a fitting authorization request, with the given pairs set
// instead; an empty value takes the parameter out.
func (c *Client) AuthorizeParams(pairs ...string) url.Values {
	v := url.Values{
		"client_id":             {c.ID},
		"redirect_uri":          {c.RedirectURI},
		"response_type":         {"code"},
		"scope":                 {"openid profile email offline_access"},
		"state":                 {"state-of-" + c.ID},
		"nonce":                 {"nonce-of-" + c.ID},
		"code_challenge":        {string(oauth.ChallengeOf(c.Verifier))},
		"code_challenge_method": {"S256"},
	}
	set(v, pairs)
	return v
}

func set(v url.Values, pairs []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
}

// Authorize returns the address of an authorization request.
func (c *Client) Authorize(pairs ...string) string {
	return "/authorize?" + c.AuthorizeParams(pairs...).Encode()
}

// SignIn fills in the login form that an answer leads to.
func (b *Browser) SignIn(a *Answer, login, password string) *Answer {
	b.t.Helper()
	return b.Follow(b.Submit(b.Follow(a).Form(b.t, "password"), "login", login, "password", password))
}

// Login goes the whole way from a request to the redirect back to the client, as
// ann unless she has a session.
func (c *Client) Login(b *Browser, pairs ...string) *Answer {
	c.t.Helper()
	a := b.Follow(b.Get(c.Authorize(pairs...)))
	if a.Has("password") {
		a = b.SignIn(a, "ann", Password)
	}
	if a.Has("allow") {
		a = b.Follow(b.Submit(a.Form(c.t, "allow"), "answer", "allow", "remember", "1"))
	}
	return a
}

// Code logs in and returns the code.
func (c *Client) Code(b *Browser, pairs ...string) string {
	c.t.Helper()
	a := c.Login(b, pairs...)
	code := a.Param("code")
	if code == "" {
		c.t.Fatalf("no code: status %d, location %q\n%s", a.Status, a.Header.Get("Location"), a.Body)
	}
	return code
}

// Tokens is an answer of the token endpoint.
type Tokens struct {
	Status       int              `json:"-"`
	Header       http.Header      `json:"-"`
	AccessToken  string           `json:"access_token"`
	TokenType    string           `json:"token_type"`
	IssuedType   string           `json:"issued_token_type"`
	ExpiresIn    int              `json:"expires_in"`
	RefreshToken string           `json:"refresh_token"`
	IDToken      string           `json:"id_token"`
	DeviceSecret string           `json:"device_secret"`
	Scope        string           `json:"scope"`
	Details      []map[string]any `json:"authorization_details"`
	Error        string           `json:"error"`
	Description  string           `json:"error_description"`
}

// Claims returns the claims of a JWT without a look at its signature.
func Claims(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// Send posts a form to an endpoint with the client's credentials, with the given
// pairs set instead.
func (c *Client) Send(path string, form url.Values) *Answer {
	c.t.Helper()
	switch {
	case c.ID == "jwt", c.Signs:
		form.Set("client_assertion_type", oauth.AssertionTypeJWT)
		form.Set("client_assertion", c.Assertion(nil))
	case c.ID == "shared":
		form.Set("client_assertion_type", oauth.AssertionTypeJWT)
		form.Set("client_assertion", c.SharedAssertion(SharedSecret, nil))
	case c.Secret == "":
		form.Set("client_id", c.ID)
	case c.ID == "post":
		form.Set("client_id", c.ID)
		form.Set("client_secret", c.Secret)
	}
	req := c.agent.request(http.MethodPost, path, form.Encode())
	if c.Secret != "" && c.ID != "post" {
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	}
	c.prove(req, "")
	return c.agent.Do(req)
}

// AssertionKey is the private key of the client "jwt" in [BaseConfig].
var AssertionKey = ed25519.NewKeyFromSeed([]byte("dex tests dex tests dex tests 12"))

// Assertion returns a fresh assertion of the client, with the given claims set instead;
// nil takes a claim out.
func (c *Client) Assertion(instead map[string]any) string {
	c.t.Helper()
	now := c.server.Clock.Now()
	claims := map[string]any{
		"iss": c.ID, "sub": c.ID, "aud": c.server.URL, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	for name, value := range instead {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return c.Sign(jose.TypeJWT, claims)
}

// Token sends a token request.
func (c *Client) Token(pairs ...string) Tokens {
	c.t.Helper()
	form := url.Values{}
	set(form, pairs)
	a := c.Send("/token", form)
	tokens := Tokens{Status: a.Status, Header: a.Header}
	if err := json.Unmarshal([]byte(a.Body), &tokens); err != nil {
		c.t.Fatalf("the answer of the token endpoint is no JSON: %q", a.Body)
	}
	return tokens
}

// Redeem exchanges a code, with the given pairs set instead.
func (c *Client) Redeem(code string, pairs ...string) Tokens {
	c.t.Helper()
	return c.Token(append([]string{
		"grant_type", "authorization_code", "code", code, "redirect_uri", c.RedirectURI, "code_verifier", c.Verifier,
	}, pairs...)...)
}

// Refresh presents a refresh token.
func (c *Client) Refresh(token string, pairs ...string) Tokens {
	c.t.Helper()
	return c.Token(append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
}

// Obtain logs in with a fresh browser and returns the tokens.
func (c *Client) Obtain(pairs ...string) Tokens {
	c.t.Helper()
	tokens := c.Redeem(c.Code(c.server.Browser(c.t), pairs...))
	if tokens.Status != http.StatusOK {
		c.t.Fatalf("no tokens: %d %s %s", tokens.Status, tokens.Error, tokens.Description)
	}
	return tokens
}

// Introspect asks what a token is worth.
func (c *Client) Introspect(token string) map[string]any {
	c.t.Helper()
	a := c.Send("/introspect", url.Values{"token": {token}})
	var answer map[string]any
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		c.t.Fatalf("introspection: %d %q", a.Status, a.Body)
	}
	return answer
}

// Active reports whether a token is active.
func (c *Client) Active(token string) bool {
	c.t.Helper()
	active, _ := c.Introspect(token)["active"].(bool)
	return active
}

// Revoke revokes a token.
func (c *Client) Revoke(token string) *Answer {
	c.t.Helper()
	return c.Send("/revoke", url.Values{"token": {token}})
}

// Userinfo asks for the claims that an access token opens.
func (c *Client) Userinfo(token string) *Answer {
	c.t.Helper()
	req := c.agent.request(http.MethodGet, "/userinfo", "")
	req.Header.Set("Authorization", "Bearer "+token)
	if c.Key != nil {
		req.Header.Set("Authorization", "DPoP "+token)
	}
	c.prove(req, token)
	return c.agent.Do(req)
}

// Ask gets an address as the client, with some headers and without a proof.
func (c *Client) Ask(path string, headers ...string) *Answer {
	c.t.Helper()
	req := c.agent.request(http.MethodGet, path, "")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return c.agent.Do(req)
}
