package grant

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Authorization says who let which client do what. Every token that we issue says
// no more than one of these.
type Authorization struct {
	ID          string // "gra_…"; revoking it revokes every token in it. Empty if nothing is kept of it.
	ClientID    string
	UserID      string // empty when the client acts for itself
	SessionID   string // the session it was made in
	ConnectorID string
	Subject     string // at the connector
	Scopes      oauth.Scopes
	Audience    []string // of the ID token, beside the client
	Nonce       string
	AuthTime    time.Time
	Methods     []credential.Method
	IssuedAt    time.Time
	SupportCode string // of the attempt it came from
	Terms       Terms
	// Until is when what comes of it ends at the latest; zero if nothing but its own time
	// ends it. It is not kept.
	Until time.Time
	// DeviceSecret is of the secret that the ID token came beside, by which applications
	// share the login; its zero value is of none. It is not kept with the rest.
	DeviceSecret secret.Hash
}

// Terms is what few authorizations say. The zero value is usual, and nothing is kept
// of it.
type Terms struct {
	Claims    *oauth.ClaimsRequest `json:"claims,omitempty"`                // asked for one by one
	Resources []string             `json:"resources,omitempty"`             // that access tokens are for, RFC 8707
	Details   json.RawMessage      `json:"authorization_details,omitempty"` // that were granted, RFC 9396
	ACR       []string             `json:"acr,omitempty"`                   // any of which was asked for
	Binding   oauth.Binding        `json:"cnf,omitzero"`
	Actor     *Actor               `json:"act,omitempty"`
}

// IsZero reports whether the terms say nothing.
func (t Terms) IsZero() bool {
	return t.Claims == nil && len(t.Resources) == 0 && len(t.Details) == 0 && len(t.ACR) == 0 && t.Binding == (oauth.Binding{}) && t.Actor == nil
}

// Actor is who acts on behalf of the subject, RFC 8693 section 4.1, and on whose
// behalf they do.
type Actor struct {
	Subject string `json:"sub"`
	Issuer  string `json:"iss,omitempty"`
	Actor   *Actor `json:"act,omitempty"`
}

// Offline reports whether the authorization outlives the session it was made in,
// OpenID Connect Core section 11.
func (a Authorization) Offline() bool { return a.Scopes.Contains(oauth.ScopeOffline) }

// Code is an authorization code on its way to the client, and what it is bound to.
type Code struct {
	Hash        secret.Hash
	RedirectURI string
	Challenge   oauth.Challenge // empty if the client need not use PKCE
	Attempt     secret.Hash     // of the attempt's id, which leads to one code; its zero value is of none
	BoundTo     string          // the thumbprint of the key that has to be proven; empty if none has, RFC 9449 section 10
	ExpiresAt   time.Time
	// Spent is set if the client is told no code, because it has got by the browser all
	// that it gets: nobody can redeem it, and the grant counts as if somebody had.
	Spent bool
}

// MaxAttempts is how often a code may be presented with the wrong proof before it
// is burned. One wrong attempt must not burn it: whoever sees a code in passing
// could keep its owner from using it.
const MaxAttempts = 5

// Proof is what a client presents to redeem a code. All of it must agree.
type Proof struct {
	Hash        secret.Hash
	ClientID    string
	RedirectURI string
	Verifier    string
	BoundTo     string // the thumbprint of the key that was proven; empty if none was
	Holder      string // whoever proves this alone may refresh what comes of it; empty: the client
}

// Family is the chain of refresh tokens of one authorization: one row, whatever
// the number of refreshes. Its zero value is a family that does not exist.
type Family struct {
	Generation int // of the newest token; the first is 1
	RotatedAt  time.Time
	IdleUntil  time.Time
	ExpiresAt  time.Time
}

// Known is a grant as it stands in the store, with everything that the gate must
// look at.
type Known struct {
	Authorization Authorization
	Family        Family
	BoundTo       string    // whoever proves this alone may refresh it, if the client is public
	RevokedAt     time.Time // zero if it is not revoked
	User          *user.User
	Identity      *user.Identity
	Session       *session.Session // nil if it has ended
	TokenRevoked  bool             // the very token that was asked about is revoked
}

// Profile returns what is known of the person, with the groups of ours that they are
// in. The gate must have seen that there is one.
func (k Known) Profile() *user.Profile {
	p := k.Identity.Profile.With(*k.User)
	return &p
}

// Outcome says how presenting a code ended.
type Outcome uint8

// The outcomes.
const (
	Redeemed   Outcome = iota + 1 // and this call did it
	NoSuchCode                    // unknown, expired, burned or revoked
	WrongProof                    // the code stands, but not for whoever presented this
	Replayed                      // it was redeemed before; everything that came of it is revoked now
)

// Opening is all that a finished login changes: all of it happens, or none.
type Opening struct {
	Session  session.Session
	User     user.User     // created if it is new, else brought up to date
	Identity user.Identity // linked if it is new, else brought up to date
	NewUser  bool
	Changed  bool            // user or identity differ from what is kept
	Previous session.Session // of the same browser; its ID is empty if there is none
	Family   Family          // of what is granted without a code; its zero value is none
	Holder   string          // whoever proves this alone may refresh it; empty: the client
	Event    audit.Event
}

