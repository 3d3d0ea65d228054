package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"dex/internal/admin/declare"
	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/connector/local"
	"dex/internal/domain/credential"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// readUser reads the declaration of somebody.
func (s Users) readUser(doc []byte) (declare.User, declare.Account, error) {
	declared, err := s.Rules.ReadUser(doc)
	if err != nil {
		return declared, declare.Account{}, mistaken(err, "")
	}
	made, err := declared.Make()
	return declared, made, err
}

// passwords returns the connector that takes names and passwords.
func passwords(ctx context.Context, kept PeopleStore) (string, error) {
	all, err := kept.Connectors(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if c.Kind == local.Kind.Name {
			return c.ID, nil
		}
	}
	return "", fault.New(fault.Conflict, "There is no connector of kind local, by which somebody could log in with a password. Make one first, or let people come by another connector.")
}

func (s Users) create(ctx context.Context, c *Call, in *struct{ Body Document }) (*Answer[resource.User], error) {
	kept, err := s.People(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	declared, made, err := s.readUser(in.Body.Text)
	if err != nil {
		return nil, err
	}
	if declared.ID != "" {
		return nil, wrongly("id", "The server makes the id: leave it out.")
	}
	if err := s.mayMake(c, made); err != nil {
		return nil, err
	}
	connectorID, err := passwords(ctx, kept)
	if err != nil {
		return nil, err
	}
	n := user.New{User: made.User, ManagedBy: tenant.ManagedByHand, PasswordHash: made.PasswordHash, Local: user.Local{
		ConnectorID: connectorID, LoginNames: made.LoginNames, Profile: made.Profile,
	}}
	n.User.ID, n.User.MemberOf, n.Local.Profile.Groups = user.NewID(), made.Profile.Groups, nil
	if made.Password != "" {
		if n.PasswordHash, err = s.hash(ctx, string(made.Password), made.User); err != nil {
			return nil, err
		}
	}
	return s.promise(ctx, c, kept, n)
}

// mayMake says whether the caller may make somebody of this kind.
func (s Users) mayMake(c *Call, made declare.Account) error {
	if len(made.Profile.Groups) > 0 {
		if err := c.Need(role.Write(role.Groups)); err != nil {
			return err
		}
	}
	return c.MayGive(role.Role(made.User.Role).Scopes())
}

// promise makes an account, and answers with it.
func (s Users) promise(ctx context.Context, c *Call, kept PeopleStore, n user.New) (*Answer[resource.User], error) {
	shown := user.Account{
		User: n.User, ManagedBy: n.ManagedBy, LoginNames: n.Local.LoginNames, ConnectorID: n.Local.ConnectorID, Profile: n.Local.Profile,
		Identities: []user.Identity{{ConnectorID: n.Local.ConnectorID, Subject: n.User.ID, Profile: n.Local.Profile, CheckedAt: c.At}},
	}
	shown.Version, shown.CreatedAt, shown.UpdatedAt = 1, c.At, c.At
	shown.MemberOf, shown.LoginNames = slices.Sorted(slices.Values(n.User.MemberOf)), slices.Sorted(slices.Values(n.Local.LoginNames))
	if n.PasswordHash != "" {
		shown.PasswordAt = c.At
	}
	out := &Answer[resource.User]{ETag: resource.ETag(1), Location: resource.Prefix + "/users/" + escaped(n.User.ID), Body: wireUser(shown)}
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	_, err = kept.CreateUser(ctx, n, by)
	return out, err
}

// hash hashes a password that somebody may have.
func (s Users) hash(ctx context.Context, password string, u user.User) (string, error) {
	if err := credential.CheckPassword(password, u.Username, u.Email, u.Name); err != nil {
		return "", err
	}
	return s.Hasher.Hash(ctx, password)
}

func (s Users) replace(ctx context.Context, c *Call, in *struct {
	OfUser
	Body Document
}) (*Answer[resource.User], error) {
	kept, a, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	return s.edit(ctx, c, kept, a, in.Body.Text)
}

// change puts the members that are given in the place of those that there are, RFC
// 7396.
func (s Users) change(ctx context.Context, c *Call, in *struct {
	OfUser
	Body Document
}) (*Answer[resource.User], error) {
	kept, a, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	now, err := json.Marshal(formOf(a))
	if err != nil {
		return nil, err
	}
	form, patch := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := json.Unmarshal(now, &form); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(in.Body.Text, &patch); err != nil {
		return nil, resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, "The body is an object with the members to change.")
	}
	merged, err := json.Marshal(patched(form, patch))
	if err != nil {
		return nil, err
	}
	return s.edit(ctx, c, kept, a, merged)
}

// patched puts members in the place of others, and of those that are objects their
// members in turn.
func patched(form, patch map[string]json.RawMessage) map[string]json.RawMessage {
	for member, value := range patch {
		var within, changes map[string]json.RawMessage
		switch {
		case string(value) == "null":
			delete(form, member)
		case json.Unmarshal(value, &changes) == nil && changes != nil:
			if json.Unmarshal(form[member], &within) != nil || within == nil {
				within = map[string]json.RawMessage{}
			}
			value, err := json.Marshal(patched(within, changes))
			if err == nil {
				form[member] = value
			}
		default:
			form[member] = value
		}
	}
	return form
}

// formOf is what can be changed of an account, as it stands.
func formOf(a user.Account) declare.User {
	a.Profile.Groups = nil
	return declare.UserOf(user.User{Username: a.Username, Email: a.Email, EmailVerified: a.EmailVerified, Name: a.Name}, a.Profile, false)
}

