// Package authorize is the authorization endpoint: it takes a client's request,
// sees what is still missing (a login, consent), sends the browser there, and
// when nothing is missing answers the client.
//
// Every step sends the browser back here. So the order of the steps stands in one
// place, [next], and no step knows another.
package authorize

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"dex/internal/base/carry"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/mint"
	"dex/internal/domain/session"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
	"dex/web"
)

// Handler serves the authorization endpoint and the consent page.
type Handler struct {
	Issuer    string
	Base      string // the path of the issuer, before every route
	Origin    string // of the issuer
	Lifetimes tenant.Lifetimes

	Clients   client.Store
	Documents *client.Documents
	Ring      *key.Ring // decrypts request objects
	Details   []string  // the types of authorization details that there are
	Sessions  session.Store
	Grants    grant.Store
	Devices   grant.DeviceStore
	Pushed    grant.PushedStore
	Sealed    *seal.Box // the pushed requests of public clients
	Traces    audit.Store
	Desk      grant.Desk
	Mint      *mint.Mint
	Jar       carry.Jar[grant.Request]
	Cookies   httpx.Cookies
	Pages     *web.Renderer
	Clock     clock.Clock
	// Watched says that applications may watch in a frame whether somebody is signed in
	// still.
	Watched bool
	// Subject returns the account that an ID token of ours was about, expired or not.
	Subject func(idToken string) (subject string, ok bool)
}

// Routes adds the flow to a mux. Errors that are for a person end at onError.
func (h *Handler) Routes(mux *http.ServeMux, onError httpx.ErrorFunc) {
	mux.Handle("GET "+route.Authorize, httpx.Handle(h.get, onError))
	mux.Handle("POST "+route.Authorize, httpx.Handle(h.post, onError))
	mux.Handle("GET "+route.Consent, httpx.Handle(h.ask, onError))
	mux.Handle("POST "+route.Consent, httpx.Handle(httpx.SameOrigin(h.Origin, h.answer), onError))
}

// get takes a request of a client, or one on its way back from a step.
func (h *Handler) get(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	switch asks := params.Has("client_id"); {
	case !asks && params.Get("attempt") != "":
		return h.resume(w, r, params.Get("attempt"))
	case !asks && params.Get("again") != "":
		return h.again(w, r, params.Get("again"))
	}
	req, c, err := h.begin(r, params)
	if err != nil {
		return h.refuse(w, r, err)
	}
	return h.proceed(w, r, req, c)
}

// post takes a request that a client's page sent as a form. It came from another
// site, so the browser showed no cookies with it, and what it has under way is out
// of sight: the browser is asked to come again by itself. Only a request that is too
// long for an address is kept in the browser unseen.
func (h *Handler) post(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	req, c, err := h.begin(r, params)
	if err != nil {
		return h.refuse(w, r, err)
	}
	if query := params.Encode(); len(query) <= longestQuery {
		return httpx.SeeOther(w, r, h.Base+route.Authorize+"?"+query)
	}
	return h.leave(w, r, req, c, route.Authorize)
}

// longestQuery is what passes for an address at every proxy.
const longestQuery = 4 << 10

// begin reads a client's request. What is wrong with it is for the client as soon
// as it is known that the redirect URI is the client's own.
func (h *Handler) begin(r *http.Request, params url.Values) (grant.Request, client.Client, error) {
	now := h.Clock.Now()
	asked, by, wrong := h.read(r.Context(), params)
	c, err := h.client(r.Context(), asked, wrong)
	if err != nil {
		return grant.Request{}, client.Client{}, err
	}
	if asked, err = h.vet(r.Context(), asked, by, c, wrong); err != nil {
		return grant.Request{}, c, err
	}
	req := grant.Request{
		ID:          carry.NewID(now),
		SupportCode: audit.NewSupportCode(),
		CSRF:        rand.Text(),
		StartedAt:   now,
		ExpiresAt:   now.Add(h.Lifetimes.Attempt),
		Asked:       asked,
		By:          by,
	}
	req.About, _ = h.Subject(asked.IDTokenHint)
	if who := asked.Claims.Subject(); who != "" {
		if req.Claimed, _ = h.Mint.Subjects.User(c, who); req.Claimed == "" {
			req.Claimed = who // which is nobody
		}
	}
	req.Asked.IDTokenHint = "" // which may be larger than all that a browser keeps
	httpx.Annotate(r.Context(), slog.String("support_code", req.SupportCode))
	req.Note(now, "request", c.ID+" asks for "+asked.Scopes.String())
	return req, c, nil
}

