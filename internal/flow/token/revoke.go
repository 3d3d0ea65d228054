package token

import (
	"context"
	"net/http"
	"strings"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
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
	claims, err := h.Access.Issued(string(token), now)
	if err != nil || claims.ClientID != c.ID {
		return nil //nolint:nilerr // what is no token of this client is revoked already
	}
	return h.Grants.RevokeToken(ctx, claims.ID, claims.Expiry.Time(), now)
}
