package e2e

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"dex/examples/app"
)

// party is a relying party without pages, built on go-oidc, with every check that
// it has. Nobody listens at its redirect URI: visitors stop there.
type party struct {
	t        testing.TB
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	oauth    oauth2.Config
}

// callback is where every party of these tests is called back. It is not served.
const (
	callback = "http://127.0.0.1:9/callback"
	byebye   = "http://127.0.0.1:9/bye"
)

// newParty returns the client of this id. Its secret is the id and "-secret".
func newParty(t testing.TB, issuer, id string, algorithms ...string) *party {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	if len(algorithms) == 0 {
		algorithms = []string{"RS256"}
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return &party{
		t: t, provider: provider,
		verifier: provider.Verifier(&oidc.Config{ClientID: id, SupportedSigningAlgs: algorithms}),
		oauth: oauth2.Config{
			ClientID: id, ClientSecret: id + "-secret", Endpoint: endpoint, RedirectURL: callback,
			Scopes: []string{"openid", "profile", "email", "groups", "offline_access"},
		},
	}
}

// tokens are what a login led to.
type tokens struct {
	*oauth2.Token
	id  *oidc.IDToken
	raw string
}

// claims are those of the ID token.
func (k tokens) claims(t testing.TB) (c personal) {
	t.Helper()
	if err := k.id.Claims(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// personal is what is said of a person.
type personal struct {
	Subject       string   `json:"sub"`
	Name          string   `json:"name"`
	Email         string   `json:"email"`
	EmailVerified bool     `json:"email_verified"`
	Groups        []string `json:"groups"`
	SessionID     string   `json:"sid"`
	Methods       []string `json:"amr"`
}

// ask begins a login. It returns where to go, and what redeems the page that the
// browser ends at.
func (p *party) ask(options ...oauth2.AuthCodeOption) (address string, redeem func(*page) (tokens, error)) {
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	options = append([]oauth2.AuthCodeOption{oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)}, options...)
	return p.oauth.AuthCodeURL(state, options...), func(back *page) (tokens, error) {
		if back.leadsOut == nil {
			return tokens{}, errors.New("nobody was sent back: " + back.url.String() + "\n" + back.body)
		}
		answer := back.leadsOut.Query()
		if answer.Get("state") != state || answer.Get("iss") != p.issuer() {
			return tokens{}, errors.New("an answer of somebody else: " + back.leadsOut.String())
		}
		if code := answer.Get("error"); code != "" {
			return tokens{}, errors.New(code)
		}
		token, err := p.oauth.Exchange(p.t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			return tokens{}, err
		}
		return p.check(token, nonce)
	}
}

func (p *party) issuer() string {
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := p.provider.Claims(&metadata); err != nil {
		p.t.Fatal(err)
	}
	return metadata.Issuer
}

// check checks what came with an access token.
func (p *party) check(token *oauth2.Token, nonce string) (tokens, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return tokens{}, errors.New("no ID token came")
	}
	id, err := p.verifier.Verify(p.t.Context(), raw)
	if err != nil {
		return tokens{}, err
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		return tokens{}, err
	}
	if nonce != "" && id.Nonce != nonce {
		return tokens{}, errors.New("the nonce is another login's")
	}
	return tokens{Token: token, id: id, raw: raw}, nil
}

// login logs in by what the visitor does from the address on to the callback.
func (p *party) login(v *visitor, way func(first *page) *page, options ...oauth2.AuthCodeOption) tokens {
	p.t.Helper()
	v.stop = callback
	address, redeem := p.ask(options...)
	k, err := redeem(way(v.open(address)))
	if err != nil {
		p.t.Fatal(err)
	}
	return k
}

// refresh presents a refresh token, by itself and not as a library would.
func (p *party) refresh(token string) (tokens, error) {
	source := p.oauth.TokenSource(p.t.Context(), &oauth2.Token{RefreshToken: token})
	fresh, err := source.Token()
	if err != nil {
		return tokens{}, err
	}
	return p.check(fresh, "")
}

// refused reports whether an error is the token endpoint's of this code.
func refused(err error, code string) bool {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	return ok && e.ErrorCode == code
}

// userinfo asks for the person.
func (p *party) userinfo(accessToken string) (c personal, err error) {
	info, err := p.provider.UserInfo(p.t.Context(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: accessToken}))
	if err != nil {
		return c, err
	}
	return c, info.Claims(&c)
}

// send posts a form to an endpoint of the provider, as the client.
func (p *party) send(endpoint string, form url.Values) (status int, answer map[string]any) {
	p.t.Helper()
	var metadata map[string]any
	if err := p.provider.Claims(&metadata); err != nil {
		p.t.Fatal(err)
	}
	address, _ := metadata[endpoint].(string)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(p.oauth.ClientID), url.QueryEscape(p.oauth.ClientSecret))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(body) > 0 && json.Unmarshal(body, &answer) != nil {
		p.t.Fatalf("%s answers %q", address, body)
	}
	return resp.StatusCode, answer
}

// active reports whether a token is active by introspection.
func (p *party) active(token string) bool {
	p.t.Helper()
	_, answer := p.send("introspection_endpoint", url.Values{"token": {token}})
	active, ok := answer["active"].(bool)
	if !ok {
		p.t.Fatalf("introspection answers %v", answer)
	}
	return active
}

// logout returns where to go to log out.
func (p *party) logout(hint string) string {
	p.t.Helper()
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := p.provider.Claims(&metadata); err != nil {
		p.t.Fatal(err)
	}
	return metadata.EndSession + "?" + url.Values{
		"id_token_hint": {hint}, "client_id": {p.oauth.ClientID}, "post_logout_redirect_uri": {byebye}, "state": {"parting"},
	}.Encode()
}

// serveApp serves the demo application as a client of its own, and returns where.
// The provider learns of it first, and so it has to be known where it will be.
func serveApp(t testing.TB, prepare func(address string) app.Config) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	config := prepare(url)
	config.Logger = slog.New(slog.DiscardHandler)
	handler, err := app.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = handler
	server.Start()
	t.Cleanup(server.Close)
	return url
}
