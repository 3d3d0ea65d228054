package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/domain/audit"
	"dex/internal/domain/role"
)

// Traces are the stories of attempts to log in.
type Traces struct{ Traces Of[audit.Traces] }

// Noun returns what can be done.
func (t Traces) Noun() Noun {
	return Noun{Handle(Route{
		ID: "get-trace", Method: http.MethodGet, Path: "/traces/{code}", Scope: role.Read(role.Traces),
		Summary:     "Read the story of an attempt to log in",
		Description: "The code stands on each error page, and in the record.",
	}, t.get)}
}

func (t Traces) get(ctx context.Context, c *Call, in *struct {
	Code string `path:"code" maxLength:"32" doc:"The support code, in whatever letters."`
}) (*Answer[resource.Trace], error) {
	kept, err := t.Traces(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	trace, err := kept.Trace(ctx, strings.ToUpper(in.Code))
	if err != nil {
		return nil, err
	}
	return &Answer[resource.Trace]{Body: wireTrace(trace)}, nil
}

func wireTrace(t audit.Trace) resource.Trace {
	w := resource.Trace{SupportCode: t.SupportCode, StartedAt: t.StartedAt, Steps: []resource.Step{}, Grants: []resource.TraceGrant{}}
	for _, s := range t.Steps {
		w.Steps = append(w.Steps, resource.Step{Milliseconds: s.At, What: s.What, Said: s.Said, Why: s.Why})
	}
	for _, g := range t.Grants {
		if g.Generation == 0 {
			g.RotatedAt = time.Time{} // when it was redeemed: nothing was refreshed yet
		}
		w.Grants = append(w.Grants, resource.TraceGrant{
			ID: g.ID, ClientID: g.ClientID, UserID: g.UserID, Scopes: g.Scopes, IssuedAt: g.IssuedAt, RedeemedAt: g.RedeemedAt,
			Refreshed: g.Generation, RotatedAt: g.RotatedAt, RevokedAt: g.RevokedAt, Reason: g.Reason,
		})
	}
	return w
}
