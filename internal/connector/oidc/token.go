package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"dex/internal/connector"
	"dex/internal/protocol/jose"
)

// tokens are the answer of the token endpoint. RFC 6749, section 5.1.
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
}

// redeem asks the token endpoint. Where the provider does not take what the person
// brought, the error wraps [connector.ErrRefused].
func (p *provider) redeem(ctx context.Context, m metadata, form url.Values) (tokens, error) {
	for name, values := range form {
		if len(values) == 0 {
			delete(form, name)
		}
	}
	if p.AuthMethod != authBasic {
		form.Set("client_id", p.ClientID)
	}
	if p.AuthMethod == authPost {
		form.Set("client_secret", p.ClientSecret)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens{}, fmt.Errorf("oidc: token: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.AuthMethod == authBasic {
		// Both are encoded before they are put together. RFC 6749, section 2.3.1.
		req.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(p.ClientSecret))
	}
	a, err := p.ask(req, maxToken)
	if err != nil {
		return tokens{}, fmt.Errorf("oidc: token: %w", err)
	}
	if a.status != http.StatusOK {
		return tokens{}, tokenError(a)
	}
	var t tokens
	if err := jose.Unmarshal(a.body, &t); err != nil {
		return tokens{}, fmt.Errorf("oidc: token: %s", a.describe(err))
	}
	if !strings.EqualFold(t.TokenType, "Bearer") || t.AccessToken == "" || !visible(t.AccessToken) {
		return tokens{}, errors.New("oidc: token: the provider gave no bearer token")
	}
	return t, nil
}

// tokenError says what an error of the token endpoint means. RFC 6749, section 5.2.
func tokenError(a answer) error {
	var said struct {
		Error string `json:"error"`
	}
	if a.status >= http.StatusInternalServerError || jose.Unmarshal(a.body, &said) != nil || said.Error == "" {
		return fmt.Errorf("oidc: token: %s", a.describe(nil))
	}
	if said.Error == "invalid_grant" {
		return fmt.Errorf("%w: the provider says invalid_grant", connector.ErrRefused)
	}
	return fmt.Errorf("oidc: token: the provider says %.64q", said.Error)
}

// userinfo asks the userinfo endpoint. Its claims count only if they are about the
// subject. OpenID Connect Core, section 5.3.
func (p *provider) userinfo(ctx context.Context, m metadata, accessToken, subject string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserinfoEndpoint, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("oidc: userinfo: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	a, err := p.ask(req, maxUserinfo)
	if err != nil {
		return nil, fmt.Errorf("oidc: userinfo: %w", err)
	}
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("oidc: userinfo: %s", a.describe(nil))
	}
	body := a.body
	if a.mediaType == "application/jwt" {
		if body, err = p.signedUserinfo(ctx, string(a.body)); err != nil {
			return nil, fmt.Errorf("oidc: userinfo: %w", err)
		}
	}
	claims, err := decode(body)
	if err != nil {
		return nil, fmt.Errorf("oidc: userinfo: %s", a.describe(err))
	}
	if said, _ := claims["sub"].(string); said != subject {
		return nil, errors.New("oidc: userinfo: the claims are about somebody else (sub)")
	}
	return claims, nil
}

// signedUserinfo returns the claims of a signed answer. It must be from the
// provider and for us, if it says so. OpenID Connect Core, section 5.3.2.
func (p *provider) signedUserinfo(ctx context.Context, token string) ([]byte, error) {
	payload, _, err := p.verify(ctx, strings.TrimSpace(token), "", jose.TypeJWT)
	if err != nil {
		return nil, err
	}
	var c jose.Claims
	if err := jose.Unmarshal(payload, &c); err != nil {
		return nil, err
	}
	if c.Issuer != p.Issuer || !forUs(c.Audience, p.ClientID) {
		return nil, errors.New("the signed claims are of another provider or for somebody else")
	}
	return payload, nil
}
