package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"dex/internal/admin/declare"
	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
)

// ConnectorStore is what is kept of connectors, as operators need it.
type ConnectorStore interface {
	connector.Registry
	connector.Switch
	PeopleBy(ctx context.Context, connectorID string, since time.Time) (int, error)
}

// Connectors are the ways to find out who somebody is.
type Connectors struct {
	Connectors Of[ConnectorStore]
	Rules      declare.Rules
	Kinds      []connector.Kind
	// Env is what a connector of a tenant may use when it is tried out.
	Env Of[connector.Env]
}

// Noun returns what can be done.
func (s Connectors) Noun() Noun {
	read, write := role.Read(role.Connectors), role.Write(role.Connectors)
	return Noun{
		Handle(Route{
			ID: "list-connectors", Method: http.MethodGet, Path: "/connectors", Scope: read,
			Summary: "List connectors", Description: "In the order of their ids. What their kind says is secret is not told.",
		}, s.list),
		Handle(Route{
			ID: "create-connector", Method: http.MethodPost, Path: "/connectors", Scope: write, Creates: true,
			Summary:     "Create a connector",
			Description: "It comes behind the others. Its settings are looked at; with test=true it must work, too.",
		}, s.create),
		Handle(Route{
			ID: "test-new-connector", Method: http.MethodPost, Path: "/connectors/test", Scope: write,
			Summary:     "Try a connector out before it is created",
			Description: "Nothing is kept.",
		}, s.tryNew),
		Handle(Route{
			ID: "get-connector", Method: http.MethodGet, Path: "/connectors/{connector}", Scope: read,
			Summary: "Get a connector",
		}, s.get),
		Handle(Route{
			ID: "replace-connector", Method: http.MethodPut, Path: "/connectors/{connector}", Scope: write, Guarded: true,
			Summary:     "Change a connector",
			Description: "What is left out is as if it had never been said, but for secrets: one that is left out stays, unless it would be sent to somebody else. Its kind stays, because people are known by it. With test=true it must work.",
		}, s.replace),
		Handle(Route{
			ID: "delete-connector", Method: http.MethodDelete, Path: "/connectors/{connector}", Scope: write, Guarded: true,
			Summary:     "Delete a connector",
			Description: "One by which people are known goes only with people=forget: their accounts stay, and they cannot log in by it any more.",
		}, s.delete),
		Handle(Route{
			ID: "disable-connector", Method: http.MethodPost, Path: "/connectors/{connector}/disable", Scope: write,
			Summary: "Disable a connector", Description: "When this is answered, nobody gets in by it, and what came of it counts no more.",
		}, s.disable),
		Handle(Route{
			ID: "enable-connector", Method: http.MethodPost, Path: "/connectors/{connector}/enable", Scope: write,
			Summary: "Enable a connector", Description: "With test=true it must work.",
		}, s.enable),
		Handle(Route{
			ID: "test-connector", Method: http.MethodPost, Path: "/connectors/{connector}/test", Scope: read,
			Summary: "Test a connector", Description: "Opens it as it stands, and asks whether it works.",
		}, s.test),
		Handle(Route{
			ID: "get-connector-use", Method: http.MethodGet, Path: "/connectors/{connector}/use", Scope: read,
			Summary: "Count who has used a connector lately",
		}, s.use),
	}
}

// OfConnector is what is asked of one connector. It is exported because huma looks at
// nothing else.
type OfConnector struct {
	Connector string `path:"connector" maxLength:"255"`
}

// Tried says whether a connector must work.
type Tried struct {
	Test bool `query:"test" doc:"Refuse it if it does not work."`
}

type connectorFilter struct {
	Paging
	Text      string `query:"text" maxLength:"255" doc:"Stands in the id or the name."`
	Kind      string `query:"kind" maxLength:"64"`
	ManagedBy string `query:"managed_by" enum:"file,apply,api" doc:"Who declares it."`
	State     string `query:"state" enum:"enabled,disabled"`
}

