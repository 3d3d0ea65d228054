package key

import (
	"slices"
	"time"

	"dex/internal/protocol/jose"
)

// Changes is what has to be done to the keys. Each part names keys by their ID.
type Changes struct {
	Create  []Key    // announced; each is the successor of what signs now
	Retire  []Retire // keys whose end is known, because their successor is
	Destroy []string // private halves that will not sign again
	Remove  []string // keys that nothing alive was signed by
}

// Retire sets the end of a key.
type Retire struct {
	ID                     string
	SignUntil, UnpublishAt time.Time
}

// Empty reports whether nothing has to be done.
func (c Changes) Empty() bool {
	return len(c.Create) == 0 && len(c.Retire) == 0 && len(c.Destroy) == 0 && len(c.Remove) == 0
}

// Plan says what the timeline asks for now. It creates no keys, but says when a
// new one has to be announced and sign: the caller fills in the rest. It may be
// late by any time: the switch always keeps the full lead.
func Plan(keys []Key, algs []jose.Algorithm, t Timing, now time.Time) Changes {
	var c Changes
	for _, alg := range algs {
		head, ok := newest(keys, alg)
		switch {
		case !ok: // the first key of its kind: nobody can hold an older set
			c.Create = append(c.Create, Key{Alg: alg, PublishAt: now, SignFrom: now})
		case !now.Before(head.SignFrom.Add(t.Rotation - t.Lead())):
			from := latest(head.SignFrom.Add(t.Rotation), now.Add(t.Lead()))
			c.Create = append(c.Create, Key{Alg: alg, PublishAt: now, SignFrom: from})
			c.Retire = append(c.Retire, Retire{ID: head.ID, SignUntil: from, UnpublishAt: from.Add(t.keep(alg))})
		}
	}
	for _, k := range keys {
		switch {
		case k.SignUntil.IsZero():
		case !now.Before(k.UnpublishAt):
			c.Remove = append(c.Remove, k.ID)
		case k.Alg.Encrypts(): // it is decrypted with to its end
		case k.Private != nil && !now.Before(k.SignUntil.Add(t.Snapshot+t.Skew)):
			c.Destroy = append(c.Destroy, k.ID)
		}
	}
	return c
}

// newest returns the key of an algorithm that signs last.
func newest(keys []Key, alg jose.Algorithm) (Key, bool) {
	of := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return k.Alg != alg })
	if len(of) == 0 {
		return Key{}, false
	}
	return slices.MaxFunc(of, func(a, b Key) int { return a.SignFrom.Compare(b.SignFrom) }), true
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
