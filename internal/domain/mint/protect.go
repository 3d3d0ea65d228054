package mint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// protect signs claims for a client and encrypts what was signed, as far as it wants
// both. First signed, then encrypted: RFC 7519 section 11.2.
func (m *Mint) protect(c client.Client, alg jose.Algorithm, by client.Encryption, typ string, claims any) (string, error) {
	if alg == "" {
		text, err := json.Marshal(claims)
		if err != nil {
			return "", err
		}
		return encrypt(c, by, text, "")
	}
	signed, err := m.Signer.Sign(alg, typ, claims)
	if err != nil || by.Alg == "" {
		return signed, err
	}
	return encrypt(c, by, []byte(signed), "JWT")
}

func encrypt(c client.Client, by client.Encryption, content []byte, contentType string) (string, error) {
	to, err := jose.EncryptTo(c.EncryptionKeys, by.Alg)
	if err != nil {
		return "", fmt.Errorf("encrypt for client %s: %w", c.ID, err)
	}
	return jose.Encrypt(content, contentType, to, cmp.Or(by.Enc, jose.A128CBCHS256))
}

// Subject is the name that a client knows somebody by.
func (m *Mint) Subject(c client.Client, userID string) string { return m.Subjects.Of(c, userID) }

// Userinfo is what a client is told of somebody with an access token: the claims of its
// scopes, and those that were asked for by name. OpenID Connect Core section 5.3.2.
func (m *Mint) Userinfo(c client.Client, a grant.Authorization, p user.Profile, scopes oauth.Scopes) Claims {
	claims := OfPerson(p, scopes)
	if asked := a.Terms.Claims; asked != nil {
		claims.ask(p, asked.Userinfo, c.Scopes)
	}
	claims["sub"] = m.Subject(c, a.UserID)
	return claims
}

// UserinfoToken returns a userinfo answer as the client wants it protected: it says whose
// it is and for whom, as anything that is signed does. It is empty if the client wants
// plain JSON.
func (m *Mint) UserinfoToken(c client.Client, claims Claims) (string, error) {
	if c.UserinfoAlg == "" && c.UserinfoEncryption.Alg == "" {
		return "", nil
	}
	signed := maps.Clone(claims)
	signed["iss"], signed["aud"] = m.Issuer, c.ID
	token, err := m.protect(c, c.UserinfoAlg, c.UserinfoEncryption, jose.TypeUserinfo, signed)
	if err != nil {
		return "", fmt.Errorf("protect userinfo: %w", err)
	}
	return token, nil
}

// Introspection returns what a token is worth as a token of its own, for the client that
// has asked: RFC 9701 section 5.
func (m *Mint) Introspection(c client.Client, answer oauth.IntrospectionResponse, now time.Time) (string, error) {
	token, err := m.protect(c, cmp.Or(c.IntrospectionAlg, c.IDTokenAlg), c.IntrospectionEncryption, jose.TypeIntrospection, struct {
		Issuer   string                      `json:"iss"`
		Audience string                      `json:"aud"`
		IssuedAt int64                       `json:"iat"`
		Worth    oauth.IntrospectionResponse `json:"token_introspection"`
	}{m.Issuer, c.ID, now.Unix(), answer})
	if err != nil {
		return "", fmt.Errorf("protect an introspection: %w", err)
	}
	return token, nil
}
