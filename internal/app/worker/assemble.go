package worker

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"

	"dex/internal/app/config"
	"dex/internal/app/delivery"
	"dex/internal/app/duty"
	"dex/internal/app/office"
	"dex/internal/base/carry"
	"dex/internal/base/httpx"
	"dex/internal/base/outbound"
	"dex/internal/base/route"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/mint"
	"dex/internal/domain/outbox"
	"dex/internal/domain/proof"
	"dex/internal/domain/tenant"
	"dex/internal/flow/account"
	"dex/internal/flow/approvals"
	"dex/internal/flow/authorize"
	"dex/internal/flow/device"
	"dex/internal/flow/discovery"
	"dex/internal/flow/home"
	"dex/internal/flow/login"
	"dex/internal/flow/logout"
	"dex/internal/flow/register"
	"dex/internal/flow/token"
	"dex/internal/flow/userinfo"
	"dex/internal/protocol/jose"
	"dex/internal/store"
	"dex/web"
)

// parts is what has been put together for one tenant.
type parts struct {
	id, issuer string
	handler    http.Handler
	ring       *key.Ring
	roster     *roster.Roster
	tenant     *store.Tenant
}

// begin makes what the settings say stand in the database, and puts the default
// tenant together, whose they are. The others are put together when they are asked
// for.
func (w *Worker) begin(ctx context.Context) (err error) {
	if w.pages == nil {
		if w.pages, err = web.New(web.Options{Theme: w.theme(), Reload: w.settings.TemplatesReload, Service: w.settings.Name}); err != nil {
			return err
		}
	}
	t, err := w.db.EnsureTenant(ctx, tenant.Default, w.settings.Issuer)
	if err != nil {
		return err
	}
	if err := w.declare(ctx, t, w.db.Clock().Now()); err != nil {
		return err
	}
	if _, err := w.sites.enter(ctx, w.home); err != nil {
		return err
	}
	return w.lookAround(ctx)
}

// put puts one tenant's flows together. This is the only place that knows them
// all; each gets what it needs, and no more.
func (w *Worker) put(ctx context.Context, s *site) (*parts, error) {
	t, err := w.db.Tenant(ctx, s.id)
	if err != nil {
		return nil, err
	}
	clk := w.db.Clock()
	p := &parts{id: s.id, issuer: s.issuer, tenant: t, ring: &key.Ring{Store: t, Clock: clk, Timing: timing(w.settings), Version: t.Version}}
	if err := w.firstKeys(ctx, p.ring); err != nil {
		return nil, err
	}
	p.roster = &roster.Roster{Store: t, Kinds: w.options.Kinds, Clock: clk, Tracer: w.tracer(), Env: connector.Env{
		Issuer: s.issuer, Client: w.client, Clock: clk, Log: w.log.With("tenant", s.id),
		Credentials: t, Hasher: w.hasher,
	}}
	pages, err := w.pages.Below(s.base)
	if err != nil {
		return nil, err
	}
	p.handler, err = w.mux(s, p, pages)
	return p, err
}

