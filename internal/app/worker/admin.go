package worker

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"dex/internal/admin/api"
	"dex/internal/admin/declare"
	"dex/internal/admin/resource"
	"dex/internal/app/config"
	"dex/internal/app/operate"
	"dex/internal/app/process"
	"dex/internal/base/httpx"
	"dex/internal/base/mail"
	"dex/internal/domain/tenant"
	"dex/web"
)

// listenToOperators opens the listener of the administrators' API; none if it is off.
func listenToOperators(ctx context.Context, s *config.Settings) (net.Listener, error) {
	if s.AdminListen == "" {
		return nil, nil
	}
	return process.Listen(ctx, s.AdminListen, "admin-listen", s.TLSCertFile, s.TLSKeyFile)
}

// adminAddress is where operators reach the API. Who listens at every address is
// reached under the name of the issuer.
func adminAddress(s *config.Settings, listener net.Listener) string {
	if listener == nil {
		return ""
	}
	scheme := "http"
	if s.TLSCertFile != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return ""
	}
	issuer, err := url.Parse(s.Issuer)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		host = issuer.Hostname()
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// serveAdmin answers operators at a listener of their own until ctx is done.
func (w *Worker) serveAdmin(ctx context.Context, listener net.Listener) error {
	w.log.Info("the administrators' API is listening", "address", listener.Addr().String())
	return httpx.Serve(ctx, listener, httpx.NewServer(w.AdminHandler(), w.log), drain)
}

// AdminHandler answers operators. Until the worker is put together it says so.
func (w *Worker) AdminHandler() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if s := w.admin.Load(); s != nil {
			(*s).ServeHTTP(rw, r)
			return
		}
		rw.Header().Set("Retry-After", "1")
		problem := resource.NewProblem(http.StatusServiceUnavailable, resource.Unavailable, "This service is starting. Please try again in a moment.")
		_ = httpx.WriteProblem(rw, problem.Status, problem)
	})
}

// adminPatience is how long an operator's request may take: a whole configuration may
// be applied by one.
const adminPatience = 50 * time.Second

// putAdmin puts the administrators' API together.
func (w *Worker) putAdmin() error {
	s, err := w.Admin()
	if err != nil {
		return err
	}
	h := httpx.Deadline(s.Handler(), adminPatience)
	w.admin.Store(&h)
	return nil
}

// Admin returns the administrators' API of a worker that has been put together.
func (w *Worker) Admin() (*api.Server, error) {
	return operate.New(operate.Options{
		More:   w.office.Nouns(),
		Tracer: w.tracer(),
		DB:     w.db, Keys: w.keys, Clock: w.db.Clock(), Log: w.log,
		Address: cmp.Or(w.options.AdminAddress, "http://127.0.0.1"), Issuer: w.settings.Issuer,
		Trusted: httpx.Proxies(w.settings.TrustedProxies), Rate: w.options.AdminRate, Strangers: w.options.AdminRate,
		Kinds: w.options.Kinds, Outbound: w.client, Hasher: w.hasher,
		Rules:  declare.Rules{Algorithms: w.settings.Keys.Algorithms, Local: w.settings.NoDB || tenant.Loopback(w.home.url.Hostname())},
		Letter: w.letters(),
	})
}

// letters is what writes mail to people; nil if there is nothing to send it by.
func (w *Worker) letters() func(web.Letter) (mail.Message, error) {
	if w.settings.Mail.From == "" {
		return nil
	}
	return w.pages.Write
}
