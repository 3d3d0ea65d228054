package oidc

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dex/internal/protocol/jose"
)

// assertionLife is how long an assertion of ours is good: for one call, and for a
// provider whose clock is a little off.
const assertionLife = 2 * time.Minute

// post sends a form to an endpoint of the provider, as the client that we are. A
// provider that wants a nonce of its own in the proof of a key says so once, and is
// asked again with it. RFC 9449, section 8.
func (p *provider) post(ctx context.Context, m metadata, endpoint string, form url.Values, key *boundKey) (answer, error) {
	nonce := ""
	for {
		req, err := p.proven(ctx, m, endpoint, form)
		if err != nil {
			return answer{}, err
		}
		if err := key.prove(req, p.env.Clock.Now(), nonce, ""); err != nil {
			return answer{}, err
		}
		a, err := p.ask(req, maxToken)
		if err != nil || key == nil || nonce != "" || !a.wantsNonce() {
			return a, err
		}
		nonce = a.nonce
	}
}

// proven returns a request that proves who we are. An assertion is good once, so each
// request has its own.
func (p *provider) proven(ctx context.Context, m metadata, endpoint string, form url.Values) (*http.Request, error) {
	all := url.Values{}
	for name, values := range form {
		if len(values) > 0 {
			all[name] = values
		}
	}
	if p.AuthMethod != authBasic {
		all.Set("client_id", p.ClientID)
	}
	switch p.AuthMethod {
	case authPost:
		all.Set("client_secret", p.ClientSecret)
	case authSecretJWT, authKeyJWT:
		assertion, err := p.assertion(m)
		if err != nil {
			return nil, err
		}
		all.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		all.Set("client_assertion", assertion)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(all.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.AuthMethod == authBasic {
		// Both are encoded before they are put together. RFC 6749, section 2.3.1.
		req.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(p.ClientSecret))
	}
	return req, nil
}

// assertion says who we are, signed. It is for the issuer, which is one server and
// not one address of it, unless the provider knows only its token endpoint. OpenID
// Connect Core, section 9; draft-ietf-oauth-rfc7523bis.
func (p *provider) assertion(m metadata) (string, error) {
	audience := p.Issuer
	if p.AssertionAudience == audienceToken {
		audience = m.TokenEndpoint
	}
	now := p.env.Clock.Now()
	claims := jose.Claims{
		Issuer: p.ClientID, Subject: p.ClientID, Audience: jose.Audience{audience}, ID: rand.Text() + rand.Text(),
		IssuedAt: jose.DateOf(now), Expiry: jose.DateOf(now.Add(assertionLife)),
	}
	if p.AuthMethod == authSecretJWT {
		return jose.SignSecret([]byte(p.ClientSecret), jose.TypeJWT, claims)
	}
	return p.ours.sign(jose.TypeJWT, claims)
}

// boundKey is the key that the tokens of one person are bound to: without it nobody
// who has seen them can use them. It is made for a login, and goes where that goes:
// into the state of the journey, and to what is kept of the person. RFC 9449.
type boundKey struct {
	key crypto.Signer
	raw []byte
}

// newBoundKey makes a key. It is nil if the provider's tokens are to be bearer's.
func (p *provider) newBoundKey() (*boundKey, error) {
	if !p.DPoP {
		return nil, nil
	}
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	raw, err := jose.MarshalPrivate(key)
	if err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	return &boundKey{key: key, raw: raw}, nil
}

// boundKeyOf returns the key that was made before.
func (p *provider) boundKeyOf(raw []byte) (*boundKey, error) {
	if !p.DPoP {
		return nil, nil
	}
	if len(raw) == 0 { // from before the setting
		return p.newBoundKey()
	}
	key, err := jose.ParsePrivate(raw)
	if err != nil {
		return nil, fmt.Errorf("oidc: the key of the tokens: %w", err)
	}
	return &boundKey{key: key, raw: raw}, nil
}

// private returns the key as it is kept; of none, nothing.
func (k *boundKey) private() []byte {
	if k == nil {
		return nil
	}
	return k.raw
}

// tokenType returns the type of tokens that are bound to the key; of none, of those
// that are bound to nothing.
func (k *boundKey) tokenType() string {
	if k == nil {
		return "Bearer"
	}
	return "DPoP"
}

// thumbprint returns what a code is bound by. RFC 9449, section 10.
func (k *boundKey) thumbprint() (string, error) {
	if k == nil {
		return "", nil
	}
	return jose.Thumbprint(k.key.Public())
}

// prove adds the proof that we have the key to a request. RFC 9449, section 4.2. The
// access token is that of a request that shows one.
func (k *boundKey) prove(req *http.Request, now time.Time, nonce, accessToken string) error {
	if k == nil {
		return nil
	}
	claims := map[string]any{
		"jti": rand.Text() + rand.Text(), "iat": now.Unix(), "htm": req.Method,
		"htu": (&url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path, RawPath: req.URL.RawPath}).String(),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if accessToken != "" {
		claims["ath"] = hashOf(accessToken)
	}
	proof, err := jose.SignEmbedded(k.key, jose.ES256, "dpop+jwt", claims)
	if err != nil {
		return fmt.Errorf("oidc: proof: %w", err)
	}
	req.Header.Set("DPoP", proof)
	return nil
}

// wantsNonce reports whether the provider asks for its nonce in the proof. RFC 9449,
// sections 8 and 9.
func (a answer) wantsNonce() bool {
	if a.nonce == "" || a.status != http.StatusBadRequest && a.status != http.StatusUnauthorized {
		return false
	}
	var said struct {
		Error string `json:"error"`
	}
	return strings.Contains(a.challenge, "use_dpop_nonce") || jose.Unmarshal(a.body, &said) == nil && said.Error == "use_dpop_nonce"
}
