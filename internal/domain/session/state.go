package session

import (
	"crypto/sha256"
	"encoding/base64"
)

// StateCookie is the cookie by which a frame of ours tells applications that another
// session is there, or none: OpenID Connect Session Management 1.0. It opens nothing.
const StateCookie = "dex_state"

// BrowserState is what the cookie holds while a session is there: something that is
// another with the next one, and from which nobody finds out the session's id.
func BrowserState(sessionID string) string {
	sum := sha256.Sum256([]byte("browser state\x00" + sessionID))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// State is the "session_state" of an answer to an application on an origin, which its
// frame of ours compares with what the browser holds. Session Management section 3.
func State(clientID, origin, browserState, salt string) string {
	sum := sha256.Sum256([]byte(clientID + " " + origin + " " + browserState + " " + salt))
	return base64.RawURLEncoding.EncodeToString(sum[:]) + "." + salt
}