// mux joins the flows to their routes.
func (w *Worker) mux(s *site, p *parts, pages *web.Renderer) (http.Handler, error) {
	var (
		issuer, base = s.issuer, s.base
		origin       = httpx.Origin(s.url)
		t, clk       = p.tenant, w.db.Clock()
		lifetimes    = lifetimes(w.settings)
		cookies      = s.cookies()
		proofs       = &proof.Desk{Bases: w.bases(s), Store: t, Nonces: w.nonces(s), Clock: clk}
		documents    = &client.Documents{Fetch: outbound.Fetch(w.client), Hosts: w.settings.ClientDocumentsAllow, Clock: clk}
		clients      = &register.Published{Store: t, Documents: documents, Known: t.Known}
		desk         = grant.Desk{Tenants: t, Clients: clients, Connectors: p.roster, Clock: clk}
		attempts     = carry.Jar[grant.Request]{Box: w.keys.Box(s.purpose("attempt")), Cookies: cookies, Name: "dex_attempt_"}
		subjects     = mint.Subjects{Key: t.RefreshKey()}
		opaque       = mint.NewOpaque(t.RefreshKey(), issuer)
		access       = mint.Reader{Issuer: issuer, Find: p.ring.Find, Opaque: opaque}
		minter       = &mint.Mint{Issuer: issuer, Signer: p.ring, Lifetimes: lifetimes, Subjects: subjects, Opaque: opaque}
		refresh      = mint.RefreshTokens{Key: t.RefreshKey(), Tenant: s.id}
		vouching     = token.Vouching{Issuer: issuer, Bases: proofs.Bases, Roster: p.roster, Users: t, Grants: t, Desk: desk, Clock: clk}
		types        = []token.Grant{
			token.AuthorizationCode{Grants: t, Desk: desk, Lifetimes: lifetimes, Clock: clk},
			token.RefreshToken{Grants: t, Users: t, Desk: desk, Roster: p.roster, Tokens: refresh, Lifetimes: lifetimes, Clock: clk},
			token.ClientCredentials{Desk: desk, Clock: clk},
			token.DeviceCode{Devices: t, Grants: t, Desk: desk, Lifetimes: lifetimes, Clock: clk},
			token.TokenExchange{Issuer: issuer, Clients: t, Grants: t, Desk: desk, Access: access, Refresh: refresh, Clock: clk, Vouching: vouching, Subjects: subjects, Lifetimes: lifetimes},
			token.JWTBearer{Vouching: vouching},
			token.CIBA{Devices: t, Grants: t, Desk: desk, Lifetimes: lifetimes, Clock: clk},
		}
		mux     = http.NewServeMux()
		onError = w.errorPage(pages)
	)
	if w.settings.PasswordGrant {
		types = append(types, token.Password{Grants: t, Users: t, Record: t, Desk: desk, Roster: p.roster, Lifetimes: lifetimes, Clock: clk})
	}
	clients.Offer = w.offer(types)
	requests := &authorize.Handler{
		Issuer: issuer, Base: base, Origin: origin, Lifetimes: lifetimes,
		Clients: clients, Sessions: t, Grants: t, Devices: t, Pushed: t, Traces: t, Desk: desk, Mint: minter,
		Sealed: w.keys.Box(s.purpose("pushed request")), Documents: documents, Ring: p.ring, Details: w.settings.AuthorizationDetailsTypes,
		Jar: attempts, Cookies: cookies, Pages: pages, Clock: clk,
		Watched: w.settings.SessionManagement,
		Subject: func(hint string) (string, bool) {
			subject, _, ok := mint.ReadIDTokenHint(hint, issuer, p.ring.Find)
			return subjects.Account(subject), ok
		},
	}
	requests.Routes(mux, onError)
	(&login.Handler{
		Issuer: issuer, Base: base, Origin: origin, Lifetimes: lifetimes,
		Roster: p.roster, Clients: clients, Users: t, Sessions: t, Grants: t, Traces: t, Desk: desk,
		Jar: attempts, Posted: carry.Jar[url.Values]{Box: w.keys.Box(s.purpose("posted")), Cookies: cookies, Name: "dex_posted_"},
		Devices: w.keys.Box(s.purpose("device")), Cookies: cookies, Pages: pages, Clock: clk, Meter: w.meter(s.id),
	}).Routes(mux, onError)
	(&logout.Handler{
		Issuer: issuer, Base: base, Origin: origin, Clients: clients, Sessions: t, Notices: t, Roster: p.roster, Find: p.ring.Find, Subjects: subjects,
		Jar:  carry.Jar[logout.Leaving]{Box: w.keys.Box(s.purpose("logout")), Cookies: cookies, Name: "dex_logout_"},
		CSRF: w.keys.MACKey(s.purpose("logout")), Cookies: cookies, Pages: pages, Clock: clk,
		Tell: w.farewells(delivery.Party{Clients: clients, Mint: minter}, documents), Patience: w.options.Farewell, Watched: w.settings.SessionManagement,
	}).Routes(mux, onError)
	userCodes := w.keys.MACKey(s.purpose("user code"))
	(&device.Handler{
		Issuer: issuer, Base: base, Origin: origin, Lifetimes: lifetimes, Clients: clients, Devices: t, Guesses: t,
		UserCodes: userCodes, Jar: attempts, Pages: pages, Clock: clk,
	}).Routes(mux, onError)
	(&approvals.Handler{
		Base: base, Origin: origin, Lifetimes: lifetimes, Clients: t, Approvals: t, Sessions: t,
		Jar: attempts, Cookies: cookies, Pages: pages, Clock: clk,
	}).Routes(mux, onError)
	(&account.Handler{
		Base: base, Origin: origin, Service: w.settings.Name, Links: t, Hasher: w.hasher,
		Jar:   carry.Jar[account.Held]{Box: w.keys.Box(s.purpose("link")), Cookies: cookies, Name: "dex_link_"},
		Pages: pages, Clock: clk,
	}).Routes(mux, onError)
	(&home.Handler{
		Issuer: issuer, Base: base, DemoURL: w.demoURL(s), Sessions: t, Grants: t, Clients: clients, Cookies: cookies, Pages: pages, Clock: clk,
	}).Routes(mux, onError)
	tokens := &token.Handler{
		Issuer: issuer, Lifetimes: lifetimes, Clients: clients, Documents: documents, Grants: t, Desk: desk, Proofs: proofs, Authorities: w.authorities,
		Mint: minter, Refresh: refresh, Access: access, Clock: clk, Types: types, Details: w.settings.AuthorizationDetailsTypes,
		Devices: t, UserCodes: userCodes, Users: t, Meter: w.meter(s.id),
		Subject: func(hint string, c client.Client) (string, bool) {
			subject, claims, ok := mint.ReadIDTokenHint(hint, issuer, p.ring.Find)
			return subject, ok && claims.Client() == c.ID
		},
	}
	tokens.Routes(mux)
	mux.Handle("POST "+route.PushRequest, tokens.Serve(route.PushRequest, requests.Push))
	(&userinfo.Handler{
		Issuer: issuer, Clients: clients, Documents: documents, Grants: t, Desk: desk, Proofs: proofs, Mint: minter, Access: access, Clock: clk,
	}).Routes(mux)
	(&register.Handler{Issuer: issuer, Store: t, Documents: documents, Offer: clients.Offer, Clock: clk}).Routes(mux)
	w.control(mux, s, p, desk, proofs)
	described := &discovery.Handler{
		Issuer: issuer, Offer: clients.Offer, Documents: len(documents.Hosts) > 0, Known: t.Known, Locales: pages.Languages(),
		Ring: p.ring, MaxAge: p.ring.Timing.MaxAge, Certificates: w.takesCertificates(), Mutual: w.mutual(s),
		Watched: w.settings.SessionManagement,
	}
	quick := http.NewServeMux()
	for _, m := range []*http.ServeMux{mux, quick} {
		if err := described.Routes(m, onError); err != nil {
			return nil, err
		}
	}
	mux.Handle("GET "+route.Static, pages.Static())
	h := httpx.Deadline(cookies.Tidy(orNotFound(mux, onError), "dex_"), patience)
	return straight(quick, h), nil
}

