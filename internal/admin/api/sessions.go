package api

import (
	"context"
	"net/http"

	"dex/internal/admin/resource"
	"dex/internal/domain/grant"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
)

// Sessions are signed-in browsers, and what came of them: grants, whose tokens
// applications hold, and consents.
type Sessions struct {
	Sessions Of[session.Register]
	Grants   Of[grant.Register]
	Holders  Of[user.Holders]
}

// Noun returns what can be done.
func (s Sessions) Noun() Noun {
	read, write := role.Read(role.Sessions), role.Write(role.Sessions)
	return Noun{
		Handle(Route{
			ID: "list-sessions", Method: http.MethodGet, Path: "/users/{user}/sessions", Scope: read,
			Summary: "List the sessions of somebody",
		}, s.list),
		Handle(Route{
			ID: "end-session", Method: http.MethodDelete, Path: "/sessions/{session}", Scope: write,
			Summary:     "End a session",
			Description: "What was granted in it ends with it, but for what outlives its session. Ending one that has ended changes nothing.",
		}, s.end),
		Handle(Route{
			ID: "end-sessions", Method: http.MethodDelete, Path: "/users/{user}/sessions", Scope: write,
			Summary:     "End all sessions of somebody",
			Description: "What was granted in them ends with them, but for what outlives its session: end the grants for that.",
		}, s.endAll),
		Handle(Route{
			ID: "list-grants", Method: http.MethodGet, Path: "/users/{user}/grants", Scope: read,
			Summary:     "List the grants of somebody",
			Description: "Those that count still.",
		}, s.listGrants),
		Handle(Route{
			ID: "revoke-grant", Method: http.MethodDelete, Path: "/grants/{grant}", Scope: write,
			Summary:     "Revoke a grant",
			Description: "Every token that came of it is worth nothing any more. Revoking one that is revoked changes nothing.",
		}, s.revokeGrant),
		Handle(Route{
			ID: "revoke-grants", Method: http.MethodDelete, Path: "/users/{user}/grants", Scope: write,
			Summary: "Revoke all grants of somebody",
		}, s.revokeGrants),
		Handle(Route{
			ID: "list-consents", Method: http.MethodGet, Path: "/users/{user}/consents", Scope: read,
			Summary: "List what somebody has allowed",
		}, s.listConsents),
		Handle(Route{
			ID: "revoke-consent", Method: http.MethodDelete, Path: "/users/{user}/consents/{client}", Scope: write,
			Summary:     "Take back what somebody has allowed an application",
			Description: "The grants that rest on it are revoked. The person is asked again next time.",
		}, s.revokeConsent),
	}
}

// mayEnd says whether the caller may end something of somebody.
func (s Sessions) mayEnd(ctx context.Context, c *Call, whose func(user.Holders) (user.User, error)) error {
	kept, err := s.Holders(ctx, c.Tenant)
	if err != nil {
		return err
	}
	return c.MayTakeFrom(whose(kept))
}

// OfUser is what is asked of one account. It is exported because huma looks at nothing
// else.
type OfUser struct {
	User string `path:"user" maxLength:"128"`
}

type partOfUser struct {
	OfUser
	Paging
}

