package api

import (
	"context"
	"net/http"
	"time"

	"dex/internal/admin/declare"
	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
)

// ClientStore is what is kept of clients, as operators need it.
type ClientStore interface {
	client.Registry
	client.Switch
	client.Secrets
	PeopleOf(ctx context.Context, clientID string, since time.Time) (int, error)
	Connectors(ctx context.Context) ([]connector.Configured, error)
}

// Clients are the applications that people log in to.
type Clients struct {
	Clients Of[ClientStore]
	Rules   declare.Rules
}

// Noun returns what can be done.
func (s Clients) Noun() Noun {
	read, write := role.Read(role.Clients), role.Write(role.Clients)
	return Noun{
		Handle(Route{
			ID: "list-clients", Method: http.MethodGet, Path: "/clients", Scope: read,
			Summary: "List clients", Description: "In the order of their ids.",
		}, s.list),
		Handle(Route{
			ID: "create-client", Method: http.MethodPost, Path: "/clients", Scope: write, Creates: true,
			Summary:     "Create a client",
			Description: "A client that proves itself by a secret and brings none gets one, which is shown in this answer and never again.",
		}, s.create),
		Handle(Route{
			ID: "get-client", Method: http.MethodGet, Path: "/clients/{client}", Scope: read,
			Summary: "Get a client",
		}, s.get),
		Handle(Route{
			ID: "replace-client", Method: http.MethodPut, Path: "/clients/{client}", Scope: write, Guarded: true,
			Summary:     "Change a client",
			Description: "What is left out is as if it had never been said, but for the secrets: they stay unless others are given.",
		}, s.replace),
		Handle(Route{
			ID: "delete-client", Method: http.MethodDelete, Path: "/clients/{client}", Scope: write, Guarded: true,
			Summary:     "Delete a client",
			Description: "What people have allowed it is forgotten, and nothing that was issued to it counts again.",
		}, s.delete),
		Handle(Route{
			ID: "disable-client", Method: http.MethodPost, Path: "/clients/{client}/disable", Scope: write,
			Summary: "Disable a client", Description: "When this is answered, no server honours anything of the client's.",
		}, s.disable),
		Handle(Route{
			ID: "enable-client", Method: http.MethodPost, Path: "/clients/{client}/enable", Scope: write,
			Summary: "Enable a client",
		}, s.enable),
		Handle(Route{
			ID: "add-client-secret", Method: http.MethodPost, Path: "/clients/{client}/secrets", Scope: write, Creates: true,
			Summary:     "Give a client one more secret",
			Description: "Both count, until the one that is not in use any more is removed. There are two at most.",
		}, s.addSecret),
		Handle(Route{
			ID: "remove-client-secret", Method: http.MethodDelete, Path: "/clients/{client}/secrets/{secret}", Scope: write,
			Summary: "End a secret of a client", Description: "When this is answered, no server takes it. The last one stays.",
		}, s.removeSecret),
		Handle(Route{
			ID: "get-client-use", Method: http.MethodGet, Path: "/clients/{client}/use", Scope: read,
			Summary: "Count who has used a client lately",
		}, s.use),
	}
}

// OfClient is what is asked of one client. It is exported because huma looks at nothing
// else.
type OfClient struct {
	Client string `path:"client" maxLength:"255"`
}

type clientFilter struct {
	Paging
	Text      string `query:"text" maxLength:"255" doc:"Stands in the id or the name."`
	ManagedBy string `query:"managed_by" enum:"file,apply,api,registration" doc:"Who declares it."`
	State     string `query:"state" enum:"enabled,disabled"`
}

// isDisabled is what a filter says of the state.
func isDisabled(state string) *bool {
	if state == "" {
		return nil
	}
	return new(state == "disabled")
}

