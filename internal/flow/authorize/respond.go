package authorize

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
	"dex/web"
)

// reply is where a client gets its answer. It is only ever made of a request
// whose redirect URI has been checked.
type reply struct {
	client      client.Client
	redirectURI string
	mode        oauth.ResponseMode
	state       string
}

func replyTo(asked oauth.Authorization, c client.Client) reply {
	return reply{client: c, redirectURI: asked.RedirectURI, mode: asked.Mode(), state: asked.State}
}

// forClient is an error that the client is told, at its redirect URI.
type forClient struct {
	reply reply
	err   *oauth.Error
}

func (e *forClient) Error() string { return e.err.Error() }
func (e *forClient) Unwrap() error { return e.err }

func (b reply) error(err error) error {
	told, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		return err
	}
	return &forClient{reply: b, err: told}
}

// refuse tells the client what is wrong, if the error is for the client; else it
// hands the error on, for the person.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) error {
	e, ok := errors.AsType[*forClient](err)
	if !ok {
		return err
	}
	httpx.LogError(r.Context(), e.err)
	return h.send(w, r, e.reply, e.err.Params(), nil)
}

// fail ends an attempt with an error for the client, and keeps its trace if the
// person has acted.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, req grant.Request, c client.Client, told *oauth.Error) error {
	if req.By.Pushed != nil {
		if err := h.Pushed.EndPushed(r.Context(), req.Attempt(), h.Clock.Now()); err != nil {
			return err
		}
	}
	h.Jar.Drop(w, r, req.ID)
	if req.Answered.LoginID != "" || req.Answered.SessionID != "" {
		req.Note(h.Clock.Now(), "answer", string(told.Code))
		if err := h.Traces.KeepTrace(r.Context(), req.SupportCode, req.StartedAt, req.Steps); err != nil {
			httpx.Annotate(r.Context(), slog.String("trace", err.Error()))
		}
	}
	if req.Device != nil {
		httpx.LogError(r.Context(), told)
		return h.turnAway(w, r, req)
	}
	return h.refuse(w, r, replyTo(req.Asked, c).error(told))
}

// respond passes the gate and gives the client what it asked for.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, req grant.Request, c client.Client, known *session.Known, now time.Time) error {
	permits, err := h.permits(r, req, c, known)
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		httpx.LogError(r.Context(), denial)
		req.Because(now, "gate", string(denial.Reason), denial.Setting)
		return h.fail(w, r, req, c, toldOf(denial))
	}
	if err != nil {
		return err
	}
	req.Note(now, "gate", "open")
	if req.Device != nil {
		return h.letIn(w, r, req, permits[0])
	}
	// Where the client gets no code there is one all the same, which nobody is told and
	// which is over already: what is kept of an authorization is kept in one way.
	code := secret.New(secret.CodePrefix)
	kept := grant.Code{
		Hash:        code.Hash(),
		RedirectURI: req.Asked.RedirectURI,
		Challenge:   req.Asked.Challenge,
		ExpiresAt:   now,
		Spent:       !req.Asked.ResponseType.Code(),
		Attempt:     req.Attempt(),
		BoundTo:     req.Asked.JKT,
	}
	answer := url.Values{}
	front := mint.Front{Type: req.Asked.ResponseType, State: req.Asked.State}
	if req.Asked.ResponseType.Code() {
		kept.ExpiresAt, front.Code = now.Add(c.CodeTTL(h.Lifetimes.Code)), code
	}
	if req.Asked.ResponseType.Front() {
		if c, err = h.Documents.ToEncrypt(r.Context(), c, c.IDTokenEncryption); err != nil {
			return err
		}
		tokens, err := h.Mint.Front(permits[len(permits)-1], c, *known.Profile(), front, now)
		if err != nil {
			return err
		}
		answer = tokens.Params()
	}
	if front.Code != "" {
		answer.Set("code", string(front.Code))
	}
	err = h.Grants.KeepCode(r.Context(), permits[0], kept, req.Steps, req.StartedAt)
	if fault.Is(err, fault.Conflict) {
		return &grant.Stalled{Request: req, StartAgain: h.Base + route.Authorize + "?again=" + req.ID, Err: err}
	}
	if err != nil {
		return err
	}
	if err := h.watch(w, req, known.Session.ID, answer); err != nil {
		return err
	}
	h.Jar.Drop(w, r, req.ID)
	return h.send(w, r, replyTo(req.Asked, c), answer, req.Asked.UILocales)
}

// watch tells an application by what it knows this session, and the browser by what our
// frame does: Session Management section 2.
func (h *Handler) watch(w http.ResponseWriter, req grant.Request, sessionID string, answer url.Values) error {
	if !h.Watched || !req.Asked.Scopes.Contains(oauth.ScopeOpenID) {
		return nil
	}
	to, err := url.Parse(req.Asked.RedirectURI)
	if err != nil {
		return err // it is registered, so it parses
	}
	if to.Host == "" { // a scheme of its own, which no page has
		return nil
	}
	state := session.BrowserState(sessionID)
	answer.Set("session_state", session.State(req.Asked.ClientID, httpx.Origin(to), state, strings.ToLower(rand.Text()[:16])))
	return h.Cookies.Show(w, session.StateCookie, state)
}

