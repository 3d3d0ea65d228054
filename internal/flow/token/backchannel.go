package token

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// backchannel takes a client's request for somebody who is elsewhere, CIBA section 7.1.
func (h *Handler) backchannel(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	c, err := h.authenticate(w, r, form)
	if err != nil {
		return err
	}
	switch {
	case !c.May(client.CIBA) || c.Disabled:
		return oauth.Errorf(oauth.UnauthorizedClient, "This client may not ask for people by the back channel.")
	case c.Public: // nobody would know whose screen the person is to look at
		return oauth.Errorf(oauth.UnauthorizedClient, "A client that keeps no secret may not ask for people by the back channel.")
	}
	params, used, err := client.ReadBackchannelRequest(c, form, h.Issuer, h.Clock.Now())
	if err != nil {
		return err
	}
	if !used.Expires.IsZero() {
		err := h.Clients.ConsumeAssertion(r.Context(), c.ID, used.JTI, used.Expires, h.Clock.Now())
		if fault.Is(err, fault.Conflict) {
			return oauth.Wrap(oauth.InvalidRequest, err, "The request has been sent before.")
		}
		if err != nil {
			return err
		}
	}
	req, err := oauth.ParseBackchannelRequest(params)
	if err != nil {
		return err
	}
	answer, err := h.call(r, c, req)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// call has the request wait for the person.
func (h *Handler) call(r *http.Request, c client.Client, req oauth.BackchannelRequest) (oauth.BackchannelResponse, error) {
	ctx, now := r.Context(), h.Clock.Now()
	code := secret.New(secret.BackchannelPrefix)
	d := grant.Device{
		ID: grant.NewBackchannelID(), Code: code.Hash(), ClientID: c.ID, Scopes: req.Scopes, SupportCode: audit.NewSupportCode(),
		RemoteAddr: httpx.Addr(r).String(), UserAgent: r.UserAgent(), CreatedAt: now, Message: req.BindingMessage, ACR: req.ACRValues,
	}
	d.UserCode = secret.Value(d.ID).Hash() // of no code that anybody could type
	httpx.Annotate(ctx, slog.String("support_code", d.SupportCode))
	life := grant.BackchannelLife
	if req.RequestedExpiry > 0 {
		life = min(req.RequestedExpiry.Duration(), grant.LongestBackchannel)
	}
	d.ExpiresAt = now.Add(life)
	answer := oauth.BackchannelResponse{
		AuthReqID: string(code), ExpiresIn: oauth.Seconds(life / time.Second), Interval: oauth.Seconds(grant.DevicePause / time.Second),
	}
	if mode := c.Backchannel.Mode; mode == oauth.DeliveryPing || mode == oauth.DeliveryPush {
		if req.NotificationToken == "" {
			return answer, oauth.Errorf(oauth.InvalidRequest, "The client_notification_token is missing, by which this client wants to be told.")
		}
		d.Notice = &grant.Notice{Endpoint: c.Backchannel.Endpoint, Token: req.NotificationToken, Code: code}
		if mode == oauth.DeliveryPush {
			d.Notice.Push, d.Notice.Family = true, newFamily(h.Lifetimes, now)
			answer.Interval = 0 // nobody asks
		}
	}
	var err error
	if d.For, err = h.addressee(ctx, c, req); err != nil {
		return answer, err
	}
	if err := h.mayCall(ctx, c, d, now); err != nil {
		return answer, err
	}
	return answer, h.Devices.OpenDevice(ctx, d)
}

// addressee returns whom the hint means: an account, and the identity of it that the
// client takes.
func (h *Handler) addressee(ctx context.Context, c client.Client, req oauth.BackchannelRequest) (*grant.Addressee, error) {
	unknown := func(cause error) error {
		return oauth.Wrap(oauth.UnknownUserID, cause, "Nobody is known by this hint.")
	}
	hint := req.LoginHint
	switch {
	case req.LoginHintToken != "":
		return nil, unknown(errors.New("no login_hint_token means anybody here"))
	case req.IDTokenHint != "":
		subject, ok := h.Subject(req.IDTokenHint, c)
		if !ok {
			return nil, oauth.Errorf(oauth.InvalidRequest, "The id_token_hint is no ID token that this client was given here.")
		}
		hint = subject
	}
	u, identities, err := h.Users.ByHint(ctx, hint)
	if fault.Is(err, fault.NotFound) {
		return nil, unknown(err)
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(identities, func(i user.Identity) bool { return c.Accepts(i.ConnectorID) })
	if i < 0 {
		return nil, unknown(errors.New("the client accepts none of the identities that the person has"))
	}
	return &grant.Addressee{UserID: u.ID, ConnectorID: identities[i].ConnectorID, Subject: identities[i].Subject}, nil
}

// mayCall asks the gate whether anything would come of it if the person allowed it:
// nobody is bothered for nothing.
func (h *Handler) mayCall(ctx context.Context, c client.Client, d grant.Device, now time.Time) error {
	whole, err := (grant.Answerer{Users: h.Users}).Case(ctx, c, d, nil, now)
	if err != nil {
		return err
	}
	_, err = h.Desk.Decide(ctx, whole)
	denial, denied := errors.AsType[*grant.Denial](err)
	if !denied {
		return err
	}
	switch denial.Reason {
	case grant.ClientDisabled, grant.GrantTypeMissing, grant.ScopeNotAllowed, grant.AudienceNotAllowed:
		return denial
	default:
		return oauth.Wrap(oauth.AccessDenied, denial, "This person may not let the client in.")
	}
}
