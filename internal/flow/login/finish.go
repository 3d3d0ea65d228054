package login

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
)

// finish opens a session for whoever the connector says it is, and sends the
// browser back to the authorization endpoint.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, a *attempt, c *roster.Connector, step connector.Step) error {
	ctx := r.Context()
	cookie := secret.New(secret.SessionPrefix)
	var opened session.Session
	var err error
	for range 3 { // somebody else may open the same new account at the same time
		var o grant.Opening
		var permit grant.Permit
		if o, permit, err = h.opening(r, a, c, step, cookie); err != nil {
			break
		}
		opened, err = h.Grants.OpenSession(ctx, permit, o)
		if !fault.Is(err, fault.Conflict) {
			break
		}
	}
	if refused(err) {
		h.tell(a, c, measure.Refused)
		return h.turnDown(r, a, c, step.Identity.Subject, err)
	}
	if err != nil {
		h.tell(a, c, failure(r, err))
		return err
	}
	h.tell(a, c, measure.Success)
	a.Note(h.Clock.Now(), "account", opened.UserID)
	a.Answered.SessionID, a.Answered.ConnectorState = opened.ID, nil
	if err := h.Cookies.Set(w, session.Cookie, string(cookie), 0); err != nil {
		return err
	}
	h.remember(w, r, opened.UserID)
	return h.comeBack(w, r, a)
}

// tell tells how the attempt went on.
func (h *Handler) tell(a *attempt, c *roster.Connector, result measure.Result) {
	measure.Login(h.Meter, c.ID, a.client.ID, result)
}

// turnDown ends the attempt of somebody whose identity was proven, and who may not
// come in all the same. That stands in the record: it took a proof, so nobody can
// fill the record with it.
func (h *Handler) turnDown(r *http.Request, a *attempt, c *roster.Connector, subject string, err error) error {
	ctx, now := r.Context(), h.Clock.Now()
	why := ""
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		why = denial.Setting
	}
	a.Because(now, "account", "refused: "+err.Error(), why)
	h.keepTrace(ctx, a)
	recordErr := h.Traces.Record(ctx, audit.Event{
		At: now, Kind: audit.LoginRefused, ClientID: a.client.ID, ConnectorID: c.ID,
		SupportCode: a.SupportCode, RemoteAddr: httpx.Addr(r).String(),
		Detail: map[string]string{"subject": subject, "reason": err.Error()},
	})
	return h.stalled(a.Request, errors.Join(err, recordErr))
}

// refused reports whether an error turns the person down, and not us.
func refused(err error) bool {
	_, denied := errors.AsType[*grant.Denial](err)
	return denied || fault.Is(err, fault.Denied)
}

// opening puts together all that the login changes, and passes the gate.
func (h *Handler) opening(r *http.Request, a *attempt, c *roster.Connector, step connector.Step, cookie secret.Value) (grant.Opening, grant.Permit, error) {
	ctx, now := r.Context(), h.Clock.Now()
	identity := *step.Identity
	identity.ConnectorID, identity.CheckedAt = c.ID, now
	o, err := h.resolve(ctx, c, identity, step.Account, now)
	if err != nil {
		return o, grant.Permit{}, err
	}
	o.Session = session.Session{
		ID: session.NewID(), Cookie: cookie.Hash(),
		UserID: o.User.ID, ConnectorID: c.ID, Subject: identity.Subject,
		Methods: step.Methods, AuthTime: authTime(step, now),
		UserAgent: r.UserAgent(), RemoteAddr: httpx.Addr(r).String(),
		CreatedAt: now, IdleUntil: now.Add(h.Lifetimes.SessionIdle), ExpiresAt: now.Add(h.Lifetimes.Session),
		Upstream: step.Upstream, UpstreamID: session.UpstreamID(step.Session),
	}
	if o.Previous, err = h.previous(r); err != nil {
		return o, grant.Permit{}, err
	}
	o.Event = audit.Event{
		ID: audit.NewEventID(now), At: now, Kind: audit.LoginSucceeded, Actor: o.User.ID,
		UserID: o.User.ID, ClientID: a.client.ID, ConnectorID: c.ID, SessionID: o.Session.ID,
		SupportCode: a.SupportCode, RemoteAddr: o.Session.RemoteAddr,
	}
	permit, err := h.Desk.Decide(ctx, grant.Case{
		Path: grant.OpenSession, Client: a.client,
		User: &o.User, Identity: &o.Identity,
		Authorization: grant.Authorization{ConnectorID: c.ID, UserID: o.User.ID, Methods: step.Methods},
	})
	return o, permit, err
}

// resolve finds out which account the identity belongs to, and what of it has
// changed. Our own password table knows its accounts; for others we look.
func (h *Handler) resolve(ctx context.Context, c *roster.Connector, id user.Identity, account *user.User, now time.Time) (grant.Opening, error) {
	if account != nil {
		if account.Disabled {
			return grant.Opening{}, fault.New(fault.Denied, "This account is disabled.")
		}
		return grant.Opening{User: *account, Identity: id}, nil
	}
	return grant.Resolve(ctx, h.Users, c.Policy, id, now)
}

// previous returns the session that this browser has, if any.
func (h *Handler) previous(r *http.Request) (session.Session, error) {
	value, _ := h.Cookies.Get(r, session.Cookie)
	known, err := session.Find(r.Context(), h.Sessions, secret.Value(value), "")
	if known == nil || err != nil {
		return session.Session{}, err
	}
	return known.Session, nil
}

// authTime is when the person proved who they are. A connector may say so, but
// not that it is yet to come.
func authTime(step connector.Step, now time.Time) time.Time {
	if t := step.AuthTime; !t.IsZero() && t.Before(now) {
		return t
	}
	return now
}

// maxMarks is how many accounts a browser is remembered for.
const maxMarks = 8

// marks returns the accounts that have logged in from this browser before.
func (h *Handler) marks(r *http.Request) []string {
	text, ok := h.Cookies.Get(r, session.Device)
	if !ok {
		return nil
	}
	plain, err := h.Devices.OpenText(text, session.Device)
	var marks []string
	if err != nil || json.Unmarshal(plain, &marks) != nil {
		return nil
	}
	return marks
}

// remember adds the account to those that the browser is remembered for.
func (h *Handler) remember(w http.ResponseWriter, r *http.Request, userID string) {
	mark, marks := credential.DeviceMark(userID), h.marks(r)
	if slices.Contains(marks, mark) {
		return
	}
	marks = append([]string{mark}, marks...)
	plain, err := json.Marshal(marks[:min(len(marks), maxMarks)])
	if err != nil {
		return
	}
	// Without the mark the person is only slowed down a little more by others'
	// guesses, so nothing is lost if the browser does not take it.
	_ = h.Cookies.Set(w, session.Device, h.Devices.SealText(plain, session.Device), 180*24*time.Hour)
}
