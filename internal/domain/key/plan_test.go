package key

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"dex/internal/protocol/jose"
)

var (
	start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	algs  = []jose.Algorithm{jose.ES256}
)

// private stands for a private key where only its presence counts.
func private(t testing.TB) Key {
	t.Helper()
	k := Key{Alg: jose.ES256}
	if err := k.generate(); err != nil {
		t.Fatal(err)
	}
	return k
}

// apply does to a list of keys what a store would do.
func apply(keys []Key, c Changes, n *int, sample Key) []Key {
	for _, k := range c.Create {
		*n++
		k.ID, k.Private, k.Public = fmt.Sprint("k", *n), sample.Private, sample.Public
		keys = append(keys, k)
	}
	for _, r := range c.Retire {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == r.ID })
		keys[i].SignUntil, keys[i].UnpublishAt = r.SignUntil, r.UnpublishAt
	}
	for i, k := range keys {
		if slices.Contains(c.Destroy, k.ID) {
			keys[i].Private = nil
		}
	}
	return slices.DeleteFunc(keys, func(k Key) bool { return slices.Contains(c.Remove, k.ID) })
}

func TestTheFirstKeySignsAtOnce(t *testing.T) {
	c := Plan(nil, []jose.Algorithm{jose.RS256, jose.ES256}, DefaultTiming, start)
	if len(c.Create) != 2 || c.Create[0].SignFrom != start || c.Create[1].PublishAt != start {
		t.Fatalf("got %+v", c)
	}
}

func TestANewKeyIsAnnouncedForTheWholeLead(t *testing.T) {
	sample, n := private(t), 0
	tm := DefaultTiming
	keys := apply(nil, Plan(nil, algs, tm, start), &n, sample)
	due := start.Add(tm.Rotation - tm.Lead())
	if c := Plan(keys, algs, tm, due.Add(-time.Second)); !c.Empty() {
		t.Fatalf("something is done before it is due: %+v", c)
	}
	c := Plan(keys, algs, tm, due)
	if len(c.Create) != 1 || c.Create[0].SignFrom != start.Add(tm.Rotation) || len(c.Retire) != 1 || c.Retire[0].SignUntil != c.Create[0].SignFrom {
		t.Fatalf("got %+v", c)
	}
	late := start.Add(400 * 24 * time.Hour)
	c = Plan(keys, algs, tm, late)
	if got := c.Create[0].SignFrom.Sub(late); got != tm.Lead() {
		t.Errorf("after a year without a turn the new key is announced for %v, not %v", got, tm.Lead())
	}
}

// A verifier that follows Cache-Control and nothing else, behind any cache and any
// worker, never meets a key that it does not know, and never one that is gone,
// however irregularly the duty gets its turns.
func TestNoVerifierMeetsAKeyItDoesNotKnow(t *testing.T) {
	tm := DefaultTiming
	tm.Rotation = 3 * 24 * time.Hour
	for _, every := range []time.Duration{30 * time.Second, 7 * time.Hour, 50 * time.Hour, 200 * time.Hour} {
		t.Run(every.String(), func(t *testing.T) {
			sample, n := private(t), 0
			var keys []Key
			type copyOf struct {
				at  time.Time
				ids []string
			}
			var copies []copyOf
			nextTurn := start
			for at := start; at.Before(start.Add(40 * 24 * time.Hour)); at = at.Add(5 * time.Minute) {
				if !at.Before(nextTurn) {
					keys = apply(keys, Plan(keys, algs, tm, at), &n, sample)
					nextTurn = at.Add(every)
				}
				var published []string
				var signer string
				for _, k := range keys {
					if k.Published(at) {
						published = append(published, k.ID)
					}
					if k.signs(at) {
						signer = k.ID
					}
				}
				if signer == "" {
					t.Fatalf("nobody signs at %v", at)
				}
				if !slices.Contains(published, signer) {
					t.Fatalf("a key signs at %v that is not published", at)
				}
				copies = append(copies, copyOf{at, published})
				// The oldest set that a verifier may still hold now.
				oldest := at.Add(-tm.Verifiers - tm.MaxAge)
				for len(copies) > 1 && copies[0].at.Before(oldest) {
					copies = copies[1:]
				}
				for _, c := range copies {
					if !slices.Contains(c.ids, signer) {
						t.Fatalf("the set of %v does not hold the key that signs at %v", c.at, at)
					}
				}
			}
			if n < 3 && every < 100*time.Hour {
				t.Errorf("there were %d keys only: nothing was rotated", n)
			}
		})
	}
}

func TestAKeyStaysUntilNothingItSignedIsAlive(t *testing.T) {
	sample, n := private(t), 0
	tm := DefaultTiming
	keys := apply(nil, Plan(nil, algs, tm, start), &n, sample)
	keys = apply(keys, Plan(keys, algs, tm, start.Add(tm.Rotation-tm.Lead())), &n, sample)
	end := keys[0].SignUntil
	last := end.Add(tm.Snapshot + tm.Skew) // a worker with an old picture and a slow clock signs until then
	if !keys[0].Published(last.Add(tm.LongestJWT)) {
		t.Error("the last token outlives its key")
	}
	if c := Plan(keys, algs, tm, last.Add(-time.Second)); len(c.Destroy) != 0 {
		t.Error("a private key is destroyed while a worker may still sign with it")
	}
	if c := Plan(keys, algs, tm, last); !slices.Contains(c.Destroy, "k1") {
		t.Error("a private key that will not sign again is kept")
	}
	if c := Plan(keys, algs, tm, keys[0].UnpublishAt); !slices.Contains(c.Remove, "k1") {
		t.Error("a key that nothing alive was signed by is kept")
	}
}

func TestAKeyWithoutSuccessorSignsOn(t *testing.T) {
	k := private(t)
	k.PublishAt, k.SignFrom = start, start
	if !k.signs(start.Add(10 * 365 * 24 * time.Hour)) {
		t.Error("the key stopped by itself")
	}
}

// Whoever has kept the key set for as long as anybody may, and encrypts something with
// what is in there, encrypts it to a key that we still decrypt with.
func TestAKeyThatIsEncryptedToIsKeptForWhoeverHasTheOldSet(t *testing.T) {
	sample := Key{Alg: jose.EncryptEC}
	if err := sample.generate(); err != nil {
		t.Fatal(err)
	}
	tm, n := DefaultTiming, 0
	tm.Rotation = 3 * 24 * time.Hour
	var keys []Key
	var last Key // the key that stood in the set when it was last fetched
	for at := start; at.Before(start.Add(30 * 24 * time.Hour)); at = at.Add(time.Hour) {
		keys = apply(keys, Plan(keys, []jose.Algorithm{jose.EncryptEC}, tm, at), &n, sample)
		published := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return !k.Published(at) })
		if len(published) == 0 {
			t.Fatalf("at %v nothing can be encrypted", at)
		}
		if at.Sub(start)%(24*time.Hour) == 0 {
			last = published[0]
		}
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == last.ID })
		if i < 0 || !keys[i].Counts(at) || keys[i].Private == nil {
			t.Fatalf("at %v nobody can decrypt what was encrypted to %s", at, last.ID)
		}
		if old := keys[0]; !old.SignUntil.IsZero() && !at.Before(old.SignUntil) && old.Published(at) {
			t.Fatalf("at %v the key %s has a successor, and is still handed out", at, old.ID)
		}
	}
	if n < 8 {
		t.Errorf("there were %d keys only: nothing was rotated", n)
	}
}
