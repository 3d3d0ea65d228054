package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"dex/internal/admin/declare"
	"dex/internal/admin/resource"
	"dex/internal/base/mail"
	"dex/internal/connector"
	"dex/internal/domain/credential"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/web"
)

// PeopleStore is what is kept of people, as operators need it.
type PeopleStore interface {
	user.Directory
	user.Standing
	user.Links
	Connectors(ctx context.Context) ([]connector.Configured, error)
	Self(ctx context.Context) (tenant.Tenant, error)
}

// Users are people and their accounts.
type Users struct {
	People Of[PeopleStore]
	Hasher credential.Hasher
	Rules  declare.Rules
	// Letter writes the mail of a link; nil if there is nothing to send mail by.
	Letter func(web.Letter) (mail.Message, error)
}

// Noun returns what can be done.
func (s Users) Noun() Noun {
	read, write := role.Read(role.Users), role.Write(role.Users)
	return slices.Concat(Noun{
		Handle(Route{
			ID: "list-users", Method: http.MethodGet, Path: "/users", Scope: read,
			Summary:     "List people",
			Description: "In an order of the list's own. A part may hold fewer than were asked for, or nobody, and still have a next: then there are more to look through. Who came by a login is found by words a minute later.",
		}, s.list),
		Handle(Route{
			ID: "create-user", Method: http.MethodPost, Path: "/users", Scope: write, Creates: true,
			Summary:     "Create a user",
			Description: "They log in with their user name and address. Without a password they need an invitation. A role or groups take the scopes for these, too.",
		}, s.create),
		Handle(Route{
			ID: "get-user", Method: http.MethodGet, Path: "/users/{user}", Scope: read,
			Summary: "Get a user",
		}, s.get),
		Handle(Route{
			ID: "replace-user", Method: http.MethodPut, Path: "/users/{user}", Scope: write, Guarded: true,
			Summary:     "Change who a user is",
			Description: "What is left out is as if it had never been said. Role, groups, standing and password have operations of their own, and stay. Who logs in with another user name or address afterwards is as the form says.",
		}, s.replace),
		Handle(Route{
			ID: "change-user", Method: http.MethodPatch, Path: "/users/{user}", Scope: write, Guarded: true,
			Summary:     "Change a part of who a user is",
			Description: "What is left out stays, and null takes something away (RFC 7396).",
		}, s.change),
		Handle(Route{
			ID: "delete-user", Method: http.MethodDelete, Path: "/users/{user}", Scope: write, Guarded: true,
			Summary:     "Delete a user",
			Description: "The account goes with everything that it has, and its id is never given out again.",
		}, s.delete),
		Handle(Route{
			ID: "disable-user", Method: http.MethodPost, Path: "/users/{user}/disable", Scope: write,
			Summary:     "Disable a user",
			Description: "Sessions end, and nothing that applications hold of them counts any more.",
		}, s.disable),
		Handle(Route{
			ID: "enable-user", Method: http.MethodPost, Path: "/users/{user}/enable", Scope: write,
			Summary: "Let a user log in again", Description: "What has ended stays ended.",
		}, s.enable),
		Handle(Route{
			ID: "set-role", Method: http.MethodPut, Path: "/users/{user}/role", Scope: write, Guarded: true,
			Summary:     "Give a user a role, or take it away",
			Description: "It counts at the next request. Nobody gives a role that has scopes which their own token has not.",
		}, s.setRole),
		Handle(Route{
			ID: "set-login-names", Method: http.MethodPut, Path: "/users/{user}/login-names", Scope: write, Guarded: true,
			Summary: "Say what a user logs in with here",
		}, s.setLoginNames),
		Handle(Route{
			ID: "set-password", Method: http.MethodPost, Path: "/users/{user}/password", Scope: write,
			Summary:     "Set a user's password",
			Description: "Sessions end, and what applications hold counts no more, unless it is to be kept. A link by which the person chooses one themselves is better: then nobody else knows it.",
		}, s.setPassword),
	}, s.identities(), s.links())
}

type userFilter struct {
	Paging
	Text      string `query:"text" maxLength:"255" doc:"Words, each of which begins a word of the user name, the address or the name."`
	Role      string `query:"role" maxLength:"32"`
	Group     string `query:"group" maxLength:"255" doc:"A group of ours."`
	Connector string `query:"connector" maxLength:"255" doc:"One that an identity is of."`
	ManagedBy string `query:"managed_by" enum:"file,apply,api"`
	State     string `query:"state" enum:"enabled,disabled"`
}

func (s Users) list(ctx context.Context, c *Call, in *userFilter) (*Answer[resource.List[resource.User]], error) {
	kept, after, err := open(ctx, c, s.People, in.Paging)
	if err != nil {
		return nil, err
	}
	some, next, err := kept.Users(ctx, user.Filter{
		Text: in.Text, Role: in.Role, GroupID: in.Group, ConnectorID: in.Connector, ManagedBy: in.ManagedBy, Disabled: isDisabled(in.State),
	}, after, in.Limit)
	if err != nil {
		return nil, err
	}
	return listed(c, some, next, wireUser), nil
}

