// Package worker puts the public server together. Read it to see the whole: what
// there is, what it is made of, and what runs beside the requests.
package worker

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

	"dex/internal/admin/api"
	"dex/internal/app/config"
	"dex/internal/app/metrics"
	"dex/internal/app/office"
	"dex/internal/app/process"
	"dex/internal/app/tracing"
	"dex/internal/base/clock"
	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/seal"
	"dex/internal/connector"
	"dex/internal/connector/all"
	"dex/internal/domain/credential"
	"dex/internal/domain/tenant"
	"dex/internal/store"
	"dex/web"
)

// Options are what a test puts in the place of the world. Their zero value is the
// world.
type Options struct {
	Log   *slog.Logger
	Clock clock.Clock      // instead of the database's time
	Kinds []connector.Kind // instead of all kinds of connectors
	DB    *store.DB        // instead of the database that the settings name; it stays open
	// Hasher is of passwords, instead of one that costs what withstands a guesser.
	Hasher *credential.Argon2

	Admin        net.Listener // of the administrators' API; nil for none
	AdminAddress string       // of it, as its clients know it
	AdminRate    api.Rate     // of its callers; zero is its default
	Terminal     io.Writer    // where whoever installs dex looks; nil if nobody does
	Metrics      net.Listener // where metrics are asked for; nil for none
	Mutual       net.Listener // where clients are asked for certificates; nil for none

	// Farewell is how long somebody who signs out waits for the applications that are
	// told of it; zero is its default.
	Farewell time.Duration

	After func(d time.Duration) <-chan time.Time // instead of this machine's time, while the server leaves
}

// Worker is the user-facing server.
type Worker struct {
	settings    *config.Settings
	options     Options
	log         *slog.Logger
	hasher      *credential.Argon2
	keys        *seal.Ring
	roots       *x509.CertPool // whom it trusts; nil for those of the system
	client      *http.Client   // the one that leaves the house
	authorities *x509.CertPool // who vouch for the certificates of clients; nil for nobody

	serving atomic.Bool                  // whether everything is there
	leaving atomic.Bool                  // whether it has been told to stop
	admin   atomic.Pointer[http.Handler] // for operators; nil until everything is there
	waiting process.Waiting              // what for
	db      *store.DB
	office  *office.Office // what this process does for the whole installation
	pages   *web.Renderer
	home    *site // of the default tenant, to which the settings belong
	sites   *sites
	metrics *metrics.Metrics // nil if nobody wants to know
	tracing *tracing.Tracing // nil if nobody wants to know
}

// patience is how long a request may take: a provider that is asked has ten
// seconds, and a database that stalls must not gather everybody who waits for it.
const patience = 15 * time.Second

// farewell is how long somebody who signs out waits for the applications that are told
// of it. One that answers does so in less; one that does not is told later.
const farewell = 3 * time.Second

// drain is how long requests under way have to end when the server stops.
const drain = 10 * time.Second

// New returns a worker for settings that have been checked. It opens nothing yet.
func New(s *config.Settings, o Options) (*Worker, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Kinds == nil {
		o.Kinds = all.Kinds()
	}
	if o.Farewell == 0 {
		o.Farewell = farewell
	}
	if o.Hasher == nil {
		o.Hasher = credential.NewArgon2(0)
	}
	if o.After == nil {
		o.After = time.After
	}
	home, err := newSite(tenant.Tenant{ID: tenant.Default, Issuer: s.Issuer})
	if err != nil {
		return nil, err
	}
	keys, err := process.Keys(s.KeySecrets, s.KeyFile())
	if err != nil {
		return nil, err
	}
	roots, err := process.Roots(s.OutboundCAFile)
	if err != nil {
		return nil, err
	}
	w := &Worker{settings: s, options: o, log: o.Log, home: home, keys: keys, hasher: o.Hasher, roots: roots, client: outward(s, roots)}
	if w.authorities, err = authorities(s.MTLSCAFile); err != nil {
		return nil, err
	}
	w.sites = newSites(home, w.put, func(id, why string) { w.log.Warn("a tenant is not served", "tenant", id, "why", why) })
	if s.OTLPEndpoint != "" {
		if w.tracing, err = tracing.New(context.Background(), s.OTLPEndpoint, "dex-worker", w.log); err != nil {
			return nil, err
		}
		w.hasher.Tracer = w.tracing
	}
	if s.MetricsListen != "" {
		w.metrics = metrics.New("dex-worker", metrics.Sources{Store: w.measured, Serving: w.standing})
	}
	return w, nil
}

