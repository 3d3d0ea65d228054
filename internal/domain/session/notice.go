package session

import (
	"time"

	"dex/internal/base/secret"
)

// Notice is what a provider says of sessions that have ended there.
type Notice struct {
	ConnectorID string
	Subject     string      // whose they were; empty: whoever's
	UpstreamID  secret.Hash // which of them; zero: all of the subject's
	// Token is what said so, which counts once, until it has expired. It is zero if
	// nothing of the kind did.
	Token   secret.Hash
	Expires time.Time
}

// UpstreamID is what we keep of a provider's own name for a session, and find it by. A
// name that is not there is none.
func UpstreamID(name string) secret.Hash {
	if name == "" {
		return secret.Hash{}
	}
	return secret.Value(name).Hash()
}
