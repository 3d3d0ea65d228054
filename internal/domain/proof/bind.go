package proof

import (
	"dex/internal/domain/client"
	"dex/internal/protocol/oauth"
)

// Bind returns what the tokens of a client are bound to, of the keys that it has proven
// to hold, or says which of them it has to.
//
// A proof by DPoP binds whoever sends it (RFC 9449, section 5). A certificate binds
// only those who have registered for that (RFC 8705, section 3), because whoever shows
// one may do so to authenticate itself, or because its proxy always does; and those whose
// profile wants a binding, and who have shown nothing else.
func Bind(c client.Client, proven oauth.Binding) (oauth.Binding, error) {
	demands := c.Profile.Demands()
	certificate := c.CertificateBound || demands.Certificate
	b := oauth.Binding{JKT: proven.JKT}
	if certificate || demands.Bound && proven.JKT == "" {
		b.X5T = proven.X5T
	}
	switch {
	case c.DPoPBound && b.JKT == "":
		return b, oauth.Errorf(oauth.InvalidDPoPProof, "There is no DPoP proof, and this client's tokens are bound to its key.")
	case certificate && b.X5T == "":
		return b, oauth.Errorf(oauth.InvalidRequest, "There is no client certificate, and this client's tokens are bound to it.")
	case demands.Bound && b == oauth.Binding{}:
		return b, oauth.Errorf(oauth.InvalidDPoPProof, "There is neither a DPoP proof nor a client certificate, and this client's tokens are bound to one.")
	default:
		return b, nil
	}
}

// Holder returns what the refresh tokens of a client are bound to: the key of one that
// is public, since anybody could use them otherwise (RFC 9449, section 5; RFC 8705,
// section 4). All others prove by themselves whose tokens they are, and may change keys.
func Holder(c client.Client, b oauth.Binding) string {
	switch {
	case !c.Public:
		return ""
	case b.JKT != "":
		return b.JKT
	case b.X5T != "":
		return "x5t " + b.X5T
	default:
		return ""
	}
}