// Serve answers at the listener until it is told to stop, by the end of ctx. It answers
// at once: until everything that it needs is there it says what it waits for. Told to
// stop, it first says that it leaves, for as long as the settings give those who send
// people here to hear of it; then it takes nobody any more, and ends when the requests
// under way have. What runs beside them ends last.
func (w *Worker) Serve(told context.Context, listener net.Listener) error {
	ctx, stop := context.WithCancel(context.WithoutCancel(told))
	defer stop()
	open, shut := context.WithCancel(ctx) // for as long as connections are taken
	defer shut()
	var beside, operators sync.WaitGroup
	beside.Go(func() {
		w.leave(told, ctx)
		shut()
	})
	failed := make(chan error, 4)
	beside.Go(func() {
		err := w.waiting.Until(ctx, w.log, w.assemble)
		switch {
		case err == nil:
			w.runBeside(ctx)
		case ctx.Err() == nil: // else it was stopped while it waited
			failed <- err
			stop()
		}
	})
	if w.options.Admin != nil {
		operators.Go(func() {
			if err := w.serveAdmin(open, w.options.Admin); err != nil && open.Err() == nil {
				failed <- err
				stop()
			}
		})
	}
	if w.options.Metrics != nil {
		beside.Go(func() {
			if err := w.metrics.Serve(ctx, w.options.Metrics, w.log); err != nil && ctx.Err() == nil {
				failed <- err
				stop()
			}
		})
	}
	if w.options.Mutual != nil {
		operators.Go(func() {
			err := httpx.Serve(open, w.options.Mutual, httpx.NewServer(w.Handler(), w.log), drain)
			if err != nil && open.Err() == nil {
				failed <- err
				stop()
			}
		})
	}
	server := httpx.NewServer(w.Handler(), w.log)
	err := httpx.Serve(open, listener, server, drain)
	shut()
	operators.Wait()
	stop()
	beside.Wait()
	select {
	case cause := <-failed:
		err = cause
	default:
	}
	return errors.Join(err, w.Close())
}

// leave returns when nobody is sent here any more after the worker has been told to
// stop, or at once if it has failed. Whoever was not ready has nobody to tell.
func (w *Worker) leave(told, failed context.Context) {
	select {
	case <-failed.Done():
		return
	case <-told.Done():
	}
	if !w.serving.Load() || w.settings.Drain == 0 {
		return
	}
	w.leaving.Store(true)
	w.log.Info("leaving: whoever comes is served until then; a second signal ends it at once", "for", w.settings.Drain)
	select {
	case <-failed.Done():
	case <-w.options.After(w.settings.Drain):
	}
}

// Close lets go of the database.
func (w *Worker) Close() error {
	var err error
	if w.tracing != nil {
		if err := w.tracing.Close(); err != nil {
			w.log.Warn("the last traces could not be sent", "error", err)
		}
	}
	if w.db != nil && w.db != w.options.DB {
		err = w.db.Close()
	}
	return err
}

// tracer returns what follows requests; nil if nobody wants to know.
func (w *Worker) tracer() measure.Tracer {
	if w.tracing == nil {
		return nil
	}
	return w.tracing
}

// Open opens everything now, or fails. It is for programs that do one thing and
// end, and for tests.
func (w *Worker) Open(ctx context.Context) error { return w.assemble(ctx) }

// assemble opens the database, and puts together what stands on it.
func (w *Worker) assemble(ctx context.Context) error {
	if w.db == nil {
		db, err := w.openStore(ctx)
		if err != nil {
			return err
		}
		w.db = db
	}
	if err := w.prepare(ctx); err != nil {
		return err
	}
	if err := w.db.Opens(ctx); err != nil {
		return err
	}
	w.office = w.newOffice()
	if err := w.begin(ctx); err != nil {
		return err
	}
	w.serving.Store(true)
	return w.putAdmin()
}

func (w *Worker) openStore(ctx context.Context) (*store.DB, error) {
	if w.options.DB != nil {
		return w.options.DB, nil
	}
	address := string(w.settings.DB)
	if w.settings.NoDB {
		address = "sqlite::memory:"
	}
	return store.Open(ctx, store.Options{
		Tracer: w.tracer(),
		URL:    address, Keys: w.keys, Clock: w.options.Clock, Log: w.log,
		MaxOpen: w.settings.DBMaxOpenConns, MaxIdle: w.settings.DBMaxIdleConns,
	})
}

// prepare brings the database to where this program needs it, if it has the
// duties; else it makes sure that somebody has.
func (w *Worker) prepare(ctx context.Context) error {
	if w.settings.Duties {
		return w.db.Migrate(ctx)
	}
	return w.db.Check(ctx)
}

// Handler answers requests, from the first moment on.
func (w *Worker) Handler() http.Handler {
	h := w.aside(http.HandlerFunc(w.dispatch))
	h = httpx.PlainPath(h)
	h = httpx.RealCertificates(h, httpx.Forwarding{Proxies: w.settings.TrustedProxies, Secret: w.settings.ForwardedCertificatesSecret})
	h = httpx.Headers(h, w.home.secure())
	h = httpx.Log(h, w.log)
	return httpx.RealAddr(h, httpx.Proxies(w.settings.TrustedProxies))
}
