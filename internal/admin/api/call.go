package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/role"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Of leads from a tenant's id to what is kept of it. It returns a fault of kind
// NotFound if there is no such tenant.
type Of[T any] func(ctx context.Context, tenant string) (T, error)

// Call is one request that has been let in: who asks, about which tenant, and on
// which conditions.
type Call struct {
	Actor   string // a user's id, or that of a client which acts for itself
	Client  string // by which application
	Tenant  string // that the request is about
	Scopes  oauth.Scopes
	Version int64 // that the caller has seen; zero is whichever
	Remote  netip.Addr
	At      time.Time

	home     string // the tenant of the token
	route    Route
	filter   string             // the query without what tells parts of a list apart
	receipts Of[audit.Receipts] // nil if the request is not to be sent again
	receipt  audit.Receipt      // without its answer
	server   *Server
}

type callKey struct{}

func callOf(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// By says for the record who does this. What creates something says it by
// [Call.Promise].
func (c *Call) By() audit.By {
	if c.route.Creates {
		panic("api: " + c.route.ID + " creates something, and keeps no receipt")
	}
	return audit.By{Actor: c.signature(), RemoteAddr: c.address(), At: c.At}
}

// Promise is [Call.By] for what creates something. The answer is made before the
// deed, and kept with it: who has not heard it can ask again, and nothing is done
// twice.
func (c *Call) Promise(answer any) (audit.By, error) {
	by := audit.By{Actor: c.signature(), RemoteAddr: c.address(), At: c.At}
	if c.receipts == nil {
		return by, nil
	}
	kept, err := json.Marshal(answer)
	if err != nil {
		return by, err
	}
	receipt := c.receipt
	receipt.Answer = kept
	by.Receipt = &receipt
	return by, nil
}

// signature is who does this, for the record and for receipts. An application of another
// tenant may have the id of one of this: it must not be taken for that, nor told what that
// was told. No tenant's id has a space, and no actor's.
func (c *Call) signature() string {
	if c.home == c.Tenant {
		return c.Actor
	}
	return c.home + " " + c.Actor
}

func (c *Call) address() string {
	if !c.Remote.IsValid() {
		return ""
	}
	return c.Remote.String()
}

// answered returns what was answered to this request when it came before; nothing if
// it comes for the first time.
func answered[O any](ctx context.Context, c *Call) (*O, error) {
	if c.receipts == nil {
		return nil, nil
	}
	kept, err := c.receipts(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	receipt, err := kept.Receipt(ctx, c.signature(), c.receipt.Key)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if receipt.Request != c.receipt.Request {
		return nil, resource.NewProblem(http.StatusUnprocessableEntity, resource.KeyReused,
			"The Idempotency-Key has come with another request before. Take a fresh one for each request.")
	}
	out := new(O)
	return out, json.Unmarshal(receipt.Answer, out)
}

// Need says whether the token has all of the scopes, for an operation that finds out
// what it takes only when it has read the request.
func (c *Call) Need(scopes ...string) error {
	if missing := oauth.Scopes(scopes).Without(c.Scopes); len(missing) > 0 {
		return &scopeError{missing: missing}
	}
	return nil
}

// MayGive says whether the caller may give scopes, or a role that has them, to
// somebody: nobody gives away what their own token has not.
func (c *Call) MayGive(scopes oauth.Scopes) error {
	for _, s := range scopes {
		if role.IsAdministrative(s) && !c.Scopes.Contains(s) {
			return fault.New(fault.Denied, "You cannot give away %s: your own token does not have it.", s)
		}
	}
	return nil
}

// MayTouch says whether the caller may do anything to somebody: nobody touches an account
// that may do more than their own token. Who could set that person's password, or unlink what
// they log in by, could be them; and who could end their sessions could keep them from
// mending what is being done.
func (c *Call) MayTouch(u user.User) error {
	if err := c.MayGive(role.Role(u.Role).Scopes()); err != nil {
		return fault.Wrap(fault.Denied, err, "The user %q has the role %s, which has scopes that your token has not. Let somebody do this who has them.", u.ID, u.Role)
	}
	return nil
}

// MayTakeFrom is [Call.MayTouch] for what somebody may always do to themselves: end
// what is theirs. Of what is not there nobody is the holder, and nothing will come of it.
func (c *Call) MayTakeFrom(holder user.User, err error) error {
	switch {
	case fault.Is(err, fault.NotFound), err == nil && holder.ID == c.Actor && c.home == c.Tenant:
		return nil
	case err != nil:
		return err
	}
	return c.MayTouch(holder)
}

// scopeError says that a token lacks scopes.
type scopeError struct{ missing oauth.Scopes }

func (e *scopeError) Error() string { return "the token lacks " + e.missing.String() }

// Paging is what every list takes.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"2048" doc:"Where to go on: the next of the part before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many things to return at most."`
}

// After opens the cursor: where the part begins that is asked for. The cursor is good
// for the same list of the same tenant with the same filter, and for nothing else.
func (c *Call) After(p Paging) (string, error) {
	if p.Cursor == "" {
		return "", nil
	}
	after, err := c.server.cursors.open(p.Cursor, c.Tenant, c.route.ID, c.filter)
	if err != nil {
		return "", &resource.Problem{
			Status: http.StatusUnprocessableEntity, Title: http.StatusText(http.StatusUnprocessableEntity), Code: resource.Invalid,
			Detail: "The cursor is not of this list. Begin at the start, without one.",
			Errors: []resource.Mistake{{Location: "query.cursor", Message: "is not of this list with this filter"}},
		}
	}
	return after, nil
}

// listed answers with a part of a list; next is where the following one begins, empty
// at the end.
func listed[T, R any](c *Call, items []T, next string, wire func(T) R) *Answer[resource.List[R]] {
	out, _ := listedIf(c, items, next, func(item T) (R, error) { return wire(item), nil }) // nothing fails
	return out
}

// listedIf is [listed] for what may be kept in a way in which it cannot be told.
func listedIf[T, R any](c *Call, items []T, next string, wire func(T) (R, error)) (*Answer[resource.List[R]], error) {
	out := &Answer[resource.List[R]]{Body: resource.List[R]{Items: make([]R, 0, len(items))}}
	for _, item := range items {
		told, err := wire(item)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, told)
	}
	if next != "" {
		out.Body.Next = c.server.cursors.seal(next, c.Tenant, c.route.ID, c.filter)
	}
	return out, nil
}

// cut is for stores that return things in the order of their keys: asked for one more
// than the limit, it tells whether something follows.
func cut[T any](items []T, limit int, key func(T) string) ([]T, string) {
	if len(items) <= limit {
		return items, ""
	}
	items = items[:limit]
	return items, key(items[limit-1])
}

var errNoCursor = errors.New("this is no cursor of ours")

// open leads to what is kept of the call's tenant, and to where the part of a list
// begins that is asked for.
func open[T any](ctx context.Context, c *Call, of Of[T], p Paging) (kept T, after string, err error) {
	if after, err = c.After(p); err != nil {
		return kept, "", err
	}
	kept, err = of(ctx, c.Tenant)
	return kept, after, err
}
