package mint

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/session"
	"dex/internal/protocol/jose"
)

// LogoutEvent is what a logout token tells of, OpenID Connect Back-Channel Logout
// section 2.4.
const LogoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutTTL is how long a logout token counts. It is made when it is sent, and again
// if it has to be sent again. Back-Channel Logout section 2.4 asks for two minutes at
// most.
const logoutTTL = 2 * time.Minute

// LogoutClaims are the claims of a logout token. It never has a nonce, so that nobody
// can take it for an ID token.
type LogoutClaims struct {
	jose.Claims
	Events    map[string]struct{} `json:"events"`
	SessionID string              `json:"sid"`
}

// LogoutToken makes what tells a client that a session has ended. It names the person
// and the session as the ID tokens of that client do, and is signed and encrypted as they
// are: Back-Channel Logout section 2.4.
func (m *Mint) LogoutToken(c client.Client, f session.Farewell, now time.Time) (string, error) {
	token, err := m.protect(c, c.IDTokenAlg, c.IDTokenEncryption, jose.TypeLogoutToken, LogoutClaims{
		Claims: jose.Claims{
			Issuer: m.Issuer, Subject: m.Subject(c, f.UserID), Audience: jose.Audience{c.ID},
			IssuedAt: jose.DateOf(now), Expiry: jose.DateOf(now.Add(logoutTTL)), ID: strings.ToLower(rand.Text()),
		},
		Events:    map[string]struct{}{LogoutEvent: {}},
		SessionID: session.SID(f.SessionID, c.ID),
	})
	if err != nil {
		return "", fmt.Errorf("protect a logout token: %w", err)
	}
	return token, nil
}
