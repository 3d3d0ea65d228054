package authorize

import (
	"context"

	"dex/internal/base/fault"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

// check says whether the client may ask this, and returns the scopes that it may
// be granted. It is asked once the redirect URI is known to be the client's.
func check(asked oauth.Authorization, c client.Client) (oauth.Scopes, error) {
	switch {
	case !c.May(client.AuthorizationCode):
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "This client may not use the authorization code flow.")
	case asked.ResponseType != oauth.ResponseTypeCode:
		return nil, oauth.Errorf(oauth.UnsupportedResponseType, "Only the response type \"code\" is supported.")
	case c.RequirePKCE && asked.Challenge == "":
		return nil, oauth.Errorf(oauth.InvalidRequest, "PKCE is required: send a code_challenge with the method S256.")
	case asked.ConnectorID != "" && !c.Accepts(asked.ConnectorID):
		return nil, oauth.Errorf(oauth.InvalidRequest, "This client does not accept the connector.")
	}
	return narrow(asked.Scopes, c)
}

// mayAnswer reports whether the client may have its answer in a mode. A fragment
// is for the response types of profiles that know more than a code.
func mayAnswer(mode oauth.ResponseMode, c client.Client) bool {
	return mode != oauth.ModeFragment || c.Profile == client.OpenID
}

// narrow returns the asked scopes that the client may have. Scopes that we do not
// know are left out, OpenID Connect Core section 3.1.2.1, and so is a refresh
// token for a client that cannot use one. Those of the administrators' API are for
// clients of the operator's own.
func narrow(asked oauth.Scopes, c client.Client) (oauth.Scopes, error) {
	var granted oauth.Scopes
	for _, s := range asked {
		_, audience := oauth.CrossClientAudience(s)
		switch {
		case s == oauth.ScopeOffline && !c.May(client.RefreshToken):
		case role.IsAdministrative(s) && !c.Trusted:
		case audience, c.Scopes.Contains(s):
			granted = append(granted, s)
		}
	}
	if len(granted) == 0 {
		return nil, oauth.Errorf(oauth.InvalidScope, "The client may have none of the scopes that it asks for.")
	}
	return granted, nil
}

// within returns the request without the administrative scopes that the role of the
// session's person lacks; as it is, if nobody is known yet. The attempt itself keeps
// what was asked: somebody else may log in to it, whose role has more.
func within(req grant.Request, known *session.Known) (grant.Request, *oauth.Error) {
	if known == nil {
		return req, nil
	}
	left := role.Role(known.User.Role).Within(req.Asked.Scopes)
	if len(left) == 0 {
		return req, oauth.Errorf(oauth.InvalidScope, "The person's role has none of the scopes that the client asks for.")
	}
	req.Asked.Scopes = left
	return req, nil
}

// checkAudience makes sure that every client in whose name tokens are asked for
// trusts the one that asks.
func (h *Handler) checkAudience(ctx context.Context, scopes oauth.Scopes, c client.Client) error {
	for _, s := range scopes {
		id, ok := oauth.CrossClientAudience(s)
		if !ok {
			continue
		}
		peer, err := h.Clients.Client(ctx, id)
		switch {
		case err == nil && !peer.Disabled && peer.Trusts(c.ID):
		case err == nil, fault.Is(err, fault.NotFound):
			return oauth.Errorf(oauth.InvalidScope, "This client may not ask for tokens for another client.")
		default:
			return oauth.Wrap(oauth.TemporarilyUnavailable, err, "The request cannot be checked at the moment.")
		}
	}
	return nil
}

// audience returns the clients, besides the one that asks, that tokens are for.
func audience(scopes oauth.Scopes, c client.Client) []string {
	var ids []string
	for _, s := range scopes {
		if id, ok := oauth.CrossClientAudience(s); ok && id != c.ID {
			ids = append(ids, id)
		}
	}
	return ids
}
