package grant

import (
	"context"
	"time"

	"dex/internal/base/secret"
	"dex/internal/protocol/oauth"
)

// Delivery is how a request has come, if not in the plain parameters of an address.
type Delivery struct {
	// Pushed is the hash of the handle under which the client has left the request with
	// us, RFC 9126; nil if it did not.
	Pushed []byte `json:"p,omitempty"`
	Signed bool   `json:"s,omitempty"` // it stood in an object that the client has signed, RFC 9101
}

// Attempt returns what the request can lead to one code by: its handle, if the client
// has pushed it, so that two browsers that bring it get one code between them.
func (r *Request) Attempt() secret.Hash {
	if len(r.By.Pushed) == len(secret.Hash{}) {
		return secret.Hash(r.By.Pushed)
	}
	return secret.Value(r.ID).Hash()
}

// Pushed is a request that a client has left with us before it sends the browser,
// RFC 9126.
type Pushed struct {
	Hash      secret.Hash         `json:"-"` // of the handle
	ClientID  string              `json:"-"`
	Asked     oauth.Authorization `json:"asked"`
	Signed    bool                `json:"signed,omitempty"`
	CreatedAt time.Time           `json:"created_at"`
	ExpiresAt time.Time           `json:"expires_at"`
	Ended     bool                `json:"-"` // the client has had its answer
}

// PushedLife is for how long a browser may come with a request that was pushed. Once
// it has come it keeps the request itself.
const PushedLife = time.Minute

// PushedStore keeps the requests that were pushed.
type PushedStore interface {
	// KeepPushed keeps a request. It returns a fault of kind Conflict if there is one
	// under its handle.
	KeepPushed(ctx context.Context, p Pushed) error
	// Pushed returns a client's request, also if it is too old or has been answered: then
	// it is good for telling the client so. It returns a fault of kind NotFound if there
	// is none, or it is another client's.
	Pushed(ctx context.Context, handle secret.Hash, clientID string) (Pushed, error)
	// EndPushed says that the client has had an answer which is no code. That it has had
	// a code the store knows by itself, [Code.Attempt].
	EndPushed(ctx context.Context, handle secret.Hash, now time.Time) error
}
