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
// all of them at once, before anybody knows which ones fit.
type buckets struct {
	known, account, everywhere credential.Bucket

	network []credential.Bucket // one, or none if the address is not known
}

// bucketsOf returns the buckets of a name as it was typed. What is looked at from
// one network does not depend on whether the name is somebody's, or on what was
// tried under another name: a count that names of one account share would tell who
// has one.
func (c *local) bucketsOf(name string, l connector.Login, now time.Time) buckets {
	network, ok := networkOf(l.RemoteAddr)
	b := buckets{
		known:      c.known(name),
		account:    c.bucket(credential.Account, "account", name, network),
		everywhere: c.everywhere(name, now),
	}
	if ok {
		b.network = []credential.Bucket{c.bucket(credential.Network, "network", network)}
	}
	return b
}

func (c *local) known(name string) credential.Bucket {
	return c.bucket(credential.KnownDevice, "known device", name)
}

func (c *local) everywhere(name string, now time.Time) credential.Bucket {
	span := now.UTC().Truncate(credential.EverywhereSpan).Format(time.RFC3339)
	return c.bucket(credential.Everywhere, "everywhere", name, span)
}

// bucket returns the bucket of a kind. Its key is a hash, and no part of what is
// hashed holds a NUL.
func (c *local) bucket(kind credential.BucketKind, label string, of ...string) credential.Bucket {
	return credential.Bucket{Kind: kind, Key: secret.Value(label + "\x00" + c.env.ID + "\x00" + strings.Join(of, "\x00")).Hash()}
}

// networkOf returns the network that an address belongs to: what one customer of a
// provider has. Without an address it is the empty one.
func networkOf(a netip.Addr) (string, bool) {
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "", false
	}
	return p.String(), true
}

// Counted returns where failures at an account's login names are counted: on known
// devices, everywhere, and in the network of an address, if there is one. It serves
// whoever gives the account a new password. What a whole network has failed at is not
// among it.
func Counted(connectorID string, names []string, from netip.Addr, now time.Time) []secret.Hash {
	c := &local{env: connector.Env{ID: connectorID}}
	network, known := networkOf(from)
	var keys []secret.Hash
	for _, name := range names {
		keys = append(keys, c.known(name).Key, c.everywhere(name, now).Key)
		if known {
			keys = append(keys, c.bucket(credential.Account, "account", name, network).Key)
		}
	}
	return keys
}

func (b buckets) all() []credential.Bucket {
	return append([]credential.Bucket{b.known, b.account, b.everywhere}, b.network...)
}

// choice is where an attempt is counted.
type choice struct {
	now      time.Time
	wait     time.Duration       // before the attempt may happen
	spent    []secret.Hash       // the buckets in which nothing is free any more
	own      []credential.Bucket // what whoever gets it right has filled themselves
	failures int                 // in their own
	shared   []credential.Bucket // what others fill too
}

// choose decides where the attempt is counted. A browser that carries the
// account's mark sees its own failures alone: neither guessing at the account nor
// the neighbours in the network hold the owner up.
func (c *local) choose(name string, b buckets, found credential.Candidate, l connector.Login, now time.Time) (choice, error) {
	states := found.Throttle
	if len(states) != len(b.all()) {
		return choice{}, fmt.Errorf("local: the store knows %d buckets of %d", len(states), len(b.all()))
	}
	names := append(slices.Clone(found.Names), name)
	slices.Sort(names)
	names = slices.Compact(names)

	ch := choice{now: now, shared: b.network}
	if found.User.ID != "" && slices.Contains(l.Devices, credential.DeviceMark(found.User.ID)) {
		ch.heed(b.known, states[0])
		ch.failures = states[0].Failures
		for _, n := range names {
			ch.own = append(ch.own, c.known(n))
		}
		return ch, nil
	}
	ch.heed(b.account, states[1])
	ch.failures = states[1].Failures
	ch.own = []credential.Bucket{b.account}
	for i, network := range b.network {
		ch.heed(network, states[3+i])
	}
	// Under every name of the account, so that it is one bucket for all of them. It
	// takes several networks to fill it.
	ch.heed(b.everywhere, states[2])
	for _, n := range names {
		ch.shared = append(ch.shared, c.everywhere(n, now))
	}
	return ch, nil
}

// heed makes the attempt wait for what has failed in a bucket.
func (ch *choice) heed(b credential.Bucket, state credential.Throttle) {
	ch.wait = max(ch.wait, state.Wait(b.Kind, ch.now))
	if state.Spent(b.Kind, ch.now) {
		ch.spent = append(ch.spent, b.Key)
	}
}

// counted returns where a failure is counted.
func (ch choice) counted() []credential.Bucket { return slices.Concat(ch.own, ch.shared) }

// lanes let one attempt happen at a time in this process: if many could be under
// way before the first is counted, guessing in parallel would outrun the count.
// Whoever waits, waits in line, and who does not fit is throttled.
//
// Every attempt has a lane of the name, the network and the browser's marks, so
// that a stranger who fills theirs does not stand in the owner's way. A bucket in
// which nothing is free any more is a lane too, for all who are counted there:
// whichever names a network asks for then, it is one after the other.
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
	network, _ := networkOf(l.RemoteAddr)
	marks := slices.Sorted(slices.Values(l.Devices))
	return secret.Value(strings.Join(append([]string{"lane", name, network}, marks...), "\x00")).Hash()
}

// enterAll enters one lane after the other. Everybody takes them in the order in
// which [local.choose] heeds the buckets, so nobody waits for who waits for them.
func (ls *lanes) enterAll(ctx context.Context, keys []secret.Hash) (leave func(), ok bool, err error) {
	var entered []func()
	leave = func() {
		for _, leave := range slices.Backward(entered) {
			leave()
		}
	}
	for _, key := range keys {
		one, ok, err := ls.enter(ctx, key)
		if !ok || err != nil {
			leave()
			return nil, false, err
		}
		entered = append(entered, one)
	}
	return leave, true, nil
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
