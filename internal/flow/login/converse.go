package login

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dex/internal/base/carry"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/route"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
)

// begin starts the conversation with a connector.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	a, c, err := h.at(r, params.Get("attempt"))
	if err != nil {
		return err
	}
	a.Answered.ConnectorID, a.Answered.ConnectorState = c.ID, nil
	a.Answered.LoginID = a.ID + "." + rand.Text()
	step, err := c.Begin(r.Context(), h.login(r, a))
	if err != nil {
		return h.failed(w, r, a, c, err)
	}
	return h.prompt(w, r, a, c, step)
}

// at returns an attempt together with the connector that the path names, if the
// attempt may go by it.
func (h *Handler) at(r *http.Request, attemptID string) (*attempt, *roster.Connector, error) {
	a, err := h.load(r, attemptID)
	if err != nil {
		return nil, nil, err
	}
	c, err := h.Roster.Connector(r.Context(), r.PathValue("connector"))
	if err != nil {
		return nil, nil, h.stalled(a.Request, err)
	}
	if !a.admits(c.ID) || !c.LogsIn() {
		return nil, nil, h.stalled(a.Request, fault.New(fault.Denied, "This application does not accept this way to sign in."))
	}
	httpx.Annotate(r.Context(), slog.String("connector", c.ID))
	return a, c, nil
}

// login is what the connector learns of the attempt.
func (h *Handler) login(r *http.Request, a *attempt) connector.Login {
	asked := a.Asked
	return connector.Login{
		ID:          a.Answered.LoginID,
		CallbackURL: h.Issuer + strings.TrimPrefix(h.address(route.Callback, a.Answered.ConnectorID), h.Base),
		Hint:        asked.LoginHint,
		Force:       asked.Prompt.Login || asked.Prompt.SelectAccount || a.Answered.Switch,
		MaxAge:      a.MaxAge(),
		RemoteAddr:  httpx.Addr(r),
		Devices:     h.marks(r),
		Locales:     asked.UILocales,
	}
}

// submit takes a filled-in form of the connector.
func (h *Handler) submit(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, 8<<10) // a form of names and passwords is small
	if err != nil {
		return err
	}
	a, c, err := h.at(r, form.Get("attempt"))
	if err != nil {
		return err
	}
	if err := a.CheckCSRF(form.Get("csrf")); err != nil {
		return err
	}
	if form.Get("cancel") != "" {
		h.tell(a, c, measure.Cancelled)
		return h.giveUp(w, r, a, "the person gave up")
	}
	return h.goOn(w, r, a, c, form)
}

// callback takes the browser back from another provider. Its state names the
// attempt; what it is worth lies in the cookie of the browser that left.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) error {
	answer, err := httpx.Query(r)
	if err != nil {
		return err
	}
	if id := answer.Get("posted"); id != "" {
		if answer, err = h.Posted.Get(r, id); err != nil {
			return err
		}
		h.Posted.Drop(w, r, id)
	}
	state := stateOf(answer)
	attemptID, _, _ := strings.Cut(state, ".")
	a, c, err := h.at(r, attemptID)
	if err != nil {
		return err
	}
	if state != a.Answered.LoginID || c.ID != a.Answered.ConnectorID {
		return h.stalled(a.Request, fault.New(fault.Conflict, "This answer belongs to an earlier step. Please start again."))
	}
	return h.goOn(w, r, a, c, answer)
}

// stateOf returns what names the attempt in a provider's answer: the state of
// OAuth, which may stand in a signed answer, or the RelayState of SAML. One that comes
// twice names nothing. Whether it is true the connector finds out.
func stateOf(answer url.Values) string {
	for _, name := range []string{"state", "RelayState"} {
		if values := answer[name]; len(values) == 1 {
			return values[0]
		}
	}
	var signed struct {
		State string `json:"state"`
	}
	if tokens := answer["response"]; len(tokens) != 1 || jose.Unverified(tokens[0], &signed) != nil {
		return ""
	}
	return signed.State
}

// posted takes an answer that another site sent as a form. The browser showed no
// cookies with it, so the answer is kept, sealed, in the browser itself, which is
// asked to come again. The cookies it has are out of sight; so that nobody can fill
// the browser with answers, each is put into one of a few places.
func (h *Handler) posted(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	id := carry.Slot(stateOf(form))
	if err := h.Posted.Put(w, r, id, form); err != nil {
		return err
	}
	return httpx.SeeOther(w, r, h.address(route.Callback, r.PathValue("connector"))+"?posted="+id)
}

