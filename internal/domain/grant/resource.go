package grant

import (
	"slices"

	"dex/internal/domain/client"
	"dex/internal/protocol/oauth"
)

// Toward returns the permit for an access token that is for the given resources alone,
// RFC 8707 section 2.2. They must be among those that were granted; where none was, any
// will do that the client may have. Without any given the token is for all that were.
func (p Permit) Toward(c client.Client, issuer string, resources []string) (Permit, error) {
	granted := p.authorization.Terms.Resources
	for _, r := range resources {
		if len(granted) > 0 && !slices.Contains(granted, r) || !c.MayReach(r, issuer) {
			return Permit{}, oauth.Errorf(oauth.InvalidTarget, "The client may not ask for tokens for this resource.")
		}
	}
	if len(resources) > 0 {
		p.authorization.Terms.Resources = resources
	}
	return p, nil
}

// InDetail returns the permit for an access token with the given authorization details
// alone, RFC 9396 section 6. They must be among those that were granted. Without any given
// the token has all that were.
func (p Permit) InDetail(details oauth.Details) (Permit, error) {
	if len(details) == 0 {
		return p, nil
	}
	left, ok := oauth.NarrowDetails(p.authorization.Terms.Details, details)
	if !ok {
		return Permit{}, oauth.Errorf(oauth.InvalidAuthorizationDetails, "These authorization details were not granted.")
	}
	p.authorization.Terms.Details = left
	return p, nil
}
