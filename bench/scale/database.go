package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
	"dex/test/postgres"
)

// size is how much is in a database.
type size struct{ users, sessions, clients, tenants, expired int }

// String says it in words.
func (s size) String() string {
	return fmt.Sprintf("%d users, %d sessions, %d clients, %d tenants, %d expired rows", s.users, s.sessions, s.clients, s.tenants, s.expired)
}

const (
	clientID    = "app"
	redirectURI = "https://app.example/callback"
	connectorID = "local"
)

// database is one that is measured.
type database struct {
	size
	db     *store.DB
	tenant *store.Tenant
	client client.Client
	raw    *pgx.Conn // for what no verb does
	random *rand.Rand

	bytes  int64
	filled time.Duration // how long it took to fill it
	deep   map[string]string
}

// open makes a database of a size.
func open(ctx context.Context, c *postgres.Cluster, name string, s size) (d *database, err error) {
	if err := administer(ctx, c, `CREATE DATABASE `+name); err != nil {
		return nil, err
	}
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		return nil, err
	}
	d = &database{size: s, random: rand.New(rand.NewPCG(1, 2)), deep: map[string]string{}}
	if d.db, err = store.Open(ctx, store.Options{URL: c.URL(name), Keys: ring}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := d.db.Migrate(ctx); err != nil {
		return nil, err
	}
	if d.raw, err = pgx.Connect(ctx, c.URL(name)); err != nil {
		return nil, err
	}
	if err := d.begin(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := fill(ctx, d.raw, s); err != nil {
		return nil, err
	}
	d.filled = time.Since(began)
	return d, d.raw.QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&d.bytes)
}

func (d *database) close() error {
	err := d.db.Close()
	if d.raw != nil {
		err = errors.Join(err, d.raw.Close(context.Background()))
	}
	return err
}

// administer runs a statement at the cluster's own database.
func administer(ctx context.Context, c *postgres.Cluster, query string) error {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, query)
	return errors.Join(err, conn.Close(ctx))
}

// begin makes one of each by the store's own verbs: what is copied afterwards is what
// they write.
func (d *database) begin(ctx context.Context) (err error) {
	if d.tenant, err = d.db.EnsureTenant(ctx, tenant.Default, "https://dex.example"); err != nil {
		return err
	}
	if _, err := d.tenant.Apply(ctx, store.Declared{
		Digest: "scale",
		Clients: []client.Client{{
			ID: clientID, Name: "Application", Profile: client.Standard, AuthMethod: oauth.AuthMethod("none"), Trusted: true,
			RedirectURIs: []string{redirectURI}, GrantTypes: []string{client.AuthorizationCode, client.RefreshToken},
			Scopes: oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeOffline}, AllowedOrigins: []string{"https://app.example"},
		}},
		Connectors: []connector.Configured{{ID: connectorID, Kind: "local", Name: "Password"}},
	}, d.db.Clock().Now()); err != nil {
		return err
	}
	if d.client, err = d.tenant.Client(ctx, clientID); err != nil {
		return err
	}
	p := firstPerson()
	_, err = d.tenant.CreateUser(ctx, user.New{
		User: p,
		Local: user.Local{ConnectorID: connectorID, LoginNames: []string{p.Username}, Profile: user.Profile{
			Username: p.Username, Name: p.Name, Email: p.Email, EmailVerified: true, Groups: []string{"staff"},
		}},
		PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIG91cnM$c29tZSBoYXNoIHRoYXQgbm9ib2R5IGFza3MgZm9yISE",
	}, audit.By{Actor: "bench", At: d.db.Clock().Now()})
	if err != nil {
		return err
	}
	if err := d.login(ctx, p.Username); err != nil {
		return err
	}
	return d.tenant.RecordFailure(ctx, []credential.Bucket{{Key: secret.Value("bench").Hash(), Kind: credential.Account}}, d.db.Clock().Now())
}

// firstPerson is whom everybody is a copy of.
func firstPerson() user.User {
	name := "p" + template
	return user.User{ID: "usr_" + template, Username: name, Email: name + "@corp", EmailVerified: true, Name: "given surname"}
}

// somebody is the number of somebody by chance, as it stands in names.
func (d *database) somebody() string { return fmt.Sprintf("%07d", 1+d.random.IntN(d.users)) }
