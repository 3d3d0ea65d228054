package oidc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"dex/internal/protocol/jose"
)

const (
	// requestLife is how long a request object of ours is good: until the browser has
	// taken it to the provider.
	requestLife = 5 * time.Minute
	// maxRequestURI is the length of the longest handle of a pushed request.
	maxRequestURI = 2048
)

// asking returns what the browser is sent to the provider with: the parameters themselves,
// or what stands for them.
func (p *provider) asking(ctx context.Context, m metadata, params url.Values) (url.Values, error) {
	if p.RequestObject {
		object, err := p.requestObject(params)
		if err != nil {
			return nil, err
		}
		// These three stand outside as well, for what reads no further to be a good
		// request. OpenID Connect Core, section 6.1.
		params = url.Values{
			"client_id": {p.ClientID}, "response_type": params["response_type"], "scope": params["scope"], "request": {object},
		}
	}
	if !p.PAR && !m.RequiresPushed {
		return params, nil
	}
	uri, err := p.push(ctx, m, params)
	if err != nil {
		return nil, err
	}
	return url.Values{"client_id": {p.ClientID}, "request_uri": {uri}}, nil
}

// requestObject signs the parameters. RFC 9101, section 4; OpenID Connect Core,
// section 6.1.
func (p *provider) requestObject(params url.Values) (string, error) {
	now := p.env.Clock.Now()
	claims := map[string]any{
		"iss": p.ClientID, "aud": p.Issuer, "jti": rand.Text() + rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(requestLife).Unix(),
	}
	for name := range params {
		claims[name] = params.Get(name)
	}
	if age, err := strconv.ParseInt(params.Get("max_age"), 10, 64); err == nil {
		claims["max_age"] = age // a number is one, in JSON
	}
	return p.ours.sign("oauth-authz-req+jwt", claims)
}

// push leaves the request with the provider, and returns what it is called there.
// RFC 9126, section 2.
func (p *provider) push(ctx context.Context, m metadata, params url.Values) (string, error) {
	if m.PushedEndpoint == "" {
		return "", errors.New("oidc: the provider takes no pushed requests, and par says to push them")
	}
	a, err := p.post(ctx, m, p.by(m).PushedEndpoint, params, nil)
	if err != nil {
		return "", fmt.Errorf("oidc: pushed request: %w", err)
	}
	if a.status != http.StatusCreated && a.status != http.StatusOK { // as some answer
		return "", fmt.Errorf("oidc: pushed request: %s", a.complaint())
	}
	var said struct {
		RequestURI string `json:"request_uri"`
	}
	if err := jose.Unmarshal(a.body, &said); err != nil || !visible(said.RequestURI) || len(said.RequestURI) > maxRequestURI {
		return "", errors.New("oidc: pushed request: the provider gave no request_uri")
	}
	return said.RequestURI, nil
}
