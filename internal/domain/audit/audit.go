// Package audit is the record of what was done, and the trace of each login.
package audit

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

// Kind names what was done.
type Kind string

// The events of the record. A code's issue and redemption and a refresh are not
// among them: the row of the grant is their record, written by the very statement
// that does them.
const (
	LoginSucceeded Kind = "auth.login.success"
	LoginRefused   Kind = "auth.login.refused"
	TokenVouched   Kind = "auth.token.accepted"
	LoginShared    Kind = "auth.login.shared"
	SessionEnded   Kind = "session.terminated"
	ConsentGranted Kind = "consent.granted"
	ConsentRevoked Kind = "consent.revoked"
	CodeReplayed   Kind = "code.replayed"
	CodeBurned     Kind = "code.burned"
	RefreshReused  Kind = "refresh.reuse"
	GrantDenied    Kind = "grant.denied"
	TokenRevoked   Kind = "token.revoked"
	GrantRevoked   Kind = "grant.revoked"
	UserCreated    Kind = "user.created"
	UserDisabled   Kind = "user.disabled"
	UserEnabled    Kind = "user.enabled"
	KeyCreated     Kind = "key.created"
	KeyDestroyed   Kind = "key.destroyed"
	KeyRemoved     Kind = "key.removed"
	DeviceDenied   Kind = "device.denied"
	// A request by the back channel, CIBA, is answered in the name of its person.
	BackchannelApproved Kind = "backchannel.approved"
	BackchannelDenied   Kind = "backchannel.denied"
	ConfigApplied       Kind = "config.changed"
	UpstreamRefused     Kind = "connector.refused"
	OutboxRetried       Kind = "outbox.retried"
	OutboxDropped       Kind = "outbox.dropped"

	DatabaseRestored Kind = "database.restored"
)

// The events of the whole installation.
const (
	FoundingOffered Kind = "system.founding_offered"
	FoundingRefused Kind = "system.founding_refused"
	Founded         Kind = "system.founded"
	AdminRecovered  Kind = "system.admin_recovered"
	KeyRotated      Kind = "key.rotated"
	KeyCompromised  Kind = "key.compromised"
	DutyRun         Kind = "system.duty_run"
	Resealed        Kind = "system.resealed"
)

// The events of the configuration, as operators change it. What a configuration file
// or an applied set of files did as a whole is a [ConfigApplied].
const (
	ClientCreated       Kind = "client.created"
	ClientChanged       Kind = "client.changed"
	ClientDisabled      Kind = "client.disabled"
	ClientEnabled       Kind = "client.enabled"
	ClientDeleted       Kind = "client.deleted"
	ClientSecretAdded   Kind = "client.secret_added"
	ClientSecretRemoved Kind = "client.secret_removed"
	InitialTokenCreated Kind = "client.initial_token_created"
	InitialTokenRemoved Kind = "client.initial_token_removed"
	RegistrationChanged Kind = "client.registration_changed"
	ConnectorCreated    Kind = "connector.created"
	ConnectorChanged    Kind = "connector.changed"
	ConnectorDisabled   Kind = "connector.disabled"
	ConnectorEnabled    Kind = "connector.enabled"
	ConnectorDeleted    Kind = "connector.deleted"
	TenantCreated       Kind = "tenant.created"
	TenantChanged       Kind = "tenant.changed"
	TenantDisabled      Kind = "tenant.disabled"
	TenantEnabled       Kind = "tenant.enabled"
	TenantDeleted       Kind = "tenant.deleted"
)

// The events of people and groups, as operators change them.
const (
	UserUpdated      Kind = "user.updated"
	UserDeleted      Kind = "user.deleted"
	UserRoleChanged  Kind = "user.role_changed"
	PasswordChanged  Kind = "user.password_changed"
	IdentityLinked   Kind = "identity.linked"
	IdentityUnlinked Kind = "identity.unlinked"
	LinkCreated      Kind = "link.created"
	LinkUsed         Kind = "link.used"
	GroupCreated     Kind = "group.created"
	GroupUpdated     Kind = "group.updated"
	GroupDeleted     Kind = "group.deleted"
	MemberAdded      Kind = "group.member_added"
	MemberRemoved    Kind = "group.member_removed"
)

// Event is one line of the record. It is written in the transaction of its deed.
type Event struct {
	ID          string // sorts by time
	At          time.Time
	Kind        Kind
	Actor       string // who did it: a user's, client's or duty's id
	UserID      string
	ClientID    string
	ConnectorID string
	SessionID   string
	GrantID     string
	SupportCode string // of the attempt, if there is one
	RemoteAddr  string
	Detail      map[string]string // never a secret
}

// By says of a deed of an operator who does it, from where and when. Whatever changes
// something in an operator's name takes one, writes it into the record, and keeps
// the receipt, all in the transaction of the deed.
type By struct {
	Actor      string // a user's or client's id, behind their tenant's if that is another; or a program of ours
	RemoteAddr string
	At         time.Time
	Receipt    *Receipt // nil if the request cannot be sent again
}

