// Package account is what people do with their own account: today, choose a password by
// a link that an administrator has sent them.
//
// The secret of the link stands in an address for one request only. It moves into a
// sealed cookie at once, so that neither the browser's history nor a referrer has it. Our
// own log has no queries; nor has that of a proxy whose file is as in deploy.
package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"log/slog"
	"net/http"

	"dex/internal/base/carry"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/connector/local"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
	"dex/web"
)

// Handler serves the pages.
type Handler struct {
	Base    string // the path of the issuer, before every route
	Origin  string // of the issuer
	Service string // the name of the service, which is no password here
	Links   user.Links
	Hasher  credential.Hasher
	Jar     carry.Jar[Held]
	Pages   *web.Renderer
	Clock   clock.Clock
}

// Held is a link in the hands of a browser.
type Held struct {
	Secret string `json:"s"`
	CSRF   string `json:"c"`
}

// Routes adds the flow to a mux. Errors end at onError.
func (h *Handler) Routes(mux *http.ServeMux, onError httpx.ErrorFunc) {
	mux.Handle("GET "+route.AccountPassword, httpx.Handle(h.show, onError))
	mux.Handle("POST "+route.AccountPassword, httpx.Handle(httpx.SameOrigin(h.Origin, h.choose), onError))
}

// passwordPage asks for a password.
type passwordPage struct {
	Action, Attempt, CSRF string
	UserName, UserEmail   string
	LoginName             string // for whatever keeps passwords
	First                 bool   // the person has none yet
	Problem               string // a message key
	Minimum               int
}

func (passwordPage) Template() string { return "account/password.html" }

// overPage says that a link does not count.
type overPage struct{ Shut bool }

func (overPage) Template() string { return "account/over.html" }

// donePage says that the password is set.
type donePage struct{ LoginName string }

func (donePage) Template() string { return "account/done.html" }

// show takes the link out of the address, and then asks for a password.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	switch {
	case params.Has("link"):
		return h.take(w, r, secret.Value(params.Get("link")))
	case params.Has("done"):
		return h.Pages.Render(w, r, web.View{Page: donePage{}})
	}
	held, err := h.Jar.Get(r, params.Get("attempt"))
	if fault.Is(err, fault.NotFound) {
		return h.over(w, r, err)
	}
	if err != nil {
		return err
	}
	state, err := h.state(r.Context(), held)
	if err != nil {
		return h.over(w, r, err)
	}
	return h.ask(w, r, http.StatusOK, params.Get("attempt"), held, state, "")
}

// take puts the link into the browser's keeping. Nobody looks yet whether it counts, so
// that a scanner which opens every link in a mail costs nothing.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, link secret.Value) error {
	if !link.Is(secret.LinkPrefix) {
		return h.over(w, r, fault.New(fault.NotFound, "This is no link of ours."))
	}
	id := carry.NewID(h.Clock.Now())
	if err := h.Jar.Put(w, r, id, Held{Secret: string(link), CSRF: rand.Text()}); err != nil {
		return err
	}
	w.Header().Set("Referrer-Policy", "no-referrer") // the address that we send away from is the link
	return httpx.SeeOther(w, r, h.Base+route.AccountPassword+"?attempt="+id)
}

// state returns the link and whose it is, if it counts.
func (h *Handler) state(ctx context.Context, held Held) (user.LinkState, error) {
	state, err := h.Links.Link(ctx, secret.Value(held.Secret).Hash())
	if err == nil {
		err = state.Check(h.Clock.Now())
	}
	return state, err
}

// over says that the link does not count, whatever the reason. Only whom we have shut
// out hears that another link would not help.
func (h *Handler) over(w http.ResponseWriter, r *http.Request, err error) error {
	switch fault.Of(err) {
	case fault.NotFound, fault.Conflict, fault.Denied:
		httpx.Annotate(r.Context(), slog.String("link", err.Error()))
		return h.Pages.Render(w, r, web.View{Status: http.StatusGone, Page: overPage{Shut: fault.Is(err, fault.Denied)}})
	}
	return err
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, status int, attempt string, held Held, s user.LinkState, problem string) error {
	page := passwordPage{
		Action: h.Base + route.AccountPassword, Attempt: attempt, CSRF: held.CSRF,
		UserName: s.User.Name, UserEmail: s.User.Email, LoginName: loginName(s), First: s.Purpose == user.Invite,
		Problem: problem, Minimum: credential.MinPassword,
	}
	return h.Pages.Render(w, r, web.View{Status: status, Page: page})
}

// loginName is what the person logs in with: their user name, if it serves.
func loginName(s user.LinkState) string {
	if s.User.Username != "" {
		return s.User.Username
	}
	return s.LoginNames[0]
}

// choose sets the password.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	attempt := form.Get("attempt")
	held, err := h.Jar.Get(r, attempt)
	if fault.Is(err, fault.NotFound) {
		return h.over(w, r, err)
	}
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(form.Get("csrf")), []byte(held.CSRF)) != 1 {
		return fault.New(fault.Denied, "This form does not belong to your browser. Open the link once more.")
	}
	state, err := h.state(r.Context(), held)
	if err != nil {
		h.Jar.Drop(w, r, attempt)
		return h.over(w, r, err)
	}
	password := form.Get("password")
	if problem := h.problem(password, form.Get("again"), state); problem != "" {
		return h.ask(w, r, http.StatusUnprocessableEntity, attempt, held, state, problem)
	}
	err = h.set(r, password, state)
	switch fault.Of(err) {
	case fault.NotFound, fault.Conflict, fault.Denied: // somebody was quicker
		h.Jar.Drop(w, r, attempt)
		return h.over(w, r, err)
	}
	if err != nil {
		return err
	}
	h.Jar.Drop(w, r, attempt)
	return httpx.SeeOther(w, r, h.Base+route.AccountPassword+"?done=1")
}

// problem is the message key of what is wrong with what was typed.
func (h *Handler) problem(password, again string, s user.LinkState) string {
	context := append([]string{s.User.Username, s.User.Email, s.User.Name, h.Service}, s.LoginNames...)
	if weakness := credential.Weak(password, context...); weakness != "" {
		return "account.problem." + string(weakness)
	}
	if password != again {
		return "account.problem.different"
	}
	return ""
}

// set uses the link. What failed before counts no more, as far as it was counted for
// this account and not for a whole network.
func (h *Handler) set(r *http.Request, password string, s user.LinkState) error {
	hash, err := h.Hasher.Hash(r.Context(), password)
	if err != nil {
		return err
	}
	now, remote := h.Clock.Now(), httpx.Addr(r)
	_, err = h.Links.RedeemLink(r.Context(), user.Redemption{
		Hash: s.Hash, PasswordHash: hash, At: now, RemoteAddr: remote.String(),
		Forgive: local.Counted(s.ConnectorID, s.LoginNames, remote, now),
	})
	return err
}
