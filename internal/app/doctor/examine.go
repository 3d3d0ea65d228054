package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"dex/internal/app/config"
	"dex/internal/app/process"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/outbound"
	"dex/internal/base/seal"
	"dex/internal/base/strict"
	"dex/internal/connector"
	"dex/internal/connector/all"
	"dex/internal/connector/roster"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/key"
	"dex/internal/domain/tenant"
	"dex/internal/store"
)

// patience is how long one thing may take to be looked at.
const patience = 15 * time.Second

// Examine gathers the facts of the installation that a configuration describes. What
// cannot be looked at is a fact too.
func Examine(ctx context.Context, src config.Source, clk clock.Clock) Facts {
	f := Facts{Now: clk.Now()}
	s, err := config.Load(src)
	if err != nil {
		f.Mistakes = mistakesOf(err)
		return f
	}
	f.Settings = s
	f.KeyPlan = &KeyPlan{Algorithms: slices.Concat(s.Keys.Algorithms, s.Keys.Encryption), Rotation: s.Keys.Rotation, Lead: s.Keys.Lead}
	f.Files = secretFiles(s)
	if c := shown(s); c != nil {
		f.Certificates = append(f.Certificates, *c)
	}
	e := examiner{facts: &f, settings: s, clock: clk}
	if e.store(ctx); f.Clients == nil && f.Connectors == nil {
		e.declared()
	}
	e.check(ctx)
	return f
}

func mistakesOf(err error) strict.Mistakes {
	if all, ok := errors.AsType[strict.Mistakes](err); ok {
		return all
	}
	return strict.Mistakes{{Message: err.Error()}}
}

// examiner looks at one installation.
type examiner struct {
	facts    *Facts
	settings *config.Settings
	clock    clock.Clock
}

// failed notes that something could not be looked at.
func (e *examiner) failed(about string, err error) {
	e.facts.Failures = append(e.facts.Failures, Failure{about, err.Error()})
}

// store looks at the database and at what it keeps. It makes neither a database nor a
// key for it.
func (e *examiner) store(ctx context.Context) {
	s, d := e.settings, &Database{Durable: true}
	if s.NoDB {
		return
	}
	if file := s.DB.File(); file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return // nothing has been started yet
		}
	}
	keys, err := ring(s)
	if err != nil {
		e.failed("key_secrets", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e.facts.Database = d
	db, err := store.Open(ctx, store.Options{URL: string(s.DB), Keys: keys, MaxOpen: 2, MaxIdle: 1})
	if err != nil {
		d.Err = err.Error()
		return
	}
	defer func() { _ = db.Close() }()
	e.condition(ctx, db, d)
	if d.Err == "" && d.TooNew == "" && d.Schema >= d.Brings {
		e.kept(ctx, db)
	}
}

// condition looks at the database itself.
func (e *examiner) condition(ctx context.Context, db *store.DB, d *Database) {
	c, err := db.Condition(ctx)
	if err == nil {
		d.Version, d.Skew, d.Superuser, d.Durable = c.Version, c.Skew, c.Superuser, c.Durable
		d.Schema, d.Brings, err = db.SchemaVersion(ctx)
	}
	if err != nil {
		d.Err = err.Error()
		return
	}
	switch err := db.Check(ctx); {
	case fault.Is(err, fault.Conflict):
		d.TooNew = err.Error()
	case err != nil && d.Schema >= d.Brings: // that it is too old is a finding of its own
		d.Err = err.Error()
	}
}

// page is how many things are read at once.
const page = 500

// kept reads what the database keeps of the default tenant.
func (e *examiner) kept(ctx context.Context, db *store.DB) {
	if err := db.Opens(ctx); err != nil {
		e.failed("key_secrets", err)
		return
	}
	t, err := db.Tenant(ctx, tenant.Default)
	if fault.Is(err, fault.NotFound) {
		return // nobody has started a worker yet
	}
	if err != nil {
		e.failed("tenant default", err)
		return
	}
	after := ""
	for {
		some, err := t.Clients(ctx, client.Filter{}, after, page)
		if err != nil {
			e.failed("clients", err)
			break
		}
		e.facts.Clients = append(e.facts.Clients, some...)
		if len(some) < page {
			break
		}
		after = some[len(some)-1].ID
	}
	configured, err := t.Connectors(ctx)
	if err != nil {
		e.failed("connectors", err)
	}
	for _, c := range configured {
		e.facts.Connectors = append(e.facts.Connectors, Connector{Configured: c})
	}
	keys, err := t.SigningKeys(ctx)
	if err != nil {
		e.failed("keys", err)
		return
	}
	e.facts.Keys = slices.DeleteFunc(keys, func(k key.Key) bool { return k.Private == nil })
	e.facts.KeysKnown = true
}

// declared takes what the configuration declares, where the database says nothing.
func (e *examiner) declared() {
	for i, c := range e.settings.Clients {
		made, err := c.Make()
		if err != nil {
			e.failed(fmt.Sprintf("clients[%d]", i), err)
			continue
		}
		e.facts.Clients = append(e.facts.Clients, client.Registered{Client: made})
	}
	for _, c := range e.settings.Connectors {
		e.facts.Connectors = append(e.facts.Connectors, Connector{Configured: c.Make()})
	}
}

// check asks every connector whether it works, all at once.
func (e *examiner) check(ctx context.Context) {
	configured := make(given, len(e.facts.Connectors))
	for i, c := range e.facts.Connectors {
		configured[i] = c.Configured
	}
	r := &roster.Roster{Store: configured, Kinds: all.Kinds(), Clock: e.clock, Env: connector.Env{
		Issuer: e.settings.Issuer, Client: outbound.New(outbound.Options{AllowPrivate: e.reach()}), Clock: e.clock,
		Hasher: credential.NewArgon2(1), Credentials: noPasswords{},
	}}
	var wg sync.WaitGroup
	for i := range e.facts.Connectors {
		c := &e.facts.Connectors[i]
		if c.Disabled {
			continue
		}
		c.Plaintext = plaintext(c.Config)
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			began := e.clock.Now()
			opened, err := r.Connector(ctx, c.ID)
			if err == nil {
				err = opened.Check(ctx)
			}
			c.Took, c.Checked = e.clock.Now().Sub(began), true
			if err != nil {
				c.Err = err.Error()
			}
		})
	}
	wg.Wait()
}

