// Package logout ends sessions: asked by a client (OpenID Connect RP-Initiated
// Logout 1.0) or by the person, here, at the applications that had something in them
// (Back-Channel and Front-Channel Logout 1.0) and at the provider that they came by.
package logout

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"dex/internal/base/carry"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/connector/roster"
	"dex/internal/domain/client"
	"dex/internal/domain/mint"
	"dex/internal/domain/outbox"
	"dex/internal/domain/session"
	"dex/web"
)

// Handler serves the logout endpoint.
type Handler struct {
	Issuer   string
	Base     string // the path of the issuer, before every route
	Origin   string // of the issuer
	Clients  client.Store
	Sessions session.Store
	Notices  session.Upstreams
	Roster   *roster.Roster
	Find     mint.KeyFinder
	Subjects mint.Subjects // whom a hint means
	Jar      carry.Jar[Leaving]
	CSRF     *seal.MACKey
	Cookies  httpx.Cookies
	Pages    *web.Renderer
	Clock    clock.Clock
	// Tell tells applications that the session has ended, for as long as the context
	// lasts. What has not arrived by then is sent by whoever has the duties.
	Tell    func(ctx context.Context, letters []outbox.Taken) error
	Watched bool // applications may watch in a frame whether somebody is signed in still
	// Patience is how long a browser waits for that.
	Patience time.Duration
}

// inHand is for how long what applications are told is ours to deliver: longer than
// any browser waits.
const inHand = 15 * time.Second

// Leaving is where a person goes once the provider that they came by has let them
// go, too.
type Leaving struct {
	ClientName string `json:"n,omitempty"`
	ReturnTo   string `json:"r,omitempty"` // checked before it was kept

	Frames []string `json:"-"` // that the page loads on the way
}

// Routes adds the flow to a mux. Errors end at onError.
func (h *Handler) Routes(mux *http.ServeMux, onError httpx.ErrorFunc) {
	mux.Handle("GET "+route.Logout, httpx.Handle(h.get, onError))
	mux.Handle("POST "+route.Logout, httpx.Handle(h.post, onError))
	mux.Handle("POST "+route.LogoutConfirm, httpx.Handle(httpx.SameOrigin(h.Origin, h.confirm), onError))
	if h.Watched {
		mux.Handle("GET "+route.CheckSession, web.Watch(h.Cookies.Name(session.StateCookie)))
	}
	mux.Handle("GET "+route.LogoutDone, httpx.Handle(h.done, onError))
	mux.Handle("POST "+route.LogoutUpstream, httpx.Handle(h.told, refuseNotice))
	mux.Handle("GET "+route.LogoutUpstream, httpx.Handle(h.shown, onError))
}

// parameters are what a client may send along, RP-Initiated Logout section 2.
var parameters = []string{"id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"}

// get ends the session if the client shows that it is meant, and asks the person
// if not.
func (h *Handler) get(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	asked, err := h.read(r, params)
	if err != nil {
		return err
	}
	known, err := h.session(r)
	if err != nil {
		return err
	}
	if known == nil || asked.means(known) {
		return h.end(w, r, asked, known)
	}
	return h.ask(w, r, asked, known, params)
}

// post takes a request that a client's page sent as a form. The browser showed no
// cookies with it, so it is asked to come again by itself.
func (h *Handler) post(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, 12<<10) // it has to fit into an address
	if err != nil {
		return err
	}
	kept := url.Values{}
	for _, name := range parameters {
		if values, ok := form[name]; ok {
			kept[name] = values
		}
	}
	return httpx.SeeOther(w, r, h.Base+route.Logout+"?"+kept.Encode())
}

// request is what a client asks for.
type request struct {
	client   *client.Client
	user     string // of the hint
	session  string // of the hint
	returnTo string // checked; with the state
	locales  []string

	everywhere bool // the person wants to be signed out on all their devices
}

// means reports whether the hint shows that this very session is meant. An ID token of
// the version before names it by its own id.
func (q request) means(known *session.Known) bool {
	if q.client == nil || q.session == "" {
		return q.user != "" && q.user == known.User.ID
	}
	return q.session == session.SID(known.Session.ID, q.client.ID) || q.session == known.Session.ID
}

