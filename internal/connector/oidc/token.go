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
	AccessToken  string    `json:"access_token"`
	TokenType    string    `json:"token_type"`
	RefreshToken string    `json:"refresh_token"`
	IDToken      string    `json:"id_token"`
	key          *boundKey // that they are bound to
}

// redeem asks the token endpoint. Where the provider does not take what the person
// brought, the error wraps [connector.ErrRefused].
func (p *provider) redeem(ctx context.Context, m metadata, key *boundKey, form url.Values) (tokens, error) {
	a, err := p.post(ctx, m, p.by(m).TokenEndpoint, form, key)
	if err != nil {
		return tokens{}, fmt.Errorf("oidc: token: %w", err)
	}
	if a.status != http.StatusOK {
		return tokens{}, tokenError(a)
	}
	t := tokens{key: key}
	if err := jose.Unmarshal(a.body, &t); err != nil {
		return tokens{}, fmt.Errorf("oidc: token: %s", a.describe(err))
	}
	if !strings.EqualFold(t.TokenType, key.tokenType()) || t.AccessToken == "" || !visible(t.AccessToken) {
		return tokens{}, fmt.Errorf("oidc: token: the provider gave no %s token", strings.ToLower(key.tokenType()))
	}
	return t, nil
}

// tokenError says what an error of the token endpoint means. RFC 6749, section 5.2.
func tokenError(a answer) error {
	var said struct {
		Error string `json:"error"`
	}
	if a.status < http.StatusInternalServerError && jose.Unmarshal(a.body, &said) == nil && said.Error == "invalid_grant" {
		return fmt.Errorf("%w: the provider says invalid_grant", connector.ErrRefused)
	}
	return fmt.Errorf("oidc: token: %s", a.complaint())
}

// userinfo asks the userinfo endpoint. Its claims count only if they are about the
// subject. OpenID Connect Core, section 5.3.
func (p *provider) userinfo(ctx context.Context, m metadata, t tokens, subject string) (map[string]any, error) {
	a, err := p.askUserinfo(ctx, p.by(m).UserinfoEndpoint, t)
	if err != nil {
		return nil, fmt.Errorf("oidc: userinfo: %w", err)
	}
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("oidc: userinfo: %s", a.describe(nil))
	}
	body := a.body
	if a.mediaType == "application/jwt" || p.SignedUserinfo {
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

// askUserinfo shows the access token to the userinfo endpoint.
func (p *provider) askUserinfo(ctx context.Context, endpoint string, t tokens) (answer, error) {
	nonce := ""
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint, http.NoBody)
		if p.UserinfoToken == tokenInBody {
			form := url.Values{"access_token": {t.AccessToken}}
			if req, err = http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode())); err == nil {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
		} else if err == nil {
			req.Header.Set("Authorization", t.key.tokenType()+" "+t.AccessToken)
		}
		if err != nil {
			return answer{}, err
		}
		if err := t.key.prove(req, p.env.Clock.Now(), nonce, t.AccessToken); err != nil {
			return answer{}, err
		}
		a, err := p.ask(req, maxUserinfo)
		if err != nil || t.key == nil || nonce != "" || !a.wantsNonce() {
			return a, err
		}
		nonce = a.nonce
	}
}

// signedUserinfo returns the claims of a signed answer. It must be from the
// provider and for us, if it says so. OpenID Connect Core, section 5.3.2.
func (p *provider) signedUserinfo(ctx context.Context, token string) ([]byte, error) {
	token, _, err := p.opener.open(strings.TrimSpace(token))
	if err != nil {
		return nil, err
	}
	payload, _, err := p.verify(ctx, token, "", jose.TypeJWT)
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
