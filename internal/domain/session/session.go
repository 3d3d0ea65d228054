// Package session is a signed-in browser.
package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// The cookies of a browser.
const (
	Cookie = "dex_session" // holds the session's secret
	Device = "dex_device"  // remembers that accounts have logged in here before
)

// Session is one signed-in browser.
type Session struct {
	ID          string      // public; clients know it by its [SID]
	Cookie      secret.Hash // of the cookie that holds it
	UserID      string
	ConnectorID string
	Subject     string // at the connector
	Methods     []credential.Method
	AuthTime    time.Time // when the person last proved who they are
	UserAgent   string
	RemoteAddr  string
	CreatedAt   time.Time // when we last saw the person prove it; AuthTime may be an older proof, to a provider
	IdleUntil   time.Time
	ExpiresAt   time.Time
	// Upstream is what the connector needs to end its own session, such as its ID
	// token. It is a secret.
	Upstream []byte
	// UpstreamID is of what that session is called there, as [UpstreamID] makes it. It is
	// written and looked for, and never read.
	UpstreamID secret.Hash
}

// Alive reports whether the session still counts.
func (s *Session) Alive(now time.Time) bool {
	return s != nil && now.Before(s.IdleUntil) && now.Before(s.ExpiresAt)
}

// Fresh reports whether the person proved who they are within maxAge. Without a
// maxAge everything is fresh. OpenID Connect Core section 3.1.2.1.
func (s *Session) Fresh(now time.Time, maxAge *time.Duration) bool {
	return maxAge == nil || now.Sub(s.AuthTime) <= *maxAge
}

// Stale reports whether the idle timeout is worth writing down again: a session in
// use would otherwise cost a write on each request.
func (s *Session) Stale(now time.Time, idle time.Duration) bool {
	return s.IdleUntil.Sub(now) < idle-min(idle/8, time.Hour) && s.IdleUntil.Before(s.ExpiresAt)
}

// NewID returns a fresh id for a session.
func NewID() string { return "ses_" + strings.ToLower(rand.Text()) }

// Known is a session with whom it belongs to and what they have allowed one client.
type Known struct {
	Session  Session
	User     user.User
	Identity user.Identity
	Consent  oauth.Scopes // remembered for the client that was asked for; nil if none
}

// PersonName is what a page calls the person; empty if nothing is known.
func (k *Known) PersonName() string { return cmp.Or(k.Identity.Profile.Name, k.User.Username) }

// Profile returns what is known of the person, with the groups of ours that they are in.
func (k *Known) Profile() *user.Profile {
	p := k.Identity.Profile.With(k.User)
	return &p
}

// Find returns the session that the value of a browser's cookie opens, with what
// its person has allowed the client; nil if it opens none. Whether the session
// still counts is for the caller to decide.
func Find(ctx context.Context, s Store, cookie secret.Value, clientID string) (*Known, error) {
	if !cookie.Is(secret.SessionPrefix) {
		return nil, nil
	}
	known, err := s.SessionByCookie(ctx, cookie.Hash(), clientID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &known, nil
}

// Store keeps the sessions.
type Store interface {
	// SessionByCookie returns the session that a cookie holds, with what its person
	// has allowed the client. It returns a fault of kind NotFound if there is none.
	// Whether the session still counts is for the caller to decide.
	SessionByCookie(ctx context.Context, cookie secret.Hash, clientID string) (Known, error)
	// SessionsOf returns the sessions of an account, the newest first.
	SessionsOf(ctx context.Context, userID string) ([]Session, error)
	// TouchSession puts off the session's idle timeout.
	TouchSession(ctx context.Context, id string, idleUntil time.Time) error
	// EndSession ends a session, revokes the grants that are bound to it, and queues
	// what clients are told of it, all in one. What is queued is in the caller's hands
	// until the given time. Ending a session that has ended already changes nothing.
	EndSession(ctx context.Context, id string, until, now time.Time) (Ended, error)
	// EndEverywhere ends all sessions of an account and revokes all of its grants, also
	// those that outlive their session. What comes back is as of [Store.EndSession], with
	// the clients of the one session from which somebody does so.
	EndEverywhere(ctx context.Context, userID, id string, until, now time.Time) (Ended, error)
}

// Upstreams ends sessions because the provider that they came by says so.
type Upstreams interface {
	// EndByNotice ends the sessions that a notice means, each as [Store.EndSession] does.
	// If there are none, nothing changes. It returns a fault of kind Conflict if what said
	// so has counted before.
	EndByNotice(ctx context.Context, n Notice, until, now time.Time) (Ended, error)
}

// Register is the sessions as operators see and end them.
type Register interface {
	// Sessions returns some sessions of an account, in the order of their ids, from
	// after one on. Those that have run out are not among them.
	Sessions(ctx context.Context, userID, after string, most int) ([]Session, error)
	// TerminateSession ends a session and revokes the grants that are bound to it.
	// Ending one that has ended already changes nothing.
	TerminateSession(ctx context.Context, id string, by audit.By) error
	// TerminateSessions ends all sessions of an account. It returns a fault of kind
	// NotFound if there is no such account.
	TerminateSessions(ctx context.Context, userID string, by audit.By) error
}
