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
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dex/internal/base/outbound"
	"dex/internal/connector"
	"dex/internal/protocol/jose"
)

// Kind is what an operator configures as "oidc".
var Kind = connector.Kind{
	Name: "oidc", Secrets: []string{"client_secret", "signing_key", "decryption_key", "client_key"}, SentTo: []string{"issuer"}, New: newConnector,
}

// patience is how long one step of a login may take, all calls together.
const patience = 15 * time.Second

// provider is one OpenID provider.
type provider struct {
	settings
	env       connector.Env
	mapping   mapping
	ours      ourKeys
	opener    opener
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
	if err := p.takeKeys(); err != nil {
		return nil, err
	}
	p.discovery = cached[metadata]{clock: env.Clock, maxAge: time.Duration(s.DiscoveryMaxAge), load: p.discover}
	p.keys.cached = cached[[]jose.Key]{clock: env.Clock, maxAge: keysMaxAge, load: p.loadKeys}
	p.keys.minRefresh = time.Duration(s.KeysMinRefresh)
	if s.Refresh {
		return refreshing{p}, nil
	}
	return p, nil
}

// takeKeys reads our keys out of the settings. The error names every mistake.
func (p *provider) takeKeys() error {
	var mistakes []error
	var err error
	if p.SigningKey != "" {
		if p.ours, err = parseOurKeys(p.SigningKey, p.SigningAlg); err != nil {
			mistakes = append(mistakes, mistake("signing_key", "%w", err))
		}
	}
	if p.DecryptionKey != "" {
		if p.opener, err = parseOpener(p.DecryptionKey); err != nil {
			mistakes = append(mistakes, mistake("decryption_key", "%w", err))
		}
	}
	if p.ClientCertificate != "" {
		certificate, err := tls.X509KeyPair([]byte(p.ClientCertificate), []byte(p.ClientKey))
		if err != nil {
			return errors.Join(append(mistakes, mistake("client_certificate", "must be a certificate in PEM, and client_key its private key"))...)
		}
		p.env.Client = outbound.WithCertificate(p.env.Client, certificate)
	}
	return errors.Join(mistakes...)
}

// journey is what is remembered while the browser is away.
type journey struct {
	Login    string `json:"l"` // whose journey it is: a hash of the login's ID
	Nonce    string `json:"n"`
	Verifier string `json:"v,omitempty"` // RFC 7636
	AskedAt  int64  `json:"t"`
	Key      []byte `json:"k,omitempty"` // that the tokens are to be bound to
}

var errClosed = errors.New("oidc: nobody logs in by this connector (login: false)")

// Begin implements [connector.Connector].
func (p *provider) Begin(ctx context.Context, l connector.Login) (connector.Step, error) {
	if p.Closed() {
		return connector.Step{}, errClosed
	}
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
	key, err := p.newBoundKey()
	if err != nil {
		return connector.Step{}, err
	}
	j.Key = key.private()
	state, err := json.Marshal(j)
	if err != nil {
		return connector.Step{}, fmt.Errorf("oidc: %w", err)
	}
	params, err := p.request(l, j, key)
	if err != nil {
		return connector.Step{}, err
	}
	if params, err = p.asking(ctx, m, params); err != nil {
		return connector.Step{}, err
	}
	to, err := url.Parse(m.AuthorizationEndpoint)
	if err != nil {
		return connector.Step{}, fmt.Errorf("oidc: %w", err)
	}
	// What the endpoint's own query says stays, and cannot say what we say.
	query := to.Query()
	for name, values := range params {
		query[name] = values
	}
	to.RawQuery = query.Encode()
	return connector.Step{
		Prompt: &connector.Prompt{Redirect: to.String(), State: state},
		Said:   "sent to the provider",
	}, nil
}

// request returns the parameters of the authorization request. OpenID Connect
// Core, section 3.1.2.1; RFC 7636, section 4.3; RFC 9449, section 10.
func (p *provider) request(l connector.Login, j journey, key *boundKey) (url.Values, error) {
	v := url.Values{}
	for name, value := range p.ExtraParams {
		v.Set(name, value)
	}
	v.Set("response_type", p.ResponseType)
	v.Set("client_id", p.ClientID)
	v.Set("redirect_uri", l.CallbackURL)
	v.Set("scope", strings.Join(p.Scopes, " "))
	v.Set("state", l.ID)
	v.Set("nonce", j.Nonce)
	if j.Verifier != "" {
		v.Set("code_challenge", hashOf(j.Verifier))
		v.Set("code_challenge_method", "S256")
	}
	if p.ResponseMode != modeQuery {
		v.Set("response_mode", p.ResponseMode)
	}
	if prompt := promptOf(l, p.Prompt); prompt != "" {
		v.Set("prompt", prompt)
	}
	if age, asked := maxAgeOf(l); asked {
		v.Set("max_age", strconv.FormatInt(int64(age/time.Second), 10))
	}
	thumbprint, err := key.thumbprint()
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"login_hint": l.Hint, "ui_locales": strings.Join(l.Locales, " "), "acr_values": strings.Join(p.ACRValues, " "),
		"dpop_jkt": thumbprint,
	} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v, nil
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
	if p.Closed() {
		return connector.Step{}, errClosed
	}
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
	r, err := p.response(ctx, a.Form, l.ID, m)
	if err != nil {
		return connector.Step{}, err
	}
	// What comes through the browser is looked at before anybody is asked with it.
	front, err := p.readFront(ctx, r, j)
	if err != nil {
		return connector.Step{}, err
	}
	if p.ResponseType == typeIDToken {
		if err := p.checkAge(front, l, time.Unix(j.AskedAt, 0)); err != nil {
			return connector.Step{}, err
		}
		return p.welcome(ctx, m, tokens{}, front)
	}
	key, err := p.boundKeyOf(j.Key)
	if err != nil {
		return connector.Step{}, err
	}
	t, err := p.redeem(ctx, m, key, url.Values{
		"grant_type": {"authorization_code"}, "code": {r.code}, "redirect_uri": {l.CallbackURL}, "code_verifier": present(j.Verifier),
	})
	if err != nil {
		return connector.Step{}, err
	}
	id, err := p.readTokens(ctx, t)
	if err != nil {
		return connector.Step{}, err
	}
	if err := id.belongs(j); err != nil {
		return connector.Step{}, err
	}
	if p.ResponseType == typeHybrid && id.Subject != front.Subject {
		return connector.Step{}, errors.New("oidc: the two ID tokens are about different people (sub)")
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
	claims, err := p.claimsOf(ctx, m, t, id.Subject, id.all)
	if err != nil {
		return connector.Step{}, err
	}
	who, err := p.identity(ctx, id.Subject, claims)
	if err != nil {
		return connector.Step{}, err
	}
	said := "the provider vouched"
	called, _ := id.all["sid"].(string) // Back-Channel Logout, section 2.1
	if p.Refresh {
		if t.RefreshToken == "" {
			said += ", and gave no refresh token"
		}
		if who.Data, err = (kept{RefreshToken: t.RefreshToken, Key: t.key.private(), Nonce: id.Nonce, Claims: personal(id.all)}).marshal(); err != nil {
			return connector.Step{}, err
		}
	}
	return connector.Step{
		Identity: &who,
		Methods:  methodsOf(id.Methods),
		AuthTime: earlier(id.AuthTime.Time(), p.env.Clock.Now()),
		Upstream: []byte(id.raw),
		Session:  called,
		Said:     said,
	}, nil
}
