package api

import (
	"context"
	"net/http"

	"dex/internal/admin/resource"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
)

// Tenants are the issuers that are served here, each with all that is its own.
type Tenants struct {
	Tenants tenant.Registry
}

// Noun returns what can be done. All of it is for the operators of the default tenant.
func (s Tenants) Noun() Noun {
	read, write := role.Read(role.Tenants), role.Write(role.Tenants)
	return Noun{
		Handle(Route{
			ID: "list-tenants", Method: http.MethodGet, Path: "/tenants", Scope: read, System: true,
			Summary: "List tenants", Description: "In the order of their ids.",
		}, s.list),
		Handle(Route{
			ID: "create-tenant", Method: http.MethodPost, Path: "/tenants", Scope: write, System: true, Creates: true,
			Summary:     "Create a tenant",
			Description: "Its keys are made by whoever has the duty; until then its servers say that it is not ready. An id that was a tenant's never becomes another's.",
		}, s.create),
		Handle(Route{
			ID: "get-tenant", Method: http.MethodGet, Path: "/tenants/{tenant}", Scope: read, System: true,
			Summary: "Get a tenant",
		}, s.get),
		Handle(Route{
			ID: "replace-tenant", Method: http.MethodPut, Path: "/tenants/{tenant}", Scope: write, System: true, Guarded: true,
			Summary:     "Change the name or the issuer of a tenant",
			Description: "With another issuer every token and every application that names the old one stops working. That of the default tenant stands in the configuration of the servers, too: change it there next, and start them anew.",
		}, s.replace),
		Handle(Route{
			ID: "delete-tenant", Method: http.MethodDelete, Path: "/tenants/{tenant}", Scope: write, System: true, Guarded: true,
			Summary:     "Delete a tenant",
			Description: "When this is answered, no server honours anything of it. What it has kept is cleared away by and by; the record of what was done in it stays.",
		}, s.delete),
		Handle(Route{
			ID: "disable-tenant", Method: http.MethodPost, Path: "/tenants/{tenant}/disable", Scope: write, System: true,
			Summary: "Disable a tenant", Description: "When this is answered, nothing of it counts anywhere.",
		}, s.disable),
		Handle(Route{
			ID: "enable-tenant", Method: http.MethodPost, Path: "/tenants/{tenant}/enable", Scope: write, System: true,
			Summary: "Enable a tenant",
		}, s.enable),
	}
}

// OfTenant is what is asked of one tenant. It is exported because huma looks at nothing
// else.
type OfTenant struct {
	Tenant string `path:"tenant" maxLength:"63"`
}

type tenantFilter struct {
	Paging
	Text  string `query:"text" maxLength:"255" doc:"Stands in the id, the issuer or the name."`
	State string `query:"state" enum:"enabled,disabled"`
}

// TenantForm is what is said of a tenant. It is exported because huma looks at nothing
// else.
type TenantForm struct {
	ID       string `json:"id" minLength:"1" maxLength:"63" doc:"Small letters, digits and dashes. It never changes."`
	Issuer   string `json:"issuer" minLength:"1" maxLength:"255" doc:"The issuer identifier, as it stands in tokens. Its host must lead to the servers."`
	Name     string `json:"name,omitempty" maxLength:"255" doc:"What operators know it as."`
	Disabled bool   `json:"disabled,omitempty" doc:"Create it disabled. Later it is disabled and enabled by operations of their own."`
}

func (s Tenants) list(ctx context.Context, c *Call, in *tenantFilter) (*Answer[resource.List[resource.Tenant]], error) {
	after, err := c.After(in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := s.Tenants.Tenants(ctx, tenant.Filter{Text: in.Text, Disabled: isDisabled(in.State)}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	some, next := cut(some, in.Limit, func(r tenant.Registered) string { return r.ID })
	return listed(c, some, next, wireTenant), nil
}

func wireTenant(r tenant.Registered) resource.Tenant {
	return resource.Tenant{ID: r.ID, Issuer: r.Issuer, Name: r.Name, Disabled: r.Disabled, Version: r.Version, CreatedAt: r.CreatedAt}
}

func answerTenant(r tenant.Registered, err error) (*Answer[resource.Tenant], error) {
	if err != nil {
		return nil, err
	}
	return &Answer[resource.Tenant]{ETag: resource.ETag(r.Version), Body: wireTenant(r)}, nil
}

func (s Tenants) create(ctx context.Context, c *Call, in *struct{ Body TenantForm }) (*Answer[resource.Tenant], error) {
	r := tenant.Registered{
		Tenant: tenant.Tenant{ID: in.Body.ID, Issuer: in.Body.Issuer, Disabled: in.Body.Disabled}, Name: in.Body.Name,
		Version: 1, CreatedAt: c.At,
	}
	out, err := answerTenant(r, nil)
	if err != nil {
		return nil, err
	}
	out.Location = resource.Prefix + "/tenants/" + escaped(r.ID)
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	_, err = s.Tenants.RegisterTenant(ctx, r, by)
	return out, err
}

func (s Tenants) get(ctx context.Context, _ *Call, in *OfTenant) (*Answer[resource.Tenant], error) {
	return answerTenant(s.Tenants.RegisteredTenant(ctx, in.Tenant))
}

func (s Tenants) replace(ctx context.Context, c *Call, in *struct {
	OfTenant
	Body TenantForm
}) (*Answer[resource.Tenant], error) {
	if err := ofOneID(in.Body.ID, in.Tenant); err != nil {
		return nil, err
	}
	before, err := s.Tenants.RegisteredTenant(ctx, in.Tenant)
	if err != nil {
		return nil, err
	}
	if before.Disabled != in.Body.Disabled {
		return nil, wrongly("disabled", "A tenant is disabled and enabled by operations of their own.")
	}
	return answerTenant(s.Tenants.ChangeTenant(ctx, tenant.Registered{
		Tenant: tenant.Tenant{ID: in.Tenant, Issuer: in.Body.Issuer}, Name: in.Body.Name, Version: c.Version,
	}, c.By()))
}

func (s Tenants) delete(ctx context.Context, c *Call, in *OfTenant) (*Done, error) {
	return &Done{}, s.Tenants.DeleteTenant(ctx, in.Tenant, c.Version, c.By())
}

func (s Tenants) disable(ctx context.Context, c *Call, in *OfTenant) (*Done, error) {
	return &Done{}, s.Tenants.SwitchTenant(ctx, in.Tenant, true, c.By())
}

func (s Tenants) enable(ctx context.Context, c *Call, in *OfTenant) (*Done, error) {
	return &Done{}, s.Tenants.SwitchTenant(ctx, in.Tenant, false, c.By())
}