// keysMaxAge is how long another provider may keep our keys before it asks again.
const keysMaxAge = 5 * time.Minute

// keys answers with the keys by which a connector proves who we are: what the provider
// behind it has for our jwks_uri.
func (h *Handler) keys(w http.ResponseWriter, r *http.Request) error {
	c, err := h.Roster.Connector(r.Context(), r.PathValue("connector"))
	if err != nil {
		return err
	}
	set, err := c.PublicKeys()
	if err != nil {
		return err
	}
	if len(set) == 0 {
		return fault.New(fault.NotFound, "This way to sign in has no keys.")
	}
	return httpx.ServeDocument(w, r, httpx.NewDocument("application/jwk-set+json", set, keysMaxAge))
}

// goOn hands the browser's answer to the connector, and does what follows.
func (h *Handler) goOn(w http.ResponseWriter, r *http.Request, a *attempt, c *roster.Connector, form url.Values) error {
	if a.Answered.LoginID == "" || c.ID != a.Answered.ConnectorID {
		return httpx.SeeOther(w, r, h.address(route.LoginConnector, c.ID)+"?attempt="+a.ID) // it never began
	}
	step, err := c.Continue(r.Context(), h.login(r, a), connector.Answer{
		Form: form, Header: h.Roster.Headers(c.Kind, r.Header), State: a.Answered.ConnectorState,
	})
	if err != nil {
		return h.failed(w, r, a, c, err)
	}
	a.Note(h.Clock.Now(), "connector", c.ID+": "+step.Said)
	if step.Identity != nil {
		return h.finish(w, r, a, c, step)
	}
	return h.prompt(w, r, a, c, step)
}

// failed ends a conversation that the connector could not lead, or in which the
// person was turned down.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, a *attempt, c *roster.Connector, err error) error {
	if errors.Is(err, connector.ErrRefused) {
		h.tell(a, c, measure.Cancelled)
		httpx.LogError(r.Context(), err)
		return h.giveUp(w, r, a, c.ID+": "+err.Error())
	}
	switch {
	case fault.Is(err, fault.Throttled):
		h.tell(a, c, measure.Throttled)
	default:
		h.tell(a, c, failure(r, err))
	}
	acted := len(a.Answered.ConnectorState) > 0 // the browser had left, and came back
	a.Note(h.Clock.Now(), "connector", c.ID+" failed: "+err.Error())
	if acted {
		h.keepTrace(r.Context(), a)
	}
	a.Answered.ConnectorState = nil
	if putErr := h.Jar.Put(w, r, a.ID, a.Request); putErr != nil {
		return putErr
	}
	switch fault.Of(err) {
	case fault.Internal, fault.NotFound:
		err = fault.Wrap(fault.Unavailable, err, "%s did not answer as it should.", c.Name)
	}
	return &grant.Stalled{Request: a.Request, StartAgain: h.Base + route.Login + "?attempt=" + a.ID, Err: err}
}

// failure says of whom it is that an attempt went no further.
func failure(r *http.Request, err error) measure.Result {
	if httpx.HungUp(r.Context(), err) {
		return measure.HungUp
	}
	return measure.Failed
}

// prompt shows the browser what the connector wants it to do next.
func (h *Handler) prompt(w http.ResponseWriter, r *http.Request, a *attempt, c *roster.Connector, step connector.Step) error {
	p := step.Prompt
	if p == nil {
		return fmt.Errorf("connector %s says neither who it is nor what to do", c.ID)
	}
	switch {
	case p.Form == nil || p.Form.Problem == "":
	case p.Form.Wait > 0:
		h.tell(a, c, measure.Throttled)
	default:
		h.tell(a, c, measure.Wrong)
		h.keepTrace(r.Context(), a) // the person has tried
	}
	a.Answered.ConnectorState = p.State
	if err := h.Jar.Put(w, r, a.ID, a.Request); err != nil {
		return err
	}
	switch {
	case p.Redirect != "":
		return httpx.SeeOther(w, r, p.Redirect)
	case p.Post != nil:
		return h.post(w, r, a, p.Post)
	case p.Form != nil:
		return h.form(w, r, a, c, p.Form)
	}
	return fmt.Errorf("connector %s asks the browser for nothing", c.ID)
}
