package grant

import "dex/internal/protocol/oauth"

// BoundTo returns the permit for tokens that the holder of a key alone may use. What
// was decided stays as it is: a binding only takes away.
func (p Permit) BoundTo(b oauth.Binding) Permit {
	p.authorization.Terms.Binding = b
	return p
}
