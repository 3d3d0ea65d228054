package api

import (
	"context"
	"net/http"

	"dex/internal/admin/declare"
	"dex/internal/admin/resource"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// Groups are groups of ours. What a connector names stands beside them in tokens.
type Groups struct {
	Groups Of[user.Groups]
	People Of[user.Directory]
	Rules  declare.Rules
}

// Noun returns what can be done.
func (s Groups) Noun() Noun {
	read, write := role.Read(role.Groups), role.Write(role.Groups)
	return Noun{
		Handle(Route{
			ID: "list-groups", Method: http.MethodGet, Path: "/groups", Scope: read,
			Summary: "List groups", Description: "In the order of their names.",
		}, s.list),
		Handle(Route{
			ID: "create-group", Method: http.MethodPost, Path: "/groups", Scope: write, Creates: true,
			Summary: "Create a group",
		}, s.create),
		Handle(Route{
			ID: "get-group", Method: http.MethodGet, Path: "/groups/{group}", Scope: read,
			Summary: "Get a group",
		}, s.get),
		Handle(Route{
			ID: "replace-group", Method: http.MethodPut, Path: "/groups/{group}", Scope: write, Guarded: true,
			Summary: "Change what a group is for", Description: "Its name stays: it stands in tokens, and in rules elsewhere.",
		}, s.replace),
		Handle(Route{
			ID: "delete-group", Method: http.MethodDelete, Path: "/groups/{group}", Scope: write, Guarded: true,
			Summary: "Delete a group", Description: "Nobody is in it any more, from their next token on.",
		}, s.delete),
		Handle(Route{
			ID: "list-members", Method: http.MethodGet, Path: "/groups/{group}/members", Scope: read,
			Summary: "List who is in a group",
		}, s.members),
		Handle(Route{
			ID: "add-members", Method: http.MethodPost, Path: "/groups/{group}/members", Scope: write,
			Summary: "Put users into a group", Description: "Who is in it stays. Their next token says so.",
		}, s.add),
		Handle(Route{
			ID: "remove-member", Method: http.MethodDelete, Path: "/groups/{group}/members/{user}", Scope: write,
			Summary: "Take a user out of a group", Description: "Their next token says so. Taking out who is not in it changes nothing.",
		}, s.remove),
	}
}

// OfGroup is what is asked of one group. It is exported because huma looks at nothing
// else.
type OfGroup struct {
	Group string `path:"group" maxLength:"255"`
}

func (s Groups) list(ctx context.Context, c *Call, in *struct{ Paging }) (*Answer[resource.List[resource.Group]], error) {
	kept, after, err := open(ctx, c, s.Groups, in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := kept.Groups(ctx, after, in.Limit+1)
	some, next := cut(some, in.Limit, func(g user.Group) string { return g.ID })
	return listed(c, some, next, wireGroup), err
}

func wireGroup(g user.Group) resource.Group {
	return resource.Group{ID: g.ID, Description: g.Description, ManagedBy: g.ManagedBy, Version: g.Version, CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt}
}

func answerGroup(g user.Group, err error) (*Answer[resource.Group], error) {
	if err != nil {
		return nil, err
	}
	return &Answer[resource.Group]{ETag: resource.ETag(g.Version), Body: wireGroup(g)}, nil
}

func (s Groups) get(ctx context.Context, c *Call, in *OfGroup) (*Answer[resource.Group], error) {
	kept, err := s.Groups(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return answerGroup(kept.Group(ctx, in.Group))
}

// read reads the declaration of a group.
func (s Groups) read(doc Document) (declare.Group, error) {
	declared, err := s.Rules.ReadGroup(doc.Text)
	if err != nil {
		return declared, mistaken(err, "")
	}
	if len(declared.Members) > 0 {
		return declared, wrongly("members", "Members are added by POST /groups/{group}/members.")
	}
	return declared, nil
}

func (s Groups) create(ctx context.Context, c *Call, in *struct{ Body Document }) (*Answer[resource.Group], error) {
	kept, err := s.Groups(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	declared, err := s.read(in.Body)
	if err != nil {
		return nil, err
	}
	g := user.Group{ID: declared.ID, Description: declared.Description, ManagedBy: tenant.ManagedByHand, Version: 1, CreatedAt: c.At, UpdatedAt: c.At}
	out, err := answerGroup(g, nil)
	if err != nil {
		return nil, err
	}
	out.Location = resource.Prefix + "/groups/" + escaped(g.ID)
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	_, err = kept.CreateGroup(ctx, g, by)
	return out, err
}

func (s Groups) replace(ctx context.Context, c *Call, in *struct {
	OfGroup
	Body Document
}) (*Answer[resource.Group], error) {
	kept, err := s.Groups(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	declared, err := s.read(in.Body)
	if err != nil {
		return nil, err
	}
	if err := ofOneID(declared.ID, in.Group); err != nil {
		return nil, err
	}
	return answerGroup(kept.UpdateGroup(ctx, user.Group{ID: in.Group, Description: declared.Description, Version: c.Version}, c.By()))
}

func (s Groups) delete(ctx context.Context, c *Call, in *OfGroup) (*Done, error) {
	kept, err := s.Groups(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.DeleteGroup(ctx, in.Group, c.Version, c.By())
}

func (s Groups) members(ctx context.Context, c *Call, in *struct {
	OfGroup
	Paging
}) (*Answer[resource.List[resource.User]], error) {
	groups, after, err := open(ctx, c, s.Groups, in.Paging)
	if err != nil {
		return nil, err
	}
	if _, err := groups.Group(ctx, in.Group); err != nil {
		return nil, err
	}
	people, err := s.People(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	some, next, err := people.Users(ctx, user.Filter{GroupID: in.Group}, after, in.Limit)
	if err != nil {
		return nil, err
	}
	return listed(c, some, next, wireUser), nil
}

func (s Groups) add(ctx context.Context, c *Call, in *struct {
	OfGroup
	Body resource.Members
}) (*Done, error) {
	kept, err := s.Groups(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.AddMembers(ctx, in.Group, in.Body.Users, c.By())
}

func (s Groups) remove(ctx context.Context, c *Call, in *struct {
	OfGroup
	User string `path:"user" maxLength:"128"`
}) (*Done, error) {
	kept, err := s.Groups(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.RemoveMembers(ctx, in.Group, []string{in.User}, c.By())
}
