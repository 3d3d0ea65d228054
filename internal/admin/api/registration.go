package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"dex/internal/admin/resource"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
)

// RegistrationStore is what is kept of how clients register themselves.
type RegistrationStore interface {
	client.Invitations
	Registration(ctx context.Context) (tenant.Registration, error)
	SetRegistration(ctx context.Context, r tenant.Registration, version int64, by audit.By) (tenant.Registration, error)
}

// Registration is who may register clients by themselves, and for what.
type Registration struct{ Kept Of[RegistrationStore] }

// Noun returns what can be done.
func (s Registration) Noun() Noun {
	read, write := role.Read(role.Clients), role.Write(role.Clients)
	return Noun{
		Handle(Route{
			ID: "get-registration", Method: http.MethodGet, Path: "/registration", Scope: read,
			Summary: "Say what clients may register themselves for",
		}, s.get),
		Handle(Route{
			ID: "replace-registration", Method: http.MethodPut, Path: "/registration", Scope: write, Guarded: true,
			Summary:     "Say what clients may register themselves for from now on",
			Description: "Clients that have registered themselves stay, and can change themselves within what is said now.",
		}, s.replace),
		Handle(Route{
			ID: "list-initial-tokens", Method: http.MethodGet, Path: "/initial-tokens", Scope: read,
			Summary: "List initial access tokens", Description: "In the order of their ids. What has expired is cleared away.",
		}, s.list),
		Handle(Route{
			ID: "create-initial-token", Method: http.MethodPost, Path: "/initial-tokens", Scope: write, Creates: true,
			Summary:     "Make an initial access token",
			Description: "Whoever has it can register clients. It is shown in this answer and never again.",
		}, s.create),
		Handle(Route{
			ID: "delete-initial-token", Method: http.MethodDelete, Path: "/initial-tokens/{token}", Scope: write,
			Summary: "End an initial access token", Description: "What was registered with it stays.",
		}, s.delete),
	}
}

func answerRegistration(r tenant.Registration, err error) (*Answer[resource.Registration], error) {
	out := resource.Registration{
		Admission: cmp.Or(string(r.Admission), string(tenant.AdmitNobody)), Profile: r.Profile, Scopes: r.Scopes, GrantTypes: r.GrantTypes,
		Most: r.Most, ManagedBy: r.ManagedBy, Version: r.Version,
	}
	for _, i := range r.Statements {
		out.Statements = append(out.Statements, resource.StatementIssuer(i))
	}
	return &Answer[resource.Registration]{ETag: resource.ETag(max(r.Version, 1)), Body: out}, err
}

func (s Registration) get(ctx context.Context, c *Call, _ *struct{}) (*Answer[resource.Registration], error) {
	kept, err := s.Kept(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return answerRegistration(kept.Registration(ctx))
}

func (s Registration) replace(ctx context.Context, c *Call, in *struct{ Body resource.Registration }) (*Answer[resource.Registration], error) {
	kept, err := s.Kept(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	b := in.Body
	r := tenant.Registration{Admission: tenant.Admission(b.Admission), Profile: b.Profile, Scopes: b.Scopes, GrantTypes: b.GrantTypes, Most: b.Most}
	if i := slices.IndexFunc(b.Scopes, role.IsAdministrative); i >= 0 {
		return nil, wrongly(at("scopes", i), "No client that registers itself has scopes of the administrators' API.")
	}
	for i, one := range b.Statements {
		if keys, err := jose.ParseJWKS(one.JWKS); err != nil || len(keys) == 0 {
			return nil, wrongly(at("statements", i)+".jwks", "It must be a JWK Set with public keys that can be used.")
		}
		r.Statements = append(r.Statements, tenant.StatementIssuer(one))
	}
	return answerRegistration(kept.SetRegistration(ctx, r, c.Version, c.By()))
}

func wireInitialToken(i client.InitialToken) resource.InitialToken {
	return resource.InitialToken{
		ID: i.ID, Note: i.Note, Profile: string(i.Profile), UsesLeft: i.UsesLeft, CreatedAt: i.CreatedAt, CreatedBy: i.CreatedBy, ExpiresAt: i.ExpiresAt,
	}
}

func (s Registration) list(ctx context.Context, c *Call, in *Paging) (*Answer[resource.List[resource.InitialToken]], error) {
	kept, after, err := open(ctx, c, s.Kept, *in)
	if err != nil {
		return nil, err
	}
	some, err := kept.InitialTokens(ctx, after, in.Limit+1)
	some, next := cut(some, in.Limit, func(i client.InitialToken) string { return i.ID })
	return listed(c, some, next, wireInitialToken), err
}

func (s Registration) create(ctx context.Context, c *Call, in *struct{ Body resource.AskInitialToken }) (*Answer[resource.NewInitialToken], error) {
	kept, err := s.Kept(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	token := secret.New(secret.InitialPrefix)
	i := client.InitialToken{
		ID: client.NewInitialTokenID(), Note: in.Body.Note, Profile: client.Profile(in.Body.Profile), UsesLeft: cmp.Or(in.Body.Uses, 1),
		CreatedAt: c.At, CreatedBy: c.signature(), ExpiresAt: c.At.AddDate(0, 0, cmp.Or(in.Body.Days, 1)),
	}
	out := &Answer[resource.NewInitialToken]{Body: resource.NewInitialToken{InitialToken: wireInitialToken(i), Token: string(token)}}
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	return out, kept.AddInitialToken(ctx, i, token.Hash(), by)
}

func (s Registration) delete(ctx context.Context, c *Call, in *struct {
	Token string `path:"token" maxLength:"64"`
}) (*Done, error) {
	kept, err := s.Kept(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.RemoveInitialToken(ctx, in.Token, c.By())
}
