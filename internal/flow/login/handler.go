// Package login finds out who is at the browser: it lets the person choose a
// connector, leads the conversation with it, and opens a session at the end.
package login

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dex/internal/base/carry"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/route"
	"dex/internal/base/seal"
	"dex/internal/connector/roster"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/web"
)

// Handler serves the login pages and the connectors' callbacks.
type Handler struct {
	Issuer    string
	Base      string // the path of the issuer, before every route
	Origin    string // of the issuer
	Lifetimes tenant.Lifetimes

	Roster   *roster.Roster
	Clients  client.Store
	Users    user.Store
	Sessions session.Store
	Grants   grant.Store
	Traces   audit.Store
	Desk     grant.Desk
	Jar      carry.Jar[grant.Request]
	Posted   carry.Jar[url.Values] // answers that came as a form from another site
	Devices  *seal.Box
	Cookies  httpx.Cookies
	Meter    measure.Meter
	Pages    *web.Renderer
	Clock    clock.Clock
}

// Routes adds the flow to a mux. Errors end at onError.
func (h *Handler) Routes(mux *http.ServeMux, onError httpx.ErrorFunc) {
	mux.Handle("GET "+route.Login, httpx.Handle(h.choose, onError))
	mux.Handle("POST "+route.Login, httpx.Handle(httpx.SameOrigin(h.Origin, h.cancel), onError))
	mux.Handle("GET "+route.LoginConnector, httpx.Handle(h.begin, onError))
	mux.Handle("POST "+route.LoginConnector, httpx.Handle(httpx.SameOrigin(h.Origin, h.submit), onError))
	mux.Handle("GET "+route.Callback, httpx.Handle(h.callback, onError))
	mux.Handle("POST "+route.Callback, httpx.Handle(h.posted, onError))
	mux.Handle("GET "+route.ConnectorKeys, httpx.Handle(h.keys, onError))
}

// attempt is a request under way, with the client that made it.
type attempt struct {
	grant.Request
	client client.Client
}

// load returns an attempt of this browser that is still good.
func (h *Handler) load(r *http.Request, id string) (*attempt, error) {
	req, err := h.Jar.Get(r, id)
	if err != nil {
		return nil, err
	}
	httpx.Annotate(r.Context(), slog.String("support_code", req.SupportCode), slog.String("client", req.Asked.ClientID))
	if !h.Clock.Now().Before(req.ExpiresAt) {
		return nil, h.stalled(req, fault.New(fault.NotFound, "This page has expired."))
	}
	c, err := h.Clients.Client(r.Context(), req.Asked.ClientID)
	if err != nil {
		return nil, h.stalled(req, err)
	}
	return &attempt{Request: req, client: c}, nil
}

// stalled is the error of an attempt that cannot go on as it is.
func (h *Handler) stalled(req grant.Request, err error) error {
	return &grant.Stalled{Request: req, StartAgain: h.Base + route.Authorize + "?again=" + req.ID, Err: err}
}

// choices returns the connectors that the attempt may go by.
func (h *Handler) choices(ctx context.Context, a *attempt) ([]*roster.Connector, error) {
	all, err := h.Roster.List(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c *roster.Connector) bool { return !a.admits(c.ID) || !c.LogsIn() }), nil
}

func (a *attempt) admits(connectorID string) bool {
	return a.client.Accepts(connectorID) && (a.Asked.ConnectorID == "" || a.Asked.ConnectorID == connectorID)
}

// choose shows the ways to log in; if there is one only, it goes there.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	a, err := h.load(r, params.Get("attempt"))
	if err != nil {
		return err
	}
	choices, err := h.choices(r.Context(), a)
	if err != nil {
		return err
	}
	switch len(choices) {
	case 0:
		return h.stalled(a.Request, fault.New(fault.NotFound, "There is no way to sign in to this application at the moment."))
	case 1:
		return httpx.SeeOther(w, r, h.address(route.LoginConnector, choices[0].ID)+"?attempt="+a.ID)
	}
	page := choosePage{application: a.application(), Cancel: cancelForm{Action: h.Base + route.Login, Attempt: a.ID, CSRF: a.CSRF}}
	for _, c := range choices {
		page.Choices = append(page.Choices, choice{
			ID: c.ID, Name: c.Name, Kind: c.Kind, Out: c.Out(),
			URL: h.address(route.LoginConnector, c.ID) + "?attempt=" + a.ID,
		})
	}
	return h.render(w, r, a, http.StatusOK, page)
}

// choosePage lists the ways to log in.
type choosePage struct {
	application

	Choices []choice
	Cancel  cancelForm
}

// application is what a page says of the one that the person comes from, OpenID Connect
// Dynamic Client Registration section 2.
type application struct{ ClientName, ClientLogo, PolicyURL, TermsURL string }

func (a *attempt) application() application {
	c := a.client
	return application{ClientName: c.Name, ClientLogo: c.LogoURL, PolicyURL: c.PolicyURL, TermsURL: c.TermsURL}
}

type choice struct {
	ID, Name, Kind, URL string
	Out                 bool
}

type cancelForm struct{ Action, Attempt, CSRF string }

func (choosePage) Template() string { return "login/choose.html" }

// cancel gives up: the client is told.
func (h *Handler) cancel(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	a, err := h.load(r, form.Get("attempt"))
	if err != nil {
		return err
	}
	if err := a.CheckCSRF(form.Get("csrf")); err != nil {
		return err
	}
	return h.giveUp(w, r, a, "the person gave up")
}

// giveUp sends the browser back to the authorization endpoint, which tells the
// client.
func (h *Handler) giveUp(w http.ResponseWriter, r *http.Request, a *attempt, said string) error {
	a.Answered.Canceled = true
	a.Note(h.Clock.Now(), "connector", said)
	return h.comeBack(w, r, a)
}

// comeBack keeps the attempt and sends the browser back to the authorization
// endpoint.
func (h *Handler) comeBack(w http.ResponseWriter, r *http.Request, a *attempt) error {
	if err := h.Jar.Put(w, r, a.ID, a.Request); err != nil {
		return err
	}
	return httpx.SeeOther(w, r, h.Base+route.Authorize+"?attempt="+a.ID)
}

// address fills a connector into a route.
func (h *Handler) address(to, connectorID string) string {
	return h.Base + strings.Replace(to, "{connector}", url.PathEscape(connectorID), 1)
}

// render shows a page of the attempt. Its forms lead back to the application in the
// end.
func (h *Handler) render(w http.ResponseWriter, r *http.Request, a *attempt, status int, page web.Page) error {
	return h.Pages.Render(w, r, web.View{Status: status, Page: page, Locales: a.Asked.UILocales, LeadsOut: true, Logo: a.client.LogoURL != ""})
}

// keepTrace writes down what has happened, now that the person has acted. What is
// written leaves the cookie. That it cannot be written is no reason to fail.
func (h *Handler) keepTrace(ctx context.Context, a *attempt) {
	if err := h.Traces.KeepTrace(ctx, a.SupportCode, a.StartedAt, a.Steps); err != nil {
		httpx.Annotate(ctx, slog.String("trace", err.Error()))
		return
	}
	a.Steps = nil
}