// read reads a request. Where to return to counts only together with an ID token
// of ours that says which client asks: RP-Initiated Logout section 3. One that this
// client has not registered is a mistake that somebody has to see.
func (h *Handler) read(r *http.Request, params url.Values) (request, error) {
	var q request
	for _, name := range parameters {
		if len(params[name]) > 1 {
			return q, fault.New(fault.Invalid, "The application's request is not valid. The parameter %s is there more than once.", name)
		}
	}
	if locales := params.Get("ui_locales"); locales != "" && len(locales) < 256 {
		q.locales = []string{locales}
	}
	subject, hint, ok := mint.ReadIDTokenHint(params.Get("id_token_hint"), h.Issuer, h.Find)
	clientID := params.Get("client_id")
	if !ok || clientID != "" && clientID != hint.Client() {
		return q, nil // nobody we know of asks; the person may still want to leave
	}
	c, err := h.Clients.Client(r.Context(), hint.Client())
	if fault.Is(err, fault.NotFound) || err == nil && c.Disabled {
		return q, nil
	}
	if err != nil {
		return q, err
	}
	httpx.Annotate(r.Context(), slog.String("client", c.ID))
	q.client, q.user, q.session = &c, h.Subjects.Account(subject), hint.SessionID
	switch to := params.Get("post_logout_redirect_uri"); {
	case to == "":
	case slices.Contains(c.PostLogoutRedirectURIs, to):
		q.returnTo = withState(to, params.Get("state"))
	default:
		return request{}, fault.New(fault.Invalid, "The application's request is not valid: its post_logout_redirect_uri is not registered. You are still signed in; you can sign out on the home page.")
	}
	return q, nil
}

func withState(uri, state string) string {
	if state == "" {
		return uri
	}
	return with(uri, url.Values{"state": {state}})
}

// with adds parameters to the query of an address that is registered.
func with(uri string, params url.Values) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri // it is registered, so it parses
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += params.Encode()
	return u.String()
}

// session returns the session of this browser, if it has one.
func (h *Handler) session(r *http.Request) (*session.Known, error) {
	value, _ := h.Cookies.Get(r, session.Cookie)
	return session.Find(r.Context(), h.Sessions, secret.Value(value), "")
}

// end ends the session here, then at the applications, then at the provider that the
// person came by, and sends them on.
func (h *Handler) end(w http.ResponseWriter, r *http.Request, asked request, known *session.Known) error {
	leaving := Leaving{ReturnTo: asked.returnTo}
	if asked.client != nil {
		leaving.ClientName = asked.client.Name
	}
	if known == nil {
		h.forget(w)
		return h.goodbye(w, r, leaving, asked.locales)
	}
	ended, err := h.leave(r.Context(), known, asked.everywhere)
	if err != nil {
		return err
	}
	if leaving.Frames, err = h.frames(r.Context(), known.Session.ID, ended.Clients); err != nil {
		return err
	}
	// Not before: a browser without its cookie could never ask for the end of a session
	// that has not come, and would be told that it has.
	h.forget(w)
	id := carry.NewID(h.Clock.Now())
	upstream := h.upstream(r, known, id)
	if upstream == "" {
		return h.goodbye(w, r, leaving, asked.locales)
	}
	if err := h.Jar.Put(w, r, id, Leaving{ClientName: leaving.ClientName, ReturnTo: leaving.ReturnTo}); err != nil {
		return err
	}
	leaving.ReturnTo = upstream
	return h.goodbye(w, r, leaving, asked.locales)
}

// leave ends a session, or all that the person has, and waits a moment for the
// applications that are told of it: whoever comes back to one of them is to find it
// knows.
func (h *Handler) leave(ctx context.Context, known *session.Known, everywhere bool) (ended session.Ended, err error) {
	now := h.Clock.Now()
	if everywhere {
		ended, err = h.Sessions.EndEverywhere(ctx, known.User.ID, known.Session.ID, now.Add(inHand), now)
	} else {
		ended, err = h.Sessions.EndSession(ctx, known.Session.ID, now.Add(inHand), now)
	}
	if err != nil {
		return ended, err
	}
	h.tell(ctx, ended)
	return ended, nil
}

// tell tells applications for as long as a browser waits.
func (h *Handler) tell(ctx context.Context, ended session.Ended) {
	if len(ended.Letters) == 0 {
		return
	}
	telling, cancel := context.WithTimeout(ctx, h.Patience)
	defer cancel()
	if err := h.Tell(telling, ended.Letters); err != nil && telling.Err() == nil {
		httpx.LogError(ctx, err)
	}
}

// forget takes from the browser what held its session.
func (h *Handler) forget(w http.ResponseWriter) {
	h.Cookies.Clear(w, session.Cookie)
	if h.Watched {
		h.Cookies.Clear(w, session.StateCookie)
	}
}

