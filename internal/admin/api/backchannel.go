package api

import (
	"context"
	"errors"
	"net/http"

	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/role"
	"dex/internal/domain/user"
)

// Backchannel is what applications ask people by the back channel, and whoever speaks for
// those: the program on their phone that shows them what is asked.
type Backchannel struct {
	Answerers Of[grant.Answerer]
	Holders   Of[user.Holders]
}

// Noun returns what can be done.
func (s Backchannel) Noun() Noun {
	const inTheirName = " You speak in the name of the person, whom you have asked. It is refused for somebody who may do more than your token."
	return Noun{
		Handle(Route{
			ID: "list-backchannel-requests", Method: http.MethodGet, Path: "/users/{user}/backchannel-requests", Scope: role.Approvals,
			Summary: "List what somebody is asked by the back channel",
		}, s.list),
		Handle(Route{
			ID: "approve-backchannel-request", Method: http.MethodPost, Path: "/backchannel-requests/{request}/approve", Scope: role.Approvals,
			Summary: "Allow a request by the back channel", Description: "The application gets its tokens." + inTheirName,
		}, s.approve),
		Handle(Route{
			ID: "deny-backchannel-request", Method: http.MethodPost, Path: "/backchannel-requests/{request}/deny", Scope: role.Approvals,
			Summary: "Refuse a request by the back channel", Description: "The application gets nothing." + inTheirName,
		}, s.deny),
	}
}

func (s Backchannel) list(ctx context.Context, c *Call, in *partOfUser) (*Answer[resource.List[resource.BackchannelRequest]], error) {
	kept, after, err := open(ctx, c, s.Answerers, in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := kept.Devices.RequestsFor(ctx, in.User, after, in.Limit+1, c.At)
	some, next := cut(some, in.Limit, func(d grant.Device) string { return d.ID })
	return listed(c, some, next, wireRequest), err
}

// OfRequest is what is asked of one request. It is exported because huma looks at nothing
// else.
type OfRequest struct {
	Request string `path:"request" maxLength:"128"`
}

// mine returns who answers a request that waits, if the caller may speak for its person.
func (s Backchannel) mine(ctx context.Context, c *Call, id string) (grant.Answerer, error) {
	a, err := s.Answerers(ctx, c.Tenant)
	if err != nil {
		return a, err
	}
	d, err := a.Devices.WaitingRequest(ctx, id, c.At)
	if err != nil {
		return a, err
	}
	holders, err := s.Holders(ctx, c.Tenant)
	if err != nil {
		return a, err
	}
	u, err := holders.Holder(ctx, d.For.UserID)
	if err != nil {
		return a, err
	}
	if err := c.MayGive(d.Scopes); err != nil {
		return a, err
	}
	return a, c.MayTouch(u)
}

func (s Backchannel) approve(ctx context.Context, c *Call, in *struct {
	OfRequest
	Body *resource.Approval
}) (*Done, error) {
	a, err := s.mine(ctx, c, in.Request)
	if err != nil {
		return nil, err
	}
	var methods []credential.Method
	if in.Body != nil {
		for _, m := range in.Body.Methods {
			methods = append(methods, credential.Method(m))
		}
	}
	err = a.Approve(ctx, in.Request, methods, c.By())
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		return nil, fault.Wrap(fault.Conflict, denial, "The request cannot be allowed: %s.", denial.Reason)
	}
	return &Done{}, err
}

func (s Backchannel) deny(ctx context.Context, c *Call, in *OfRequest) (*Done, error) {
	a, err := s.mine(ctx, c, in.Request)
	if err != nil {
		return nil, err
	}
	return &Done{}, a.Devices.DenyRequest(ctx, in.Request, c.By())
}

func wireRequest(d grant.Device) resource.BackchannelRequest {
	return resource.BackchannelRequest{
		ID: d.ID, UserID: d.For.UserID, ClientID: d.ClientID, ConnectorID: d.For.ConnectorID, Scopes: d.Scopes,
		BindingMessage: d.Message, ACRValues: d.ACR, SupportCode: d.SupportCode, CreatedAt: d.CreatedAt, ExpiresAt: d.ExpiresAt,
	}
}