// DeviceSecret is what the applications on a device show to share a login, OpenID Connect
// Native SSO section 3.2.
type DeviceSecret struct {
	Hash      secret.Hash
	Group     string    // of the clients that share it
	ExpiresAt time.Time // when its session ends at the latest
}

// Token is the token of another issuer that an authorization rests on. One without an id
// may come more than once.
type Token struct {
	ID      secret.Hash // of issuer and jti; its zero value is none
	Expires time.Time   // after which it does not count, so that nobody needs to know it
}

// ErrTokenUsed says that a token which counts once has come before.
var ErrTokenUsed = fault.New(fault.Conflict, "The token has come before.")

// Store keeps grants and opens sessions. What creates something takes the gate's
// permit, so that there is no way around the gate.
type Store interface {
	// OpenSession keeps all of an opening, or none of it. A previous session of the
	// same account is continued under its old ID with the new cookie; one of another
	// account is ended.
	OpenSession(ctx context.Context, p Permit, o Opening) (session.Session, error)
	// KeepGrant keeps what comes of another issuer's word, of a password, or of a login that
	// is shared: the account and the identity of an opening as far as they have changed, the
	// permitted authorization with its family, and that the token which said so has come; all
	// of it, or nothing. It returns a fault of kind Conflict if the token has come before, or
	// the identity leads to another account since it was resolved, and of kind NotFound if
	// the session that it is in has ended.
	KeepGrant(ctx context.Context, p Permit, o Opening, by Token, steps []audit.Step) error
	// KeepDeviceSecret gives a grant the secret by which other applications share its login,
	// and remembers the grant as long as its session can last. One that the device had
	// before is worth nothing any more, if it was of the same session and group.
	KeepDeviceSecret(ctx context.Context, p Permit, s DeviceSecret, before secret.Hash) error
	// SharedLogin returns the grant that a device secret was given with, and the group that
	// shares it. It returns a fault of kind NotFound if there is no such secret.
	SharedLogin(ctx context.Context, device secret.Hash) (Known, string, error)
	// Consent returns what somebody has allowed a client; nothing if they have not.
	Consent(ctx context.Context, userID, clientID string) (oauth.Scopes, error)
	// KeepConsent remembers what the session's person allowed the client.
	KeepConsent(ctx context.Context, userID, clientID string, scopes oauth.Scopes, now time.Time) error
	// RevokeConsent forgets it, and revokes the grants that rest on it.
	RevokeConsent(ctx context.Context, userID, clientID string, now time.Time) error

	// KeepCode keeps the permitted authorization together with its code, and the
	// steps that led to it. It returns a fault of kind Conflict if the attempt has led
	// to a code before: who puts a finished attempt back into the browser gets nothing.
	KeepCode(ctx context.Context, p Permit, c Code, steps []audit.Step, startedAt time.Time) error
	// Redeem exchanges a code, once. Of any number who present the code with the
	// right proof one is told Redeemed; whoever presents it again gets Replayed, and
	// the grant is revoked. A family begins if the authorization is offline.
	Redeem(ctx context.Context, p Proof, f Family, now time.Time) (Known, Outcome, error)

	// Grant returns a grant as it stands. The token, if it is not empty, is the
	// identifier of an access token of this grant, which may be revoked by itself.
	// It returns a fault of kind NotFound if there is no such grant.
	Grant(ctx context.Context, id, token string) (Known, error)
	// Rotate takes the family from generation gen to the next. It reports false if
	// somebody else did, or the grant is revoked.
	Rotate(ctx context.Context, p Permit, gen int, idleUntil, now time.Time) (bool, error)
	// Revoke revokes a grant with everything that came of it.
	Revoke(ctx context.Context, id string, reason audit.Kind, now time.Time) error
	// RevokeToken revokes one access token until it would expire anyway.
	RevokeToken(ctx context.Context, token string, expires, now time.Time) error
	// TokenRevoked reports whether an access token that no grant stands behind was
	// revoked.
	TokenRevoked(ctx context.Context, token string) (bool, error)
}

// Kept is a grant that counts, as operators see it.
type Kept struct {
	Authorization
	Family Family
}

// Consent is what somebody has allowed a client.
type Consent struct {
	UserID    string
	ClientID  string
	Scopes    oauth.Scopes
	UpdatedAt time.Time
}

// Register is the grants and consents as operators see and end them.
type Register interface {
	// Grants returns some grants of an account that a client may still get something
	// of, in the order of their ids, from after one on.
	Grants(ctx context.Context, userID, after string, most int) ([]Kept, error)
	// WithdrawGrant revokes a grant with everything that came of it. Revoking what is
	// revoked already, or is not there, changes nothing.
	WithdrawGrant(ctx context.Context, id string, by audit.By) error
	// WithdrawGrants revokes all grants of an account.
	WithdrawGrants(ctx context.Context, userID string, by audit.By) error
	// Consents returns some consents of an account, in the order of their clients' ids,
	// from after one on.
	Consents(ctx context.Context, userID, after string, most int) ([]Consent, error)
	// WithdrawConsent forgets a consent, and revokes the grants that rest on it.
	WithdrawConsent(ctx context.Context, userID, clientID string, by audit.By) error
}

// NewID returns a fresh id for a grant.
func NewID() string { return "gra_" + strings.ToLower(rand.Text()) }