func (s Connectors) list(ctx context.Context, c *Call, in *connectorFilter) (*Answer[resource.List[resource.Connector]], error) {
	kept, after, err := open(ctx, c, s.Connectors, in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := kept.RegisteredConnectors(ctx, connector.Filter{
		Text: in.Text, Kind: in.Kind, ManagedBy: in.ManagedBy, Disabled: isDisabled(in.State),
	}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	some, next := cut(some, in.Limit, func(r connector.Registered) string { return r.ID })
	return listedIf(c, some, next, s.wire)
}

// wire is a connector as it is told.
func (s Connectors) wire(r connector.Registered) (resource.Connector, error) {
	declared, err := declare.ConnectorOf(r.Configured, s.Kinds)
	return resource.Connector{Declared: declared, ID: r.ID, Kept: resource.Kept{
		ManagedBy: r.ManagedBy, DisabledBy: r.DisabledBy, Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}}, err
}

func (s Connectors) answer(r connector.Registered, err error) (*Answer[resource.Connector], error) {
	if err != nil {
		return nil, err
	}
	body, err := s.wire(r)
	return &Answer[resource.Connector]{ETag: resource.ETag(r.Version), Body: body}, err
}

func (s Connectors) get(ctx context.Context, c *Call, in *OfConnector) (*Answer[resource.Connector], error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return s.answer(kept.RegisteredConnector(ctx, in.Connector))
}

// read reads the declaration of a connector. Its secrets may be those of one that there
// is.
func (s Connectors) read(doc Document, before connector.Registered) (connector.Registered, error) {
	declared, err := s.Rules.ReadConnector(doc.Text)
	if err != nil {
		return connector.Registered{}, mistaken(err, "")
	}
	made := declared.Make()
	if i := slices.IndexFunc(s.Kinds, func(k connector.Kind) bool { return k.Name == made.Kind }); i >= 0 && made.Kind == before.Kind {
		made.Config, err = s.Kinds[i].Keep(before.Config, made.Config)
		if w, ok := errors.AsType[*connector.Withheld](err); ok {
			return connector.Registered{}, wrongly("config."+w.Secret, "%s %s.", w.Secret, w)
		}
		if err != nil {
			return connector.Registered{}, err
		}
	}
	return connector.Registered{Configured: made}, nil
}

// validate opens a connector without reaching out: every mistake in its settings is
// told.
func (s Connectors) validate(ctx context.Context, tenantID string, c connector.Configured) (connector.Connector, error) {
	i := slices.IndexFunc(s.Kinds, func(k connector.Kind) bool { return k.Name == c.Kind })
	if i < 0 {
		return nil, wrongly("kind", "There is no kind %q of connectors.", c.Kind)
	}
	env, err := s.Env(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	env.ID = c.ID
	opened, err := s.Kinds[i].New(c.Config, env)
	if err == nil {
		return opened, nil
	}
	p := resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, "The settings of the connector %q are wrong: see what, and where.", c.ID)
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		name, what, ok := strings.Cut(line, ": ")
		m := resource.Mistake{Location: "body.config", Message: line}
		if ok && !strings.ContainsAny(name, ` "`) {
			m = resource.Mistake{Location: "body.config." + name, Message: what}
		}
		p.Errors = append(p.Errors, m)
	}
	return nil, p
}

// testPatience is how long a connector has to show that it works.
const testPatience = 8 * time.Second

// try opens a connector and asks whether it works.
func (s Connectors) try(ctx context.Context, tenantID string, c connector.Configured) (resource.ConnectorTest, error) {
	opened, err := s.validate(ctx, tenantID, c)
	if p, wrong := errors.AsType[*resource.Problem](err); wrong {
		return resource.ConnectorTest{Tested: true, Problem: p.Error()}, nil
	}
	if err != nil {
		return resource.ConnectorTest{}, err
	}
	health, ok := opened.(connector.Health)
	if !ok {
		return resource.ConnectorTest{Works: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	switch err := health.Check(ctx); {
	case err == nil:
		return resource.ConnectorTest{Works: true, Tested: true}, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return resource.ConnectorTest{Tested: true, Problem: "It did not answer within " + testPatience.String() + "."}, nil
	default:
		return resource.ConnectorTest{Tested: true, Problem: err.Error()}, nil
	}
}

// mustWork refuses a connector that is set up wrongly, or that is to be tested and
// fails.
func (s Connectors) mustWork(ctx context.Context, c *Call, made connector.Configured, test bool) error {
	if _, err := s.validate(ctx, c.Tenant, made); err != nil || !test {
		return err
	}
	t, err := s.try(ctx, c.Tenant, made)
	if err != nil || t.Works {
		return err
	}
	return resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, "The connector %q does not work, so that nothing is changed: %s", made.ID, t.Problem)
}

func (s Connectors) create(ctx context.Context, c *Call, in *struct {
	Tried
	Body Document
}) (*Answer[resource.Connector], error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	r, err := s.read(in.Body, connector.Registered{})
	if err != nil {
		return nil, err
	}
	if err := s.mustWork(ctx, c, r.Configured, in.Test); err != nil {
		return nil, err
	}
	promised := r
	promised.ManagedBy, promised.Version, promised.CreatedAt, promised.UpdatedAt = tenant.ManagedByHand, 1, c.At, c.At
	if r.Disabled {
		promised.DisabledBy = tenant.DisabledByOperator
	}
	out, err := s.answer(promised, nil)
	if err != nil {
		return nil, err
	}
	out.Location = resource.Prefix + "/connectors/" + escaped(r.ID)
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	_, err = kept.RegisterConnector(ctx, r, by)
	return out, err
}

func (s Connectors) tryNew(ctx context.Context, c *Call, in *struct{ Body Document }) (*Answer[resource.ConnectorTest], error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	r, err := s.read(in.Body, connector.Registered{})
	if err != nil {
		return nil, err
	}
	// Whoever tries out a change has not been told the secrets of what there is.
	if before, err := kept.RegisteredConnector(ctx, r.ID); err == nil {
		if r, err = s.read(in.Body, before); err != nil {
			return nil, err
		}
	} else if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	t, err := s.try(ctx, c.Tenant, r.Configured)
	return &Answer[resource.ConnectorTest]{Body: t}, err
}

func (s Connectors) replace(ctx context.Context, c *Call, in *struct {
	OfConnector
	Tried
	Body Document
}) (*Answer[resource.Connector], error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	before, err := kept.RegisteredConnector(ctx, in.Connector)
	if err != nil {
		return nil, err
	}
	r, err := s.read(in.Body, before)
	if err != nil {
		return nil, err
	}
	if err := ofOneID(r.ID, in.Connector); err != nil {
		return nil, err
	}
	if err := s.mustWork(ctx, c, r.Configured, in.Test); err != nil {
		return nil, err
	}
	// The secrets that were kept are those of this version.
	if r.Version = c.Version; r.Version == 0 {
		r.Version = before.Version
	}
	return s.answer(kept.ChangeConnector(ctx, r, c.By()))
}

func (s Connectors) delete(ctx context.Context, c *Call, in *struct {
	OfConnector
	People string `query:"people" enum:"keep,forget" default:"keep" doc:"Whether those who are known by it are forgotten."`
}) (*Done, error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.DeleteConnector(ctx, connector.Deletion{ID: in.Connector, Version: c.Version, People: in.People == "forget"}, c.By())
}

func (s Connectors) disable(ctx context.Context, c *Call, in *OfConnector) (*Done, error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.DisableConnector(ctx, in.Connector, c.By())
}

func (s Connectors) enable(ctx context.Context, c *Call, in *struct {
	OfConnector
	Tried
}) (*Done, error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	r, err := kept.RegisteredConnector(ctx, in.Connector)
	if err != nil {
		return nil, err
	}
	if err := s.mustWork(ctx, c, r.Configured, in.Test); err != nil {
		return nil, err
	}
	return &Done{}, kept.EnableConnector(ctx, in.Connector, c.By())
}

func (s Connectors) test(ctx context.Context, c *Call, in *OfConnector) (*Answer[resource.ConnectorTest], error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	r, err := kept.RegisteredConnector(ctx, in.Connector)
	if err != nil {
		return nil, err
	}
	t, err := s.try(ctx, c.Tenant, r.Configured)
	return &Answer[resource.ConnectorTest]{Body: t}, err
}

func (s Connectors) use(ctx context.Context, c *Call, in *OfConnector) (*Answer[resource.Use], error) {
	kept, err := s.Connectors(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	if _, err := kept.RegisteredConnector(ctx, in.Connector); err != nil {
		return nil, err
	}
	people, err := kept.PeopleBy(ctx, in.Connector, c.At.AddDate(0, 0, -useDays))
	return &Answer[resource.Use]{Body: resource.Use{People: people, Days: useDays}}, err
}
