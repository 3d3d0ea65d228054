package token

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
)

// revoke takes a token back, RFC 7009. It answers 200 only when that is durable,
// and to a token that was never the client's as well.
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request) error {
	c, query, err := h.question(w, r)
	if err != nil {
		return err
	}
	if err := h.takeBack(r.Context(), c, query.Token); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// takeBack revokes a refresh token with all that came of its grant, or an access
// token by itself.
func (h *Handler) takeBack(ctx context.Context, c client.Client, token secret.Value) error {
	now := h.Clock.Now()
	if strings.HasPrefix(string(token), secret.RefreshPrefix) {
		t, ok := h.Refresh.Read(token)
		if !ok {
			return nil
		}
		known, err := h.Grants.Grant(ctx, t.GrantID, "")
		if fault.Is(err, fault.NotFound) || err == nil && known.Authorization.ClientID != c.ID {
			return nil
		}
		if err != nil {
			return err
		}
		return h.Grants.Revoke(ctx, t.GrantID, audit.TokenRevoked, now)
	}
	claims, err := mint.ReadAccessToken(string(token), h.Issuer, h.Ring.Find, now)
	if err != nil || claims.ClientID != c.ID {
		return nil //nolint:nilerr // what is no token of this client is revoked already
	}
	return h.Grants.RevokeToken(ctx, claims.ID, claims.Expiry.Time(), now)
}

// notDenied tells a closed gate from a failure to ask.
func notDenied(err error) (bool, error) {
	if _, denied := errors.AsType[*grant.Denial](err); denied {
		return false, nil
	}
	return err == nil, err
}

// allowOrigin lets the page that sent the request read the answer, if its origin
// is registered for the client that has authenticated itself.
func allowOrigin(w http.ResponseWriter, r *http.Request, c client.Client) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return
	}
	w.Header().Add("Vary", "Origin")
	if slices.Contains(c.AllowedOrigins, origin) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
}

// preflight answers a browser that asks whether a page may send a request. Which
// client it is for is not known yet; some client must have registered the origin.
func (h *Handler) preflight(w http.ResponseWriter, r *http.Request) error {
	return httpx.Preflight(w, r, "POST", h.Clients.AllowsOrigin)
}