// vet holds a request to all that its client may ask, and returns it with no more than
// that. The redirect URI is known to be the client's, so that it hears what is wrong.
func (h *Handler) vet(ctx context.Context, asked oauth.Authorization, by grant.Delivery, c client.Client, wrong error) (oauth.Authorization, error) {
	if !c.AnswersIn(asked.Mode(), asked.ResponseType) {
		// What the client may not have is no way to tell it so either.
		asked.ResponseMode, wrong = "", oauth.Errorf(oauth.InvalidRequest, "This client gets its answer by query or form_post.")
	}
	back := replyTo(asked, c)
	if wrong != nil {
		return asked, back.error(wrong)
	}
	if wrong = demand(asked, by, c); wrong != nil {
		return asked, back.error(wrong)
	}
	if asked.Scopes, wrong = check(asked, c); wrong != nil {
		return asked, back.error(wrong)
	}
	asked = complete(asked, c)
	for _, resource := range asked.Resources {
		if !c.MayReach(resource, h.Issuer) {
			return asked, back.error(oauth.Errorf(oauth.InvalidTarget, "This client may not ask for tokens for this resource."))
		}
	}
	if wrong = c.CheckDetails(asked.Details, h.Details); wrong != nil {
		return asked, back.error(wrong)
	}
	if wrong = h.checkAudience(ctx, asked.Scopes, c); wrong != nil {
		return asked, back.error(wrong)
	}
	return asked, nil
}

// client returns the client that asks, if the redirect URI is one of its own.
// Before that is known nothing may be sent there, RFC 6749 section 4.1.2.1.
func (h *Handler) client(ctx context.Context, asked oauth.Authorization, wrong error) (client.Client, error) {
	if person, ok := errors.AsType[*fault.Error](wrong); ok {
		return client.Client{}, person
	}
	c, err := h.registered(ctx, asked.ClientID)
	if err != nil {
		return client.Client{}, err
	}
	switch {
	case asked.RedirectURI == "":
		return c, fault.New(fault.Invalid, "The application did not say where to return to: the redirect_uri is missing.")
	case !c.Returns(asked.RedirectURI):
		return c, fault.New(fault.Invalid, "The application wants to return to an address that is not its own: the redirect_uri is not registered.")
	}
	return c, nil
}

// registered returns a client that may ask at all.
func (h *Handler) registered(ctx context.Context, id string) (client.Client, error) {
	c, err := h.Clients.Client(ctx, id)
	if fault.Is(err, fault.NotFound) || err == nil && c.Disabled {
		return client.Client{}, fault.Wrap(fault.Invalid, err, "No application is registered here under this client_id.")
	}
	if err != nil {
		return client.Client{}, err
	}
	httpx.Annotate(ctx, slog.String("client", c.ID))
	return c, nil
}

// resume goes on with a request that a step sends back.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request, id string) error {
	req, c, err := h.load(r, id)
	if err != nil {
		return err
	}
	return h.proceed(w, r, req, c)
}

// longestAgain is how long after its beginning an attempt may be started again.
const longestAgain = 24 * time.Hour

// again starts an expired attempt anew, as it was asked for, if it may still be asked.
func (h *Handler) again(w http.ResponseWriter, r *http.Request, id string) error {
	old, err := h.Jar.Get(r, id)
	if err != nil {
		return err
	}
	h.Jar.Drop(w, r, id)
	if old.Device != nil { // which has to show another code
		return httpx.SeeOther(w, r, h.Base+startOf(old))
	}
	now := h.Clock.Now()
	if now.Sub(old.StartedAt) > longestAgain {
		return fault.New(fault.NotFound, "This attempt began too long ago.")
	}
	c, err := h.client(r.Context(), old.Asked, nil)
	if err != nil {
		return err
	}
	if old.Asked, err = h.vet(r.Context(), old.Asked, old.By, c, nil); err != nil {
		return h.refuse(w, r, err)
	}
	req := grant.Request{
		ID: carry.NewID(now), SupportCode: audit.NewSupportCode(), CSRF: old.CSRF,
		StartedAt: now, ExpiresAt: now.Add(h.Lifetimes.Attempt), Asked: old.Asked, By: old.By, About: old.About, Claimed: old.Claimed,
	}
	req.Note(now, "request", "started again after "+old.SupportCode+" had expired")
	return h.leave(w, r, req, c, route.Authorize)
}

