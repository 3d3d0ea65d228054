//go:build conformance

package control

import (
	"errors"
	"net/http"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
	"dex/internal/protocol/oauth"
)

// The routes, below the issuer and below where certificates are shown.
const (
	Rotate   = "/conformance/rotate"
	Resource = "/conformance/resource"
	Decide   = "/conformance/decide"
)

// Handler serves the control of one tenant.
type Handler struct {
	Issuer  string
	Ring    *key.Ring
	Access  mint.Reader
	Clients client.Store
	Grants  grant.Store
	Desk    grant.Desk
	Answers grant.Answerer
	Proofs  *proof.Desk
	Clock   clock.Clock
}

// Routes adds the control to a mux.
func (h *Handler) Routes(mux *http.ServeMux) {
	mux.Handle("POST "+Rotate, httpx.Handle(h.rotate, writeError))
	mux.Handle("GET "+Decide, httpx.Handle(h.decide, writeError))
	for _, method := range []string{"GET ", "POST "} {
		mux.Handle(method+Resource, httpx.Handle(h.resource, writeError))
	}
}

// rotate lets new keys sign from now on. Those that signed until now stay published for as
// long as anything they signed is believed.
func (h *Handler) rotate(w http.ResponseWriter, r *http.Request) error {
	keys, err := h.Ring.Store.SigningKeys(r.Context())
	if err != nil {
		return err
	}
	now := h.Clock.Now()
	var c key.Changes
	for _, k := range keys {
		if k.SignUntil.IsZero() && !k.SignFrom.After(now) {
			c.Retire = append(c.Retire, key.Retire{ID: k.ID, SignUntil: now, UnpublishAt: now.Add(h.Ring.Timing.Lead())})
			c.Create = append(c.Create, key.Key{Alg: k.Alg, PublishAt: now, SignFrom: now})
		}
	}
	if err := key.Generate(c.Create); err != nil {
		return err
	}
	if err := h.Ring.Store.ApplyKeys(r.Context(), c, now); err != nil {
		return err
	}
	if err := h.Ring.Refresh(r.Context()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// decide lets the request by the back channel with this auth_req_id in, or turns it away,
// as its person would: the suite visits an address when it wants that.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request) error {
	q, ctx := r.URL.Query(), r.Context()
	d, err := h.Answers.Devices.RequestByCode(ctx, secret.Value(q.Get("auth_req_id")).Hash(), h.Clock.Now())
	if err != nil {
		return err
	}
	by := audit.By{Actor: d.For.UserID, At: h.Clock.Now()}
	switch q.Get("action") {
	case "allow":
		err = h.Answers.Approve(ctx, d.ID, []credential.Method{credential.Password}, by)
	case "deny":
		err = h.Answers.Devices.DenyRequest(ctx, d.ID, by)
	default:
		err = fault.New(fault.Invalid, "The action is allow or deny.")
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// resource is a protected resource as FAPI wants one: FAPI 1.0 Baseline section 6.2.1,
// FAPI 2.0 Security Profile section 5.3.4. It answers with what the token says.
func (h *Handler) resource(w http.ResponseWriter, r *http.Request) error {
	if id := r.Header.Get("x-fapi-interaction-id"); id != "" {
		w.Header().Set("x-fapi-interaction-id", id)
	}
	shown := proof.Shown{DPoP: r.Header.Values("DPoP"), Certificates: httpx.Certificates(r), Method: r.Method, Path: Resource}
	if nonce := h.Proofs.Nonce(shown); nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	token, err := oauth.ParseAccessToken(r.Header.Values("Authorization"))
	if err != nil {
		return err
	}
	claims, err := h.Access.Read(token.Token, h.Clock.Now())
	if err != nil {
		return invalid(err)
	}
	if err := h.Proofs.Admit(r.Context(), shown, token, claims.Confirmation); err != nil {
		return err
	}
	if err := h.stands(r, claims); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, map[string]string{"sub": claims.Subject, "client_id": claims.ClientID, "scope": claims.Scope})
}

// stands asks the gate whether the token still counts.
func (h *Handler) stands(r *http.Request, claims mint.AccessClaims) error {
	ctx := r.Context()
	c, err := h.Clients.Client(ctx, claims.ClientID)
	if err != nil {
		return invalid(err)
	}
	scopes, err := oauth.ParseScopes(claims.Scope)
	if err != nil {
		return invalid(err)
	}
	asked := grant.Case{
		Path: grant.IntrospectOwn, Client: c,
		Authorization: grant.Authorization{ClientID: c.ID, IssuedAt: claims.IssuedAt.Time()},
	}
	if claims.GrantID != "" {
		known, err := h.Grants.Grant(ctx, claims.GrantID, claims.ID)
		if err != nil {
			return invalid(err)
		}
		asked = known.Case(grant.Introspect, c)
	}
	if _, err = h.Desk.Decide(ctx, asked.Bearing(h.Issuer, scopes, claims.Audience)); err != nil {
		return invalid(err)
	}
	return nil
}

func invalid(cause error) error {
	return oauth.Wrap(oauth.InvalidToken, cause, "The access token is not valid, or not valid any more.")
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	told, ok := errors.AsType[*oauth.Error](err)
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, oauth.ErrNoToken):
		status = http.StatusUnauthorized
		w.Header()["Www-Authenticate"] = oauth.Challenges(nil, nil)
	case ok:
		status = told.ResourceStatus()
		w.Header()["Www-Authenticate"] = oauth.Challenges(r.Header.Values("Authorization"), told)
	case fault.Of(err) != fault.Internal:
		status = httpx.Status(err)
	}
	httpx.LogError(r.Context(), err)
	w.WriteHeader(status)
}
