package grant

import (
	"dex/internal/base/secret"
	"dex/internal/protocol/oauth"
)

// BoundTo returns the permit for tokens that the holder of a key alone may use. What
// was decided stays as it is: a binding only takes away.
func (p Permit) BoundTo(b oauth.Binding) Permit {
	p.authorization.Terms.Binding = b
	return p
}

// Beside returns the permit for tokens that come together with a device secret, which the
// ID token names by its hash.
func (p Permit) Beside(device secret.Hash) Permit {
	p.authorization.DeviceSecret = device
	return p
}
