// Package home is the page that somebody sees who comes to us by themselves: what
// this place is, who is signed in, and where they can go from here.
package home

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
	"dex/web"
)

// Handler serves the page.
type Handler struct {
	Issuer   string
	Base     string // the path of the issuer, before every route
	DemoURL  string // of the demo application, if it runs
	Sessions session.Store
	Grants   grant.Register
	Clients  client.Store
	Cookies  httpx.Cookies
	Pages    *web.Renderer
	Clock    clock.Clock
}

// Routes adds the flow to a mux. Errors end at onError.
func (h *Handler) Routes(mux *http.ServeMux, onError httpx.ErrorFunc) {
	mux.Handle("GET "+route.Home+"{$}", httpx.Handle(h.serve, onError))
}

// page says what this place is.
type page struct {
	IssuerURL, UserName, UserEmail, LogoutURL, DemoURL string
	Apps                                               []app
}

// app is an application that a login can be begun at from here.
type app struct{ ID, Name, URL string }

func (page) Template() string { return "home.html" }

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	p := page{IssuerURL: h.Issuer, LogoutURL: h.Base + route.Logout, DemoURL: h.DemoURL}
	value, _ := h.Cookies.Get(r, session.Cookie)
	known, err := session.Find(r.Context(), h.Sessions, secret.Value(value), "")
	if err != nil {
		return err
	}
	if known != nil && known.Session.Alive(h.Clock.Now()) {
		p.UserName, p.UserEmail = known.PersonName(), known.Identity.Profile.Email
		if p.Apps, err = h.apps(r.Context(), known); err != nil {
			return err
		}
	}
	return h.Pages.Render(w, r, web.View{Page: p})
}

// most is how many grants and how many consents are looked at for applications.
const most = 50

// apps returns the applications that the person has used, and that say where a login
// begins which somebody else has thought of: OpenID Connect Core section 4. Those that
// the person could not use any more are left out.
func (h *Handler) apps(ctx context.Context, known *session.Known) ([]app, error) {
	consents, err := h.Grants.Consents(ctx, known.User.ID, "", most)
	if err != nil {
		return nil, err
	}
	grants, err := h.Grants.Grants(ctx, known.User.ID, "", most)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, c := range consents {
		ids[c.ClientID] = true
	}
	for _, g := range grants {
		ids[g.ClientID] = true
	}
	groups := known.Profile().Groups
	var apps []app
	for id := range ids {
		c, err := h.Clients.Client(ctx, id)
		switch {
		case fault.Is(err, fault.NotFound):
		case err != nil:
			return nil, err
		case c.InitiateLoginURI != "" && !c.Disabled && c.Admits(groups) && c.Accepts(known.Session.ConnectorID):
			to := oauth.AppendResponse(c.InitiateLoginURI, oauth.ModeQuery, url.Values{"iss": {h.Issuer}})
			apps = append(apps, app{ID: c.ID, Name: c.Name, URL: to})
		}
	}
	slices.SortFunc(apps, func(a, b app) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return apps, nil
}
