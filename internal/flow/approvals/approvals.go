// Package approvals is where somebody sees what waits for their word: the requests of
// applications that have asked for them by name, on another screen (OpenID Connect
// Client-Initiated Backchannel Authentication).
//
// It only shows them. To answer one is an authorization like any other: the person is
// asked, proves who they are if that was long ago, and passes the gate in flow/authorize.
package approvals

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"dex/internal/base/carry"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
	"dex/web"
)

// Handler serves the page.
type Handler struct {
	Base      string // the path of the issuer, before every route
	Origin    string // of the issuer
	Lifetimes tenant.Lifetimes

	Clients   client.Store
	Approvals grant.Approvals
	Sessions  session.Store
	Jar       carry.Jar[grant.Request]
	Cookies   httpx.Cookies
	Pages     *web.Renderer
	Clock     clock.Clock
}

// Routes adds the flow to a mux. Errors end at onError.
func (h *Handler) Routes(mux *http.ServeMux, onError httpx.ErrorFunc) {
	mux.Handle("GET "+route.Approvals, httpx.Handle(h.show, onError))
	mux.Handle("POST "+route.Approvals, httpx.Handle(httpx.SameOrigin(h.Origin, h.begin), onError))
}

// listPage shows what waits for somebody.
type listPage struct {
	Action              string
	UserName, UserEmail string
	SignedIn            bool
	Requests            []line
}

// line is a request that waits. Everybody who may be asked has an own one.
type line struct {
	ID, ClientName, Message string
	Age                     int // seconds
}

func (listPage) Template() string { return "approvals/list.html" }

// donePage says what the person has answered.
type donePage struct{ Denied bool }

func (donePage) Template() string { return "approvals/done.html" }

// most is how many requests are shown.
const most = 20

// show lists what waits for whoever is signed in here.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	switch params.Get("done") {
	case "approved":
		return h.Pages.Render(w, r, web.View{Page: donePage{}})
	case "denied":
		return h.Pages.Render(w, r, web.View{Page: donePage{Denied: true}})
	}
	page := listPage{Action: h.Base + route.Approvals}
	known, err := h.whoever(r)
	if err != nil {
		return err
	}
	if known == nil {
		return h.Pages.Render(w, r, web.View{Page: page})
	}
	page.SignedIn, page.UserName, page.UserEmail = true, known.PersonName(), known.Identity.Profile.Email
	now := h.Clock.Now()
	waiting, err := h.Approvals.RequestsFor(r.Context(), known.User.ID, "", most, now)
	if err != nil {
		return err
	}
	for _, d := range waiting {
		c, err := h.Clients.Client(r.Context(), d.ClientID)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		page.Requests = append(page.Requests, line{ID: d.ID, ClientName: c.Name, Message: d.Message, Age: int(now.Sub(d.CreatedAt) / time.Second)})
	}
	return h.Pages.Render(w, r, web.View{Page: page, LeadsOut: true}) // to a provider, in the end
}

// whoever returns the session of this browser; nil if nobody is signed in.
func (h *Handler) whoever(r *http.Request) (*session.Known, error) {
	value, _ := h.Cookies.Get(r, session.Cookie)
	known, err := session.Find(r.Context(), h.Sessions, secret.Value(value), "")
	if err != nil || known == nil || known.User.Disabled || !known.Session.Alive(h.Clock.Now()) {
		return nil, err
	}
	return known, nil
}

// begin starts the authorization by which a request is answered. Whose it is the login
// has to show: whoever is signed in here need not be the one who sits here.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	now := h.Clock.Now()
	d, err := h.Approvals.WaitingRequest(r.Context(), form.Get("request"), now)
	if err != nil {
		return err
	}
	fresh := oauth.Seconds(grant.DeviceFresh / time.Second)
	req := grant.Request{
		ID: carry.NewID(now), SupportCode: d.SupportCode, CSRF: rand.Text(),
		StartedAt: now, ExpiresAt: now.Add(min(d.ExpiresAt.Sub(now), h.Lifetimes.Attempt)),
		Asked: oauth.Authorization{ClientID: d.ClientID, Scopes: d.Scopes, MaxAge: &fresh, ACRValues: d.ACR, ConnectorID: d.For.ConnectorID},
		About: d.For.UserID,
		Device: &grant.Waits{
			ID: d.ID, RemoteAddr: d.RemoteAddr, UserAgent: d.UserAgent, Since: d.CreatedAt, Called: true, Message: d.Message,
		},
	}
	httpx.Annotate(r.Context(), slog.String("support_code", d.SupportCode), slog.String("client", d.ClientID))
	req.Note(now, "request", d.ClientID+" has called by the back channel for "+d.Scopes.String())
	if err := h.Jar.Put(w, r, req.ID, req); err != nil {
		return err
	}
	return httpx.SeeOther(w, r, h.Base+route.Authorize+"?attempt="+req.ID)
}