func wireUser(a user.Account) resource.User {
	w := resource.User{
		ID: a.ID, Username: a.Username, Email: a.Email, EmailVerified: a.EmailVerified, Name: a.Name,
		GivenName: a.Profile.GivenName, FamilyName: a.Profile.FamilyName, PreferredUsername: a.Profile.PreferredUsername,
		Picture: a.Profile.Picture, Locale: a.Profile.Locale,
		MiddleName: a.Profile.MiddleName, Nickname: a.Profile.Nickname, ProfileURL: a.Profile.ProfileURL, Website: a.Profile.Website,
		Gender: a.Profile.Gender, Birthdate: a.Profile.Birthdate, ZoneInfo: a.Profile.ZoneInfo,
		Phone: a.Profile.Phone, PhoneVerified: a.Profile.PhoneVerified, Address: resource.Address(a.Profile.Address),
		Groups: a.MemberOf, Role: a.Role, Disabled: a.Disabled, DisabledBy: a.DisabledBy, ManagedBy: a.ManagedBy,
		LoginNames: a.LoginNames, ConnectorID: a.ConnectorID, PasswordSetAt: a.PasswordAt, LastLoginAt: a.LastLogin,
		Version: a.Version, CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt,
	}
	for _, i := range a.Identities {
		w.Identities = append(w.Identities, wireIdentity(i))
	}
	return w
}

func wireIdentity(i user.Identity) resource.Identity {
	return resource.Identity{
		ConnectorID: i.ConnectorID, Subject: i.Subject, Username: i.Profile.Username, Email: i.Profile.Email, Name: i.Profile.Name,
		Groups: i.Profile.Groups, CheckedAt: i.CheckedAt,
	}
}

func (s Users) get(ctx context.Context, c *Call, in *OfUser) (*Answer[resource.User], error) {
	kept, err := s.People(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return answerUser(ctx, kept, in.User)
}

// answerUser answers with an account as it stands.
func answerUser(ctx context.Context, kept PeopleStore, id string) (*Answer[resource.User], error) {
	a, err := kept.Account(ctx, id)
	if err != nil {
		return nil, err
	}
	return &Answer[resource.User]{ETag: resource.ETag(a.Version), Body: wireUser(a)}, nil
}

// touched returns an account that the caller wants to do something to, and may.
func (s Users) touched(ctx context.Context, c *Call, id string) (PeopleStore, user.Account, error) {
	kept, err := s.People(ctx, c.Tenant)
	if err != nil {
		return nil, user.Account{}, err
	}
	a, err := kept.Account(ctx, id)
	if err != nil {
		return nil, user.Account{}, err
	}
	return kept, a, c.MayTouch(a.User)
}

func (s Users) delete(ctx context.Context, c *Call, in *OfUser) (*Done, error) {
	kept, _, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.DeleteUser(ctx, in.User, c.Version, c.By())
}

func (s Users) disable(ctx context.Context, c *Call, in *OfUser) (*Done, error) {
	kept, _, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.DisableUser(ctx, in.User, c.By())
}

func (s Users) enable(ctx context.Context, c *Call, in *OfUser) (*Done, error) {
	kept, _, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.EnableUser(ctx, in.User, c.By())
}

func (s Users) setRole(ctx context.Context, c *Call, in *struct {
	OfUser
	Body resource.RoleOf
}) (*Answer[resource.User], error) {
	kept, _, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	if err := c.MayGive(role.Role(in.Body.Role).Scopes()); err != nil {
		return nil, err
	}
	if _, err := kept.SetRole(ctx, in.User, in.Body.Role, c.Version, c.By()); err != nil {
		return nil, err
	}
	return answerUser(ctx, kept, in.User)
}

// identities is what can be done to what people are known by elsewhere.
func (s Users) identities() Noun {
	write := role.Write(role.Users)
	return Noun{
		Handle(Route{
			ID: "list-identities", Method: http.MethodGet, Path: "/users/{user}/identities", Scope: role.Read(role.Users),
			Summary: "List what a user is known by",
		}, s.listIdentities),
		Handle(Route{
			ID: "link-identity", Method: http.MethodPost, Path: "/users/{user}/identities", Scope: write, Creates: true,
			Summary:     "Let a user in by an identity elsewhere",
			Description: "Whoever the connector calls by this subject is let in as this user. It must not lead to another account.",
		}, s.linkIdentity),
		Handle(Route{
			ID: "unlink-identity", Method: http.MethodDelete, Path: "/users/{user}/identities/{connector}", Scope: write,
			Summary:     "Take an identity from a user",
			Description: "What came of it ends. With that of the local connector go login names and password.",
		}, s.unlinkIdentity),
	}
}

func (s Users) listIdentities(ctx context.Context, c *Call, in *partOfUser) (*Answer[resource.List[resource.Identity]], error) {
	kept, after, err := open(ctx, c, s.People, in.Paging)
	if err != nil {
		return nil, err
	}
	a, err := kept.Account(ctx, in.User)
	if err != nil {
		return nil, err
	}
	key := func(i user.Identity) string { return i.ConnectorID + "\n" + i.Subject }
	slices.SortFunc(a.Identities, func(x, y user.Identity) int { return strings.Compare(key(x), key(y)) })
	rest := slices.DeleteFunc(a.Identities, func(i user.Identity) bool { return key(i) <= after })
	some, next := cut(rest, in.Limit, key)
	return listed(c, some, next, wireIdentity), nil
}

func (s Users) linkIdentity(ctx context.Context, c *Call, in *struct {
	OfUser
	Body resource.NewIdentity
}) (*Answer[resource.Identity], error) {
	kept, _, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	i := user.Identity{ConnectorID: in.Body.ConnectorID, Subject: in.Body.Subject, CheckedAt: c.At}
	out := &Answer[resource.Identity]{Body: wireIdentity(i)}
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	return out, kept.LinkIdentity(ctx, in.User, i, by)
}

func (s Users) unlinkIdentity(ctx context.Context, c *Call, in *struct {
	OfUser
	Connector string `path:"connector" maxLength:"255"`
	Subject   string `query:"subject" required:"true" minLength:"1" maxLength:"1024" doc:"Which of the connector's: a subject may hold what no path can."`
}) (*Done, error) {
	kept, _, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.UnlinkIdentity(ctx, in.User, in.Connector, in.Subject, c.By())
}
