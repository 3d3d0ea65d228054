// Package founding is how an installation gets its first administrator: once, by a
// secret that only who runs the installation can have read.
package founding

import (
	"context"
	"time"

	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/role"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

const (
	// Valid is for how long a secret counts.
	Valid = time.Hour
	// MaxAttempts is how many wrong guesses a secret bears. It cannot be guessed; whoever
	// tries is to be noticed.
	MaxAttempts = 10
)

// Actor is who did it, in the record.
const Actor = "bootstrap"

// Founding is what an installation begins with, beside what files declare.
type Founding struct {
	Admin      user.New
	Clients    []client.Registered
	Connectors []connector.Registered
}

// Store keeps the one secret, and whether it has served.
type Store interface {
	// Founded reports whether there was a first administrator.
	Founded(ctx context.Context) (bool, error)
	// OfferFounding sets the secret that counts until then, in the place of the one
	// before. It returns a fault of kind Conflict if the installation is founded.
	OfferFounding(ctx context.Context, s secret.Hash, until time.Time, by audit.By) error
	// OfferedFounding reports whether there is a secret that counts.
	OfferedFounding(ctx context.Context, now time.Time) (bool, error)
	// TryFounding says whether a secret counts, without using it. A wrong one is
	// counted and recorded, and returns a fault of kind Denied.
	TryFounding(ctx context.Context, s secret.Hash, by audit.By) error
	// Found does it: the secret is used up with the first administrator, or nothing
	// happens. Of several at once one does.
	Found(ctx context.Context, s secret.Hash, f Founding, by audit.By) error
}

// CommandLine is the client that administrators log in by from a terminal.
func CommandLine() client.Registered {
	return client.Registered{Client: client.Client{
		ID: "dexctl", Name: "dexctl", Profile: client.Standard,
		Public: true, Native: true, Trusted: true, AuthMethod: oauth.AuthNone,
		RedirectURIs: []string{"http://127.0.0.1/callback"},
		GrantTypes:   []string{client.AuthorizationCode, client.RefreshToken, oauth.GrantDeviceCode},
		Scopes: append(oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeOffline},
			role.All()...),
		RequirePKCE: true, ScopeClaims: true, IDTokenAlg: jose.RS256,
	}}
}
