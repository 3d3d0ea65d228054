package acceptance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	jwt "github.com/go-jose/go-jose/v4"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/domain/key"
	"dex/internal/store/storetest"
)

// rotationConfig turns the keys as fast as their timeline lets them.
const rotationConfig = `
keys: {rotation: 26h}
expiry: {refresh: 20000h, refresh_idle: 20000h}
`

// keysInUse are the algorithms, and the client that each is used by. Access tokens,
// which come with them, are in ES256.
var keysInUse = []struct{ alg, client string }{{"RS256", "app"}, {"ES256", "es256"}, {"EdDSA", "eddsa"}}

// verifier is a relying party that keeps our key set for as long as it may, or
// longer, and never asks before that is over, whatever it meets. It is not our
// code that verifies.
type verifier struct {
	name  string
	cache func(maxAge time.Duration) time.Duration
	from  func() (keySet, time.Duration)

	set     keySet
	until   time.Time
	fetched int
}

type keySet = jwt.JSONWebKeySet

func (v *verifier) look(now time.Time) {
	if now.Before(v.until) {
		return
	}
	set, maxAge := v.from()
	v.set, v.until, v.fetched = set, now.Add(v.cache(maxAge)), v.fetched+1
}

// verify returns why the token fails, if it does.
func (v *verifier) verify(token string) error {
	signed, err := jwt.ParseSignedCompact(token, []jwt.SignatureAlgorithm{jwt.RS256, jwt.ES256, jwt.EdDSA})
	if err != nil {
		return err
	}
	known := v.set.Key(signed.Signatures[0].Header.KeyID)
	if len(known) != 1 {
		return fmt.Errorf("the key %q is not known", signed.Signatures[0].Header.KeyID)
	}
	_, err = signed.Verify(known[0])
	return err
}

// rotation is workers whose time is sped up, verifiers, and the tokens alive.
type rotation struct {
	t         *testing.T
	clock     *clock.Fake
	workers   []*workertest.Server
	refreshed []time.Time // when each worker last looked at the keys
	clients   [][]*workertest.Client
	refresh   [][]string
	verifiers []*verifier
	asked     int // how many times a key set was asked for

	alive []minted
	shown int
	kids  map[string]map[string]bool // that have signed, by algorithm
}

type minted struct {
	token string
	until time.Time
	shown map[*verifier]int // to the verifier, with which of its key sets
}

func newRotation(t *testing.T, workers int) *rotation {
	r := &rotation{t: t, clock: &clock.Fake{}, kids: map[string]map[string]bool{}}
	first := workertest.Options{Clock: r.clock, Config: rotationConfig}
	r.workers = cluster(t, workers, first)
	for _, s := range r.workers {
		var clients []*workertest.Client
		var tokens []string
		for _, k := range keysInUse {
			c := s.Client(t, k.client)
			clients, tokens = append(clients, c), append(tokens, c.Obtain().RefreshToken)
		}
		r.clients, r.refresh = append(r.clients, clients), append(r.refresh, tokens)
		r.refreshed = append(r.refreshed, r.clock.Now())
	}
	r.verifiers = []*verifier{
		{name: "one that follows Cache-Control", cache: asLong, from: r.balanced},
		{name: "one that began a little later", cache: asLong, from: r.balanced},
		{name: "one behind a cache that follows Cache-Control", cache: asLong, from: r.cached()},
		{name: "one that keeps the keys for a day, behind a cache", cache: aDay, from: r.cached()},
		{name: "one that does so and asks the slowest worker", cache: aDay, from: func() (keySet, time.Duration) { return r.keys(len(r.workers) - 1) }},
	}
	r.look()
	r.clock.Advance(100 * time.Second)
	r.verifiers[1].until = time.Time{} // its cache runs out at other moments
	r.look()
	return r
}

func asLong(maxAge time.Duration) time.Duration { return maxAge }
func aDay(time.Duration) time.Duration          { return 24 * time.Hour }

// keys asks a worker for the key set.
func (r *rotation) keys(worker int) (keySet, time.Duration) {
	r.t.Helper()
	a := r.workers[worker].Browser(r.t).Get("/keys")
	var set keySet
	if err := json.Unmarshal([]byte(a.Body), &set); err != nil || a.Status != http.StatusOK || len(set.Keys) < len(keysInUse) {
		r.t.Fatalf("the key set: %d %s", a.Status, a.Body)
	}
	_, seconds, _ := strings.Cut(a.Header.Get("Cache-Control"), "max-age=")
	n, err := strconv.Atoi(seconds)
	if err != nil {
		r.t.Fatalf("Cache-Control: %q", a.Header.Get("Cache-Control"))
	}
	return set, time.Duration(n) * time.Second
}

