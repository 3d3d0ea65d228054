// Package grant is an authorization from the request to the last token, and the
// one gate that permits it.
package grant

import (
	"crypto/subtle"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/protocol/oauth"
)

// Request is an authorization in progress. It has two halves: what was asked,
// which never changes, and what has been answered so far. While it is under way
// it lives sealed in a cookie of the browser that started it, and nowhere else.
type Request struct {
	ID          string              `json:"i"` // names the cookie; unguessable
	SupportCode string              `json:"c"` // names the attempt to people
	CSRF        string              `json:"x"` // comes back in each form of this attempt
	StartedAt   time.Time           `json:"b"`
	ExpiresAt   time.Time           `json:"e"`
	Asked       oauth.Authorization `json:"q"`
	By          Delivery            `json:"y,omitzero"`
	About       string              `json:"u,omitempty"`  // the account that the client's id_token_hint was about
	Claimed     string              `json:"us,omitempty"` // the account that the client's claims parameter wants as the subject
	Answered    Answer              `json:"a"`
	Device      *Waits              `json:"d,omitempty"` // whom it is for, if it is not the client's own browser
	Steps       []audit.Step        `json:"s,omitempty"` // of the trace, not yet kept elsewhere
}

// Waits is a device that an authorization is for: what its person should recognise it
// by. No redirect URI leads to it; it asks by itself.
type Waits struct {
	ID         string    `json:"i"`
	UserCode   string    `json:"c"`
	RemoteAddr string    `json:"r,omitempty"`
	UserAgent  string    `json:"u,omitempty"`
	Since      time.Time `json:"t"`
	Called     bool      `json:"n,omitempty"` // it has asked for this person, by the back channel
	Message    string    `json:"m,omitempty"` // that both screens show
}

// Approval is the path by which it is let in.
func (w *Waits) Approval() Path {
	if w.Called {
		return ApproveBackchannel
	}
	return ApproveDevice
}

// Answer is what the steps have established. Each step fills in its own fields
// and sends the browser back to the authorization endpoint.
type Answer struct {
	ConnectorID    string `json:"c,omitempty"`
	LoginID        string `json:"l,omitempty"` // of the conversation with the connector
	ConnectorState []byte `json:"t,omitempty"` // what the connector needs again when the browser returns

	SessionID string `json:"s,omitempty"` // set by login
	Switch    bool   `json:"w,omitempty"` // the person wants to be somebody else
	Canceled  bool   `json:"n,omitempty"` // the person gave up, or said no

	Consent   oauth.Scopes `json:"o,omitempty"` // set by the consent page …
	ConsentBy string       `json:"b,omitempty"` // … for this account
}

// MaxAge returns how long ago the person may have proved who they are; nil if the
// client does not care.
func (r *Request) MaxAge() *time.Duration {
	if r.Asked.MaxAge == nil {
		return nil
	}
	d := r.Asked.MaxAge.Duration()
	return &d
}

// PrivateUse reports whether the client is reached by a scheme of its own, which
// any application on the device may claim. RFC 8252 section 7.1.
func (r *Request) PrivateUse() bool {
	scheme, _, _ := strings.Cut(r.Asked.RedirectURI, ":")
	return scheme != "https" && scheme != "http"
}

// Loopback reports whether the client is reached on the person's own machine, where any
// program may answer. Plain http leads nowhere else.
func (r *Request) Loopback() bool { return strings.HasPrefix(r.Asked.RedirectURI, "http:") }

// Note adds a step to the attempt's trace.
func (r *Request) Note(now time.Time, what, said string) { r.Because(now, what, said, "") }

// Because adds a step to the attempt's trace, with the setting or parameter that decided
// it. Who comes by the same place twice adds it once.
func (r *Request) Because(now time.Time, what, said, why string) {
	if n := len(r.Steps); why != "" && n > 0 && r.Steps[n-1].What == what && r.Steps[n-1].Said == said && r.Steps[n-1].Why == why {
		return
	}
	if len(r.Steps) < audit.MaxSteps {
		r.Steps = append(r.Steps, audit.Step{At: now.Sub(r.StartedAt).Milliseconds(), What: what, Said: said, Why: why})
	}
}

// CheckCSRF holds a form against the attempt that it claims to belong to. It is the
// second lock; the first is that only our own pages may send forms here.
func (r *Request) CheckCSRF(token string) error {
	if r.CSRF == "" || subtle.ConstantTimeCompare([]byte(token), []byte(r.CSRF)) != 1 {
		return fault.New(fault.Denied, "This form does not belong to this attempt.")
	}
	return nil
}

// Stalled is the error of an attempt that cannot go on, for the page that says so.
type Stalled struct {
	Request    Request
	StartAgain string // where the person can begin anew; may be empty
	Err        error
}

// Error implements error.
func (e *Stalled) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *Stalled) Unwrap() error { return e.Err }
