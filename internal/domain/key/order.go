package key

import (
	"slices"
	"time"

	"dex/internal/base/fault"
	"dex/internal/protocol/jose"
)

// Rotate plans the announcement of successors at once, instead of at their time. Each
// signs after the full lead, so that no verifier meets a key it has not seen. It
// returns a fault of kind Conflict if every key has a successor already.
func Rotate(keys []Key, algs []jose.Algorithm, t Timing, now time.Time) (Changes, error) {
	var c Changes
	var announced time.Time
	for _, alg := range algs {
		head, ok := newest(keys, alg)
		switch {
		case !ok:
			c.Create = append(c.Create, Key{Alg: alg, PublishAt: now, SignFrom: now})
		case head.SignFrom.After(now):
			announced = latest(announced, head.SignFrom)
		default:
			from := now.Add(t.Lead())
			c.Create = append(c.Create, Key{Alg: alg, PublishAt: now, SignFrom: from})
			c.Retire = append(c.Retire, Retire{ID: head.ID, SignUntil: from, UnpublishAt: from.Add(t.keep(alg))})
		}
	}
	if c.Empty() {
		return c, fault.New(fault.Conflict, "Successors are announced already, and sign from %s on. Sooner would make applications refuse tokens that they have the wrong keys for; if others know a key, say that it is compromised.", announced.UTC().Format(time.RFC3339))
	}
	return c, nil
}

// Emergency is what has to be done when others know a private key.
type Emergency struct {
	Compromised string // neither signs nor stands in the key set from now on
	Promote     string // the announced successor, which signs at once
	Reopen      string // a key whose successor it was, which signs on until it gets another
	Create      []Key  // a new one that signs at once, because nothing else can
}

// Compromise plans what has to be done at once when others know a key. Whatever the
// key has signed is refused from then on; its successor signs before every verifier
// can have seen it, because the other way is worse.
func Compromise(keys []Key, id string, now time.Time) (Emergency, error) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
	if i < 0 || !keys[i].Counts(now) {
		return Emergency{}, fault.New(fault.NotFound, "There is no signing key %q that counts.", id)
	}
	e := Emergency{Compromised: id}
	lost := keys[i]
	var next Key
	for _, k := range keys {
		switch {
		case k.ID == id || k.Alg != lost.Alg || k.Private == nil:
		case k.signs(now):
			if lost.SignFrom.After(now) && k.SignUntil.Equal(lost.SignFrom) {
				e.Reopen = k.ID
			}
			return e, nil
		case k.SignFrom.After(now) && (next.ID == "" || k.SignFrom.Before(next.SignFrom)):
			next = k
		}
	}
	if next.ID != "" {
		e.Promote = next.ID
		return e, nil
	}
	e.Create = []Key{{Alg: lost.Alg, PublishAt: now, SignFrom: now}}
	return e, nil
}

// Generate makes the keys of changes that were planned.
func Generate(keys []Key) error {
	for i := range keys {
		if err := keys[i].generate(); err != nil {
			return err
		}
	}
	return nil
}
