// Package userinfo tells a client the claims of the person who let it, OpenID
// Connect Core section 5.3.
package userinfo

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/mint"
	"dex/internal/protocol/oauth"
)

// Handler serves the userinfo endpoint.
type Handler struct {
	Issuer  string
	Clients client.Store
	Grants  grant.Store
	Desk    grant.Desk
	Ring    *key.Ring
	Clock   clock.Clock
}

// Routes adds the flow to a mux.
func (h *Handler) Routes(mux *http.ServeMux) {
	mux.Handle("GET "+route.Userinfo, httpx.Handle(h.serve, writeError))
	mux.Handle("POST "+route.Userinfo, httpx.Handle(h.serve, writeError))
	mux.Handle("OPTIONS "+route.Userinfo, httpx.Handle(h.preflight, writeError))
}

// serve answers with the claims that the access token's scopes stand for.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Pragma", "no-cache")
	token, err := bearer(w, r)
	if err != nil {
		return err
	}
	claims, err := mint.ReadAccessToken(token, h.Issuer, h.Ring.Find, h.Clock.Now())
	if err != nil || claims.GrantID == "" {
		return invalidToken(err)
	}
	ctx := r.Context()
	httpx.Annotate(ctx, slog.String("client", claims.ClientID))
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
	answer := mint.OfPerson(*known.Profile(), scopes)
	answer["sub"] = claims.Subject
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// bearer returns the access token of a request: from its header or, with POST, from
// its body. RFC 6750 section 2; never from the address.
func bearer(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.Method == http.MethodGet || len(r.Header.Values("Content-Type")) == 0 {
		return oauth.ParseBearer(r.Header.Values("Authorization"))
	}
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return "", err
	}
	return oauth.ParseBearerForm(r.Header.Values("Authorization"), form)
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
		w.Header().Set("WWW-Authenticate", `Bearer realm="dex"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	told, status := translate(err)
	if status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusBadRequest {
		w.Header().Set("WWW-Authenticate",
			fmt.Sprintf(`Bearer realm="dex", error="%s", error_description="%s"`, told.Code, told.Description))
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if err := httpx.WriteJSON(w, status, told); err != nil {
		httpx.LogError(r.Context(), err)
	}
}

func translate(err error) (*oauth.Error, int) {
	if told, ok := errors.AsType[*oauth.Error](err); ok {
		return told, told.Status()
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
