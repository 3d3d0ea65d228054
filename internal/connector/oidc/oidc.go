// Package oidc is any OpenID provider, as a connector.
//
// Nothing that the provider or the browser sends is believed before it is checked:
// the answer belongs to this login (state, nonce, PKCE) and to this provider (iss),
// the ID token is signed by its keys with an algorithm that we trust, and what the
// userinfo endpoint adds is about the same person. OpenID Connect Core, sections
// 3.1.2.7, 3.1.3.7 and 5.3.4; RFC 9207; RFC 9700, section 4.4.
//
// Tokens are read by protocol/jose, which reads our own: one strict reader in the
// house is better than two that differ.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dex/internal/connector"
	"dex/internal/protocol/jose"
)

// Kind is what an operator configures as "oidc".
var Kind = connector.Kind{Name: "oidc", Secrets: []string{"client_secret"}, SentTo: []string{"issuer"}, New: newConnector}

// patience is how long one step of a login may take, all calls together.
const patience = 15 * time.Second

// provider is one OpenID provider.
type provider struct {
	settings
	env       connector.Env
	mapping   mapping
	discovery cached[metadata]
	keys      keySet
}

// refreshing is a provider that can be asked again about somebody who is away.
type refreshing struct{ *provider }

func newConnector(config json.RawMessage, env connector.Env) (connector.Connector, error) {
	s, m, err := parseSettings(config)
	if err != nil {
		return nil, err
	}
	if env.Client == nil || env.Clock == nil {
		return nil, errors.New("oidc: there is no way to the provider")
	}
	p := &provider{settings: s, env: env, mapping: m}
	p.discovery = cached[metadata]{clock: env.Clock, maxAge: time.Duration(s.DiscoveryMaxAge), load: p.discover}
	p.keys.cached = cached[[]jose.Key]{clock: env.Clock, maxAge: keysMaxAge, load: p.loadKeys}
	p.keys.minRefresh = time.Duration(s.KeysMinRefresh)
	if s.Refresh {
		return refreshing{p}, nil
	}
	return p, nil
}

// journey is what is remembered while the browser is away.
type journey struct {
	Login    string `json:"l"` // whose journey it is: a hash of the login's ID
	Nonce    string `json:"n"`
	Verifier string `json:"v,omitempty"` // RFC 7636
	AskedAt  int64  `json:"t"`
}

// Begin implements [connector.Connector].
func (p *provider) Begin(ctx context.Context, l connector.Login) (connector.Step, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := p.discovery.get(ctx)
	if err != nil {
		return connector.Step{}, err
	}
	// 260 random bits each, in characters that need no encoding.
	j := journey{Login: hashOf(l.ID), Nonce: rand.Text() + rand.Text(), AskedAt: p.env.Clock.Now().Unix()}
	if p.PKCE != "off" {
		j.Verifier = rand.Text() + rand.Text()
	}
	state, err := json.Marshal(j)
	if err != nil {
		return connector.Step{}, fmt.Errorf("oidc: %w", err)
	}
	to, err := url.Parse(m.AuthorizationEndpoint)
	if err != nil {
		return connector.Step{}, fmt.Errorf("oidc: %w", err)
	}
	// What the endpoint's own query says stays, and cannot say what we say.
	query := to.Query()
	for name, values := range p.request(l, j) {
		query[name] = values
	}
	to.RawQuery = query.Encode()
	return connector.Step{
		Prompt: &connector.Prompt{Redirect: to.String(), State: state},
		Said:   "sent to the provider",
	}, nil
}