func (s Clients) list(ctx context.Context, c *Call, in *clientFilter) (*Answer[resource.List[resource.Client]], error) {
	kept, after, err := open(ctx, c, s.Clients, in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := kept.Clients(ctx, client.Filter{Text: in.Text, ManagedBy: in.ManagedBy, Disabled: isDisabled(in.State)}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	some, next := cut(some, in.Limit, func(r client.Registered) string { return r.ID })
	return listedIf(c, some, next, wireClient)
}

// wireClient is a client as it is told.
func wireClient(r client.Registered) (resource.Client, error) {
	declared, err := declare.ClientOf(r.Client)
	out := resource.Client{Declared: declared, ID: r.ID, Kept: resource.Kept{
		ManagedBy: r.ManagedBy, DisabledBy: r.DisabledBy, Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}}
	for _, n := range r.Notes {
		out.SecretNotes = append(out.SecretNotes, resource.SecretNote(n))
	}
	return out, err
}

// answerClient answers with a client.
func answerClient(r client.Registered, err error) (*Answer[resource.Client], error) {
	if err != nil {
		return nil, err
	}
	body, err := wireClient(r)
	return &Answer[resource.Client]{ETag: resource.ETag(r.Version), Body: body}, err
}

func (s Clients) get(ctx context.Context, c *Call, in *OfClient) (*Answer[resource.Client], error) {
	kept, err := s.Clients(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return answerClient(kept.RegisteredClient(ctx, in.Client))
}

// read reads the declaration of a client, and says whether the caller may make one of
// it. What it refers to must be there.
func (s Clients) read(ctx context.Context, c *Call, kept ClientStore, doc Document) (client.Registered, error) {
	declared, err := s.Rules.ReadClient(doc.Text)
	if err != nil {
		return client.Registered{}, mistaken(err, "")
	}
	made, err := declared.Make()
	if err != nil {
		return client.Registered{}, err
	}
	if err := c.MayGive(made.Scopes); err != nil {
		return client.Registered{}, err
	}
	if err := exist(ctx, kept, made); err != nil {
		return client.Registered{}, err
	}
	r := client.Registered{Client: made}
	for _, v := range declared.Secrets {
		r.Notes = append(r.Notes, client.NoteOf(v, c.At))
	}
	return r, nil
}

// exist says whether there is what a client refers to.
func exist(ctx context.Context, kept ClientStore, made client.Client) error {
	if len(made.Connectors) > 0 {
		all, err := kept.Connectors(ctx)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, c := range all {
			there[c.ID] = true
		}
		for i, id := range made.Connectors {
			if !there[id] {
				return wrongly(at("connectors", i), "There is no connector %q.", id)
			}
		}
	}
	for i, id := range made.TrustedPeers {
		if id == made.ID {
			continue
		}
		if _, err := kept.RegisteredClient(ctx, id); fault.Is(err, fault.NotFound) {
			return wrongly(at("trusted_peers", i), "There is no client %q.", id)
		} else if err != nil {
			return err
		}
	}
	return nil
}

type newClient struct{ Body Document }

func (s Clients) create(ctx context.Context, c *Call, in *newClient) (*Answer[resource.Client], error) {
	kept, err := s.Clients(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	r, err := s.read(ctx, c, kept, in.Body)
	if err != nil {
		return nil, err
	}
	var made secret.Value
	if len(r.Secrets) == 0 && r.AuthMethod.BySecret() {
		made = secret.New(secret.ClientPrefix)
		r.AddSecret(made)
		r.Notes = []client.SecretNote{client.NoteOf(made, c.At)}
	}
	promised := r
	promised.ManagedBy, promised.Version, promised.CreatedAt, promised.UpdatedAt = tenant.ManagedByHand, 1, c.At, c.At
	if r.Disabled {
		promised.DisabledBy = tenant.DisabledByOperator
	}
	out, err := answerClient(promised, nil)
	if err != nil {
		return nil, err
	}
	out.Body.Secret, out.Location = string(made), resource.Prefix+"/clients/"+escaped(r.ID)
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	_, err = kept.RegisterClient(ctx, r, by)
	return out, err
}

func (s Clients) replace(ctx context.Context, c *Call, in *struct {
	OfClient
	Body Document
}) (*Answer[resource.Client], error) {
	kept, err := s.mayTouch(ctx, c, in.Client)
	if err != nil {
		return nil, err
	}
	r, err := s.read(ctx, c, kept, in.Body)
	if err != nil {
		return nil, err
	}
	if err := ofOneID(r.ID, in.Client); err != nil {
		return nil, err
	}
	r.Version = c.Version
	return answerClient(kept.ChangeClient(ctx, r, c.By()))
}

// mayTouch says whether the caller may change a client: one that may have scopes which
// their own token has not could get these for them.
func (s Clients) mayTouch(ctx context.Context, c *Call, id string) (ClientStore, error) {
	kept, err := s.Clients(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	r, err := kept.RegisteredClient(ctx, id)
	if err != nil {
		return nil, err
	}
	return kept, c.MayGive(r.Scopes)
}

func (s Clients) delete(ctx context.Context, c *Call, in *OfClient) (*Done, error) {
	kept, err := s.mayTouch(ctx, c, in.Client)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.DeleteClient(ctx, in.Client, c.Version, c.By())
}

func (s Clients) disable(ctx context.Context, c *Call, in *OfClient) (*Done, error) {
	kept, err := s.mayTouch(ctx, c, in.Client)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.DisableClient(ctx, in.Client, c.By())
}

func (s Clients) enable(ctx context.Context, c *Call, in *OfClient) (*Done, error) {
	kept, err := s.mayTouch(ctx, c, in.Client)
	if err != nil {
		return nil, err
	}
	return &Done{}, kept.EnableClient(ctx, in.Client, c.By())
}

func (s Clients) addSecret(ctx context.Context, c *Call, in *OfClient) (*Answer[resource.NewSecret], error) {
	kept, err := s.mayTouch(ctx, c, in.Client)
	if err != nil {
		return nil, err
	}
	made := secret.New(secret.ClientPrefix)
	note := client.NoteOf(made, c.At)
	out := &Answer[resource.NewSecret]{Body: resource.NewSecret{SecretNote: resource.SecretNote(note), ClientID: in.Client, Secret: string(made)}}
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	_, err = kept.AddClientSecret(ctx, in.Client, made, note, by)
	return out, err
}

func (s Clients) removeSecret(ctx context.Context, c *Call, in *struct {
	OfClient
	Secret string `path:"secret" maxLength:"64"`
}) (*Done, error) {
	kept, err := s.mayTouch(ctx, c, in.Client)
	if err != nil {
		return nil, err
	}
	_, err = kept.RemoveClientSecret(ctx, in.Client, in.Secret, c.By())
	return &Done{}, err
}

// useDays is how far back use is counted.
const useDays = 30

func (s Clients) use(ctx context.Context, c *Call, in *OfClient) (*Answer[resource.Use], error) {
	kept, err := s.Clients(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	if _, err := kept.RegisteredClient(ctx, in.Client); err != nil {
		return nil, err
	}
	people, err := kept.PeopleOf(ctx, in.Client, c.At.AddDate(0, 0, -useDays))
	return &Answer[resource.Use]{Body: resource.Use{People: people, Days: useDays}}, err
}
