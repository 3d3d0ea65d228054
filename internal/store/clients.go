package store

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// clientSettings is what of a client nobody searches by: all of it that has a name in
// JSON, and its keys.
type clientSettings struct {
	client.Client
	Keys           []publicKey `json:"keys,omitempty"`
	EncryptionKeys []publicKey `json:"encryption_keys,omitempty"`
}

// publicKey is a client's key. A key set would not do: in one of ours each key has
// an id and one algorithm, and what a client registers may have neither.
type publicKey struct {
	KID    string `json:"kid,omitempty"`
	Alg    string `json:"alg,omitempty"`
	Public []byte `json:"public"` // SubjectPublicKeyInfo
}

func settingsOf(c client.Client) (s clientSettings, err error) {
	s.Client = c
	keep := func(into *[]publicKey, kid, alg string, public crypto.PublicKey) {
		der, wrong := x509.MarshalPKIXPublicKey(public)
		if wrong != nil {
			err = fmt.Errorf("a key of client %q: %w", c.ID, wrong)
		}
		*into = append(*into, publicKey{KID: kid, Alg: alg, Public: der})
	}
	for _, k := range c.Keys {
		keep(&s.Keys, k.KID, string(k.Alg), k.Public)
	}
	for _, k := range c.EncryptionKeys {
		keep(&s.EncryptionKeys, k.KID, string(k.Alg), k.Public)
	}
	return s, err
}

func (s clientSettings) client() (c client.Client, err error) {
	c = s.Client
	for _, k := range s.Keys {
		public, err := x509.ParsePKIXPublicKey(k.Public)
		if err != nil {
			return client.Client{}, err
		}
		c.Keys = append(c.Keys, jose.Key{KID: k.KID, Alg: jose.Algorithm(k.Alg), Public: public})
	}
	for _, k := range s.EncryptionKeys {
		public, err := x509.ParsePKIXPublicKey(k.Public)
		if err != nil {
			return client.Client{}, err
		}
		c.EncryptionKeys = append(c.EncryptionKeys, jose.EncryptionKey{KID: k.KID, Alg: jose.KeyManagement(k.Alg), Public: public})
	}
	return c, nil
}

// Client implements [client.Store]. That there is none is read each time: a cache
// of what does not exist is for strangers to fill.
func (t *Tenant) Client(ctx context.Context, id string) (client.Client, error) {
	if c, ok := t.leased.client(id, t.db.options.Lease); ok {
		return c, nil
	}
	k := begin()
	var name, managedBy string
	var disabled bool
	var created time.Time
	var settings clientSettings
	var sealed []byte
	err := t.db.reader().row(ctx, `
		SELECT `+lookColumns+`, clients.name, clients.disabled, clients.managed_by, clients.settings, clients.secrets, clients.created_at
		FROM clients JOIN tenants ON tenants.id = clients.tenant_id
		WHERE clients.tenant_id = $1 AND clients.id = $2`, t.id, id,
	).Scan(append(k.into(), &name, &disabled, &managedBy, document{&settings}, &sealed, (*instant)(&created))...)
	if err != nil {
		return client.Client{}, notFound(err, "There is no client %q.", id)
	}
	c, err := settings.client()
	if err != nil {
		return client.Client{}, fmt.Errorf("client %q: %w", id, err)
	}
	c.ID, c.Name, c.Disabled, c.NotBefore = id, name, disabled, created.Truncate(time.Second)
	if err := t.openSecrets(&c, sealed); err != nil {
		return client.Client{}, err
	}
	c.SelfRegistered = managedBy == tenant.ManagedByItself
	t.leased.keepClient(k, c)
	return c, nil
}

