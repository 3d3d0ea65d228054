package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"dex/internal/admin/declare"
	"dex/internal/admin/plan"
	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/connector/inventory"
	"dex/internal/connector/local"
	"dex/internal/domain/client"
	"dex/internal/domain/role"
)

// Reconcile plans and applies what files declare, and declares what there is.
type Reconcile struct {
	Keepers    Of[inventory.Keeper]
	Rules      declare.Rules
	Connectors Connectors // that can be tried out
}

// maxPlan is how large the files may be together.
const maxPlan = 8 << 20

// Noun returns what can be done. Planning and applying need the scopes of connectors,
// people and groups as far as the files name some or they would be let go.
func (s Reconcile) Noun() Noun {
	return Noun{
		Handle(Route{
			ID: "plan", Method: http.MethodPost, Path: "/plan", Scope: role.Read(role.Clients), MaxBody: maxPlan,
			Summary:     "Say what would change",
			Description: "Nothing is changed. Takes the scopes to read connectors, users and groups too, as far as the files name some or any would change.",
		}, s.plan),
		Handle(Route{
			ID: "apply", Method: http.MethodPost, Path: "/apply", Scope: role.Write(role.Clients), MaxBody: maxPlan, Creates: true,
			Summary:     "Change what a plan has said",
			Description: "All of it, or nothing; and nothing if the server has changed since. Takes the scopes to write connectors, users and groups too, as far as the files name some or any would change.",
		}, s.apply),
		Handle(Route{
			ID: "export", Method: http.MethodGet, Path: "/export", Scope: role.Read(role.Clients),
			Summary:     "Declare what there is",
			Description: "Of people and groups those that files manage. A plan of it finds nothing to change. Takes the scopes to read connectors, users and groups too.",
		}, s.export),
	}
}

// Desired is what is planned. It is exported because huma looks at nothing else.
type Desired struct {
	Resources Document `json:"resources" doc:"The sections of the files: clients, connectors, users, groups."`
	Prune     bool     `json:"prune,omitempty" doc:"Let go what such files have made and do not name any more: clients and groups are deleted, connectors and users disabled."`
}

// Decided is what is applied. It is exported because huma looks at nothing else.
type Decided struct {
	Desired
	Basis string `json:"basis" minLength:"1" maxLength:"128" doc:"The basis of the plan."`
}

// want reads what is desired. What is wrong with it is told all at once.
func (s Reconcile) want(c *Call, d Desired) (plan.Wanted, error) {
	r, err := s.Rules.ReadFiles(declare.Source{Data: d.Resources.Text})
	if err != nil {
		return plan.Wanted{}, mistaken(err, "resources")
	}
	return plan.Want(r, c.At)
}

// decide plans, and looks at the settings of the connectors that would change.
func (s Reconcile) decide(ctx context.Context, c *Call, now inventory.Inventory, w plan.Wanted, prune bool) (plan.Plan, error) {
	p, problems := plan.Make(now, w, s.options(prune))
	if len(problems) > 0 {
		return p, refused(problems)
	}
	for _, list := range [][]connector.Registered{p.Deeds.NewConnectors, p.Deeds.ChangedConnectors} {
		for _, one := range list {
			if _, err := s.Connectors.validate(ctx, c.Tenant, one.Configured); err != nil {
				return p, below(err, "resources.connectors."+one.ID)
			}
		}
	}
	return p, nil
}

func (s Reconcile) options(prune bool) plan.Options {
	return plan.Options{Prune: prune, Kinds: s.Connectors.Kinds, Passwords: local.Kind.Name}
}

// mayTouch says whether the caller has the scopes for what the files name beside
// clients, and for what the plan would change.
func mayTouch(c *Call, w plan.Wanted, changes []plan.Change, scope func(role.Noun) string) error {
	concerned := map[string]bool{"connector": len(w.Connectors) > 0, "user": len(w.People) > 0, "group": len(w.Groups) > 0}
	for _, change := range changes {
		concerned[change.Noun] = true
	}
	var scopes []string
	for _, one := range []struct {
		noun  string
		scope role.Noun
	}{{"connector", role.Connectors}, {"user", role.Users}, {"group", role.Groups}} {
		if concerned[one.noun] {
			scopes = append(scopes, scope(one.scope))
		}
	}
	return c.Need(scopes...)
}

// mayDo says whether the caller may do what is planned: nobody gives a client, or takes
// by one, scopes that their own token has not; nor a role that has some, to a person.
func mayDo(c *Call, now inventory.Inventory, p plan.Plan) error {
	concerned := map[string]bool{}
	for _, change := range p.Changes {
		concerned[change.ID] = concerned[change.ID] || change.Noun == "client"
	}
	for _, list := range [][]client.Registered{now.Clients, p.Deeds.NewClients, p.Deeds.ChangedClients} {
		for _, one := range list {
			if !concerned[one.ID] {
				continue
			}
			if err := c.MayGive(one.Scopes); err != nil {
				return err
			}
		}
	}
	return mayAmend(c, now, p.Deeds)
}

// mayAmend says whether the caller may do so to people: nobody gives a role, or touches
// somebody by one, that has scopes which their own token has not.
func mayAmend(c *Call, now inventory.Inventory, d inventory.Deeds) error {
	touched := map[string]bool{}
	var roles []string
	for _, n := range d.NewPeople {
		roles = append(roles, n.User.Role)
	}
	for _, a := range d.ChangedPeople {
		touched[a.ID] = true
		if a.Role != nil {
			roles = append(roles, *a.Role)
		}
	}
	for _, id := range d.DisablePeople {
		touched[id] = true
	}
	for _, one := range now.People {
		if touched[one.ID] {
			roles = append(roles, one.Role)
		}
	}
	for _, name := range roles {
		if err := c.MayGive(role.Role(name).Scopes()); err != nil {
			return err
		}
	}
	return nil
}

