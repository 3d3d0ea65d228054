package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"dex/internal/connector"
	"dex/internal/domain/user"
)

// kept is what is kept of somebody to ask about them again.
type kept struct {
	RefreshToken string `json:"refresh_token,omitempty"`
	// Key is what the tokens are bound to.
	Key []byte `json:"key,omitempty"`
	// Nonce is that of the login: no other may stand in a later ID token.
	Nonce string `json:"nonce,omitempty"`
	// Claims are what the last ID token said of the person. A provider need not send
	// one again, and what it then leaves unsaid still holds.
	Claims map[string]any `json:"claims,omitempty"`
}

func (k kept) marshal() ([]byte, error) {
	data, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	return data, nil
}

func unmarshalKept(data []byte) (kept, error) {
	if len(data) == 0 {
		return kept{}, nil
	}
	all, err := decode(data)
	if err != nil {
		return kept{}, fmt.Errorf("oidc: what was kept of the person: %w", err)
	}
	var k kept
	k.RefreshToken, _ = all["refresh_token"].(string)
	k.Nonce, _ = all["nonce"].(string)
	k.Claims, _ = all["claims"].(map[string]any)
	if key, said := all["key"].(string); said {
		if k.Key, err = base64.StdEncoding.DecodeString(key); err != nil {
			return kept{}, fmt.Errorf("oidc: what was kept of the person: %w", err)
		}
	}
	return k, nil
}

// Refresh implements [connector.Refresher]. OpenID Connect Core, section 12.
func (p refreshing) Refresh(ctx context.Context, id user.Identity) (user.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	subject, ours := strings.CutPrefix(id.Subject, p.Issuer+"#")
	if !ours {
		return user.Identity{}, fmt.Errorf("%w: they come from another provider", connector.ErrRefused)
	}
	k, err := unmarshalKept(id.Data)
	if err != nil {
		return user.Identity{}, err
	}
	if k.RefreshToken == "" {
		// To ask again is what the operator demands, so not being able to is a no.
		return user.Identity{}, fmt.Errorf("%w: the provider gave no refresh token", connector.ErrRefused)
	}
	m, err := p.discovery.get(ctx)
	if err != nil {
		return user.Identity{}, err
	}
	key, err := p.boundKeyOf(k.Key)
	if err != nil {
		return user.Identity{}, err
	}
	k.Key = key.private()
	t, err := p.redeem(ctx, m, key, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {k.RefreshToken}})
	if err != nil {
		return user.Identity{}, err
	}
	if t.RefreshToken != "" {
		k.RefreshToken = t.RefreshToken
	}
	claims, err := p.claimsAgain(ctx, m, t, subject, &k)
	if err != nil {
		return user.Identity{}, err
	}
	fresh, err := p.identity(ctx, subject, claims)
	if err != nil {
		return user.Identity{}, err
	}
	fresh.Data, err = k.marshal()
	return fresh, err
}

// claimsAgain returns all that the provider says of the person now. An ID token,
// if there is one, must be about them, section 12.2. Without one, what the last
// said holds where the userinfo endpoint says nothing newer.
func (p *provider) claimsAgain(ctx context.Context, m metadata, t tokens, subject string, k *kept) (map[string]any, error) {
	if t.IDToken != "" {
		id, err := p.readTokens(ctx, t)
		if err != nil {
			return nil, err
		}
		if id.Subject != subject {
			return nil, errors.New("oidc: the ID token is about somebody else (sub)")
		}
		if id.Nonce != "" && k.Nonce != "" && id.Nonce != k.Nonce {
			return nil, errors.New("oidc: the ID token belongs to another login (nonce)")
		}
		k.Claims = personal(id.all)
		return p.claimsOf(ctx, m, t, subject, id.all)
	}
	if !p.Userinfo || m.UserinfoEndpoint == "" {
		return k.Claims, nil
	}
	now, err := p.userinfo(ctx, m, t, subject)
	if err != nil {
		return nil, err
	}
	return merge(now, k.Claims), nil
}

// EndURL implements [connector.Ender]. OpenID Connect RP-Initiated Logout, section
// 2.
func (p *provider) EndURL(ctx context.Context, upstream []byte, returnTo, state string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := p.discovery.get(ctx)
	if err != nil || m.EndSessionEndpoint == "" {
		return "", err
	}
	to, err := url.Parse(m.EndSessionEndpoint)
	if err != nil {
		return "", fmt.Errorf("oidc: %w", err)
	}
	query := to.Query()
	query.Set("client_id", p.ClientID)
	for name, value := range map[string]string{
		"id_token_hint": string(upstream), "post_logout_redirect_uri": returnTo, "state": state,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	to.RawQuery = query.Encode()
	return to.String(), nil
}

// Check implements [connector.Health]: it asks, whatever we remember.
func (p *provider) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if p.Closed() {
		return p.keys.check(ctx) // which is all that is asked of it
	}
	return p.discovery.check(ctx)
}
