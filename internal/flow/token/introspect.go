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
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// introspect tells a resource server what a token is worth, RFC 7662. Whatever is
// wrong with a token looks the same: it is not active.
func (h *Handler) introspect(w http.ResponseWriter, r *http.Request) error {
	c, query, err := h.question(w, r)
	if err != nil {
		return err
	}
	if c.Public {
		return refused(fault.New(fault.Denied, "a client that keeps no secret may not introspect"))
	}
	answer, err := h.worth(r.Context(), c, query.Token)
	if err != nil {
		return err
	}
	if !signedWanted(c, r.Header.Values("Accept")) {
		return httpx.WriteJSON(w, http.StatusOK, answer)
	}
	if c, err = h.Documents.ToEncrypt(r.Context(), c, c.IntrospectionEncryption); err != nil {
		return err
	}
	token, err := h.Mint.Introspection(c, answer, h.Clock.Now())
	if err != nil {
		return err
	}
	return httpx.WriteText(w, introspectionType, token)
}

// introspectionType is the media type of an introspection that is signed.
const introspectionType = "application/token-introspection+jwt"

// signedWanted reports whether a client wants to be able to show what it was told: it is
// registered so, or says so with its question. RFC 9701 section 4.
func signedWanted(c client.Client, accept []string) bool {
	return c.IntrospectionAlg != "" || c.IntrospectionEncryption.Alg != "" ||
		slices.ContainsFunc(accept, func(header string) bool { return strings.Contains(strings.ToLower(header), introspectionType) })
}

// question reads which client asks about which token.
func (h *Handler) question(w http.ResponseWriter, r *http.Request) (client.Client, oauth.TokenQuery, error) {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return client.Client{}, oauth.TokenQuery{}, err
	}
	c, err := h.authenticate(w, r, form)
	if err != nil {
		return c, oauth.TokenQuery{}, err
	}
	query, err := oauth.ParseTokenQuery(form)
	return c, query, err
}

// worth says what a token is worth to the client that asks. It says so to nobody
// but the client that holds the token and those in its audience.
func (h *Handler) worth(ctx context.Context, asks client.Client, token secret.Value) (oauth.IntrospectionResponse, error) {
	if strings.HasPrefix(string(token), secret.RefreshPrefix) {
		return h.worthOfRefresh(ctx, asks, token)
	}
	claims, err := h.Access.Issued(string(token), h.Clock.Now())
	if err != nil || claims.ClientID != asks.ID && !slices.Contains(claims.Audience, asks.ID) {
		return oauth.IntrospectionResponse{}, nil //nolint:nilerr // what is no token of ours, or not for this ear, is not active
	}
	if ok, err := h.stands(ctx, claims); !ok || err != nil {
		return oauth.IntrospectionResponse{}, err
	}
	return oauth.IntrospectionResponse{
		Active: true, TokenType: claims.Confirmation.TokenType(), Confirmation: claims.Confirmation, Details: claims.Details,
		Issuer: claims.Issuer, Subject: claims.Subject, Audience: claims.Audience, ClientID: claims.ClientID,
		Scope: claims.Scope, ID: claims.ID, Expiry: claims.Expiry, IssuedAt: claims.IssuedAt,
		AuthTime: claims.AuthTime, ACR: claims.ACR, Actor: acting(claims.Actor),
	}, nil
}

// acting is who acts on the subject's behalf, as it is told; nothing if nobody does.
func acting(a *grant.Actor) any {
	if a == nil {
		return nil
	}
	return a
}

// stands reports whether what an access token was issued for still stands.
func (h *Handler) stands(ctx context.Context, claims mint.AccessClaims) (bool, error) {
	holder, err := h.Clients.Client(ctx, claims.ClientID)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	scopes, err := oauth.ParseScopes(claims.Scope)
	if err != nil {
		return false, nil //nolint:nilerr // no token of ours says that
	}
	if claims.GrantID == "" {
		return h.standsAlone(ctx, holder, claims, scopes)
	}
	known, err := h.Grants.Grant(ctx, claims.GrantID, claims.ID)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = h.Desk.Decide(ctx, known.Case(grant.Introspect, holder).Bearing(h.Issuer, scopes, claims.Audience))
	return notDenied(err)
}

// standsAlone reports whether a token that a client has for itself still stands. No
// grant is kept of it, so it says itself when it was issued.
func (h *Handler) standsAlone(ctx context.Context, holder client.Client, claims mint.AccessClaims, scopes oauth.Scopes) (bool, error) {
	revoked, err := h.Grants.TokenRevoked(ctx, claims.ID)
	if err != nil {
		return false, err
	}
	own := grant.Case{
		Path: grant.IntrospectOwn, Client: holder, TokenRevoked: revoked,
		Authorization: grant.Authorization{ClientID: holder.ID, IssuedAt: claims.IssuedAt.Time()},
	}
	_, err = h.Desk.Decide(ctx, own.Bearing(h.Issuer, scopes, claims.Audience))
	return notDenied(err)
}

// notDenied tells a closed gate from a failure to ask.
func notDenied(err error) (bool, error) {
	if _, denied := errors.AsType[*grant.Denial](err); denied {
		return false, nil
	}
	return err == nil, err
}

// worthOfRefresh says what a refresh token is worth: only to the client that holds
// it, and only the newest one.
func (h *Handler) worthOfRefresh(ctx context.Context, asks client.Client, token secret.Value) (oauth.IntrospectionResponse, error) {
	t, ok := h.Refresh.Read(token)
	if !ok {
		return oauth.IntrospectionResponse{}, nil
	}
	known, err := h.Grants.Grant(ctx, t.GrantID, "")
	if fault.Is(err, fault.NotFound) {
		return oauth.IntrospectionResponse{}, nil
	}
	if err != nil {
		return oauth.IntrospectionResponse{}, err
	}
	a, now := known.Authorization, h.Clock.Now()
	if a.ClientID != asks.ID || known.Family.Present(t.Generation, 0, now) != grant.Rotate {
		return oauth.IntrospectionResponse{}, nil
	}
	a.Scopes = withinRole(a.Scopes, known.User)
	known.Authorization.Scopes = a.Scopes
	_, err = h.Desk.Decide(ctx, known.Case(grant.Introspect, asks))
	if ok, err := notDenied(err); !ok || err != nil {
		return oauth.IntrospectionResponse{}, err
	}
	return oauth.IntrospectionResponse{
		Active: true, Issuer: h.Issuer, Subject: h.Mint.Subject(asks, a.UserID), ClientID: a.ClientID, Scope: a.Scopes.String(),
		Expiry: jose.DateOf(known.Family.IdleUntil), IssuedAt: jose.DateOf(known.Family.RotatedAt),
	}, nil
}
