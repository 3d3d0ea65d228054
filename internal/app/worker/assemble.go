package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"

	"dex/internal/app/config"
	"dex/internal/base/carry"
	"dex/internal/base/clock"
	"dex/internal/base/httpx"
	"dex/internal/base/outbound"
	"dex/internal/base/route"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/mint"
	"dex/internal/domain/tenant"
	"dex/internal/flow/account"
	"dex/internal/flow/authorize"
	"dex/internal/flow/device"
	"dex/internal/flow/discovery"
	"dex/internal/flow/home"
	"dex/internal/flow/login"
	"dex/internal/flow/logout"
	"dex/internal/flow/token"
	"dex/internal/flow/userinfo"
	"dex/internal/protocol/jose"
	"dex/internal/store"
	"dex/web"
)

// parts is what has been put together.
type parts struct {
	handler    http.Handler
	ring       *key.Ring
	roster     *roster.Roster
	algorithms []jose.Algorithm
	tenant     *store.Tenant
	clock      clock.Clock
}

// put puts one tenant's flows together. This is the only place that knows them
// all; each gets what it needs, and no more.
func (w *Worker) put(ctx context.Context) (*parts, error) {
	db, clk := w.db, w.db.Clock()
	t, err := db.EnsureTenant(ctx, tenant.Default, w.settings.Issuer)
	if err != nil {
		return nil, err
	}
	if err := w.declare(ctx, t, clk.Now()); err != nil {
		return nil, err
	}
	p := &parts{tenant: t, clock: clk, algorithms: algorithms(w.settings)}
	p.ring = &key.Ring{Store: t, Clock: clk, Timing: timing(w.settings)}
	if err := w.firstKeys(ctx, p); err != nil {
		return nil, err
	}
	p.roster = &roster.Roster{Store: t, Kinds: w.options.Kinds, Clock: clk, Env: connector.Env{
		Issuer: w.settings.Issuer, Client: w.outbound(), Clock: clk, Log: w.log,
		Credentials: t, Hasher: w.hasher,
	}}
	pages, err := web.New(web.Options{
		Theme: w.theme(), Reload: w.settings.TemplatesReload, Service: w.settings.Name, Path: w.base(),
	})
	if err != nil {
		return nil, err
	}
	p.handler, err = w.mux(t, p, pages)
	return p, err
}

// mux joins the flows to their routes.
func (w *Worker) mux(t *store.Tenant, p *parts, pages *web.Renderer) (http.Handler, error) {
	var (
		issuer, base = w.settings.Issuer, w.base()
		origin       = httpx.Origin(w.issuer)
		lifetimes    = lifetimes(w.settings)
		cookies      = w.cookies()
		desk         = grant.Desk{Tenants: t, Clients: t, Connectors: p.roster, Clock: p.clock}
		attempts     = carry.Jar[grant.Request]{Box: w.keys.Box("attempt"), Cookies: cookies, Name: "dex_attempt_"}
		minter       = &mint.Mint{Issuer: issuer, Signer: p.ring, Lifetimes: lifetimes}
		refresh      = mint.RefreshTokens{Key: t.RefreshKey(), Tenant: tenant.Default}
		types        = []token.Grant{
			token.AuthorizationCode{Grants: t, Desk: desk, Lifetimes: lifetimes, Clock: p.clock},
			token.RefreshToken{Grants: t, Users: t, Desk: desk, Roster: p.roster, Tokens: refresh, Lifetimes: lifetimes, Clock: p.clock},
			token.ClientCredentials{Desk: desk, Clock: p.clock},
			token.DeviceCode{Devices: t, Grants: t, Desk: desk, Lifetimes: lifetimes, Clock: p.clock},
		}
		mux     = http.NewServeMux()
		onError = w.errorPage(pages)
	)
	(&authorize.Handler{
		Issuer: issuer, Base: base, Origin: origin, Lifetimes: lifetimes,
		Clients: t, Sessions: t, Grants: t, Devices: t, Traces: t, Desk: desk,
		Jar: attempts, Cookies: cookies, Pages: pages, Clock: p.clock,
		Subject: func(hint string) (string, bool) {
			subject, _, ok := mint.ReadIDTokenHint(hint, issuer, p.ring.Find)
			return subject, ok
		},
	}).Routes(mux, onError)
	(&login.Handler{
		Issuer: issuer, Base: base, Origin: origin, Lifetimes: lifetimes,
		Roster: p.roster, Clients: t, Users: t, Sessions: t, Grants: t, Traces: t, Desk: desk,
		Jar: attempts, Posted: carry.Jar[url.Values]{Box: w.keys.Box("posted"), Cookies: cookies, Name: "dex_posted_"},
		Devices: w.keys.Box("device"), Cookies: cookies, Pages: pages, Clock: p.clock,
	}).Routes(mux, onError)
	(&logout.Handler{
		Issuer: issuer, Base: base, Origin: origin, Clients: t, Sessions: t, Roster: p.roster, Find: p.ring.Find,
		Jar:  carry.Jar[logout.Leaving]{Box: w.keys.Box("logout"), Cookies: cookies, Name: "dex_logout_"},
		CSRF: w.keys.MACKey("logout"), Cookies: cookies, Pages: pages, Clock: p.clock,
	}).Routes(mux, onError)
	userCodes := w.keys.MACKey("user code of " + t.ID())
	(&device.Handler{
		Base: base, Origin: origin, Lifetimes: lifetimes, Clients: t, Devices: t, Guesses: t,
		UserCodes: userCodes, Jar: attempts, Pages: pages, Clock: p.clock,
	}).Routes(mux, onError)
	(&account.Handler{
		Base: base, Origin: origin, Service: w.settings.Name, Links: t, Hasher: w.hasher,
		Jar:   carry.Jar[account.Held]{Box: w.keys.Box("link"), Cookies: cookies, Name: "dex_link_"},
		Pages: pages, Clock: p.clock,
	}).Routes(mux, onError)
	(&home.Handler{
		Issuer: issuer, Base: base, DemoURL: w.demoURL(), Sessions: t, Cookies: cookies, Pages: pages, Clock: p.clock,
	}).Routes(mux, onError)
	(&token.Handler{
		Issuer: issuer, Lifetimes: lifetimes, Clients: t, Grants: t, Desk: desk,
		Mint: minter, Refresh: refresh, Ring: p.ring, Clock: p.clock, Types: types,
		Devices: t, UserCodes: userCodes,
	}).Routes(mux)
	(&userinfo.Handler{
		Issuer: issuer, Clients: t, Grants: t, Desk: desk, Ring: p.ring, Clock: p.clock,
	}).Routes(mux)
	documents := &discovery.Handler{
		Issuer: issuer, Algorithms: p.algorithms, GrantTypes: grantTypes(types), Locales: pages.Languages(),
		Ring: p.ring, MaxAge: p.ring.Timing.MaxAge,
	}
	quick := http.NewServeMux()
	for _, m := range []*http.ServeMux{mux, quick} {
		if err := documents.Routes(m, onError); err != nil {
			return nil, err
		}
	}
	mux.Handle("GET "+route.Static, pages.Static())
	h := httpx.Deadline(cookies.Tidy(orNotFound(mux, onError), "dex_"), patience)
	return below(base, straight(quick, h)), nil
}

