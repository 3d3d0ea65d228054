package api

import (
	"context"
	"net/http"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/domain/audit"
	"dex/internal/domain/role"
)

// Audit is the record of what was done. Nobody changes it.
type Audit struct{ History Of[audit.History] }

// Noun returns what can be done.
func (a Audit) Noun() Noun {
	return Noun{Handle(Route{
		ID: "list-events", Method: http.MethodGet, Path: "/audit", Scope: role.Read(role.Audit),
		Summary:     "Read the record",
		Description: "The last events first. A part may hold fewer events than were asked for, or none, and still have a next: then there is more to look through.",
	}, a.list)}
}

func (a Audit) list(ctx context.Context, c *Call, in *struct {
	Kind   string    `query:"kind" maxLength:"64" doc:"What was done, such as user.disabled."`
	User   string    `query:"user" maxLength:"128" doc:"Whom it was about."`
	Client string    `query:"client" maxLength:"256" doc:"Which application it was about."`
	Since  time.Time `query:"since" doc:"From this moment on."`
	Until  time.Time `query:"until" doc:"Before this moment."`
	Paging
}) (*Answer[resource.List[resource.Event]], error) {
	kept, before, err := open(ctx, c, a.History, in.Paging)
	if err != nil {
		return nil, err
	}
	events, next, err := kept.Events(ctx, audit.Filter{
		Kind: audit.Kind(in.Kind), UserID: in.User, ClientID: in.Client, Since: in.Since, Until: in.Until,
	}, before, in.Limit)
	return listed(c, events, next, wireEvent), err
}

func wireEvent(e audit.Event) resource.Event {
	return resource.Event{
		ID: e.ID, At: e.At, Kind: string(e.Kind), Actor: e.Actor, UserID: e.UserID, ClientID: e.ClientID, ConnectorID: e.ConnectorID,
		SessionID: e.SessionID, GrantID: e.GrantID, SupportCode: e.SupportCode, RemoteAddr: e.RemoteAddr, Detail: e.Detail,
	}
}
