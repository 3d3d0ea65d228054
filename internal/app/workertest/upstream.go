package workertest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"dex/internal/connector"
	"dex/internal/connector/local"
	"dex/internal/connector/mock"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
)

// Upstream is another provider that people come by. It asks nobody for a password,
// and lets a test decide how it answers.
type Upstream struct {
	// Arrive is asked when the browser is back, with the name that it brings; nil
	// believes every name.
	Arrive func(ctx context.Context, name string) (connector.Step, error)
	// Again is asked when somebody is looked up while they are away; nil vouches for
	// everybody.
	Again func(ctx context.Context, id user.Identity) (user.Identity, error)
}

// UpstreamConfig makes [Upstream] the connector "elsewhere", beside "local".
const UpstreamConfig = `
connectors:
- {id: local, kind: local, name: Password}
- {id: elsewhere, kind: oidc, name: Elsewhere}
`

// upstreamPage is where the provider asks people who they are.
const upstreamPage = "https://elsewhere.example.com/login"

// Kinds returns the kinds of connectors of a server that has the provider in the
// place of OpenID Connect.
func (u *Upstream) Kinds() []connector.Kind {
	return []connector.Kind{local.Kind, mock.Kind, {
		Name: "oidc",
		New: func(_ json.RawMessage, env connector.Env) (connector.Connector, error) {
			return &upstream{Upstream: u, env: env}, nil
		},
	}}
}

type upstream struct {
	*Upstream
	env connector.Env
}

// Begin implements [connector.Connector].
func (u *upstream) Begin(_ context.Context, l connector.Login) (connector.Step, error) {
	query := url.Values{"state": {l.ID}, "redirect_uri": {l.CallbackURL}}
	return connector.Step{Prompt: &connector.Prompt{Redirect: upstreamPage + "?" + query.Encode(), State: []byte("verifier of " + l.ID)}, Said: "sent away"}, nil
}

// Continue implements [connector.Connector].
func (u *upstream) Continue(ctx context.Context, _ connector.Login, a connector.Answer) (connector.Step, error) {
	name := a.Form.Get("name")
	if u.Arrive != nil {
		return u.Arrive(ctx, name)
	}
	return u.Vouch(name), nil
}

// Vouch says that it is somebody of the name. What a provider would give us to
// keep are [UpstreamToken] and [UpstreamSession].
func (u *Upstream) Vouch(name string) connector.Step {
	return connector.Step{
		Identity: &user.Identity{
			Subject: name, Data: []byte(UpstreamToken(name)),
			Profile: user.Profile{Username: name, Name: "Name of " + name, Email: name + "@elsewhere.example.com", Groups: []string{"staff"}},
		},
		Methods:  []credential.Method{credential.Federated},
		Upstream: []byte(UpstreamSession(name)),
		Said:     "vouched for",
	}
}

// UpstreamToken is what is kept to look somebody up again.
func UpstreamToken(name string) string { return "upstream-refresh-token-of-" + name }

// UpstreamSession is what is kept to end somebody's session there.
func UpstreamSession(name string) string { return "upstream-id-token-of-" + name }

// UpstreamIssuer is what the provider calls itself in its tokens.
const UpstreamIssuer = "https://elsewhere.example.com"

// Word is a token of the provider's about somebody of the name. What is given stands in it
// instead.
func Word(t testing.TB, name string, at time.Time, instead map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": UpstreamIssuer, "sub": name, "jti": rand.Text(), "iat": at.Unix(), "exp": at.Add(5 * time.Minute).Unix()}
	maps.Copy(claims, instead)
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return "e30." + base64.RawURLEncoding.EncodeToString(text) + ".signed"
}

// Takes implements [connector.Voucher].
func (u *upstream) Takes(_ connector.TokenKind, issuer string) bool { return issuer == UpstreamIssuer }

// ReadToken implements [connector.Voucher].
func (u *upstream) ReadToken(_ context.Context, _ connector.TokenKind, token string, _ []string) (connector.Vouched, error) {
	var claims jose.Claims
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || jose.Unmarshal(text, &claims) != nil || parts[2] != "signed" {
		return connector.Vouched{}, connector.ErrRefused
	}
	step := u.Vouch(claims.Subject)
	return connector.Vouched{
		Identity: *step.Identity, Methods: step.Methods, AuthTime: claims.IssuedAt.Time(), Issuer: claims.Issuer, Subject: claims.Subject,
		ID: claims.ID, IssuedAt: claims.IssuedAt.Time(), Expires: claims.Expiry.Time(),
	}, nil
}

// Refresh implements [connector.Refresher].
func (u *upstream) Refresh(ctx context.Context, id user.Identity) (user.Identity, error) {
	if u.Again != nil {
		return u.Again(ctx, id)
	}
	return id, nil
}

// LoginBy goes the whole way from a request to the redirect back to the client, by
// the provider elsewhere and as somebody of the name, unless there is a session.
func (c *Client) LoginBy(b *Browser, name string, pairs ...string) *Answer {
	c.t.Helper()
	a := b.Follow(b.Get(c.Authorize(append([]string{"connector_id", "elsewhere"}, pairs...)...)))
	if to := a.Location(); to != nil && to.Host == "elsewhere.example.com" {
		a = b.Arrive(c.t, a, name)
	}
	if a.Has("allow") {
		a = b.Follow(b.Submit(a.Form(c.t, "allow"), "answer", "allow", "remember", "1"))
	}
	return a
}

// Arrive brings the browser that was sent elsewhere back, with a name.
func (b *Browser) Arrive(t testing.TB, away *Answer, name string) *Answer {
	t.Helper()
	back, err := url.Parse(away.Param("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	back.RawQuery = url.Values{"state": {away.Param("state")}, "name": {name}}.Encode()
	return b.Follow(b.Get(back.String()))
}

// CodeBy logs in by the provider elsewhere and returns the code.
func (c *Client) CodeBy(b *Browser, name string, pairs ...string) string {
	c.t.Helper()
	a := c.LoginBy(b, name, pairs...)
	code := a.Param("code")
	if code == "" {
		c.t.Fatalf("no code: status %d, location %q\n%s", a.Status, a.Header.Get("Location"), a.Body)
	}
	return code
}
