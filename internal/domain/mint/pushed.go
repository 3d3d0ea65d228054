package mint

import (
	"errors"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// What an ID token says of that which is sent together with it, CIBA section 10.3.1.
const (
	claimRequest     = "urn:openid:params:jwt:claim:auth_req_id"
	claimRefreshHash = "urn:openid:params:jwt:claim:rt_hash"
)

// Pushed makes the tokens that a client is sent which has asked for somebody by the back
// channel. Nobody asks us for them, so that the ID token, which we have signed, says which
// request all of it answers. The refresh token is empty if there is none.
func (m *Mint) Pushed(p grant.Permit, c client.Client, profile user.Profile, request, refresh secret.Value, now time.Time) (oauth.PushedTokens, error) {
	a, err := p.For(grant.RedeemBackchannel)
	if err != nil {
		return oauth.PushedTokens{}, err
	}
	if !a.Scopes.Contains(oauth.ScopeOpenID) {
		return oauth.PushedTokens{}, errors.New("an ID token without the scope openid")
	}
	answer, err := m.access(a, c, now)
	if err != nil {
		return oauth.PushedTokens{}, err
	}
	answer.RefreshToken = string(refresh)
	answer.IDToken, err = m.idToken(a, c, profile, beside{access: answer.AccessToken, refresh: string(refresh), request: string(request)}, now)
	if err != nil {
		return oauth.PushedTokens{}, err
	}
	return oauth.PushedTokens{AuthReqID: string(request), TokenResponse: answer}, nil
}