// edit makes an account what a declaration says of who somebody is.
func (s Users) edit(ctx context.Context, c *Call, kept PeopleStore, a user.Account, doc []byte) (*Answer[resource.User], error) {
	declared, made, err := s.readUser(doc)
	if err != nil {
		return nil, err
	}
	if err := elsewhere(declared, a); err != nil {
		return nil, err
	}
	e := user.Edit{
		ID: a.ID, Version: c.Version, Username: made.User.Username, Email: made.User.Email, EmailVerified: made.User.EmailVerified, Name: made.User.Name,
	}
	if e.Version == 0 {
		e.Version = a.Version // what was merged, or looked at, is this one
	}
	if a.ConnectorID != "" {
		made.Profile.Groups = a.Profile.Groups
		e.Local = user.Local{ConnectorID: a.ConnectorID, LoginNames: renamed(a, made), Profile: made.Profile}
	}
	if _, err := kept.UpdateUser(ctx, e, c.By()); err != nil {
		return nil, err
	}
	return answerUser(ctx, kept, a.ID)
}

// elsewhere says of what is declared and changed by another operation, by which. To
// say what is so anyhow is no mistake.
func elsewhere(d declare.User, a user.Account) error {
	p := resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, "Some of this has an operation of its own: see what, and which.")
	wrong := func(is bool, member, message string) {
		if is {
			p.Errors = append(p.Errors, resource.Mistake{Location: "body." + member, Message: message})
		}
	}
	wrong(d.ID != "" && d.ID != a.ID, "id", "An id is for good.")
	wrong(d.Role != "" && d.Role != a.Role, "role", "A role is given by PUT /users/{user}/role.")
	wrong(len(d.Groups) > 0 && !slices.Equal(slices.Sorted(slices.Values(d.Groups)), a.MemberOf), "groups", "Who is in a group is said at the group.")
	wrong(d.Disabled && !a.Disabled, "disabled", "A user is disabled by POST /users/{user}/disable.")
	wrong(d.Password != "", "password", "A password is set by POST /users/{user}/password.")
	wrong(d.PasswordHash != "", "password_hash", "A password is set by POST /users/{user}/password.")
	if len(p.Errors) > 0 {
		return p
	}
	return nil
}

// renamed are the login names of somebody who is called otherwise now: those that came
// of user name and address follow them, and what was given beside stays.
func renamed(a user.Account, made declare.Account) []string {
	var came []string
	for _, name := range []string{a.Username, a.Email} {
		if canonical, err := credential.Canonical(name); err == nil {
			came = append(came, canonical)
		}
	}
	var names []string
	for _, name := range a.LoginNames {
		if !slices.Contains(came, name) {
			names = append(names, name)
		}
	}
	for _, name := range made.LoginNames {
		// One that was taken away does not come back because something else changes.
		if !slices.Contains(came, name) || slices.Contains(a.LoginNames, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (s Users) setLoginNames(ctx context.Context, c *Call, in *struct {
	OfUser
	Body resource.LoginNames
}) (*Answer[resource.User], error) {
	kept, a, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	e := user.Edit{
		ID: a.ID, Version: c.Version, Username: a.Username, Email: a.Email, EmailVerified: a.EmailVerified, Name: a.Name,
		Local: user.Local{ConnectorID: a.ConnectorID, Profile: a.Profile},
	}
	if e.Version == 0 {
		e.Version = a.Version
	}
	if a.ConnectorID == "" {
		if e.Local.ConnectorID, err = passwords(ctx, kept); err != nil {
			return nil, err
		}
		e.Local.Profile = user.Profile{Username: a.Username, Email: a.Email, EmailVerified: a.EmailVerified, Name: a.Name}
	}
	for i, name := range in.Body.LoginNames {
		canonical, err := credential.Canonical(name)
		if err != nil {
			return nil, wrongly(at("login_names", i), "This cannot serve to log in: letters of one script, digits and signs do, without invisible ones.")
		}
		e.Local.LoginNames = append(e.Local.LoginNames, canonical)
	}
	slices.Sort(e.Local.LoginNames)
	e.Local.LoginNames = slices.Compact(e.Local.LoginNames)
	if _, err := kept.UpdateUser(ctx, e, c.By()); err != nil {
		return nil, err
	}
	return answerUser(ctx, kept, a.ID)
}

func (s Users) setPassword(ctx context.Context, c *Call, in *struct {
	OfUser
	Body resource.NewPassword
}) (*Done, error) {
	kept, a, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	change := user.PasswordChange{
		UserID: a.ID, Hash: in.Body.PasswordHash, Keep: in.Body.Keep,
		Forgive: local.Counted(a.ConnectorID, a.LoginNames, c.Remote, c.At),
	}
	switch {
	case (in.Body.Password == "") == (in.Body.PasswordHash == ""):
		return nil, wrongly("password", "Give either password or password_hash.")
	case in.Body.PasswordHash != "":
		if err := credential.ParseHash(change.Hash); err != nil {
			return nil, wrongly("password_hash", "This is no hash that can be checked: it is argon2id or bcrypt.")
		}
	default:
		if change.Hash, err = s.hash(ctx, in.Body.Password, a.User); err != nil {
			return nil, err
		}
	}
	return &Done{}, kept.SetPassword(ctx, change, c.By())
}