func (s Sessions) list(ctx context.Context, c *Call, in *partOfUser) (*Answer[resource.List[resource.Session]], error) {
	kept, after, err := open(ctx, c, s.Sessions, in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := kept.Sessions(ctx, in.User, after, in.Limit+1)
	some, next := cut(some, in.Limit, func(s session.Session) string { return s.ID })
	return listed(c, some, next, wireSession), err
}

func (s Sessions) end(ctx context.Context, c *Call, in *struct {
	Session string `path:"session" maxLength:"128"`
}) (*Done, error) {
	kept, err := s.Sessions(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	if err := s.mayEnd(ctx, c, func(h user.Holders) (user.User, error) { return h.SessionHolder(ctx, in.Session) }); err != nil {
		return nil, err
	}
	return &Done{}, kept.TerminateSession(ctx, in.Session, c.By())
}

func (s Sessions) endAll(ctx context.Context, c *Call, in *OfUser) (*Done, error) {
	kept, err := s.Sessions(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	if err := s.mayEnd(ctx, c, func(h user.Holders) (user.User, error) { return h.Holder(ctx, in.User) }); err != nil {
		return nil, err
	}
	return &Done{}, kept.TerminateSessions(ctx, in.User, c.By())
}

func (s Sessions) listGrants(ctx context.Context, c *Call, in *partOfUser) (*Answer[resource.List[resource.Grant]], error) {
	kept, after, err := open(ctx, c, s.Grants, in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := kept.Grants(ctx, in.User, after, in.Limit+1)
	some, next := cut(some, in.Limit, func(g grant.Kept) string { return g.ID })
	return listed(c, some, next, wireGrant), err
}

func (s Sessions) revokeGrant(ctx context.Context, c *Call, in *struct {
	Grant string `path:"grant" maxLength:"128"`
}) (*Done, error) {
	kept, err := s.Grants(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	if err := s.mayEnd(ctx, c, func(h user.Holders) (user.User, error) { return h.GrantHolder(ctx, in.Grant) }); err != nil {
		return nil, err
	}
	return &Done{}, kept.WithdrawGrant(ctx, in.Grant, c.By())
}

func (s Sessions) revokeGrants(ctx context.Context, c *Call, in *OfUser) (*Done, error) {
	kept, err := s.Grants(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	if err := s.mayEnd(ctx, c, func(h user.Holders) (user.User, error) { return h.Holder(ctx, in.User) }); err != nil {
		return nil, err
	}
	return &Done{}, kept.WithdrawGrants(ctx, in.User, c.By())
}

func (s Sessions) listConsents(ctx context.Context, c *Call, in *partOfUser) (*Answer[resource.List[resource.Consent]], error) {
	kept, after, err := open(ctx, c, s.Grants, in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := kept.Consents(ctx, in.User, after, in.Limit+1)
	some, next := cut(some, in.Limit, func(c grant.Consent) string { return c.ClientID })
	return listed(c, some, next, wireConsent), err
}

func (s Sessions) revokeConsent(ctx context.Context, c *Call, in *struct {
	OfUser
	Client string `path:"client" maxLength:"128"`
}) (*Done, error) {
	kept, err := s.Grants(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	if err := s.mayEnd(ctx, c, func(h user.Holders) (user.User, error) { return h.Holder(ctx, in.User) }); err != nil {
		return nil, err
	}
	return &Done{}, kept.WithdrawConsent(ctx, in.User, in.Client, c.By())
}

func wireSession(s session.Session) resource.Session {
	w := resource.Session{
		ID: s.ID, UserID: s.UserID, ConnectorID: s.ConnectorID, AuthTime: s.AuthTime, UserAgent: s.UserAgent, RemoteAddr: s.RemoteAddr,
		CreatedAt: s.CreatedAt, IdleUntil: s.IdleUntil, ExpiresAt: s.ExpiresAt, Methods: []string{},
	}
	for _, m := range s.Methods {
		w.Methods = append(w.Methods, string(m))
	}
	return w
}

func wireGrant(g grant.Kept) resource.Grant {
	return resource.Grant{
		ID: g.ID, UserID: g.UserID, ClientID: g.ClientID, ConnectorID: g.ConnectorID, SessionID: g.SessionID, Scopes: g.Scopes,
		Offline: g.Offline(), IssuedAt: g.IssuedAt, Refreshed: max(0, g.Family.Generation-1), RefreshedAt: g.Family.RotatedAt, SupportCode: g.SupportCode,
	}
}

func wireConsent(c grant.Consent) resource.Consent {
	return resource.Consent{UserID: c.UserID, ClientID: c.ClientID, Scopes: c.Scopes, UpdatedAt: c.UpdatedAt}
}
