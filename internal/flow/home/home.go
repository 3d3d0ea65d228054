// Package home is the page that somebody sees who comes to us by themselves: what
// this place is, and who is signed in.
package home

import (
	"net/http"

	"dex/internal/base/clock"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/domain/session"
	"dex/web"
)

// Handler serves the page.
type Handler struct {
	Issuer   string
	Base     string // the path of the issuer, before every route
	DemoURL  string // of the demo application, if it runs
	Sessions session.Store
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
}

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
	}
	return h.Pages.Render(w, r, web.View{Page: p})
}
