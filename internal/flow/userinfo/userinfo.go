// Package userinfo tells a client the claims of the person who let it, OpenID
// Connect Core section 5.3.
package userinfo

import (
	"errors"
	"log/slog"
	"net/http"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
	"dex/internal/protocol/oauth"
)

// Handler serves the userinfo endpoint.
type Handler struct {
	Issuer    string
	Clients   client.Store
	Documents *client.Documents // where clients publish their keys
	Grants    grant.Store
	Desk      grant.Desk
	Proofs    *proof.Desk
	Mint      *mint.Mint
	Access    mint.Reader
	Clock     clock.Clock
}

// Routes adds the flow to a mux.
func (h *Handler) Routes(mux *http.ServeMux) {
	mux.Handle("GET "+route.Userinfo, httpx.Handle(h.serve, writeError))
	mux.Handle("POST "+route.Userinfo, httpx.Handle(h.serve, writeError))
	mux.Handle("OPTIONS "+route.Userinfo, httpx.Handle(h.preflight, writeError))
}

// serve answers with the claims that the access token's scopes stand for, and with
// those that were asked for by name.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Pragma", "no-cache")
	shown := proof.Shown{DPoP: r.Header.Values("DPoP"), Certificates: httpx.Certificates(r), Method: r.Method, Path: route.Userinfo}
	if nonce := h.Proofs.Nonce(shown); nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	token, err := presented(w, r)
	if err != nil {
		return err
	}
	claims, err := h.Access.Read(token.Token, h.Clock.Now())
	if err != nil || claims.GrantID == "" {
		return invalidToken(err)
	}
	ctx := r.Context()
	httpx.Annotate(ctx, slog.String("client", claims.ClientID))
	if err := h.Proofs.Admit(ctx, shown, token, claims.Confirmation); err != nil {
		return err
	}
	c, err := h.Clients.Client(ctx, claims.ClientID)
	if fault.Is(err, fault.NotFound) {
		return invalidToken(err)
	}
	if err != nil {
		return err
	}
	known, err := h.Grants.Grant(ctx, claims.GrantID, claims.ID)
	if fault.Is(err, fault.NotFound) {
		return invalidToken(err)
	}
	if err != nil {
		return err
	}
	scopes, err := oauth.ParseScopes(claims.Scope)
	if err != nil {
		return invalidToken(err)
	}
	_, err = h.Desk.Decide(ctx, known.Case(grant.Userinfo, c).Bearing(h.Issuer, scopes, claims.Audience))
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		return invalidToken(denial)
	}
	if err != nil {
		return err
	}
	if !scopes.Contains(oauth.ScopeOpenID) {
		return oauth.Errorf(oauth.InsufficientScope, "The access token was not issued with the scope openid.")
	}
	httpx.AllowOrigin(w, r, c.AllowedOrigins)
	if c, err = h.Documents.ToEncrypt(ctx, c, c.UserinfoEncryption); err != nil {
		return err
	}
	answer := h.Mint.Userinfo(c, known.Authorization, *known.Profile(), scopes)
	protected, err := h.Mint.UserinfoToken(c, answer)
	if err != nil {
		return err
	}
	if protected == "" {
		return httpx.WriteJSON(w, http.StatusOK, answer)
	}
	return httpx.WriteText(w, "application/jwt", protected)
}

// presented returns the access token of a request: from its header or, with POST, from
// its body. RFC 6750 section 2; never from the address.
func presented(w http.ResponseWriter, r *http.Request) (oauth.Presented, error) {
	if r.Method == http.MethodGet || len(r.Header.Values("Content-Type")) == 0 {
		return oauth.ParseAccessToken(r.Header.Values("Authorization"))
	}
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return oauth.Presented{}, err
	}
	return oauth.ParseAccessTokenForm(r.Header.Values("Authorization"), form)
}

func invalidToken(cause error) error {
	return oauth.Wrap(oauth.InvalidToken, cause, "The access token is not valid, or not valid any more.")
}

func (h *Handler) preflight(w http.ResponseWriter, r *http.Request) error {
	return httpx.Preflight(w, r, "GET, POST", h.Clients.AllowsOrigin)
}

// writeError answers a request that failed, RFC 6750 section 3.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, oauth.ErrNoToken) {
		// Whoever did not know that a token is needed is told no more than that.
		challenge(w, r, nil)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	told, status := translate(err)
	if status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusBadRequest {
		challenge(w, r, told)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if err := httpx.WriteJSON(w, status, told); err != nil {
		httpx.LogError(r.Context(), err)
	}
}

// challenge says how a request has to be made.
func challenge(w http.ResponseWriter, r *http.Request, told *oauth.Error) {
	w.Header()["Www-Authenticate"] = oauth.Challenges(r.Header.Values("Authorization"), told)
}

func translate(err error) (*oauth.Error, int) {
	if told, ok := errors.AsType[*oauth.Error](err); ok {
		return told, told.ResourceStatus()
	}
	switch fault.Of(err) {
	case fault.Invalid:
		return oauth.Wrap(oauth.InvalidRequest, err, "The request cannot be read."), httpx.Status(err)
	case fault.Unavailable:
		told := oauth.Wrap(oauth.TemporarilyUnavailable, err, "Please try again in a moment.")
		return told, told.Status()
	default:
		told := oauth.Wrap(oauth.ServerError, err, "Something went wrong on our side.")
		return told, told.Status()
	}
}