// request returns the parameters of the authorization request. OpenID Connect
// Core, section 3.1.2.1; RFC 7636, section 4.3.
func (p *provider) request(l connector.Login, j journey) url.Values {
	v := url.Values{}
	for name, value := range p.ExtraParams {
		v.Set(name, value)
	}
	v.Set("response_type", "code")
	v.Set("client_id", p.ClientID)
	v.Set("redirect_uri", l.CallbackURL)
	v.Set("scope", strings.Join(p.Scopes, " "))
	v.Set("state", l.ID)
	v.Set("nonce", j.Nonce)
	if j.Verifier != "" {
		v.Set("code_challenge", hashOf(j.Verifier))
		v.Set("code_challenge_method", "S256")
	}
	if p.ResponseMode != "query" {
		v.Set("response_mode", p.ResponseMode)
	}
	if prompt := promptOf(l, p.Prompt); prompt != "" {
		v.Set("prompt", prompt)
	}
	if age, asked := maxAgeOf(l); asked {
		v.Set("max_age", strconv.FormatInt(int64(age/time.Second), 10))
	}
	for name, value := range map[string]string{
		"login_hint": l.Hint, "ui_locales": strings.Join(l.Locales, " "), "acr_values": strings.Join(p.ACRValues, " "),
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// promptOf returns the "prompt" of a request. Nothing goes together with none.
func promptOf(l connector.Login, configured string) string {
	prompts := strings.Fields(configured)
	switch {
	case l.Silent:
		return "none"
	case l.Force:
		return strings.Join(append([]string{"login"}, without(prompts, "login")...), " ")
	default:
		return strings.Join(prompts, " ")
	}
}

func without(list []string, one string) []string {
	var rest []string
	for _, s := range list {
		if s != one {
			rest = append(rest, s)
		}
	}
	return rest
}

// maxAgeOf returns how long ago the person may have logged in at the provider.
// Whoever is to be asked again may not have at all, and only a provider that is
// told so by max_age must say when they did. OpenID Connect Core, section 2,
// "auth_time".
func maxAgeOf(l connector.Login) (time.Duration, bool) {
	switch {
	case l.Force:
		return 0, true
	case l.MaxAge != nil:
		return max(0, *l.MaxAge), true
	default:
		return 0, false
	}
}

// hashOf returns the SHA-256 of s in base64url.
func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Continue implements [connector.Connector].
func (p *provider) Continue(ctx context.Context, l connector.Login, a connector.Answer) (connector.Step, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var j journey
	if err := json.Unmarshal(a.State, &j); err != nil || j.Nonce == "" || j.Login != hashOf(l.ID) {
		return connector.Step{}, errors.New("oidc: the answer belongs to another login")
	}
	m, err := p.discovery.get(ctx)
	if err != nil {
		return connector.Step{}, err
	}
	code, err := p.response(a.Form, l.ID, m)
	if err != nil {
		return connector.Step{}, err
	}
	t, err := p.redeem(ctx, m, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {l.CallbackURL}, "code_verifier": present(j.Verifier),
	})
	if err != nil {
		return connector.Step{}, err
	}
	id, err := p.readIDToken(ctx, t)
	if err != nil {
		return connector.Step{}, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(j.Nonce)) != 1 {
		return connector.Step{}, errors.New("oidc: the ID token belongs to another login (nonce)")
	}
	if err := p.checkAge(id, l, time.Unix(j.AskedAt, 0)); err != nil {
		return connector.Step{}, err
	}
	return p.welcome(ctx, m, t, id)
}

// present returns the values of a parameter that is left out if it is empty.
func present(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// welcome ends the way: the person is who the ID token says.
func (p *provider) welcome(ctx context.Context, m metadata, t tokens, id idToken) (connector.Step, error) {
	claims, err := p.claimsOf(ctx, m, t.AccessToken, id.Subject, id.all)
	if err != nil {
		return connector.Step{}, err
	}
	who, err := p.identity(ctx, id.Subject, claims)
	if err != nil {
		return connector.Step{}, err
	}
	said := "the provider vouched"
	if p.Refresh {
		if t.RefreshToken == "" {
			said += ", and gave no refresh token"
		}
		if who.Data, err = (kept{RefreshToken: t.RefreshToken, Claims: personal(id.all)}).marshal(); err != nil {
			return connector.Step{}, err
		}
	}
	return connector.Step{
		Identity: &who,
		Methods:  methodsOf(id.Methods),
		AuthTime: earlier(id.AuthTime.Time(), p.env.Clock.Now()),
		Upstream: []byte(t.IDToken),
		Said:     said,
	}, nil
}

// maxCode is the length of the longest code that is passed on, in bytes.
const maxCode = 4 << 10

// response reads what the browser brought back, and returns the code. RFC 6749,
// section 4.1.2; RFC 9207, section 2.4.
func (p *provider) response(form url.Values, state string, m metadata) (string, error) {
	for _, name := range []string{"state", "iss", "error", "code"} {
		if len(form[name]) > 1 {
			return "", fmt.Errorf("oidc: the answer says %s twice", name)
		}
	}
	if subtle.ConstantTimeCompare([]byte(form.Get("state")), []byte(state)) != 1 {
		return "", errors.New("oidc: the answer belongs to another login (state)")
	}
	if issuer := form["iss"]; len(issuer) == 1 && issuer[0] != p.Issuer || len(issuer) == 0 && m.SendsIssuer {
		return "", errors.New("oidc: the answer comes from another provider (iss)")
	}
	if code := form.Get("error"); code != "" {
		return "", refusal(code)
	}
	code := form.Get("code")
	if !visible(code) || len(code) > maxCode {
		return "", errors.New("oidc: the answer has no code")
	}
	return code, nil
}

// refusal says what an error of the authorization endpoint means. Those of the
// person's making are nobody's failure. RFC 6749, section 4.1.2.1; OpenID Connect
// Core, section 3.1.2.6.
func refusal(code string) error {
	switch code {
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required":
		return fmt.Errorf("%w: the provider says %s", connector.ErrRefused, code)
	default:
		return fmt.Errorf("oidc: the provider says %.64q", code)
	}
}
