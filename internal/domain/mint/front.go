package mint

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Front is what an authorization response consists of, beside the tokens.
type Front struct {
	Type  oauth.ResponseType
	Code  secret.Value // empty if none is given
	State string
}

// Front makes the tokens that a permit entitles to, and that the browser brings to the
// client: those of the response type. The ID token holds each of its companions by its
// hash, so that none can be exchanged on the way.
func (m *Mint) Front(p grant.Permit, c client.Client, profile user.Profile, f Front, now time.Time) (oauth.TokenResponse, error) {
	a, err := p.For(grant.IssueTokens)
	if err != nil {
		return oauth.TokenResponse{}, err
	}
	var answer oauth.TokenResponse
	if f.Type.Token() {
		if answer, err = m.access(a, c, now); err != nil {
			return oauth.TokenResponse{}, err
		}
	}
	if !f.Type.IDToken() {
		return answer, nil
	}
	if !a.Scopes.Contains(oauth.ScopeOpenID) {
		return oauth.TokenResponse{}, errors.New("an ID token without the scope openid")
	}
	answer.IDToken, err = m.idToken(a, c, profile, beside{
		access: answer.AccessToken, code: string(f.Code), state: f.State, alone: f.Type == oauth.ResponseTypeIDToken,
	}, now)
	if err != nil {
		return oauth.TokenResponse{}, err
	}
	return answer, nil
}

// responseTTL is how long a signed response may be on its way: JARM section 2.1
// recommends ten minutes at most.
const responseTTL = 10 * time.Minute

// Response returns an authorization response as one parameter, which is signed, and
// encrypted if the client wants it so (JARM sections 2.1 and 2.2). It takes no permit: what is in it has been permitted, or is an error.
func (m *Mint) Response(c client.Client, params url.Values, now time.Time) (string, error) {
	claims := Claims{}
	for name := range params {
		claims[name] = params.Get(name)
	}
	claims["iss"], claims["aud"], claims["exp"] = m.Issuer, c.ID, now.Add(responseTTL).Unix()
	signed, err := m.protect(c, responseAlg(c), c.ResponseEncryption, jose.TypeJWT, claims)
	if err != nil {
		return "", fmt.Errorf("sign a response: %w", err)
	}
	return signed, nil
}

// responseAlg is what a client's responses are signed with: as it says, or like its ID
// tokens, which it can verify.
func responseAlg(c client.Client) jose.Algorithm {
	if c.ResponseAlg != "" {
		return c.ResponseAlg
	}
	return c.IDTokenAlg
}
