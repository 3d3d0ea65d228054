package session

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"dex/internal/domain/outbox"
)

// SID is what one client knows a session by: the "sid" claim of its ID tokens, and of
// what it is told when the session ends. Each client has its own, so that two that
// compare what they have do not find out by it that they have the same person before
// them.
func SID(sessionID, clientID string) string {
	sum := sha256.Sum256([]byte("sid\x00" + sessionID + "\x00" + clientID))
	return "sid_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26])
}

// Farewell is what a client hears of when a session ends in which it had something.
// It waits in the outbox: what the client is sent is made when it is sent, with the key
// that signs then.
type Farewell struct {
	ClientID  string `json:"client"`
	SessionID string `json:"session"`
	UserID    string `json:"user"`
}

// Ended is what is left to do when a session has ended.
type Ended struct {
	// Clients are those that had something in the session.
	Clients []string
	// Letters tell those of them who want to be told. They are in the hands of whoever
	// ended the session, and due for others when the time is up that was asked for.
	Letters []outbox.Taken
}