// load returns an attempt of this browser that is still good, and its client.
func (h *Handler) load(r *http.Request, id string) (grant.Request, client.Client, error) {
	req, err := h.Jar.Get(r, id)
	if err != nil {
		return req, client.Client{}, err
	}
	httpx.Annotate(r.Context(), slog.String("support_code", req.SupportCode))
	if !h.Clock.Now().Before(req.ExpiresAt) {
		return req, client.Client{}, &grant.Stalled{
			Request: req, StartAgain: h.Base + route.Authorize + "?again=" + req.ID,
			Err: fault.New(fault.NotFound, "This page has expired."),
		}
	}
	if req.Device != nil {
		c, err := h.registered(r.Context(), req.Asked.ClientID)
		return req, c, err
	}
	c, err := h.client(r.Context(), req.Asked, nil)
	return req, c, err
}

// proceed does what the request still needs, or answers it.
func (h *Handler) proceed(w http.ResponseWriter, r *http.Request, req grant.Request, c client.Client) error {
	now := h.Clock.Now()
	if req.Answered.Canceled {
		return h.fail(w, r, req, c, oauth.Errorf(oauth.AccessDenied, "The person did not go on."))
	}
	known, denial, err := h.session(r, c)
	if err != nil {
		return err
	}
	if known != nil && req.Answered.SessionID == known.Session.ID {
		// Who has just logged in is not sent to log in again.
		switch {
		case denial != nil:
			req.Because(now, "gate", string(denial.Reason), denial.Setting)
			return h.fail(w, r, req, c, toldOf(denial))
		case !isMeant(req, known):
			return h.fail(w, r, req, c, oauth.Errorf(oauth.LoginRequired, "Somebody else has logged in."))
		}
	}
	found := seen{known, denial}
	if denial != nil || known != nil && !isMeant(req, known) {
		known = nil
	}
	mine, told := within(req, known)
	if told != nil {
		return h.fail(w, r, req, c, told)
	}
	step := next(mine, c, known, now)
	for _, n := range reasons(mine, c, found, step, now) {
		req.Because(now, n.What, n.Said, n.Why)
	}
	mine.Steps = req.Steps
	if step != stepRespond && req.Asked.Prompt.None {
		return h.fail(w, r, req, c, step.silentError())
	}
	switch step {
	case stepLogin:
		return h.leave(w, r, req, c, route.Login)
	case stepConsent:
		return h.leave(w, r, req, c, route.Consent)
	default:
		return h.respond(w, r, mine, c, known, now)
	}
}

// session returns the session of this browser, and the gate's denial if it may not
// answer for its person. Such a session is as good as none: the person can still log
// in another way.
func (h *Handler) session(r *http.Request, c client.Client) (*session.Known, *grant.Denial, error) {
	value, _ := h.Cookies.Get(r, session.Cookie)
	known, err := session.Find(r.Context(), h.Sessions, secret.Value(value), c.ID)
	if known == nil || err != nil {
		return nil, nil, err
	}
	denial, err := h.reuse(r.Context(), c, known)
	return known, denial, err
}

// reuse asks the gate whether the session may answer for its person, and puts off
// its idle timeout.
func (h *Handler) reuse(ctx context.Context, c client.Client, known *session.Known) (*grant.Denial, error) {
	_, err := h.Desk.Decide(ctx, grant.Case{
		Path: grant.ReuseSession, Client: c,
		User: &known.User, Identity: &known.Identity, Session: &known.Session,
		Authorization: grant.Authorization{ConnectorID: known.Session.ConnectorID},
	})
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		httpx.Annotate(ctx, slog.String("session", string(denial.Reason)))
		return denial, nil
	}
	if err != nil {
		return nil, err
	}
	if now := h.Clock.Now(); known.Session.Stale(now, h.Lifetimes.SessionIdle) {
		err = h.Sessions.TouchSession(ctx, known.Session.ID, now.Add(h.Lifetimes.SessionIdle))
	}
	return nil, err
}

// isMeant reports whether the session's person is the one that the client asks
// about, and came the way that it asks for.
func isMeant(req grant.Request, known *session.Known) bool {
	if by := req.Asked.ConnectorID; by != "" && by != known.Session.ConnectorID {
		return false
	}
	if req.Claimed != "" && req.Claimed != known.User.ID {
		return false
	}
	return req.About == "" || req.About == known.User.ID
}

// leave keeps the request in the browser and sends it to a step.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request, req grant.Request, c client.Client, to string) error {
	err := h.Jar.Put(w, r, req.ID, req)
	if fault.Is(err, fault.Invalid) {
		told := oauth.Wrap(oauth.InvalidRequest, err, "The request is too large to be kept while the person is away.")
		return h.refuse(w, r, replyTo(req.Asked, c).error(told))
	}
	if err != nil {
		return err
	}
	return httpx.SeeOther(w, r, h.Base+to+"?attempt="+req.ID)
}
