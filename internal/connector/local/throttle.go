package local

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/credential"
)

// buckets are the places where an attempt may be counted. The store is asked for
// all of them at once, before anybody knows which one fits.
type buckets struct {
	known, account credential.Bucket
	network        []credential.Bucket // one, or none if the address is not known
}

func (c *local) bucketsOf(name string, l connector.Login) buckets {
	b := buckets{
		known:   c.bucket(credential.KnownDevice, "known device", name),
		account: c.bucket(credential.Account, "account", name),
	}
	if network, ok := networkOf(l.RemoteAddr); ok {
		b.network = []credential.Bucket{c.bucket(credential.Network, "network", network)}
	}
	return b
}

// bucket returns the bucket of a kind. Its key is a hash, and no part of what is
// hashed holds a NUL.
func (c *local) bucket(kind credential.BucketKind, label, of string) credential.Bucket {
	return credential.Bucket{Kind: kind, Key: secret.Value(label + "\x00" + c.env.ID + "\x00" + of).Hash()}
}

// networkOf returns the network that an address belongs to: what one customer of a
// provider has.
func networkOf(a netip.Addr) (string, bool) {
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	return p.String(), err == nil
}

func (b buckets) all() []credential.Bucket {
	return append([]credential.Bucket{b.known, b.account}, b.network...)
}

// choice is where an attempt is counted.
type choice struct {
	kind     credential.BucketKind // KnownDevice or Account
	failures int                   // in that bucket
	network  []credential.Bucket
	wait     time.Duration // before the attempt may happen
}

// choose decides where the attempt is counted. A browser that carries the
// account's mark sees its own failures alone: neither guessing at the account nor
// the neighbours in the network hold the owner up.
func (b buckets) choose(found credential.Candidate, l connector.Login, now time.Time) (choice, error) {
	states := found.Throttle
	if len(states) != len(b.all()) {
		return choice{}, fmt.Errorf("local: the store knows %d buckets of %d", len(states), len(b.all()))
	}
	if found.User.ID != "" && slices.Contains(l.Devices, credential.DeviceMark(found.User.ID)) {
		return choice{
			kind:     credential.KnownDevice,
			failures: states[0].Failures,
			network:  b.network,
			wait:     states[0].Wait(credential.KnownDevice, now),
		}, nil
	}
	wait := states[1].Wait(credential.Account, now)
	for _, network := range states[2:] {
		wait = max(wait, network.Wait(credential.Network, now))
	}
	return choice{kind: credential.Account, failures: states[1].Failures, network: b.network, wait: wait}, nil
}

// countedAt returns where a failure is counted: under every name of the account,
// so that there is nothing to gain from its other names, and in the network.
func (c *local) countedAt(ch choice, found credential.Candidate, asked string) []credential.Bucket {
	label := "account"
	if ch.kind == credential.KnownDevice {
		label = "known device"
	}
	names := append(slices.Clone(found.Names), asked)
	slices.Sort(names)
	counted := slices.Clone(ch.network)
	for _, name := range slices.Compact(names) {
		counted = append(counted, c.bucket(ch.kind, label, name))
	}
	return counted
}

// lanes let one attempt at an account happen at a time in this process: if many
// could be under way before the first is counted, guessing in parallel would
// outrun the count. Whoever waits, waits in line, and who does not fit is
// throttled.
//
// A lane is of a name and of the browser's marks, so that a stranger who fills
// theirs does not stand in the owner's way.
type lanes struct {
	mu   sync.Mutex
	open map[secret.Hash]*lane
}

type lane struct {
	turn  chan struct{}
	users int // who are in it, or wait
}

const (
	maxLanes     = 4096
	maxInOneLane = 16
)

func (c *local) laneOf(name string, l connector.Login) secret.Hash {
	marks := slices.Sorted(slices.Values(l.Devices))
	return secret.Value(name + "\x00" + strings.Join(marks, "\x00")).Hash()
}

// enter waits for the turn and returns how to leave again. It reports false if
// too many are waiting.
func (ls *lanes) enter(ctx context.Context, key secret.Hash) (leave func(), ok bool, err error) {
	ls.mu.Lock()
	if ls.open == nil {
		ls.open = map[secret.Hash]*lane{}
	}
	l := ls.open[key]
	if l == nil && len(ls.open) >= maxLanes || l != nil && l.users >= maxInOneLane {
		ls.mu.Unlock()
		return nil, false, nil
	}
	if l == nil {
		l = &lane{turn: make(chan struct{}, 1)}
		ls.open[key] = l
	}
	l.users++
	ls.mu.Unlock()

	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; ls.drop(key, l) }, true, nil
	case <-ctx.Done():
		ls.drop(key, l)
		return nil, false, ctx.Err()
	}
}

// drop closes the lane behind whoever leaves it last.
func (ls *lanes) drop(key secret.Hash, l *lane) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(ls.open, key)
	}
}
