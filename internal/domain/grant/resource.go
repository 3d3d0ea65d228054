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