// programs are the actors of the record that are neither somebody nor an application. The
// names of others have a space, which no id has.
var programs = []string{"bootstrap", "file", "keys", "dex-worker", "dex-overlord"}

// IsProgram reports whether an actor of the record is a program of ours, so that nothing
// else may be called so: whoever reads the record would take one for the other.
func IsProgram(actor string) bool {
	return strings.Contains(actor, " ") || slices.ContainsFunc(programs, func(name string) bool { return strings.EqualFold(name, actor) })
}

// Event returns the event of a deed.
func (b By) Event(kind Kind) Event {
	return Event{At: b.At, Kind: kind, Actor: b.Actor, RemoteAddr: b.RemoteAddr}
}

// Receipt is what was answered to a request that may be sent again: whoever sends the
// same key with the same request gets the same answer, and nothing happens.
type Receipt struct {
	Actor     string   // with their tenant, if that is another than the one they act on
	Key       [32]byte // SHA-256 of what the caller sent
	Request   [32]byte // SHA-256 of the request
	Answer    []byte   // a secret: it may hold one that is shown once
	ExpiresAt time.Time
}

// Receipts knows what was answered.
type Receipts interface {
	// Receipt returns what was answered to somebody for the key of a request. It
	// returns a fault of kind NotFound if nothing was, or it is too long ago.
	Receipt(ctx context.Context, actor string, key [32]byte) (Receipt, error)
}

// Step is one decision of a trace. Its texts are redacted when it is made: they
// hold ids, scopes and reasons, never a secret or what a person typed.
type Step struct {
	At   int64  `json:"t"`           // milliseconds since the attempt began
	What string `json:"w"`           // what was looked at: "request", "connector", "account", "gate", "consent", "code", "token"
	Said string `json:"s,omitempty"` // what came of it
	Why  string `json:"y,omitempty"` // which setting or parameter decided it, if one did
}

// MaxSteps bounds the trace of one attempt.
const MaxSteps = 40

// Trace is the story of one attempt, in order.
type Trace struct {
	SupportCode string
	StartedAt   time.Time
	Steps       []Step
	Grants      []GrantStory // what became of it
}

// GrantStory is what became of a grant that an attempt led to.
type GrantStory struct {
	ID         string
	ClientID   string
	UserID     string
	Scopes     string
	IssuedAt   time.Time
	RedeemedAt time.Time // zero if it was not
	Generation int       // how often it was refreshed
	RotatedAt  time.Time
	RevokedAt  time.Time
	Reason     string // why it was revoked
}

// Store keeps record and traces.
type Store interface {
	// Record writes an event that stands for itself.
	Record(ctx context.Context, e Event) error
	// KeepTrace appends steps to the trace of an attempt. The store bounds how much
	// it keeps of one attempt, and how many.
	KeepTrace(ctx context.Context, supportCode string, startedAt time.Time, steps []Step) error
	Traces
}

// Traces tells the stories of attempts.
type Traces interface {
	// Trace returns the story of an attempt. It returns a fault of kind NotFound if
	// nothing is known of it.
	Trace(ctx context.Context, supportCode string) (Trace, error)
}

// Filter says which events of the record are looked for. What is empty does not matter.
type Filter struct {
	Kind     Kind
	UserID   string
	ClientID string
	Since    time.Time // from this moment on
	Until    time.Time // before this moment
}

// History is the record as operators read it.
type History interface {
	// Events returns some of the events that are looked for, the last ones first, from
	// before one on, and where the next ones begin: empty if there are no more. It may
	// return fewer than were asked for, or none, and still say where to go on, so that
	// nobody waits long for the few in a million.
	Events(ctx context.Context, f Filter, before string, most int) ([]Event, string, error)
}

// supportAlphabet leaves out what is mistaken for something else when read aloud.
const supportAlphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewSupportCode returns a code by which an attempt can be spoken of, such as
// "K7QX-9WDM-3T". It is a name, not a secret: it opens nothing.
func NewSupportCode() string {
	var b strings.Builder
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the program instead
	for i, c := range random {
		if i == 4 || i == 8 {
			b.WriteByte('-')
		}
		b.WriteByte(supportAlphabet[int(c)%len(supportAlphabet)])
	}
	return b.String()
}

// NewEventID returns a fresh id that sorts by the given time.
func NewEventID(at time.Time) string { return FirstEventID(at) + strings.ToLower(rand.Text()[:16]) }

// FirstEventID returns what sorts before the id of every event of the given time, and
// after that of every earlier one.
func FirstEventID(at time.Time) string {
	const digits = "0123456789abcdefghijklmnopqrstuv"
	var b [10]byte
	for i, n := len(b)-1, uint64(at.UnixMicro()); i >= 0; i, n = i-1, n>>5 {
		b[i] = digits[n&31]
	}
	return "evt_" + string(b[:])
}
