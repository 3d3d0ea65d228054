// Package proof is the keys that senders of requests prove to hold, so that a token
// which is bound to one is of no use to whoever has merely seen it: DPoP (RFC 9449),
// and certificates in the handshake (RFC 8705).
package proof

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/protocol/certificate"
	"dex/internal/protocol/oauth"
)

// Store remembers what counts once.
type Store interface {
	// ConsumeAssertion marks an identifier used until it expires. It returns a fault of
	// kind Conflict if it was used before.
	ConsumeAssertion(ctx context.Context, whose string, jti secret.Hash, expires, now time.Time) error
}

// Desk looks at what requests show. Every endpoint that takes tokens or gives them
// brings its requests here.
type Desk struct {
	Bases  []string // under each of which our routes can be reached
	Store  Store
	Nonces *Nonces // that proofs have to hold; nil if they need none
	Clock  clock.Clock
}

// Shown is what a request shows of its sender's keys.
type Shown struct {
	DPoP         []string            // its headers of that name
	Certificates []*x509.Certificate // of the connection; the sender's own first
	Method       string
	Path         string // below each of the bases
}

// Look returns the keys that the sender of a request holds. What comes of the request is
// bound to them. Nothing may come of it before Use has been called, by which the proof
// counts no more: it is kept, and so it is for senders who have shown that they may have
// something kept.
func (d *Desk) Look(s Shown) (b oauth.Binding, use Use, err error) {
	return d.look(s, "")
}

// Use marks what a request has shown used. It fails if that was before.
type Use func(context.Context) error

func nothing(context.Context) error { return nil }

// look is [Desk.Look] for a request with an access token; empty is one without.
func (d *Desk) look(s Shown, token string) (oauth.Binding, Use, error) {
	var b oauth.Binding
	if len(s.Certificates) > 0 {
		b.X5T = certificate.Thumbprint(s.Certificates[0])
	}
	if len(s.DPoP) == 0 {
		return b, nothing, nil
	}
	target := oauth.ProofTarget{Method: s.Method, Token: token, URLs: make([]string, len(d.Bases))}
	for i, base := range d.Bases {
		target.URLs[i] = base + s.Path
	}
	now := d.Clock.Now()
	p, err := oauth.ParseProof(s.DPoP, target, now)
	if err != nil {
		return oauth.Binding{}, nil, err
	}
	if d.Nonces != nil && !d.Nonces.Holds(p.Nonce, now) {
		return oauth.Binding{}, nil, oauth.Errorf(oauth.UseDPoPNonce, "The DPoP proof must hold the nonce of the header DPoP-Nonce.")
	}
	b.JKT = p.Thumbprint
	return b, func(ctx context.Context) error {
		err := d.Store.ConsumeAssertion(ctx, "dpop "+p.Thumbprint, secret.Value(p.ID).Hash(), p.IssuedAt.Add(oauth.ProofAge+time.Second), now)
		if fault.Is(err, fault.Conflict) {
			return oauth.Wrap(oauth.InvalidDPoPProof, err, "The DPoP proof was used before.")
		}
		return err
	}, nil
}

// Admit says why an access token cannot be used by the sender of a request, or returns
// nil. The token is one that counts otherwise, and bound says to what it is bound.
//
// A token that is bound to a key of DPoP is presented under the scheme DPoP, and no
// other is: whoever strips the proof off a request must not have a bearer token left
// (RFC 9449, section 7.2).
func (d *Desk) Admit(ctx context.Context, s Shown, token oauth.Presented, bound oauth.Binding) error {
	switch {
	case bound.JKT == "" && token.DPoP:
		return notTheirs(errors.New("the token is bound to no key of DPoP"))
	case bound.JKT != "" && !token.DPoP:
		return notTheirs(errors.New("the token is bound to a key of DPoP, and came as a bearer token"))
	case token.DPoP && len(s.DPoP) == 0:
		return oauth.Errorf(oauth.InvalidDPoPProof, "There is no DPoP proof.")
	case !token.DPoP:
		s.DPoP = nil // it proves nothing that is asked here
	}
	proven, use, err := d.look(s, token.Token)
	if err == nil {
		err = use(ctx)
	}
	switch {
	case err != nil:
		return err
	case bound.JKT != proven.JKT:
		return notTheirs(errors.New("the token is bound to another key"))
	case bound.X5T != "" && bound.X5T != proven.X5T:
		return notTheirs(errors.New("the token is bound to another certificate, or none was shown"))
	default:
		return nil
	}
}

func notTheirs(cause error) error {
	return oauth.Wrap(oauth.InvalidToken, cause, "The access token is not valid, or not valid any more.")
}

// Nonce returns what the header DPoP-Nonce of an answer says; nothing if none is
// needed.
func (d *Desk) Nonce(s Shown) string {
	if d.Nonces == nil || len(s.DPoP) == 0 {
		return ""
	}
	return d.Nonces.At(d.Clock.Now())
}
