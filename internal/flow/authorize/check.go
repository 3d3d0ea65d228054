package authorize

import (
	"context"
	"slices"

	"dex/internal/base/fault"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

// check says whether the client may ask this, and returns the scopes that it may
// be granted. It is asked once the redirect URI is known to be the client's.
func check(asked oauth.Authorization, c client.Client) (oauth.Scopes, error) {
	for _, grantType := range asked.ResponseType.GrantTypes() {
		if !c.May(grantType) {
			return nil, oauth.Errorf(oauth.UnauthorizedClient, "This client may not use this response type: it lacks the grant type %s.", grantType)
		}
	}
	switch {
	case !c.Answers(asked.ResponseType):
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "This client may not use this response type.")
	case asked.ResponseType.Token() && (c.DPoPBound || c.CertificateBound):
		return nil, oauth.Errorf(oauth.UnauthorizedClient, "The tokens of this client are bound to a key, and one that the browser brings cannot be.")
	case asked.ResponseType.IDToken() && asked.Nonce == "":
		return nil, oauth.Errorf(oauth.InvalidRequest, "The parameter nonce is missing, without which an ID token could be played again.")
	case asked.ResponseType.Code() && c.RequirePKCE && asked.Challenge == "":
		return nil, oauth.Errorf(oauth.InvalidRequest, "PKCE is required: send a code_challenge with the method S256.")
	case asked.ConnectorID != "" && !c.Accepts(asked.ConnectorID):
		return nil, oauth.Errorf(oauth.InvalidRequest, "This client does not accept the connector.")
	case len(demanded(asked)) > 0 && len(known(demanded(asked))) == 0:
		return nil, oauth.Errorf(oauth.UnmetRequirements, "Nobody can log in here in a way that has the acr which the claims parameter demands.")
	}
	granted, err := narrow(asked.Scopes, asked.ResponseType, c)
	if err == nil && asked.ResponseType.IDToken() && !granted.Contains(oauth.ScopeOpenID) {
		return nil, oauth.Errorf(oauth.InvalidScope, "An ID token needs the scope openid.")
	}
	return granted, err
}

// demanded returns the authentication context classes of which a login must have one:
// OpenID Connect Core section 5.5.1.1.
func demanded(asked oauth.Authorization) []string {
	if classes, essential := asked.Claims.ACR(); essential {
		return classes
	}
	return nil
}

// wanted returns the classes that the client would like a login to have one of, those
// that it demands among them, the dearest first.
func wanted(asked oauth.Authorization) []string {
	classes, _ := asked.Claims.ACR()
	return known(slices.Concat(classes, asked.ACRValues))
}

// known returns those of the classes that somebody can log in by. What nobody can meet
// is left out: OpenID Connect Core section 3.1.2.1 lets classes be wishes.
func known(classes []string) []string {
	return slices.DeleteFunc(slices.Clone(classes), func(class string) bool { return !slices.Contains(credential.Classes(), class) })
}

// complete fills in what the client has registered for requests that do not say it.
func complete(asked oauth.Authorization, c client.Client) oauth.Authorization {
	if asked.MaxAge == nil {
		asked.MaxAge = c.DefaultMaxAge
	}
	if classes, _ := asked.Claims.ACR(); len(asked.ACRValues) == 0 && len(classes) == 0 {
		asked.ACRValues = c.DefaultACR
	}
	asked.ACRValues = known(asked.ACRValues) // the others would only take room in the cookie
	return asked
}

// narrow returns the asked scopes that the client may have. Scopes that we do not
// know are left out, OpenID Connect Core section 3.1.2.1, and so is a refresh
// token for a client that cannot use one, or without a code, section 11, and a login that
// is shared for one that shares none. Those of the administrators' API are for clients of
// the operator's own.
func narrow(asked oauth.Scopes, t oauth.ResponseType, c client.Client) (oauth.Scopes, error) {
	var granted oauth.Scopes
	for _, s := range asked {
		_, audience := oauth.CrossClientAudience(s)
		switch {
		case s == oauth.ScopeOffline && (!c.May(client.RefreshToken) || !t.Code()):
		case s == oauth.ScopeDevice && (c.NativeSSOGroup == "" || !t.Code()):
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
