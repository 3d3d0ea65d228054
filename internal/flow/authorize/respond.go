package authorize

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

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

// reply is where a client gets its answer. It is only ever made of a request
// whose redirect URI has been checked.
type reply struct {
	redirectURI string
	mode        oauth.ResponseMode
	state       string
}

func replyTo(asked oauth.Authorization) reply {
	return reply{redirectURI: asked.RedirectURI, mode: asked.Mode(), state: asked.State}
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
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, req grant.Request, told *oauth.Error) error {
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
	return h.refuse(w, r, replyTo(req.Asked).error(told))
}

// respond passes the gate and gives the client a code.
func (h *Handler) respond(w http.ResponseWriter, r *http.Request, req grant.Request, c client.Client, known *session.Known, now time.Time) error {
	permit, err := h.permit(r, req, c, known)
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		httpx.LogError(r.Context(), denial)
		req.Because(now, "gate", string(denial.Reason), denial.Setting)
		return h.fail(w, r, req, toldOf(denial))
	}
	if err != nil {
		return err
	}
	req.Note(now, "gate", "open")
	if req.Device != nil {
		return h.letIn(w, r, req, permit)
	}
	code := secret.New(secret.CodePrefix)
	err = h.Grants.KeepCode(r.Context(), permit, grant.Code{
		Hash:        code.Hash(),
		RedirectURI: req.Asked.RedirectURI,
		Challenge:   req.Asked.Challenge,
		ExpiresAt:   now.Add(h.Lifetimes.Code),
		Attempt:     secret.Value(req.ID).Hash(),
	}, req.Steps, req.StartedAt)
	if fault.Is(err, fault.Conflict) {
		return &grant.Stalled{Request: req, StartAgain: h.Base + route.Authorize + "?again=" + req.ID, Err: err}
	}
	if err != nil {
		return err
	}
	h.Jar.Drop(w, r, req.ID)
	return h.send(w, r, replyTo(req.Asked), url.Values{"code": {string(code)}}, req.Asked.UILocales)
}

func (h *Handler) permit(r *http.Request, req grant.Request, c client.Client, known *session.Known) (grant.Permit, error) {
	s := &known.Session
	path := grant.IssueCode
	if req.Device != nil {
		path = grant.ApproveDevice
	}
	return h.Desk.Decide(r.Context(), grant.Case{
		Path: path, Client: c,
		User: &known.User, Identity: &known.Identity, Session: s,
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
		},
		RedirectURI: req.Asked.RedirectURI,
		RequestedAt: req.StartedAt,
		MaxAge:      req.MaxAge(),
		Consent:     allowed(req, c, known),
	})
}

// toldOf says what the client hears of a closed gate. It hears as little as it
// needs to know; the log has the reason.
func toldOf(d *grant.Denial) *oauth.Error {
	switch d.Reason {
	case grant.ClientDisabled, grant.GrantTypeMissing:
		return oauth.Wrap(oauth.UnauthorizedClient, d, "This client may not do this.")
	case grant.ScopeNotAllowed, grant.AudienceNotAllowed:
		return oauth.Wrap(oauth.InvalidScope, d, "This client may not have these scopes.")
	case grant.SessionEnded, grant.AuthTooOld, grant.ConsentMissing:
		return oauth.Wrap(oauth.InteractionRequired, d, "The person has to be asked again.")
	default:
		return oauth.Wrap(oauth.AccessDenied, d, "Access was not granted.")
	}
}

// send brings parameters to the client, together with the state it gave us and
// with who we are, RFC 9207.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, to reply, params url.Values, locales []string) error {
	params.Set("iss", h.Issuer)
	if to.state != "" {
		params.Set("state", to.state)
	}
	if to.mode != oauth.ModeFormPost {
		return httpx.SeeOther(w, r, oauth.AppendResponse(to.redirectURI, to.mode, params))
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
