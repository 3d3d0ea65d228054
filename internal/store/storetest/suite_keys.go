package storetest

import (
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/key"
	"dex/internal/protocol/jose"
)

var keyPromises = []promise{
	{"the ring lives on the store, from the first key to the removal of one", func(_ *testing.T, w *world) {
		timing := key.DefaultTiming
		timing.LongestJWT = 36 * time.Hour // so that each part of a key's life has a day of its own
		ring := &key.Ring{Store: w.Tenant, Clock: w.clock, Timing: timing}
		algs := []jose.Algorithm{jose.ES256, jose.EdDSA}
		for day := range 80 {
			for {
				turned, err := ring.Turn(w.ctx, algs)
				w.ok(err)
				if !turned {
					break
				}
			}
			w.ok(ring.Refresh(w.ctx))
			for _, alg := range algs {
				_, err := ring.Sign(alg, "JWT", map[string]int{"day": day})
				w.ok(err)
			}
			w.clock.Advance(24 * time.Hour)
		}
		events := w.events()
		for _, what := range []audit.Kind{audit.KeyCreated, audit.KeyDestroyed, audit.KeyRemoved} {
			same(w, string(what)+" happened and is recorded", events[string(what)] > 1, true)
		}
	}},
	{"keys come back by algorithm and age, with their private halves", func(_ *testing.T, w *world) {
		want := []key.Key{w.key(jose.ES256, 0), w.key(jose.EdDSA, 0)}
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{want[1], want[0]}}, w.now()))
		got, err := w.SigningKeys(w.ctx)
		w.ok(err)
		alike(w, "keys", got, want)
	}},
	{"a key that others know is gone at once, and its successor signs", func(_ *testing.T, w *world) {
		ring := &key.Ring{Store: w.Tenant, Clock: w.clock, Timing: key.DefaultTiming}
		algs := []jose.Algorithm{jose.ES256}
		_, err := ring.Turn(w.ctx, algs)
		w.ok(err)
		lose := func(id string) []key.Key {
			all, err := w.SigningKeys(w.ctx)
			w.ok(err)
			plan, err := key.Compromise(all, id, w.now())
			w.ok(err)
			w.ok(key.Generate(plan.Create))
			w.ok(w.CompromiseKey(w.ctx, plan, w.by()))
			w.refuses(fault.Conflict, w.CompromiseKey(w.ctx, plan, w.by()))
			w.ok(ring.Refresh(w.ctx))
			all, err = w.SigningKeys(w.ctx)
			w.ok(err)
			for _, k := range all {
				same(w, "the private half of "+k.ID+" is left", k.Private != nil, k.ID != id)
			}
			same(w, "known to verifiers", len(ring.Find(id, jose.ES256)), 0)
			_, err = ring.Sign(jose.ES256, "JWT", map[string]int{})
			w.ok(err)
			return all
		}
		all, err := w.SigningKeys(w.ctx)
		w.ok(err)
		lose(all[0].ID) // nothing was announced, so that a new one is made
		w.clock.Advance(time.Minute)
		for turned := true; turned; {
			turned, err = ring.Turn(w.ctx, algs)
			w.ok(err)
		}
		all, err = w.SigningKeys(w.ctx)
		w.ok(err)
		same(w, "keys", len(all), 1)
		c, err := key.Rotate(all, algs, ring.Timing, w.now())
		w.ok(err)
		w.ok(key.Generate(c.Create))
		w.ok(w.RotateKeys(w.ctx, c, w.by()))
		lose(c.Create[0].ID) // the one that signs goes on, and gets another successor
		for turned := true; turned; {
			turned, err = ring.Turn(w.ctx, algs)
			w.ok(err)
		}
		all, err = w.SigningKeys(w.ctx)
		w.ok(err)
		same(w, "its end", all[0].SignUntil.IsZero(), true)
		c, err = key.Rotate(all, algs, ring.Timing, w.now())
		w.ok(err)
		w.ok(key.Generate(c.Create))
		w.ok(w.RotateKeys(w.ctx, c, w.by()))
		lose(all[0].ID) // the announced one signs at once
		same(w, "recorded", w.events()[string(audit.KeyCompromised)], 3)
		same(w, "rotations recorded", w.events()[string(audit.KeyRotated)], 2)
	}},
	{"of many workers that make the first key one does", func(_ *testing.T, w *world) {
		outcomes := counter[bool]{}
		w.atOnce(8, func(int) {
			err := w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{w.key(jose.EdDSA, 0)}}, w.now())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "made", outcomes.count[true], 1)
	}},
	{"a plan that is out of date changes nothing", func(_ *testing.T, w *world) {
		first := w.key(jose.EdDSA, 0)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{first}}, w.now()))
		next := w.key(jose.EdDSA, time.Hour)
		turn := key.Changes{
			Create: []key.Key{next},
			Retire: []key.Retire{{ID: first.ID, SignUntil: next.SignFrom, UnpublishAt: next.SignFrom.Add(time.Hour)}},
		}
		w.ok(w.ApplyKeys(w.ctx, turn, w.now()))
		turn.Create[0] = w.key(jose.EdDSA, 2*time.Hour)
		before := w.dump()
		w.refuses(fault.Conflict, w.ApplyKeys(w.ctx, turn, w.now()))
		w.refuses(fault.Conflict, w.ApplyKeys(w.ctx, key.Changes{Remove: []string{first.ID}}, w.now()))
		w.refuses(fault.Conflict, w.ApplyKeys(w.ctx, key.Changes{Destroy: []string{next.ID}}, w.now()))
		same(w, "unchanged", w.dump() == before, true)
	}},
	{"a destroyed key verifies, and signs no more", func(_ *testing.T, w *world) {
		k := w.key(jose.EdDSA, 0)
		k.SignUntil, k.UnpublishAt = w.now().Add(time.Hour), w.now().Add(2*time.Hour)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{k}}, w.now()))
		w.clock.Advance(time.Hour)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Destroy: []string{k.ID}}, w.now()))
		got, err := w.SigningKeys(w.ctx)
		w.ok(err)
		k.Private = nil
		alike(w, "keys", got, []key.Key{k})
		w.clock.Advance(time.Hour)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Remove: []string{k.ID}}, w.now()))
		got, err = w.SigningKeys(w.ctx)
		w.ok(err)
		same(w, "left", len(got), 0)
	}},
}

// key returns a fresh key that signs after a while.
func (w *world) key(alg jose.Algorithm, after time.Duration) key.Key {
	private, err := jose.GenerateKey(alg)
	if err != nil {
		w.Fatal(err)
	}
	id, err := jose.Thumbprint(private.Public())
	if err != nil {
		w.Fatal(err)
	}
	return key.Key{ID: id, Alg: alg, PublishAt: w.now(), SignFrom: w.now().Add(after), Public: private.Public(), Private: private}
}