// refused is the problem of what cannot be.
func refused(problems []plan.Problem) error {
	p := resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, "This cannot be, and nothing is changed: see what is wrong, and where.")
	for _, one := range problems {
		location := fmt.Sprintf("body.resources.%ss.%s", one.Noun, one.ID)
		if one.Field != "" {
			location += "." + one.Field
		}
		p.Errors = append(p.Errors, resource.Mistake{Location: location, Message: one.Message})
	}
	return p
}

// people says of each change how many it concerns.
func people(ctx context.Context, c *Call, kept inventory.Keeper, changes []plan.Change) error {
	since := c.At.AddDate(0, 0, -useDays)
	for i := range changes {
		var n int
		var err error
		switch change := &changes[i]; {
		case change.Action == plan.Create, change.Action == plan.Reorder, change.Noun == "user", change.Noun == "group":
			continue
		case change.Noun == "client":
			n, err = kept.PeopleOf(ctx, change.ID, since)
		default:
			n, err = kept.PeopleBy(ctx, change.ID, since)
		}
		if err != nil {
			return err
		}
		changes[i].People = &n
	}
	return nil
}

// planned is a plan, and what it was made of.
type planned struct {
	plan.Plan
	kept   inventory.Keeper
	wanted plan.Wanted
	now    inventory.Inventory
}

// planned plans what somebody desires, who has the scopes for all that it is about.
func (s Reconcile) planned(ctx context.Context, c *Call, d Desired, scope func(role.Noun) string) (p planned, err error) {
	if p.kept, err = s.Keepers(ctx, c.Tenant); err != nil {
		return p, err
	}
	if p.wanted, err = s.want(c, d); err != nil {
		return p, err
	}
	if err := mayTouch(c, p.wanted, nil, scope); err != nil { // before anything of them is told
		return p, err
	}
	if p.now, err = p.kept.Inventory(ctx, p.wanted.Named()); err != nil {
		return p, err
	}
	if p.Plan, err = s.decide(ctx, c, p.now, p.wanted, d.Prune); err != nil {
		return p, err
	}
	return p, mayTouch(c, p.wanted, p.Changes, scope)
}

func (s Reconcile) plan(ctx context.Context, c *Call, in *struct{ Body Desired }) (*Answer[resource.Plan], error) {
	p, err := s.planned(ctx, c, in.Body, role.Read)
	if err != nil {
		return nil, err
	}
	if err := people(ctx, c, p.kept, p.Changes); err != nil {
		return nil, err
	}
	return &Answer[resource.Plan]{Body: resource.Plan{Changes: listOf(p.Changes), Basis: p.Basis}}, nil
}

func listOf(changes []plan.Change) []plan.Change {
	if changes == nil {
		return []plan.Change{}
	}
	return changes
}

func (s Reconcile) apply(ctx context.Context, c *Call, in *struct{ Body Decided }) (*Answer[resource.Applied], error) {
	// The plan is made twice: first to promise an answer by it, then among what is
	// really there, where its basis must be the same still.
	p, err := s.planned(ctx, c, in.Body.Desired, role.Write)
	if err != nil {
		return nil, err
	}
	if p.Basis != in.Body.Basis {
		return nil, errStale
	}
	if err := mayDo(c, p.now, p.Plan); err != nil {
		return nil, err
	}
	out := &Answer[resource.Applied]{Body: resource.Applied{Changes: listOf(p.Changes)}}
	made := make(map[string]secret.Value, len(p.Secretless))
	for _, id := range p.Secretless {
		made[id] = secret.New(secret.ClientPrefix)
		out.Body.Secrets = append(out.Body.Secrets, resource.MadeSecret{ClientID: id, Secret: string(made[id])})
	}
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	err = p.kept.Reconcile(ctx, p.wanted.Named(), func(now inventory.Inventory) (inventory.Deeds, error) {
		again, problems := plan.Make(now, p.wanted, s.options(in.Body.Prune))
		if len(problems) > 0 || again.Basis != in.Body.Basis {
			return inventory.Deeds{}, errStale
		}
		giveSecrets(again.Deeds, made, c.At)
		return again.Deeds, nil
	}, by)
	return out, err
}

// giveSecrets gives clients the secrets that were made for them.
func giveSecrets(d inventory.Deeds, made map[string]secret.Value, now time.Time) {
	for _, list := range [][]client.Registered{d.NewClients, d.ChangedClients} {
		for i := range list {
			if v, ok := made[list[i].ID]; ok {
				list[i].Secrets, list[i].Shared = nil, nil
				list[i].AddSecret(v)
				list[i].Notes = []client.SecretNote{client.NoteOf(v, now)}
			}
		}
	}
}

// errStale says that a plan is one of what was.
var errStale = fault.New(fault.Conflict, "The server has changed since the plan was made, or the files have. Nothing is done: plan again, and look at what it says now.")

// exportNote begins every export.
const exportNote = "# Of the people and groups only those are here that files manage: who came by a login, or was\n# made by hand, is not.\n"

func (s Reconcile) export(ctx context.Context, c *Call, _ *struct{}) (*Answer[resource.Export], error) {
	if err := c.Need(role.Read(role.Connectors), role.Read(role.Users), role.Read(role.Groups)); err != nil {
		return nil, err
	}
	kept, err := s.Keepers(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	now, err := kept.Inventory(ctx, inventory.Named{})
	if err != nil {
		return nil, err
	}
	all, err := plan.Export(now, s.Connectors.Kinds)
	if err != nil {
		return nil, err
	}
	text, err := all.YAML()
	return &Answer[resource.Export]{Body: resource.Export{YAML: exportNote + string(text)}}, err
}
