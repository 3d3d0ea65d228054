package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"dex/internal/protocol/jose"
)

// The most that we read of an answer, in bytes.
const (
	maxDiscovery = 256 << 10
	maxToken     = 64 << 10
	maxUserinfo  = 256 << 10
)

// metadata is what a provider says of itself and we use. OpenID Connect Discovery,
// section 3; RFC 9207, section 3; OpenID Connect RP-Initiated Logout, section 2.1.
type metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	KeysURI               string `json:"jwks_uri"`
	EndSessionEndpoint    string `json:"end_session_endpoint"`
	PushedEndpoint        string `json:"pushed_authorization_request_endpoint"`
	RequiresPushed        bool   `json:"require_pushed_authorization_requests"`
	SendsIssuer           bool   `json:"authorization_response_iss_parameter_supported"`
	// Aliases are the addresses at which a client shows its certificate, RFC 8705,
	// section 5.
	Aliases aliases `json:"mtls_endpoint_aliases"`
}

type aliases struct {
	TokenEndpoint    string `json:"token_endpoint"`
	UserinfoEndpoint string `json:"userinfo_endpoint"`
	PushedEndpoint   string `json:"pushed_authorization_request_endpoint"`
}

// by returns the addresses at which we ask: with a certificate, those that look at it.
func (p *provider) by(m metadata) aliases {
	at := aliases{TokenEndpoint: m.TokenEndpoint, UserinfoEndpoint: m.UserinfoEndpoint, PushedEndpoint: m.PushedEndpoint}
	if p.ClientCertificate == "" {
		return at
	}
	for alias, address := range map[*string]string{
		&at.TokenEndpoint: m.Aliases.TokenEndpoint, &at.UserinfoEndpoint: m.Aliases.UserinfoEndpoint, &at.PushedEndpoint: m.Aliases.PushedEndpoint,
	} {
		if address != "" {
			*alias = address
		}
	}
	return at
}

// discover asks the provider for its metadata.
func (p *provider) discover(ctx context.Context) (metadata, error) {
	at := strings.TrimSuffix(p.Issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return metadata{}, fmt.Errorf("oidc: discovery: %w", err)
	}
	a, err := p.ask(req, maxDiscovery)
	if err != nil {
		return metadata{}, fmt.Errorf("oidc: discovery: %w", err)
	}
	var m metadata
	if err := jose.Unmarshal(a.body, &m); err != nil || a.status != http.StatusOK {
		return metadata{}, fmt.Errorf("oidc: discovery: %s", a.describe(err))
	}
	if err := m.check(p.Issuer, p.Login); err != nil {
		return metadata{}, fmt.Errorf("oidc: discovery: %w", err)
	}
	return m, nil
}

// check says what is wrong with the metadata of an issuer. Discovery, section 4.3:
// the issuer must be the one that was asked, to the letter. One by which nobody logs in
// needs no endpoints.
func (m metadata) check(issuer string, login bool) error {
	if m.Issuer != issuer {
		return fmt.Errorf("the provider says that it is %.200q, and %q was asked", m.Issuer, issuer)
	}
	for name, endpoint := range map[string]string{
		"authorization_endpoint": m.AuthorizationEndpoint, "token_endpoint": m.TokenEndpoint, "jwks_uri": m.KeysURI,
	} {
		if endpoint == "" && (login || name == "jwks_uri") {
			return fmt.Errorf("the provider has no %s", name)
		}
	}
	if !login {
		m = metadata{KeysURI: m.KeysURI} // nothing else is asked
	}
	for name, endpoint := range map[string]string{
		"authorization_endpoint": m.AuthorizationEndpoint, "token_endpoint": m.TokenEndpoint, "jwks_uri": m.KeysURI,
		"userinfo_endpoint": m.UserinfoEndpoint, "end_session_endpoint": m.EndSessionEndpoint,
		"pushed_authorization_request_endpoint": m.PushedEndpoint, "token_endpoint alias": m.Aliases.TokenEndpoint,
		"userinfo_endpoint alias": m.Aliases.UserinfoEndpoint, "pushed_authorization_request_endpoint alias": m.Aliases.PushedEndpoint,
	} {
		u, err := url.Parse(endpoint)
		switch {
		case endpoint == "":
		case err != nil || !webURL(u) || !visible(endpoint):
			return fmt.Errorf("the provider's %s is not a URL that can be asked", name)
		case u.Scheme == "http" && strings.HasPrefix(issuer, "https:"):
			// What came over TLS must not lead away from it.
			return fmt.Errorf("the provider's %s is not https", name)
		}
	}
	return nil
}

// answer is what a provider answered.
type answer struct {
	status    int
	mediaType string
	challenge string // WWW-Authenticate
	nonce     string // DPoP-Nonce
	body      []byte
}

// describe says what is wrong with an answer, in outline. What the other side
// wrote is not repeated: it may hold secrets, and is not ours to show.
func (a answer) describe(err error) string {
	if a.status != http.StatusOK {
		return fmt.Sprintf("the provider answers with status %d", a.status)
	}
	return fmt.Sprintf("the provider's answer makes no sense: %v", err)
}

// complaint says what an endpoint complains of. RFC 6749, section 5.2.
func (a answer) complaint() string {
	var said struct {
		Error string `json:"error"`
	}
	if a.status >= http.StatusInternalServerError || jose.Unmarshal(a.body, &said) != nil || said.Error == "" {
		return a.describe(errors.New("it names no error"))
	}
	return fmt.Sprintf("the provider says %.64q", said.Error)
}

var errTooLong = errors.New("the provider's answer is too long")

// ask sends a request and reads the answer, up to limit bytes of it.
func (p *provider) ask(req *http.Request, limit int64) (answer, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := p.env.Client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // nothing is lost: it has been read
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return answer{}, err
	}
	if int64(len(body)) > limit {
		return answer{}, errTooLong
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // empty if it is none
	return answer{
		status: resp.StatusCode, mediaType: mediaType, body: body,
		challenge: resp.Header.Get("WWW-Authenticate"), nonce: resp.Header.Get("DPoP-Nonce"),
	}, nil
}
