package key

import (
	"context"
	"crypto"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/protocol/jose"
)

// Ring is a worker's picture of the keys. It signs and verifies from memory; a
// call to [Ring.Refresh] now and then keeps the picture true.
type Ring struct {
	Store  Store
	Clock  clock.Clock
	Timing Timing
	// Version is the version of the tenant's configuration that was seen last. A change
	// of it makes the ring look again, because a key may have been compromised; nil to
	// look now and then only.
	Version func() int64

	picture atomic.Pointer[picture]
	looking sync.Mutex // whoever has it takes a new picture
}

// picture is the keys as they stood at one moment. It is never changed.
type picture struct {
	takenAt time.Time
	version int64 // of the configuration, or later
	keys    []ringKey
}

type ringKey struct {
	Key
	signer *jose.Signer // nil once the private key is destroyed, and if others encrypt to the key
}

// Refresh takes a new picture of the keys.
func (r *Ring) Refresh(ctx context.Context) error {
	now, version := r.Clock.Now(), r.version()
	keys, err := r.Store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("refresh the signing keys: %w", err)
	}
	p := &picture{takenAt: now, version: version, keys: make([]ringKey, len(keys))}
	for i, k := range keys {
		p.keys[i].Key = k
		if k.Private == nil || k.Alg.Encrypts() {
			continue
		}
		if p.keys[i].signer, err = jose.NewSigner(k.Private, k.Alg, k.ID); err != nil {
			return fmt.Errorf("signing key %s: %w", k.ID, err)
		}
	}
	r.picture.Store(p)
	return nil
}

func (r *Ring) version() int64 {
	if r.Version == nil {
		return 0
	}
	return r.Version()
}

// lookFor is how long a look may take that somebody waits for.
const lookFor = 2 * time.Second

// current returns the picture of the keys, after another look if the configuration has
// changed since the last. It reports false if that look was in vain.
func (r *Ring) current() (*picture, bool) {
	p := r.picture.Load()
	if p == nil || p.version >= r.version() {
		return p, true
	}
	r.looking.Lock()
	defer r.looking.Unlock()
	if p = r.picture.Load(); p.version >= r.version() {
		return p, true // another has looked
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookFor)
	defer cancel()
	err := r.Refresh(ctx)
	return r.picture.Load(), err == nil
}

// Sign signs claims with the key whose turn it is. The type is the token's "typ"
// header: "JWT", "at+jwt" or "logout+jwt". It returns a fault of kind Unavailable
// if the picture of the keys is too old to sign from, or has no such key.
func (r *Ring) Sign(alg jose.Algorithm, typ string, claims any) (string, error) {
	now := r.Clock.Now()
	p, looked := r.current()
	if p == nil || !looked || now.Sub(p.takenAt) > r.Timing.Snapshot {
		return "", fault.New(fault.Unavailable, "The signing keys cannot be read at the moment.")
	}
	if k := p.signing(alg, now); k != nil && k.signer != nil {
		return k.signer.Sign(typ, claims)
	}
	return "", fault.New(fault.Unavailable, "There is no signing key for %s yet.", alg)
}

// signing returns the newest key whose turn has come.
func (p *picture) signing(alg jose.Algorithm, now time.Time) *ringKey {
	var newest *ringKey
	for i := range p.keys {
		k := &p.keys[i]
		if k.Alg == alg && k.signs(now) && (newest == nil || k.SignFrom.After(newest.SignFrom)) {
			newest = k
		}
	}
	return newest
}

// Published returns every key whose signatures still count. It answers from the
// last picture, however old: the next key is in it already.
func (r *Ring) Published() []jose.Key {
	now := r.Clock.Now()
	p, _ := r.current()
	if p == nil {
		return nil
	}
	keys := make([]jose.Key, 0, len(p.keys))
	for _, k := range p.keys {
		if k.Published(now) {
			keys = append(keys, jose.Key{KID: k.ID, Alg: k.Alg, Public: k.Public})
		}
	}
	return keys
}

// Find returns the published keys that a signature may have been made with, for
// verifying our own tokens.
func (r *Ring) Find(kid string, alg jose.Algorithm) []crypto.PublicKey {
	now := r.Clock.Now()
	p, _ := r.current()
	if p == nil {
		return nil
	}
	for _, k := range p.keys {
		if k.ID == kid && k.Alg == alg && k.Published(now) {
			return []crypto.PublicKey{k.Public}
		}
	}
	return nil
}

// Decrypt returns what somebody has encrypted to one of our keys. It says nothing about
// who that was.
func (r *Ring) Decrypt(token string) ([]byte, jose.EncryptedHeader, error) {
	now := r.Clock.Now()
	p, _ := r.current()
	if p == nil {
		return nil, jose.EncryptedHeader{}, fault.New(fault.Unavailable, "The keys cannot be read at the moment.")
	}
	find := func(kid string, _ jose.KeyManagement) []crypto.PrivateKey {
		var found []crypto.PrivateKey
		for _, k := range p.keys {
			if k.Alg.Encrypts() && k.Private != nil && k.Counts(now) && (kid == "" || kid == k.ID) {
				found = append(found, k.Private)
			}
		}
		return found
	}
	return jose.Decrypt(token, jose.KeyManagements(), jose.ContentEncryptions(), find)
}

// Age returns how old the picture is, and whether there is one.
func (r *Ring) Age() (time.Duration, bool) {
	p := r.picture.Load()
	if p == nil {
		return 0, false
	}
	return r.Clock.Now().Sub(p.takenAt), true
}

// Ready reports whether the ring can sign with every one of the algorithms.
func (r *Ring) Ready(algs []jose.Algorithm) bool {
	now := r.Clock.Now()
	p := r.picture.Load()
	if p == nil || now.Sub(p.takenAt) > r.Timing.Snapshot {
		return false
	}
	for _, alg := range algs {
		if p.signing(alg, now) == nil {
			return false
		}
	}
	return true
}

// Turn does what the plan asks for now, and reports whether anything was to do. It
// may run anywhere and any number of times: what somebody else did meanwhile is
// found in the store, and left alone.
func (r *Ring) Turn(ctx context.Context, algs []jose.Algorithm) (bool, error) {
	keys, err := r.Store.SigningKeys(ctx)
	if err != nil {
		return false, fmt.Errorf("rotate the signing keys: %w", err)
	}
	now := r.Clock.Now()
	c := Plan(keys, algs, r.Timing, now)
	if c.Empty() {
		return false, nil
	}
	for i := range c.Create {
		if err := c.Create[i].generate(); err != nil {
			return false, fmt.Errorf("rotate the signing keys: %w", err)
		}
	}
	err = r.Store.ApplyKeys(ctx, c, now)
	if fault.Is(err, fault.Conflict) {
		return false, nil // another did the same at the same time
	}
	if err != nil {
		return false, fmt.Errorf("rotate the signing keys: %w", err)
	}
	return true, nil
}

func (k *Key) generate() (err error) {
	if k.Private, err = jose.GenerateKey(k.Alg); err != nil {
		return err
	}
	k.Public = k.Private.Public()
	k.ID, err = jose.Thumbprint(k.Public)
	return err
}