// pathsOf returns the ways to something of worth that a request wants to go: for a code
// and tokens both.
func pathsOf(req grant.Request) []grant.Path {
	if req.Device != nil {
		return []grant.Path{req.Device.Approval()}
	}
	var paths []grant.Path
	if req.Asked.ResponseType.Code() {
		paths = append(paths, grant.IssueCode)
	}
	if req.Asked.ResponseType.Front() {
		paths = append(paths, grant.IssueTokens)
	}
	return paths
}

// permits returns the gate's word for each way that the request wants to go.
func (h *Handler) permits(r *http.Request, req grant.Request, c client.Client, known *session.Known) ([]grant.Permit, error) {
	s := &known.Session
	whole := grant.Case{
		Client: c,
		User:   &known.User, Identity: &known.Identity, Session: s,
		Authorization: grant.Authorization{
			ID:          grant.NewID(),
			ClientID:    c.ID,
			UserID:      known.User.ID,
			SessionID:   s.ID,
			ConnectorID: s.ConnectorID,
			Subject:     s.Subject,
			Scopes:      req.Asked.Scopes,
			Audience:    audience(req.Asked.Scopes, c),
			Nonce:       req.Asked.Nonce,
			AuthTime:    s.AuthTime,
			Methods:     s.Methods,
			IssuedAt:    h.Clock.Now(),
			SupportCode: req.SupportCode,
			Terms:       grant.Terms{Claims: req.Asked.Claims, ACR: wanted(req.Asked), Resources: req.Asked.Resources, Details: req.Asked.Details},
		},
		RedirectURI:    req.Asked.RedirectURI,
		ResponseType:   req.Asked.ResponseType,
		RequestedAt:    req.StartedAt,
		MaxAge:         req.MaxAge(),
		Classes:        demanded(req.Asked),
		Consent:        allowed(req, c, known),
		DetailsAllowed: len(req.Answered.Consent) > 0 && req.Answered.ConsentBy == known.User.ID,
	}
	var permits []grant.Permit
	for _, path := range pathsOf(req) {
		whole.Path = path
		permit, err := h.Desk.Decide(r.Context(), whole)
		if err != nil {
			return nil, err
		}
		permits = append(permits, permit)
	}
	return permits, nil
}

// toldOf says what the client hears of a closed gate. It hears as little as it
// needs to know; the log has the reason.
func toldOf(d *grant.Denial) *oauth.Error {
	switch d.Reason {
	case grant.ClientDisabled, grant.GrantTypeMissing, grant.ResponseTypeMissing:
		return oauth.Wrap(oauth.UnauthorizedClient, d, "This client may not do this.")
	case grant.ScopeNotAllowed, grant.AudienceNotAllowed:
		return oauth.Wrap(oauth.InvalidScope, d, "This client may not have these scopes.")
	case grant.AuthTooWeak:
		return oauth.Wrap(oauth.UnmetRequirements, d, "The person has not logged in in a way that has the acr which the claims parameter demands.")
	case grant.SessionEnded, grant.AuthTooOld, grant.ConsentMissing:
		return oauth.Wrap(oauth.InteractionRequired, d, "The person has to be asked again.")
	default:
		return oauth.Wrap(oauth.AccessDenied, d, "Access was not granted.")
	}
}

// send brings parameters to the client, together with the state it gave us and
// with who we are, RFC 9207. Where the client wants them signed, they are one.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, to reply, params url.Values, locales []string) error {
	params.Set("iss", h.Issuer)
	if to.state != "" {
		params.Set("state", to.state)
	}
	if to.mode.Signed() {
		var err error
		if to.client, err = h.Documents.ToEncrypt(r.Context(), to.client, to.client.ResponseEncryption); err != nil {
			return err
		}
		response, err := h.Mint.Response(to.client, params, h.Clock.Now())
		if err != nil {
			return err
		}
		params = url.Values{"response": {response}}
	}
	if to.mode.Way() != oauth.ModeFormPost {
		return httpx.SeeOther(w, r, oauth.AppendResponse(to.redirectURI, to.mode.Way(), params))
	}
	if !httpx.TakesForm(to.redirectURI) {
		return fault.New(fault.Invalid, "The application's address cannot take a form.")
	}
	page := formPostPage{URL: to.redirectURI}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		page.Fields = append(page.Fields, formField{Name: name, Value: params.Get(name)})
	}
	return h.Pages.Render(w, r, web.View{Page: page, Locales: locales})
}

// formPostPage is a form that sends itself, OAuth 2.0 Form Post Response Mode.
type formPostPage struct {
	URL    string
	Fields []formField
}

type formField struct{ Name, Value string }

func (formPostPage) Template() string { return "authorize/form_post.html" }
