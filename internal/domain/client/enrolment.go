package client

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/audit"
)

// InitialToken lets whoever has it register clients, RFC 7591 section 3.
type InitialToken struct {
	ID        string
	Note      string  // what it is for
	Profile   Profile // of the clients that are registered with it; empty: the tenant's
	UsesLeft  int64
	CreatedAt time.Time
	CreatedBy string
	ExpiresAt time.Time
}

// NewInitialTokenID returns the id of an initial access token that is new. It says
// nothing of the token.
func NewInitialTokenID() string { return "iat_" + strings.ToLower(rand.Text()[:12]) }

// NewID returns the id of a client that registers itself.
func NewID() string { return "cl_" + strings.ToLower(rand.Text()) }

// Enrolments are what clients do that register themselves. Such a client proves that its
// registration is its own by a token of which the hash is kept. Each use replaces it; the
// one before counts until its successor is used, so that a lost answer locks nobody out.
type Enrolments interface {
	// Enrol adds a client, under the hash of its token. Of the initial access token
	// that it came by, if it came by one, one use is spent with it. It returns a fault of
	// kind Denied if that is not good any more, and of kind Conflict if there are as many
	// such clients as there may be.
	Enrol(ctx context.Context, r Registered, token secret.Hash, initial *secret.Hash, most int, by audit.By) (Registered, error)
	// Enrolment returns a client that shows its token, and replaces that by the next. It
	// returns a fault of kind NotFound if the token is not the client's, or the client is
	// disabled or gone: whoever asks learns nothing of which it is.
	Enrolment(ctx context.Context, id string, token, next secret.Hash) (Registered, error)
	// InitialToken returns an initial access token that is good for something. It returns
	// a fault of kind NotFound if there is none.
	InitialToken(ctx context.Context, token secret.Hash, now time.Time) (InitialToken, error)
}

// Invitations are what operators do with initial access tokens.
type Invitations interface {
	// InitialTokens returns the tokens after an id, in the order of their ids.
	InitialTokens(ctx context.Context, after string, limit int) ([]InitialToken, error)
	AddInitialToken(ctx context.Context, i InitialToken, token secret.Hash, by audit.By) error
	// RemoveInitialToken ends a token. It returns a fault of kind NotFound if there is
	// none.
	RemoveInitialToken(ctx context.Context, id string, by audit.By) error
}