// maxFrames bounds what one page loads.
const maxFrames = 32

// frames returns the addresses by which applications end their sessions in this very
// browser, Front-Channel Logout section 3.
func (h *Handler) frames(ctx context.Context, sessionID string, clients []string) ([]string, error) {
	var all []string
	for _, id := range clients {
		c, err := h.Clients.Client(ctx, id)
		if fault.Is(err, fault.NotFound) || err == nil && (c.Disabled || !httpx.TakesForm(c.FrontchannelLogoutURI)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, with(c.FrontchannelLogoutURI, url.Values{"iss": {h.Issuer}, "sid": {session.SID(sessionID, id)}}))
	}
	return all[:min(len(all), maxFrames)], nil
}

// upstream returns where the session of the provider is ended, if there is such a
// place. That it cannot be found out keeps nobody from leaving.
func (h *Handler) upstream(r *http.Request, known *session.Known, state string) string {
	if len(known.Session.Upstream) == 0 {
		return ""
	}
	c, err := h.Roster.Connector(r.Context(), known.Session.ConnectorID)
	if err != nil {
		return ""
	}
	to, err := c.EndURL(r.Context(), known.Session.Upstream, h.Issuer+route.LogoutDone, state)
	if err != nil {
		httpx.LogError(r.Context(), err)
		return ""
	}
	return to
}

// done takes the browser back from the provider's logout.
func (h *Handler) done(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	id := params.Get("state")
	leaving, err := h.Jar.Get(r, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	h.Jar.Drop(w, r, id)
	return h.goodbye(w, r, leaving, nil)
}

// goodbye sends the person on, or says that they are out. Where applications have to
// hear of it from the browser, that goes by way of a page which loads what they have
// for it.
func (h *Handler) goodbye(w http.ResponseWriter, r *http.Request, l Leaving, locales []string) error {
	switch {
	case l.ReturnTo == "":
		return h.Pages.Render(w, r, web.View{Page: donePage{ClientName: l.ClientName, Frames: l.Frames}, Locales: locales})
	case len(l.Frames) > 0:
		return h.Pages.Render(w, r, web.View{Page: leavingPage{ReturnURL: l.ReturnTo, Frames: l.Frames}, Locales: locales})
	default:
		return httpx.SeeOther(w, r, l.ReturnTo)
	}
}

// donePage says that the person is signed out.
type donePage struct {
	ClientName, ReturnURL string
	Frames                []string
}

func (donePage) Template() string { return "logout/done.html" }
func (p donePage) Framed() bool   { return len(p.Frames) > 0 }

// leavingPage goes on by itself once its frames are there.
type leavingPage struct {
	ReturnURL string
	Frames    []string
}

func (leavingPage) Template() string { return "logout/leaving.html" }
func (leavingPage) Framed() bool     { return true }

// confirmPage asks whether the person wants to sign out.
type confirmPage struct {
	ClientName, UserName, UserEmail string
	Action, CSRF                    string
	Carry                           []carried
}

type carried struct{ Name, Value string }

func (confirmPage) Template() string { return "logout/confirm.html" }

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, asked request, known *session.Known, params url.Values) error {
	page := confirmPage{
		UserName: known.PersonName(), UserEmail: known.Identity.Profile.Email,
		Action: h.Base + route.LogoutConfirm, CSRF: h.token(known),
	}
	if asked.client != nil {
		page.ClientName = asked.client.Name
	}
	for _, name := range parameters {
		if value := params.Get(name); value != "" {
			page.Carry = append(page.Carry, carried{name, value})
		}
	}
	// The form leads to the application, or by way of the provider that the person
	// came by.
	return h.Pages.Render(w, r, web.View{Page: page, Locales: asked.locales, LeadsOut: true})
}

func (h *Handler) token(known *session.Known) string {
	sum := h.CSRF.Sum(known.Session.ID)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// confirm ends the session: the person has said so.
func (h *Handler) confirm(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	asked, err := h.read(r, form)
	if err != nil {
		return err
	}
	asked.everywhere = form.Get("everywhere") != ""
	known, err := h.session(r)
	if err != nil {
		return err
	}
	if known != nil {
		sum, err := base64.RawURLEncoding.DecodeString(form.Get("csrf"))
		if err != nil || !h.CSRF.Verify(sum, known.Session.ID) {
			return fault.New(fault.Denied, "This form does not belong to your session. Go back, reload the page and try again.")
		}
	}
	return h.end(w, r, asked, known)
}
