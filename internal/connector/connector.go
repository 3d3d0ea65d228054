// Package connector is the contract between us and whoever we ask who somebody
// is: a directory, another provider, our own password table.
//
// A login is a conversation. Begin says what the browser should do first;
// Continue reads what came of it, and says what is next or who it is. That is
// all a connector has to know: it sees no store, writes no response and keeps
// nothing between two calls but the state that it returns.
package connector

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"dex/internal/base/clock"
	"dex/internal/domain/credential"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
)

// Connector finds out who somebody is, in a conversation of two lines or more. It
// is never changed once it is made, so that any number of logins share it.
type Connector interface {
	// Begin starts a login and says what the browser should do first.
	Begin(ctx context.Context, l Login) (Step, error)

	// Continue reads the browser's answer and says what comes next: something
	// more to do (the password was wrong, a code is asked for, a password must
	// be changed), or who it is. It returns an error that wraps [ErrRefused] if
	// the person was turned down or gave up; any other error is the connector's
	// own failure.
	Continue(ctx context.Context, l Login, a Answer) (Step, error)
}

// ErrRefused says that the other side turned the person down, or that they gave up.
// It is nobody's failure.
var ErrRefused = errors.New("the login was refused")

// Step is either something for the browser to do, or the end of the way.
type Step struct {
	Prompt   *Prompt
	Identity *user.Identity
	// Account is whose identity it is. Only our own password table knows; for all
	// others it is looked up.
	Account *user.User
	// Methods and AuthTime say how and when the person proved who they are, as far
	// as the connector knows. Without an AuthTime it was just now.
	Methods  []credential.Method
	AuthTime time.Time
	// Upstream is kept with the session, for [Ender]. It is a secret.
	Upstream []byte
	// Session is what the other side calls its session, for [Listener]; empty if it does
	// not say.
	Session string
	// Said is what came of this step, in outline, for the trace: never a secret, nor
	// what the person typed.
	Said string
}

// Login is the attempt at hand.
type Login struct {
	ID          string // unguessable, and new for each Begin; a fitting OAuth "state" or SAML RelayState
	CallbackURL string
	Hint        string // who the client believes it is
	Force       bool   // ask again, even if the other side remembers
	MaxAge      *time.Duration
	Silent      bool // the person must not be asked anything
	RemoteAddr  netip.Addr
	// Devices are the hashes of accounts that have logged in from this browser
	// before, as [credential.DeviceMark] makes them.
	Devices []string
	Locales []string
}

// Prompt is what the browser should do next. Exactly one of Redirect, Post and
// Form is set.
type Prompt struct {
	Redirect string // go there
	Post     *Post  // send these fields there
	Form     *Form  // show this form, and bring the answer back
	State    []byte // given back in Answer.State; sealed while it is away
}

// Post is a form that the browser sends elsewhere by itself.
type Post struct {
	URL    string
	Fields url.Values
}

// Form is a form for the person to fill in.
type Form struct {
	Fields  []Field
	Problem string        // the message key of what was wrong with the last answer
	Wait    time.Duration // the answer was not even looked at; come back after this
}

// Field is one input of a form.
type Field struct {
	Name         string // also the element's id
	Label        string // a message key
	Type         string // of the input element: "text", "password" …
	Value        string
	Autocomplete string
}

// Answer is what the browser came back with.
type Answer struct {
	Form   url.Values  // the query of a GET, the body of a POST
	Header http.Header // only for a kind that trusts the proxy in front of us
	State  []byte
}

// PasswordTaker is implemented by a connector to which a name and a password can say all
// there is to say, so that no browser need take part. What else it wants it asks for in a
// prompt, and then nobody gets in so.
type PasswordTaker interface {
	Password(ctx context.Context, l Login, name, password string) (Step, error)
}

// Refresher is implemented by a connector that can look somebody up again while
// they are away, so that a refresh token tells no stale groups. It returns an
// error that wraps [ErrRefused] if the other side no longer vouches for them.
type Refresher interface {
	Refresh(ctx context.Context, id user.Identity) (user.Identity, error)
}

// Ender is implemented by a connector whose own session can be ended too. The
// answer is where to send the browser; it is empty if there is nothing to end.
type Ender interface {
	EndURL(ctx context.Context, upstream []byte, returnTo, state string) (string, error)
}

// Listener is implemented by a connector that hears of it when somebody has signed out at
// the other side. Each returns an error that wraps [ErrRefused] if what it was told is not
// to be believed.
type Listener interface {
	// Told reads what the other side sends us by itself.
	Told(ctx context.Context, form url.Values) (session.Notice, error)
	// Shown reads what a browser brings that is on a page of the other side.
	Shown(ctx context.Context, query url.Values) (session.Notice, error)
}

// KeyHolder is implemented by a connector that proves who we are to the other side by
// keys of its own. Their public halves, as a JSON Web Key Set, are for anybody to see.
// They are empty if there are none.
type KeyHolder interface {
	PublicKeys() ([]byte, error)
}

// Health is implemented by a connector that can say whether it works without
// anybody logging in.
type Health interface {
	Check(ctx context.Context) error
}

// Kind is a type of connector that an operator can configure.
type Kind struct {
	Name         string // "ldap"
	TrustsHeader bool   // it believes what a proxy in front of us says
	BoundsItself bool   // it limits its own work, and tells people by itself to come back
	// Secrets are the settings that are never told again.
	Secrets []string
	// SentTo are the settings that say to whom they are sent. Where one of these changes
	// the secrets have to be given again.
	SentTo []string
	// New makes a connector of its configuration. It must not reach out: whoever is
	// asked may be down when we start. An error names every mistake.
	New func(config json.RawMessage, env Env) (Connector, error)
}

// Env is what a connector may use. There is nothing else.
type Env struct {
	ID          string // of the connector
	Issuer      string // ours
	Client      *http.Client
	Clock       clock.Clock
	Log         *slog.Logger
	Credentials credential.Store // of the tenant; for the kind that is our own password table
	Hasher      credential.Hasher
}

// Configured is a connector as it stands in the configuration. It is never changed
// once it is made.
type Configured struct {
	ID       string
	Kind     string
	Name     string // for people
	Disabled bool
	Policy   user.Policy
	Config   json.RawMessage
}

// Store keeps the configured connectors.
type Store interface {
	// Connectors returns all of them in the order of the configuration. The answer
	// may be as old as the store's lease on configuration allows.
	Connectors(ctx context.Context) ([]Configured, error)
}
