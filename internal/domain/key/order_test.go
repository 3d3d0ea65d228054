package key

import (
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/protocol/jose"
)

// stub is a key with a private half that nobody uses.
func stub(t *testing.T, id string, from time.Time, until time.Time) Key {
	t.Helper()
	k := Key{ID: id, Alg: jose.ES256, PublishAt: from.Add(-48 * time.Hour), SignFrom: from, SignUntil: until}
	if !until.IsZero() {
		k.UnpublishAt = until.Add(time.Hour)
	}
	private, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	k.Private, k.Public = private, private.Public()
	return k
}

func TestWhatASuccessorOfALostKeyIs(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	never := time.Time{}
	at := func(hours int) time.Time { return now.Add(time.Duration(hours) * time.Hour) }
	signing, retiring := stub(t, "signing", at(-24), never), stub(t, "retiring", at(-24), at(10))
	next, later := stub(t, "next", at(10), never), stub(t, "later", at(20), never)
	retired, gone := stub(t, "retired", at(-72), at(-2)), stub(t, "gone", at(-100), at(-50))
	retired.UnpublishAt = at(1)
	other := stub(t, "other", at(-24), never)
	other.Alg = jose.RS256
	for _, test := range []struct {
		name            string
		keys            []Key
		lost            string
		promote, reopen string
		creates         int
		refused         fault.Kind
	}{
		{name: "the one that signs, with a successor", keys: []Key{retiring, next, other}, lost: "retiring", promote: "next"},
		{name: "the earliest of two successors", keys: []Key{retiring, later, next}, lost: "retiring", promote: "next"},
		{name: "the one that signs, alone", keys: []Key{signing, other}, lost: "signing", creates: 1},
		{name: "a successor", keys: []Key{retiring, next}, lost: "next", reopen: "retiring"},
		{name: "one that signs no more", keys: []Key{retired, signing}, lost: "retired"},
		{name: "one that is not there", keys: []Key{signing}, lost: "x", refused: fault.NotFound},
		{name: "one that is gone already", keys: []Key{gone, signing}, lost: "gone", refused: fault.NotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := Compromise(test.keys, test.lost, now)
			if test.refused != 0 {
				if !fault.Is(err, test.refused) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || e.Compromised != test.lost || e.Promote != test.promote || e.Reopen != test.reopen || len(e.Create) != test.creates {
				t.Errorf("got %+v, %v", e, err)
			}
			for _, k := range e.Create {
				if k.Alg != jose.ES256 || k.SignFrom.After(now) || k.PublishAt.After(now) {
					t.Errorf("the new one is %+v", k)
				}
			}
		})
	}
}

// A rotation that is ordered keeps the same promise as one that is due: nobody meets a
// key they cannot have fetched.
func TestARotationByOrderKeepsTheLead(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	timing := DefaultTiming
	signing := stub(t, "signing", now.Add(-time.Hour), time.Time{})
	c, err := Rotate([]Key{signing}, []jose.Algorithm{jose.ES256, jose.RS256}, timing, now)
	if err != nil || len(c.Create) != 2 || len(c.Retire) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	next, first := c.Create[0], c.Create[1]
	if next.SignFrom.Sub(next.PublishAt) < timing.Lead() || !next.SignFrom.Equal(c.Retire[0].SignUntil) {
		t.Errorf("the successor is published from %v on and signs from %v on", next.PublishAt, next.SignFrom)
	}
	if !first.SignFrom.Equal(now) {
		t.Errorf("the first key of its kind signs from %v on", first.SignFrom)
	}
	if c.Retire[0].UnpublishAt.Sub(c.Retire[0].SignUntil) < timing.LongestJWT {
		t.Error("the old key is gone before what it has signed")
	}
	if long := timing.Covering(72 * time.Hour); long.keep(jose.ES256) < 72*time.Hour || long.Covering(time.Second) != long {
		t.Errorf("tokens of three days outlive their key: %+v", long)
	}
	signing.SignUntil = next.SignFrom
	next.ID = "next"
	if _, err := Rotate([]Key{signing, next}, []jose.Algorithm{jose.ES256}, timing, now.Add(time.Minute)); !fault.Is(err, fault.Conflict) {
		t.Errorf("twice: %v", err)
	}
}
