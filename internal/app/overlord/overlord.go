// Package overlord puts together what stands beside the workers: it brings the
// database up to date, has the duties, and serves the part of the administrators' API
// that is about the whole. Nobody who logs in needs it.
package overlord

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"dex/internal/app/config"
	"dex/internal/app/delivery"
	"dex/internal/app/duty"
	"dex/internal/app/metrics"
	"dex/internal/app/office"
	"dex/internal/app/operate"
	"dex/internal/app/process"
	"dex/internal/app/tracing"
	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/outbound"
	"dex/internal/base/seal"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/tenant"
	"dex/internal/store"
)

const (
	// drain is how long what is under way has to end when the program stops.
	drain = 10 * time.Second
	// patience is how long a request may take.
	patience = 15 * time.Second
)

// Overlord has the duties of an installation.
type Overlord struct {
	// Told is called with what came of each run of a duty, for metrics; nil for nobody.
	Told func(duty.Outcome)
	// More are duties beside those that every installation has.
	More []duty.Duty

	settings *config.Overlord
	log      *slog.Logger
	metrics  net.Listener     // where metrics are asked for; nil for none
	tracing  *tracing.Tracing // nil if nobody wants to know
	keys     *seal.Ring
	roots    *x509.CertPool // whom to trust out there; nil for those of the system
	terminal io.Writer      // nil if nobody looks
	address  string         // of the API

	db      atomic.Pointer[store.DB]
	api     atomic.Pointer[http.Handler] // nil until everything is there
	waiting process.Waiting
}

