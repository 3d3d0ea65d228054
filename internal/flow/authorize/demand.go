package authorize

import (
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// demand says what the client's settings and its profile demand of a request, beside
// what [check] asks of all.
func demand(asked oauth.Authorization, by grant.Delivery, c client.Client) error {
	d := c.Profile.Demands()
	switch {
	case c.RequirePAR && by.Pushed == nil:
		return oauth.Errorf(oauth.InvalidRequest, "This client has to push its requests first.")
	case (c.RequireSignedRequest || d.Signed) && !by.Signed:
		return oauth.Errorf(oauth.InvalidRequestObject, "This client has to sign its requests.")
	case !d.Dated:
		return nil
	case len(asked.Scopes) == 0:
		return oauth.Errorf(oauth.InvalidRequest, "The parameter scope is missing.")
	case by.Pushed != nil && asked.Challenge == "":
		// FAPI 1.0 Advanced section 5.2.2-18; FAPI 2.0 has PKCE always.
		return oauth.Errorf(oauth.InvalidRequest, "PKCE is required: send a code_challenge with the method S256.")
	case d.JARM && asked.ResponseType == oauth.ResponseTypeCode && !asked.ResponseMode.Signed():
		// FAPI 1.0 Advanced section 5.2.2-2.
		return oauth.Errorf(oauth.InvalidRequest, "A code alone is answered in a signed response: ask for response_mode=jwt, or for response_type=code id_token.")
	case d.JARM && asked.Nonce == "" && asked.Scopes.Contains(oauth.ScopeOpenID):
		// FAPI 1.0 Baseline section 5.2.2.2.
		return oauth.Errorf(oauth.InvalidRequest, "The parameter nonce is missing.")
	}
	return nil
}