// farewells tells a tenant's applications at once that a session has ended.
func (w *Worker) farewells(p delivery.Party, documents *client.Documents) func(ctx context.Context, letters []outbox.Taken) error {
	of := func(context.Context, string) (delivery.Party, error) { return p, nil }
	return duty.Deliverer{
		Queue: w.db, Clock: w.db.Clock(),
		Carriers: map[outbox.Kind]outbox.Carrier{
			outbox.Farewell: delivery.Farewells{Of: of, Client: w.client, Clock: w.db.Clock(), Documents: documents},
		},
	}.Deliver
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

// cookies are named so that two issuers on one host, such as two paths or two ports
// of a loopback address, do not overwrite each other's.
func (s *site) cookies() httpx.Cookies {
	c := httpx.Cookies{Secure: s.secure()}
	if !c.Secure || s.base != "" {
		sum := sha256.Sum256([]byte(s.issuer))
		c.Space = hex.EncodeToString(sum[:3]) + "_"
	}
	return c
}

// purpose names what something is sealed or proven for. Each tenant has its own, so
// that what a browser carries for one opens nothing at another.
func (s *site) purpose(name string) string {
	if s.id == tenant.Default {
		return name // as it was when there was one tenant
	}
	return name + "\x00" + s.id
}

// outward is the one client that leaves the house. With everything on one machine
// for a try, that machine may be reached.
func outward(s *config.Settings, roots *x509.CertPool) *http.Client {
	allow := s.OutboundAllowPrivate
	if s.NoDB {
		allow = append(allow[:len(allow):len(allow)], netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	return outbound.New(outbound.Options{AllowPrivate: allow, PerHost: 32, RootCAs: roots})
}

func (w *Worker) theme() fs.FS {
	if w.settings.Theme == "" {
		return nil
	}
	return os.DirFS(w.settings.Theme)
}

// firstKeys makes sure that there is something to sign with. Who has no duties
// waits until somebody who has does it.
func (w *Worker) firstKeys(ctx context.Context, ring *key.Ring) error {
	algs := algorithms(w.settings)
	if err := ring.Refresh(ctx); err != nil || ring.Ready(algs) {
		return err
	}
	if w.settings.Duties {
		if _, err := ring.Turn(ctx, algs); err != nil {
			return err
		}
		if err := ring.Refresh(ctx); err != nil || ring.Ready(algs) {
			return err
		}
	}
	return errNoKeys
}

func algorithms(s *config.Settings) []jose.Algorithm { return office.Algorithms(s.Keys) }

// signing are the algorithms that tokens can be signed with.
func signing(s *config.Settings) []jose.Algorithm {
	return slices.DeleteFunc(algorithms(s), jose.Algorithm.Encrypts)
}

func timing(s *config.Settings) key.Timing {
	t := office.Timing(s.Keys, s.Expiry)
	for _, c := range s.Clients {
		t = t.Covering(max(c.IDTokenTTL, c.AccessTokenTTL))
	}
	return t
}

func lifetimes(s *config.Settings) tenant.Lifetimes { return office.Lifetimes(s.Expiry) }