// reach is where connectors may reach, as the worker has it.
func (e *examiner) reach() []netip.Prefix {
	allow := e.settings.OutboundAllowPrivate
	if e.settings.NoDB {
		allow = append(allow[:len(allow):len(allow)], netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	return allow
}

// given are connectors that are looked at, as a store.
type given []connector.Configured

// Connectors implements [connector.Store].
func (g given) Connectors(context.Context) ([]connector.Configured, error) { return g, nil }

// noPasswords stands where our own password table would: nobody logs in here.
type noPasswords struct{ credential.Store }

// plaintext returns the first address in a connector's configuration, by the names of
// its settings, that is spoken to in the clear, beyond this machine.
func plaintext(config json.RawMessage) string {
	var members map[string]any
	if json.Unmarshal(config, &members) != nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		text, _ := members[name].(string)
		if u, err := url.Parse(text); err == nil && u.Scheme == "http" && !tenant.Loopback(u.Hostname()) {
			return text
		}
	}
	return ""
}

// ring returns the ring of the key secrets, without making one.
func ring(s *config.Settings) (*seal.Ring, error) {
	if file := s.KeyFile(); file != "" {
		if _, err := os.Stat(file); err != nil {
			return nil, err
		}
	}
	return process.Keys(s.KeySecrets, s.KeyFile())
}

// secretFiles looks at the files that hold secrets.
func secretFiles(s *config.Settings) (found []File) {
	look := func(path, holds string, beside bool) {
		if info, err := os.Stat(path); err == nil && path != "" {
			found = append(found, File{Path: path, Holds: holds, Open: info.Mode().Perm()&0o077 != 0, BesideDB: beside})
		}
	}
	look(s.KeyFile(), "the secret that seals the database", true)
	look(s.TLSKeyFile, "the server's private key", false)
	look(s.DB.File(), "the database", false)
	if holdsSecrets(s) {
		look(s.File, "the configuration, with secrets in it,", false)
	}
	return found
}

// holdsSecrets reports whether the configuration gives secrets themselves. Those that
// it only says the place of look the same by now, so that it may err; then a mode that
// is too narrow does no harm.
func holdsSecrets(s *config.Settings) bool {
	for _, c := range s.Clients {
		if c.Secret != "" || len(c.Secrets) > 0 {
			return true
		}
	}
	return false
}

// shown looks at the certificate that the server shows; nil if it shows none.
func shown(s *config.Settings) *Certificate {
	if s.TLSCertFile == "" {
		return nil
	}
	c := &Certificate{About: "tls_cert_file"}
	pair, err := tls.LoadX509KeyPair(s.TLSCertFile, s.TLSKeyFile)
	if err == nil && pair.Leaf == nil {
		pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0])
	}
	if err != nil {
		c.Err = err.Error()
		return c
	}
	leaf := pair.Leaf
	c.NotBefore, c.NotAfter, c.Names = leaf.NotBefore, leaf.NotAfter, leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	if u, err := url.Parse(s.Issuer); err == nil {
		c.Host = u.Hostname()
		if host, _, err := net.SplitHostPort(u.Host); err == nil {
			c.Host = host
		}
		c.Covers = leaf.VerifyHostname(c.Host) == nil
	}
	return c
}
