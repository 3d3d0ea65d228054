package api

import (
	"cmp"
	"context"
	"net/http"

	"dex/internal/admin/declare"
	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/connector/founding"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// Founding makes the first administrator.
type Founding struct {
	Store      founding.Store
	Connectors Of[connector.Store]
	Hasher     credential.Hasher
}

// Noun returns what can be done.
func (f Founding) Noun() Noun {
	return Noun{
		Handle(Route{
			ID: "bootstrap", Method: http.MethodPost, Path: "/bootstrap", Public: true,
			Summary:     "Make the first administrator",
			Description: "It takes the one-time secret of the installation, works once, and is closed for good then.",
		}, f.bootstrap),
	}
}

func (f Founding) bootstrap(ctx context.Context, c *Call, in *struct{ Body resource.Bootstrap }) (*Answer[resource.Bootstrapped], error) {
	b := in.Body
	by := audit.By{Actor: founding.Actor, RemoteAddr: c.address(), At: c.At}
	hash := secret.Value(b.Secret).Hash()
	// Who does not know the secret learns nothing of what else is wrong.
	if err := f.Store.TryFounding(ctx, hash, by); err != nil {
		return nil, err
	}
	plan, err := f.plan(ctx, b, by)
	if err != nil {
		return nil, err
	}
	if plan.Admin.PasswordHash, err = f.Hasher.Hash(ctx, b.Password); err != nil {
		return nil, err
	}
	if err := f.Store.Found(ctx, hash, plan, by); err != nil {
		return nil, err
	}
	return &Answer[resource.Bootstrapped]{Body: resource.Bootstrapped{UserID: plan.Admin.User.ID, ClientID: plan.Clients[0].ID}}, nil
}

// plan makes what the installation begins with, but for the password's hash.
func (f Founding) plan(ctx context.Context, b resource.Bootstrap, by audit.By) (founding.Founding, error) {
	all, err := declare.ReadFiles(declare.Source{Data: b.Resources})
	if err != nil {
		return founding.Founding{}, mistaken(err, "resources")
	}
	if len(all.Users) > 0 || len(all.Groups) > 0 {
		return founding.Founding{}, wrongField("resources", "may hold clients and connectors; people and groups are for the administrator to make")
	}
	plan := founding.Founding{Clients: []client.Registered{founding.CommandLine()}}
	for _, one := range all.Clients {
		made, err := one.Make()
		if err != nil {
			return plan, err
		}
		r := client.Registered{Client: made}
		for _, s := range one.Secrets {
			r.Notes = append(r.Notes, client.NoteOf(s, by.At))
		}
		plan.Clients = append(plan.Clients, r)
	}
	for _, one := range all.Connectors {
		plan.Connectors = append(plan.Connectors, connector.Registered{Configured: one.Make()})
	}
	local, err := f.local(ctx, &plan)
	if err != nil {
		return plan, err
	}
	plan.Admin, err = admin(b, local)
	return plan, err
}

// local returns the connector that is our own table of passwords: one that is there,
// one that is just being made, or a new one.
func (f Founding) local(ctx context.Context, plan *founding.Founding) (string, error) {
	kept, err := f.Connectors(ctx, tenant.Default)
	if fault.Is(err, fault.NotFound) {
		return "", fault.New(fault.Unavailable, "There is no issuer yet: start a worker, which knows its address.")
	}
	if err != nil {
		return "", err
	}
	there, err := kept.Connectors(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range plan.Connectors {
		there = append(there, c.Configured)
	}
	for _, c := range there {
		if c.Kind == "local" && !c.Disabled {
			return c.ID, nil
		}
	}
	own := connector.Configured{ID: "local", Kind: "local", Name: "Password", Policy: user.Policy{CreateOnFirstLogin: true}}
	plan.Connectors = append(plan.Connectors, connector.Registered{Configured: own})
	return own.ID, nil
}

// admin is somebody with every right, who logs in with a password here.
func admin(b resource.Bootstrap, local string) (user.New, error) {
	email, err := user.ParseEmail(b.Email)
	if err != nil {
		return user.New{}, wrongField("email", "must be a mail address such as ann@example.com")
	}
	username := cmp.Or(b.Username, email)
	n := user.New{
		User:  user.User{ID: user.NewID(), Username: username, Email: email, Name: b.Name, Role: string(role.Owner)},
		Local: user.Local{ConnectorID: local, Profile: user.Profile{Username: username, Email: email, Name: b.Name}},
	}
	for _, name := range []string{username, email} {
		canonical, err := credential.Canonical(name)
		if err != nil {
			return user.New{}, wrongField("username", "cannot serve to log in: letters of one script, digits and signs, without invisible ones")
		}
		if len(n.Local.LoginNames) == 0 || n.Local.LoginNames[0] != canonical {
			n.Local.LoginNames = append(n.Local.LoginNames, canonical)
		}
	}
	if err := credential.CheckPassword(b.Password, username, email); err != nil {
		return user.New{}, wrongField("password", err.Error())
	}
	return n, nil
}

// wrongField says what is wrong with a member of the body.
func wrongField(name, message string) *resource.Problem {
	p := resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, "The request breaks a rule.")
	p.Errors = []resource.Mistake{{Location: "body." + name, Message: message}}
	return p
}