// straight leads to the documents that everybody asks for, and which need neither a
// cookie nor the database, and leaves all the rest to the other handler.
func straight(documents, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case route.Keys, route.Discovery, route.OAuthMetadata:
			if r.Method == http.MethodGet {
				documents.ServeHTTP(w, r)
				return
			}
		}
		rest.ServeHTTP(w, r)
	})
}

func grantTypes(types []token.Grant) []string {
	names := make([]string, len(types))
	for i, g := range types {
		names[i] = g.Type()
	}
	return names
}

// cookies are named so that two issuers on one host, such as two ports of a
// loopback address, do not overwrite each other's.
func (w *Worker) cookies() httpx.Cookies {
	c := httpx.Cookies{Secure: w.issuer.Scheme == "https"}
	if !c.Secure || w.base() != "" {
		sum := sha256.Sum256([]byte(w.settings.Issuer))
		c.Space = hex.EncodeToString(sum[:3]) + "_"
	}
	return c
}

// outbound is the one client that leaves the house. With everything on one machine
// for a try, that machine may be reached.
func (w *Worker) outbound() *http.Client {
	allow := w.settings.OutboundAllowPrivate
	if w.settings.NoDB {
		allow = append(allow[:len(allow):len(allow)], netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	return outbound.New(outbound.Options{AllowPrivate: allow, PerHost: 32})
}

func (w *Worker) theme() fs.FS {
	if w.settings.Theme == "" {
		return nil
	}
	return os.DirFS(w.settings.Theme)
}

// firstKeys makes sure that there is something to sign with. Who has no duties
// waits until somebody who has does it.
func (w *Worker) firstKeys(ctx context.Context, p *parts) error {
	if w.settings.Duties {
		if _, err := p.ring.Turn(ctx, p.algorithms); err != nil {
			return err
		}
	}
	if err := p.ring.Refresh(ctx); err != nil {
		return err
	}
	if !p.ring.Ready(p.algorithms) {
		return errNoKeys
	}
	return nil
}

func algorithms(s *config.Settings) []jose.Algorithm {
	algs := make([]jose.Algorithm, 0, len(s.Keys.Algorithms)+1)
	for _, name := range s.Keys.Algorithms {
		algs = append(algs, jose.Algorithm(name))
	}
	return algs
}

func timing(s *config.Settings) key.Timing {
	t := key.DefaultTiming
	t.Rotation, t.Verifiers = s.Keys.Rotation, s.Keys.VerifierCache
	// A lead beyond what the timeline demands is a longer cache that it covers.
	t.Verifiers += max(0, s.Keys.Lead-t.Lead())
	t.LongestJWT = lifetimes(s).LongestToken()
	for _, c := range s.Clients {
		t.LongestJWT = max(t.LongestJWT, c.IDTokenTTL, c.AccessTokenTTL)
	}
	return t
}

func lifetimes(s *config.Settings) tenant.Lifetimes {
	e := s.Expiry
	return tenant.Lifetimes{
		Attempt: e.Attempts, Code: e.Codes, AccessToken: e.AccessTokens, IDToken: e.IDTokens,
		SessionIdle: e.SessionsIdle, Session: e.Sessions,
		RefreshIdle: e.RefreshIdle, Refresh: e.Refresh, RefreshGrace: e.RefreshGrace,
	}
}
