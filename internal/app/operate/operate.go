// Package operate puts the administrators' API together: on the one side what is kept
// of each tenant, on the other the nouns that operators act on. Every program that
// serves the API mounts what it returns.
package operate

import (
	"context"
	"log/slog"
	"net/http"

	"dex/internal/admin/api"
	"dex/internal/admin/declare"
	"dex/internal/base/clock"
	"dex/internal/base/httpx"
	"dex/internal/base/mail"
	"dex/internal/base/measure"
	"dex/internal/base/seal"
	"dex/internal/connector"
	"dex/internal/connector/inventory"
	"dex/internal/connector/roster"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/store"
	"dex/web"
)

// Options say what stands under the API.
type Options struct {
	DB      *store.DB
	Keys    *seal.Ring
	Clock   clock.Clock
	Log     *slog.Logger
	Address string // of the API, as its clients know it
	Issuer  string // of the default tenant
	Trusted httpx.Proxies
	// Kinds are the kinds of connectors, Outbound is what they leave the house by, and
	// Hasher hashes passwords.
	Kinds    []connector.Kind
	Outbound *http.Client
	Hasher   credential.Hasher
	// Rules are what holds for what is declared.
	Rules declare.Rules
	// Rate and Strangers are how much callers may ask for, with a token and without;
	// zero is a default.
	Rate, Strangers api.Rate
	// Letter writes mail to people; nil if none can be sent.
	Letter func(web.Letter) (mail.Message, error)
	// Tracer follows requests; nil if nobody wants to know.
	Tracer measure.Tracer
	// More are the nouns of the program that serves the API, Only if there are no others.
	More []api.Noun
	Only bool
}

// New returns the API.
func New(o Options) (*api.Server, error) {
	all := o.More
	if !o.Only {
		all = append(nouns(o), all...)
	}
	return api.New(api.Options{
		Nouns:     all,
		Authority: &authority{db: o.DB, clock: o.Clock, home: o.Issuer, address: o.Address},
		Receipts:  Of(o.DB, func(t *store.Tenant) audit.Receipts { return t }),
		Cursors:   o.Keys.Box("cursor"),
		Clock:     o.Clock, Log: o.Log, Address: o.Address, Issuer: o.Issuer, Trusted: o.Trusted, Rate: o.Rate, Strangers: o.Strangers,
		Tracer: o.Tracer,
	})
}

// nouns are what operators act on in every tenant: the list to add to.
func nouns(o Options) []api.Noun {
	return []api.Noun{
		api.Sessions{
			Sessions: Of(o.DB, func(t *store.Tenant) session.Register { return t }),
			Grants:   Of(o.DB, func(t *store.Tenant) grant.Register { return t }),
			Holders:  Of(o.DB, func(t *store.Tenant) user.Holders { return t }),
		}.Noun(),
		api.Backchannel{
			Answerers: Of(o.DB, func(t *store.Tenant) grant.Answerer {
				desk := grant.Desk{Tenants: t, Clients: t, Connectors: &roster.Roster{Store: t, Clock: o.Clock}, Clock: o.Clock}
				return grant.Answerer{Devices: t, Clients: t, Users: t, Desk: desk, Clock: o.Clock}
			}),
			Holders: Of(o.DB, func(t *store.Tenant) user.Holders { return t }),
		}.Noun(),
		api.Users{
			People: Of(o.DB, func(t *store.Tenant) api.PeopleStore { return t }),
			Hasher: o.Hasher, Rules: o.Rules, Letter: o.Letter,
		}.Noun(),
		api.Groups{
			Groups: Of(o.DB, func(t *store.Tenant) user.Groups { return t }),
			People: Of(o.DB, func(t *store.Tenant) user.Directory { return t }),
			Rules:  o.Rules,
		}.Noun(),
		api.Audit{History: Of(o.DB, func(t *store.Tenant) audit.History { return t })}.Noun(),
		api.Traces{Traces: Of(o.DB, func(t *store.Tenant) audit.Traces { return t })}.Noun(),
		api.Clients{
			Clients: Of(o.DB, func(t *store.Tenant) api.ClientStore { return t }),
			Rules:   o.Rules,
		}.Noun(),
		api.Registration{Kept: Of(o.DB, func(t *store.Tenant) api.RegistrationStore { return t })}.Noun(),
		o.connectors().Noun(),
		api.Tenants{Tenants: o.DB}.Noun(),
		api.Reconcile{
			Keepers: Of(o.DB, func(t *store.Tenant) inventory.Keeper { return t }),
			Rules:   o.Rules, Connectors: o.connectors(),
		}.Noun(),
	}
}

// connectors are the connectors, each of which may be tried out.
func (o Options) connectors() api.Connectors {
	return api.Connectors{
		Connectors: Of(o.DB, func(t *store.Tenant) api.ConnectorStore { return t }),
		Rules:      o.Rules, Kinds: o.Kinds,
		Env: func(ctx context.Context, id string) (connector.Env, error) {
			t, err := o.DB.Tenant(ctx, id)
			if err != nil {
				return connector.Env{}, err
			}
			self, err := t.Self(ctx)
			return connector.Env{
				Issuer: self.Issuer, Client: o.Outbound, Clock: o.Clock, Log: o.Log, Credentials: t, Hasher: o.Hasher,
			}, err
		},
	}
}

// Of leads from a tenant's id to what a noun of the API needs of its store.
func Of[T any](db *store.DB, as func(*store.Tenant) T) api.Of[T] {
	return func(ctx context.Context, id string) (T, error) {
		t, err := db.Tenant(ctx, id)
		if err != nil {
			var none T
			return none, err
		}
		return as(t), nil
	}
}
