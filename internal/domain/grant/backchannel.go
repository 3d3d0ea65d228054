package grant

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Addressee is whom a client asks for by name that has no browser with the person in it,
// OpenID Connect Client-Initiated Backchannel Authentication (CIBA). Such a request waits
// as a device does, for this person instead of whoever types its code.
type Addressee struct {
	UserID      string
	ConnectorID string // the identity that answers …
	Subject     string // … and what it is called there
}

// Notice is how a client hears that it has been answered, if it does not ask by itself:
// CIBA sections 10.2 and 10.3.
type Notice struct {
	Endpoint string       `json:"endpoint"`
	Token    secret.Value `json:"-"` // the client's, by which it knows the notice
	Code     secret.Value `json:"-"` // the auth_req_id

	// Push sends it what it has asked for, so that there is nothing to redeem, and the
	// family begins, if it is offline, when it is let in.
	Push   bool
	Family Family
}

// NewBackchannelID returns a fresh id for a request by the back channel.
func NewBackchannelID() string { return "cib_" + strings.ToLower(rand.Text()) }

// The bounds of requests by the back channel.
const (
	// BackchannelLife is how long a person has to answer one if the client does not say,
	// and the longest that it may say.
	BackchannelLife    = 5 * time.Minute
	LongestBackchannel = 15 * time.Minute
	// MaxOfPerson is how many requests of one client may wait for one person: who sends
	// more hopes that the person gets tired of saying no.
	MaxOfPerson = 50
)

// Answerer lets requests in by the back channel in the name of their person, because
// somebody says so who has asked them in another way: the application on their phone, by
// the administrators' API.
type Answerer struct {
	Devices Approvals
	Clients client.Store
	Users   user.Store
	Desk    Desk
	Clock   clock.Clock
}

// Approve lets a request in. The methods say how the person has proven who they are.
// It passes the gate, and returns its [Denial] as an error.
func (a Answerer) Approve(ctx context.Context, id string, methods []credential.Method, by audit.By) error {
	now := a.Clock.Now()
	d, err := a.Devices.WaitingRequest(ctx, id, now)
	if err != nil {
		return err
	}
	c, err := a.Clients.Client(ctx, d.ClientID)
	if err != nil {
		return err
	}
	whole, err := a.Case(ctx, c, d, methods, now)
	if err != nil {
		return err
	}
	permit, err := a.Desk.Decide(ctx, whole)
	if err != nil {
		return err
	}
	return a.Devices.ApproveRequest(ctx, permit, id, by)
}

// Case is the case of a request that its person has allowed, without a session.
func (a Answerer) Case(ctx context.Context, c client.Client, d Device, methods []credential.Method, now time.Time) (Case, error) {
	if d.For == nil {
		return Case{}, fmt.Errorf("nobody in particular is asked by %s", d.ID)
	}
	u, identity, err := a.Users.ByIdentity(ctx, d.For.ConnectorID, d.For.Subject)
	if err != nil {
		return Case{}, err
	}
	whole := Case{
		Path: ApproveBackchannel, Client: c, User: &u, Identity: &identity, Consent: d.Scopes,
		Authorization: Authorization{
			ID: NewID(), ClientID: c.ID, UserID: d.For.UserID, ConnectorID: d.For.ConnectorID, Subject: d.For.Subject,
			Scopes: d.Scopes, AuthTime: now, Methods: methods, IssuedAt: now, SupportCode: d.SupportCode,
		},
	}
	for _, s := range d.Scopes {
		if id, ok := oauth.CrossClientAudience(s); ok && id != c.ID {
			whole.Authorization.Audience = append(whole.Authorization.Audience, id)
		}
	}
	if u.ID != d.For.UserID { // the identity is another account's by now
		whole.User, whole.Identity = nil, nil
	}
	return whole, nil
}

// Approvals are the requests that wait for somebody, as whoever speaks for people sees
// and answers them.
type Approvals interface {
	// RequestsFor returns some of the requests that wait for an account, in the order of
	// their ids, from after one on.
	RequestsFor(ctx context.Context, userID, after string, most int, now time.Time) ([]Device, error)
	// WaitingRequest returns a request that waits for somebody. It returns a fault of kind
	// NotFound if it does not, or does not any more.
	WaitingRequest(ctx context.Context, id string, now time.Time) (Device, error)
	// RequestByCode returns a request that waits for somebody by what its client polls
	// with. It returns a fault of kind NotFound as WaitingRequest does.
	RequestByCode(ctx context.Context, code secret.Hash, now time.Time) (Device, error)
	// ApproveRequest lets it in. It returns a fault of kind Conflict if it has been
	// answered, or has expired.
	ApproveRequest(ctx context.Context, p Permit, id string, by audit.By) error
	// DenyRequest turns it away. It returns a fault of kind NotFound if it does not wait.
	DenyRequest(ctx context.Context, id string, by audit.By) error
}
