// Package credential is how people prove who they are to us, and how guessing is
// slowed down without ever locking out the owner.
package credential

import (
	"context"
	"encoding/base64"
	"slices"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/user"
)

// Method is an authentication method reference, RFC 8176.
type Method string

// The methods.
const (
	Password  Method = "pwd"
	Federated Method = "fed" // another provider vouched; it did not say how
	MultiStep Method = "mfa"
)

// The authentication context classes that we speak of ("acr").
const (
	SingleFactor = "aal1"
	MultiFactor  = "aal2"
)

// Class returns the authentication context class that methods amount to.
func Class(methods []Method) string {
	for _, m := range methods {
		if m == MultiStep {
			return MultiFactor
		}
	}
	return SingleFactor
}

// Classes are the classes that a login can be of, the weakest first.
func Classes() []string { return []string{SingleFactor, MultiFactor} }

// Met returns the first of the asked classes that methods amount to, or to more than;
// empty if they amount to none.
func Met(methods []Method, asked []string) string {
	have := slices.Index(Classes(), Class(methods))
	for _, class := range asked {
		if i := slices.Index(Classes(), class); i >= 0 && i <= have {
			return class
		}
	}
	return ""
}

// Candidate is what the store knows about somebody who wants to log in with a
// password, and about the guessing that has gone on.
type Candidate struct {
	User user.User // without an ID if nobody has that login name
	// Names are all login names of the account. What all networks fail together, and
	// what a known device fails, is counted under each of them, so that another name
	// is no fresh start there.
	Names    []string
	Hash     string // in PHC string format; empty if they have no password
	Profile  user.Profile
	Throttle []Throttle // in the order of the buckets that were asked for
}

// Store keeps passwords and counts failures.
type Store interface {
	// Candidate looks up who logs in with a canonical name, together with the state
	// of the given buckets. Nobody is a Candidate without a user's ID, not an error, and
	// costs the same.
	Candidate(ctx context.Context, name string, buckets []Bucket) (Candidate, error)
	// RecordFailure counts a failed attempt in every bucket.
	RecordFailure(ctx context.Context, buckets []Bucket, now time.Time) error
	// Forgive forgets the failures in the buckets.
	Forgive(ctx context.Context, buckets []Bucket) error
	// Rehash replaces a password's hash, unless it has changed meanwhile.
	Rehash(ctx context.Context, userID, old, fresh string) error
}

// Hasher makes and checks password hashes. It bounds how many run at once, since
// each takes megabytes.
type Hasher interface {
	// Hash returns the hash of a password in PHC string format.
	Hash(ctx context.Context, password string) (string, error)
	// Verify reports whether the password has this hash. With an empty hash it takes
	// as long and reports false. It returns a fault of kind Throttled if there is too
	// much to do.
	Verify(ctx context.Context, password, hash string) (bool, error)
	// Outdated reports whether the hash should be made anew.
	Outdated(hash string) bool
}

// DeviceMark returns what a browser remembers of an account that logged in there:
// a hash, so that the cookie tells nobody who that was.
func DeviceMark(userID string) string {
	h := secret.Value("device\x00" + userID).Hash()
	return base64.RawURLEncoding.EncodeToString(h[:12])
}
