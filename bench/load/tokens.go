package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Tokens is the answer to a token request (RFC 6749, section 5.1).
type Tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
}

// discover reads the metadata and the keys.
func (t *Target) discover(c *Conn) error {
	r := Request{Method: "GET", Path: discoveryPath}
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	if resp.Status != 200 {
		return unexpected(r, resp)
	}
	var metadata struct {
		Issuer        string `json:"issuer"`
		Authorization string `json:"authorization_endpoint"`
		Token         string `json:"token_endpoint"`
		Keys          string `json:"jwks_uri"`
		Userinfo      string `json:"userinfo_endpoint"`
		Introspection string `json:"introspection_endpoint"`
		Push          string `json:"pushed_authorization_request_endpoint"`
	}
	if err := json.Unmarshal(resp.Body, &metadata); err != nil {
		return fmt.Errorf("discovery: %w", err)
	}
	if metadata.Issuer != t.Issuer.String() {
		return fmt.Errorf("discovery is of the issuer %q", metadata.Issuer)
	}
	for _, e := range []struct {
		url  string
		path *string
	}{
		{metadata.Authorization, &t.paths.authorization},
		{metadata.Token, &t.paths.token},
		{metadata.Keys, &t.paths.keys},
		{metadata.Userinfo, &t.paths.userinfo},
		{metadata.Introspection, &t.paths.introspection},
		{metadata.Push, &t.paths.push},
	} {
		if *e.path, err = t.path(e.url); err != nil {
			return err
		}
	}
	resp, err = c.Do(Request{Method: "GET", Path: t.paths.keys})
	if err != nil {
		return err
	}
	t.keys, err = newVerifier(resp.Body)
	return err
}

// post sends a token request and expects an access token.
func (t *Target) post(c *Conn, body string) (Tokens, error) {
	return t.send(c, t.tokenRequest(body), bearer)
}

// The types of access tokens.
const (
	bearer = "Bearer"
	bound  = "DPoP" // to a key
)

// send sends a request to the token endpoint and expects an access token of a type.
func (t *Target) send(c *Conn, r Request, typ string) (Tokens, error) {
	resp, err := c.Do(r)
	if err != nil {
		return Tokens{}, err
	}
	if resp.Status != 200 {
		return Tokens{}, unexpected(r, resp)
	}
	return parseTokens(resp.Body, typ)
}

func parseTokens(body []byte, typ string) (Tokens, error) {
	var tokens Tokens
	if err := json.Unmarshal(body, &tokens); err != nil {
		return Tokens{}, fmt.Errorf("the token answer: %w", err)
	}
	if tokens.AccessToken == "" || !strings.EqualFold(tokens.TokenType, typ) {
		return Tokens{}, fmt.Errorf("the token answer has no access token of type %s", typ)
	}
	return tokens, nil
}

func (t *Target) tokenRequest(body string) Request {
	return Request{Method: "POST", Path: t.paths.token, Header: []string{"Authorization", t.basic()}, Body: body}
}

// checkEvery is how many logins share one full check of an ID token. Verifying
// each would spend more than the server does on some operations.
const checkEvery = 16

// check looks at what a login yielded: everything that was asked for must be
// there, and of each k-th ID token signature and claims must hold.
func (t *Target) check(tokens Tokens, a *Attempt, n int) error {
	switch {
	case tokens.IDToken == "":
		return errors.New("the token answer has no ID token")
	case strings.Contains(a.scope, "offline_access") && tokens.RefreshToken == "":
		return errors.New("the token answer has no refresh token")
	case n%checkEvery != 1:
		return nil
	}
	if err := t.keys.verify(tokens.IDToken, t, a.nonce); err != nil {
		return fmt.Errorf("the ID token: %w", err)
	}
	return nil
}

// verifier checks ID tokens, with a library that shares nothing with dex's own
// signing.
type verifier struct{ keys jose.JSONWebKeySet }

func newVerifier(document []byte) (*verifier, error) {
	v := &verifier{}
	if err := json.Unmarshal(document, &v.keys); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if len(v.keys.Keys) == 0 {
		return nil, errors.New("keys: there are none")
	}
	return v, nil
}

func (v *verifier) verify(token string, t *Target, nonce string) error {
	alg := jose.SignatureAlgorithm(t.Client.IDTokenAlg)
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return err
	}
	keys := v.keys.Key(parsed.Headers[0].KeyID)
	if len(keys) != 1 {
		return fmt.Errorf("there are %d keys of its id", len(keys))
	}
	var registered jwt.Claims
	var own struct {
		Nonce string `json:"nonce"`
	}
	if err := parsed.Claims(keys[0].Key, &registered, &own); err != nil {
		return err
	}
	if own.Nonce != nonce {
		return errors.New("its nonce is another attempt's")
	}
	return registered.ValidateWithLeeway(jwt.Expected{
		Issuer: t.Issuer.String(), AnyAudience: jwt.Audience{t.Client.ID}, Time: time.Now(),
	}, time.Minute)
}

// Algorithms returns those that the server's published keys are for.
func (t *Target) Algorithms() []string {
	var algs []string
	for _, k := range t.keys.keys.Keys {
		if k.Algorithm != "" && !slices.Contains(algs, k.Algorithm) {
			algs = append(algs, k.Algorithm)
		}
	}
	slices.Sort(algs)
	return algs
}

func refreshing(token string) string {
	return "grant_type=refresh_token&refresh_token=" + url.QueryEscape(token)
}