// New returns an overlord for settings that have been checked. It opens nothing yet.
func New(s *config.Overlord, log *slog.Logger, terminal io.Writer) (*Overlord, error) {
	keys, err := process.Keys(s.KeySecrets, s.KeyFile())
	if err != nil {
		return nil, err
	}
	roots, err := process.Roots(s.OutboundCAFile)
	if err != nil {
		return nil, err
	}
	o := &Overlord{settings: s, log: log, keys: keys, roots: roots, terminal: terminal}
	if s.OTLPEndpoint != "" {
		if o.tracing, err = tracing.New(context.Background(), s.OTLPEndpoint, "dex-overlord", log); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Run runs the program until ctx is done. What only a person should read goes to out,
// if that is a terminal.
func Run(ctx context.Context, s *config.Overlord, out, logTo io.Writer) error {
	log, flush := process.Log(s.LogLevel, s.LogFormat, logTo)
	defer flush()
	var listener net.Listener
	if s.AdminListen != "" {
		var err error
		if listener, err = process.Listen(ctx, s.AdminListen, "admin-listen", s.TLSCertFile, s.TLSKeyFile); err != nil {
			return err
		}
		log.Info("listening", "address", listener.Addr().String())
	}
	o, err := New(s, log, process.Terminal(out))
	if err != nil {
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	if s.MetricsListen != "" {
		if o.metrics, err = process.Listen(ctx, s.MetricsListen, "metrics-listen", "", ""); err != nil {
			if listener != nil {
				err = errors.Join(err, listener.Close())
			}
			return err
		}
	}
	if err = o.Serve(ctx, listener); errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Serve answers at the listener, if there is one, and has the duties until ctx is
// done.
func (o *Overlord) Serve(ctx context.Context, listener net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o.address = o.addressOf(listener)
	var beside sync.WaitGroup
	var failed error
	beside.Go(func() {
		if err := o.work(ctx); err != nil && ctx.Err() == nil {
			failed = err
		}
		stop()
	})
	if o.metrics != nil {
		beside.Go(func() {
			if err := metrics.New("dex-overlord", metrics.Sources{Store: o.measured}).Serve(ctx, o.metrics, o.log); err != nil && ctx.Err() == nil {
				o.log.Error("the metrics cannot be asked for any more", "error", err)
			}
		})
	}
	var err error
	if listener != nil {
		err = httpx.Serve(ctx, listener, httpx.NewServer(o.Handler(), o.log), drain)
	}
	if listener == nil {
		<-ctx.Done()
	}
	stop()
	beside.Wait()
	if o.tracing != nil {
		if err := o.tracing.Close(); err != nil {
			o.log.Warn("the last traces could not be sent", "error", err)
		}
	}
	if db := o.db.Load(); db != nil {
		err = errors.Join(err, db.Close())
	}
	return errors.Join(failed, err)
}

// addressOf returns where the API is asked; nothing if nobody can.
func (o *Overlord) addressOf(listener net.Listener) string {
	switch {
	case listener == nil:
		return ""
	case o.settings.TLSCertFile != "":
		return "https://" + listener.Addr().String()
	}
	return "http://" + listener.Addr().String()
}

// tracer returns what follows duties and requests; nil if nobody wants to know.
func (o *Overlord) tracer() measure.Tracer {
	if o.tracing == nil {
		return nil
	}
	return o.tracing
}

// measured returns the database, as soon as there is one.
func (o *Overlord) measured() metrics.Database {
	if db := o.db.Load(); db != nil {
		return db
	}
	return nil
}

// work waits until everything is there, and does the duties until ctx is done.
func (o *Overlord) work(ctx context.Context) error {
	if err := o.waiting.Until(ctx, o.log, o.assemble); err != nil {
		return err
	}
	db := o.db.Load()
	of := o.office(db)
	if err := o.greet(ctx, db); err != nil {
		o.log.Warn("the one-time secret for the first administrator could not be offered", "error", err)
	}
	var all sync.WaitGroup
	all.Go(func() { db.Watch(ctx) })
	all.Go(func() { o.putAPI(ctx, db, of) })
	r := of.Roster()
	r.Duties = append(r.Duties, o.More...)
	all.Go(func() { r.Run(ctx) })
	all.Wait()
	return ctx.Err()
}

func (o *Overlord) assemble(ctx context.Context) error {
	db := o.db.Load()
	if db == nil {
		opened, err := store.Open(ctx, store.Options{
			Tracer: o.tracer(),
			URL:    string(o.settings.DB), Keys: o.keys, Log: o.log, MaxOpen: o.settings.DBMaxOpenConns, MaxIdle: o.settings.DBMaxOpenConns,
		})
		if err != nil {
			return err
		}
		db = opened
		o.db.Store(db)
	}
	prepare := db.Check
	if o.settings.DBMigrate {
		prepare = db.Migrate
	}
	if err := prepare(ctx); err != nil {
		return err
	}
	return db.Opens(ctx)
}

func (o *Overlord) office(db *store.DB) *office.Office {
	s := o.settings
	outward := outbound.New(outbound.Options{AllowPrivate: s.OutboundAllowPrivate, RootCAs: o.roots})
	return &office.Office{
		DB: db, Log: o.log, Hasher: credential.NewArgon2(0), Told: o.Told, Tracer: o.tracer(), ClearEvery: s.GCInterval,
		Algorithms: office.Algorithms(s.Keys), Timing: office.Timing(s.Keys, s.Expiry), Lifetimes: office.Lifetimes(s.Expiry),
		Delivery: delivery.Settings{
			Mail: s.Mail, Audit: s.Audit, AllowPrivate: s.OutboundAllowPrivate, Roots: o.roots, Host: office.Host(),
			Client:    outward,
			Documents: &client.Documents{Fetch: outbound.Fetch(outward), Hosts: s.ClientDocumentsAllow, Clock: db.Clock()},
		},
	}
}

func (o *Overlord) greet(ctx context.Context, db *store.DB) error {
	return office.Greeting{
		DB: db, Log: o.log, Terminal: o.terminal, File: o.settings.BootstrapSecretFile, API: o.address,
		Command: "dex-overlord bootstrap-secret",
	}.Greet(ctx)
}

// putAPI puts the API together, and once more when a worker has told the issuer.
func (o *Overlord) putAPI(ctx context.Context, db *store.DB, of *office.Office) {
	for known := false; !known; {
		issuer := ""
		if t, err := db.RegisteredTenant(ctx, tenant.Default); err == nil {
			issuer, known = t.Issuer, true
		}
		if known || o.api.Load() == nil {
			server, err := operate.New(operate.Options{
				DB: db, Keys: o.keys, Clock: db.Clock(), Log: o.log, Address: o.address, Issuer: issuer,
				Trusted: httpx.Proxies(o.settings.TrustedProxies), More: of.Nouns(), Only: true, Tracer: o.tracer(),
			})
			if err != nil {
				o.log.Error("the administrators' API could not be put together", "error", err)
				return
			}
			h := httpx.Deadline(server.Handler(), patience)
			o.api.Store(&h)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(process.Pause):
		}
	}
}