// balanced asks one worker after the other.
func (r *rotation) balanced() (keySet, time.Duration) {
	r.asked++
	return r.keys(r.asked % len(r.workers))
}

// cached is a cache on the way, which does not tell how old its answers are.
func (r *rotation) cached() func() (keySet, time.Duration) {
	var set keySet
	var maxAge time.Duration
	var until time.Time
	return func() (keySet, time.Duration) {
		if now := r.clock.Now(); !now.Before(until) {
			set, maxAge = r.balanced()
			until = now.Add(maxAge)
		}
		return set, maxAge
	}
}

// look lets every verifier whose cache has run out look at the keys.
func (r *rotation) look() {
	for _, v := range r.verifiers {
		v.look(r.clock.Now())
	}
}

// step moves the time. The first worker has the duties, if it may do them; the
// others look at the keys, and the last does so only when its picture would be too
// old to sign by.
func (r *rotation) step(d time.Duration, duties bool) {
	r.t.Helper()
	r.clock.Advance(d)
	now := r.clock.Now()
	r.look()
	for i, s := range r.workers {
		age := now.Sub(r.refreshed[i])
		switch {
		case i == 0 && duties:
			if err := s.Worker.CatchUp(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		case i < len(r.workers)-1 || i == 0, age > key.DefaultTiming.Snapshot:
			if err := s.Worker.LookAtKeys(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		default:
			continue
		}
		r.refreshed[i] = now
	}
	r.verifyAll()
}

// mint gets tokens in every algorithm from the given workers, and shows them to all.
func (r *rotation) mint(workers ...int) {
	r.t.Helper()
	for _, w := range workers {
		for i := range keysInUse {
			got := r.clients[w][i].Refresh(r.refresh[w][i])
			if got.Status != http.StatusOK {
				r.t.Fatalf("worker %d at %v: %d %s %s", w, r.clock.Now(), got.Status, got.Error, got.Description)
			}
			r.refresh[w][i] = got.RefreshToken
			until := r.clock.Now().Add(time.Duration(got.ExpiresIn) * time.Second)
			r.alive = append(r.alive, minted{got.AccessToken, until, map[*verifier]int{}}, minted{got.IDToken, until, map[*verifier]int{}})
			r.sign(got.IDToken)
		}
	}
	r.verifyAll()
}

func (r *rotation) sign(token string) {
	signed, err := jwt.ParseSignedCompact(token, []jwt.SignatureAlgorithm{jwt.RS256, jwt.ES256, jwt.EdDSA})
	if err != nil {
		r.t.Fatal(err)
	}
	h := signed.Signatures[0].Header
	if r.kids[h.Algorithm] == nil {
		r.kids[h.Algorithm] = map[string]bool{}
	}
	r.kids[h.Algorithm][h.KeyID] = true
}

// verifyAll shows every token that is alive to every verifier, unless that has seen
// it with the same key set.
func (r *rotation) verifyAll() {
	r.t.Helper()
	now := r.clock.Now()
	r.look()
	r.alive = slices.DeleteFunc(r.alive, func(m minted) bool { return now.After(m.until) })
	for _, m := range r.alive {
		for _, v := range r.verifiers {
			if m.shown[v] == v.fetched {
				continue
			}
			m.shown[v] = v.fetched
			r.shown++
			if err := v.verify(m.token); err != nil {
				r.t.Fatalf("at %v a token fails at %s: %v", now, v.name, err)
			}
		}
	}
}

// nextSwitch returns when the next key begins to sign.
func (r *rotation) nextSwitch() (next time.Time) {
	now := r.clock.Now()
	for _, k := range r.stored() {
		if k.SignFrom.After(now.Add(-afterSwitch)) && (next.IsZero() || k.SignFrom.Before(next)) {
			next = k.SignFrom
		}
	}
	return next
}

func (r *rotation) stored() []key.Key {
	r.t.Helper()
	keys, err := r.workers[0].Tenant.SigningKeys(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return keys
}

// For so long before and after a switch time goes by the minute.
const (
	beforeSwitch = 2 * time.Minute
	afterSwitch  = 12 * time.Minute
)

// goOn lets time pass: by the minute around a switch, where every worker mints all
// the time, and in leaps in between.
func (r *rotation) goOn(until time.Time) {
	r.t.Helper()
	all := make([]int, len(r.workers))
	for i := range all {
		all[i] = i
	}
	for n := 0; r.clock.Now().Before(until); n++ {
		next := r.nextSwitch()
		wait := next.Sub(r.clock.Now())
		if !next.IsZero() && wait <= beforeSwitch && wait > -afterSwitch {
			r.step(time.Minute, true)
			r.mint(all...)
			continue
		}
		leap := 40 * time.Minute
		if !next.IsZero() && wait > beforeSwitch {
			leap = min(leap, wait-beforeSwitch)
		}
		r.mint(all[n%len(all)])
		r.step(min(leap, 10*time.Minute-time.Second), true) // the tokens' last moment
		if leap > 10*time.Minute {
			r.step(leap-10*time.Minute, true)
		}
		r.spent()
	}
}

// spent makes sure that no private half is kept once nobody may sign with it, and
// no key once nothing that it signed is alive.
func (r *rotation) spent() {
	r.t.Helper()
	now, t := r.clock.Now(), key.DefaultTiming
	for _, k := range r.stored() {
		if k.SignUntil.IsZero() {
			continue
		}
		if k.Private != nil && now.After(k.SignUntil.Add(t.Snapshot+t.Skew)) {
			r.t.Errorf("the private half of %s is kept at %v", k.ID, now)
		}
		if now.After(k.UnpublishAt) {
			r.t.Errorf("the key %s is kept at %v", k.ID, now)
		}
	}
}

// DESIGN 7, promise 4: rotation never makes a correct verifier reject a token.
func TestRotationFailsNoToken(t *testing.T) {
	r := newRotation(t, 3)
	start := r.clock.Now()
	r.goOn(start.Add(79 * time.Hour))
	for _, k := range keysInUse {
		if n := len(r.kids[k.alg]); n < 4 {
			t.Errorf("%d keys have signed in %s", n, k.alg)
		}
	}
	if n := len(r.stored()); n > 3*len(keysInUse) {
		t.Errorf("%d keys are kept", n)
	}
	t.Logf("tokens were verified %d times, and the keys fetched %d times", r.shown, r.asked)
}

// DESIGN promise 6: nobody notices that those with the duties are away, however
// long, nor that they come back.
func TestAYearWithoutAnybodyWithDuties(t *testing.T) {
	r := newRotation(t, 2)
	before := len(r.stored())
	for range 13 {
		r.step(28*24*time.Hour, false)
		r.mint(0, 1)
		r.step(9*time.Minute, false)
	}
	for _, k := range keysInUse {
		if n := len(r.kids[k.alg]); n != 1 {
			t.Errorf("%d keys have signed in %s", n, k.alg)
		}
	}
	if n := len(r.stored()); n != before {
		t.Errorf("%d keys of %d", n, before)
	}
	r.goOn(r.clock.Now().Add(27 * time.Hour)) // they are back, and the lead is kept
	for _, k := range keysInUse {
		if n := len(r.kids[k.alg]); n != 2 {
			t.Errorf("afterwards %d keys have signed in %s", n, k.alg)
		}
	}
}

// DESIGN promise 6, with workers that end and start again while nobody has the duties:
// what a new one needs is in the database, and logins go on.
func TestAYearInWhichWorkersRestartAndNobodyHasDuties(t *testing.T) {
	r := newRotation(t, 2)
	before := len(r.stored())
	ann := r.clients[0][0].Obtain().IDToken
	for month := range 13 {
		r.step(28*24*time.Hour, false)
		r.workers[1] = workertest.Start(t, workertest.Options{
			Clock: r.clock, DB: storetest.Again(t, r.workers[0].DB), Issuer: r.workers[0].URL,
			Config: rotationConfig + "duties: false\n",
		})
		app := r.workers[1].Client(t, keysInUse[0].client)
		tokens := app.Obtain() // somebody new to this worker logs in with a password
		if workertest.Claims(t, tokens.IDToken)["sub"] != workertest.Claims(t, ann)["sub"] {
			t.Fatalf("in month %d somebody else has logged in", month)
		}
		until := r.clock.Now().Add(time.Duration(tokens.ExpiresIn) * time.Second)
		r.alive = append(r.alive, minted{tokens.IDToken, until, map[*verifier]int{}}, minted{tokens.AccessToken, until, map[*verifier]int{}})
		r.verifyAll()
		r.mint(0)
	}
	if n := len(r.stored()); n != before {
		t.Errorf("%d keys of %d", n, before)
	}
}
