package oidc

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"dex/internal/protocol/jose"
)

// keysMaxAge is how long a key set serves before it is asked for again. A key that
// the provider takes back is trusted no longer than this.
const keysMaxAge = 15 * time.Minute

// keySet is a provider's keys. One that is new is found at once, because a token
// that no known key has signed makes us look again; but not more often than the
// minimum, however many such tokens come.
type keySet struct {
	cached[[]jose.Key]
	minRefresh time.Duration

	turn     sync.Mutex
	lookedAt time.Time
}

func (p *provider) loadKeys(ctx context.Context) ([]jose.Key, error) {
	if p.fixed != nil {
		return p.fixed, nil
	}
	at := p.JWKSURI
	if at == "" {
		m, err := p.discovery.get(ctx)
		if err != nil {
			return nil, err
		}
		at = m.KeysURI
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("oidc: keys: %w", err)
	}
	a, err := p.ask(req, jose.MaxKeySet)
	if err != nil {
		return nil, fmt.Errorf("oidc: keys: %w", err)
	}
	keys, err := jose.ParseJWKS(a.body)
	if err != nil || a.status != http.StatusOK {
		return nil, fmt.Errorf("oidc: keys: %s", a.describe(err))
	}
	return keys, nil
}

// verify returns the payload of a token that the provider has signed.
func (p *provider) verify(ctx context.Context, token string, types ...string) ([]byte, jose.Header, error) {
	keys, err := p.keys.get(ctx)
	if err != nil {
		return nil, jose.Header{}, err
	}
	payload, h, err := jose.Verify(token, p.Algs, types, among(keys))
	if !errors.Is(err, jose.ErrUnknownKey) && !errors.Is(err, jose.ErrSignature) || !p.keys.mayLook() {
		return payload, h, err
	}
	if keys, err = p.keys.renew(ctx); err != nil {
		return nil, jose.Header{}, err
	}
	return jose.Verify(token, p.Algs, types, among(keys))
}

// mayLook reports whether the minimum has passed since somebody looked for new
// keys, and takes the turn.
func (k *keySet) mayLook() bool {
	k.turn.Lock()
	defer k.turn.Unlock()
	now := k.clock.Now()
	if !k.lookedAt.IsZero() && now.Sub(k.lookedAt) < k.minRefresh {
		return false
	}
	k.lookedAt = now
	return true
}

// among finds the keys for a token: those with its key id, or, if the token or a
// key has none, whatever fits the algorithm. OpenID Connect Core, section 10.1.
func among(keys []jose.Key) func(kid string, alg jose.Algorithm) []crypto.PublicKey {
	return func(kid string, alg jose.Algorithm) []crypto.PublicKey {
		var found []crypto.PublicKey
		for _, k := range keys {
			if (k.Alg == "" || k.Alg == alg) && (kid == "" || k.KID == "" || k.KID == kid) {
				found = append(found, k.Public)
			}
		}
		return found
	}
}