// AllowsOrigin implements [client.Store].
func (t *Tenant) AllowsOrigin(ctx context.Context, origin string) (bool, error) {
	if t.leased.allows(origin, t.db.options.Lease) {
		return true, nil
	}
	k := begin()
	err := t.db.reader().row(ctx, `
		SELECT `+lookColumns+` FROM tenants
		WHERE id = $1 AND EXISTS (
			SELECT 1 FROM client_origins
			JOIN clients ON clients.tenant_id = client_origins.tenant_id AND clients.id = client_origins.client_id
			WHERE client_origins.tenant_id = $1 AND client_origins.origin = $2 AND NOT clients.disabled)`,
		t.id, origin).Scan(k.into()...)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	t.leased.keepOrigin(k, origin)
	return true, nil
}

// openSecrets opens a client's secrets: their hashes, and the secrets themselves of one
// that signs with them. A hash alone opens nothing; sealed, a copy of the database does
// not even tell which clients share a secret.
func (t *Tenant) openSecrets(c *client.Client, sealed []byte) error {
	text, err := t.unseal(sealed, "clients", "secrets", c.ID)
	if err != nil || text == nil {
		return err
	}
	if c.AuthMethod == oauth.AuthSecretJWT {
		var kept sharedSecrets
		if err := json.Unmarshal(text, &kept); err != nil {
			return fmt.Errorf("the secrets of client %q: %w", c.ID, err)
		}
		for _, v := range kept.Shared {
			c.AddSecret(secret.Value(v))
		}
		return nil
	}
	var kept [][]byte
	if err := json.Unmarshal(text, &kept); err != nil {
		return fmt.Errorf("the secrets of client %q: %w", c.ID, err)
	}
	c.Secrets = make([]secret.Hash, len(kept))
	for i, h := range kept {
		if copy(c.Secrets[i][:], h) != len(c.Secrets[i]) {
			return fmt.Errorf("a secret of client %q is no hash", c.ID)
		}
	}
	return nil
}

// ConsumeAssertion implements [client.Store].
func (t *Tenant) ConsumeAssertion(ctx context.Context, clientID string, jti secret.Hash, expires, now time.Time) error {
	return t.consume(ctx, t.db.writer(), clientID, jti, expires, now)
}

func (t *Tenant) consume(ctx context.Context, tx hand, clientID string, jti secret.Hash, expires, now time.Time) error {
	n, err := tx.exec(ctx, `
		INSERT INTO used_assertions (tenant_id, client_id, jti, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, client_id, jti) DO UPDATE SET expires_at = excluded.expires_at
		WHERE used_assertions.expires_at <= $5`,
		t.id, clientID, jti, instant(expires), instant(now))
	return mustChange(n, err, fault.New(fault.Conflict, "The assertion was used before."))
}

// byOperator is who disabled a row of the configuration by a verb. What the
// configuration disabled, byFile, it enables again when it says so.
const (
	byOperator = tenant.DisabledByOperator
	byFile     = tenant.ManagedByFile
)

// DisableClient implements [client.Switch].
func (t *Tenant) DisableClient(ctx context.Context, id string, by audit.By) error {
	return t.setDisabled(ctx, "clients", id, byOperator, by, audit.Event{Kind: audit.ClientDisabled, ClientID: id})
}

// EnableClient implements [client.Switch].
func (t *Tenant) EnableClient(ctx context.Context, id string, by audit.By) error {
	return t.setDisabled(ctx, "clients", id, "", by, audit.Event{Kind: audit.ClientEnabled, ClientID: id})
}

// setDisabled disables a row of the configuration in the name of somebody, or
// enables it in nobody's.
func (t *Tenant) setDisabled(ctx context.Context, table, id, inName string, by audit.By, e audit.Event) error {
	return t.changeConfiguration(ctx, func(tx hand) error {
		n, err := tx.exec(ctx, `
			UPDATE `+table+` SET disabled = $3, disabled_by = $4, version = version + 1, updated_at = $5
			WHERE tenant_id = $1 AND id = $2`, t.id, id, inName != "", inName, instant(by.At))
		if err := mustChange(n, err, fault.New(fault.NotFound, "There is nothing called %q among the %s.", id, table)); err != nil {
			return err
		}
		e.At, e.Actor, e.RemoteAddr = by.At, by.Actor, by.RemoteAddr
		return t.witness(ctx, tx, by, e)
	})
}
