package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/connector/founding"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/key"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/store"
)

// founder is what an installation begins with in these tests.
func (w *world) founder(name string) founding.Founding {
	return founding.Founding{
		Clients:    []client.Registered{founding.CommandLine()},
		Connectors: []connector.Registered{{Configured: connector.Configured{ID: "own", Kind: "local", Name: "Password"}}},
		Admin: user.New{
			User:         user.User{ID: "usr_" + name, Username: name, Role: "owner"},
			Local:        user.Local{ConnectorID: "own", LoginNames: []string{name}},
			PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$aZ9qaIRJm2SHUn89oK+AKw$uCc5cBLPE5Q61N1j+6wp2KJYmtMJFsWP8jkauTf8I0o",
		},
	}
}

func (w *world) offer() secret.Hash {
	w.Helper()
	h := secret.New(secret.FoundingPrefix).Hash()
	w.ok(w.db.OfferFounding(w.ctx, h, w.now().Add(founding.Valid), w.by()))
	return h
}

var foundingPromises = []promise{
	{"the first administrator is made once, with all that belongs to them", func(_ *testing.T, w *world) {
		h := w.offer()
		w.ok(w.db.TryFounding(w.ctx, h, w.by()))
		w.ok(w.db.Found(w.ctx, h, w.founder("ann"), w.by()))
		got, err := w.Account(w.ctx, "usr_ann")
		w.ok(err)
		same(w, "role", got.Role, "owner")
		_, err = w.Client(w.ctx, "dexctl")
		w.ok(err)
		founded, err := w.db.Founded(w.ctx)
		w.ok(err)
		same(w, "founded", founded, true)
		same(w, "recorded", w.events()[string(audit.Founded)], 1)
		w.refuses(fault.Conflict, w.db.TryFounding(w.ctx, h, w.by()))
		w.refuses(fault.Conflict, w.db.Found(w.ctx, h, w.founder("ben"), w.by()))
		w.refuses(fault.Conflict, w.db.OfferFounding(w.ctx, h, w.now().Add(time.Hour), w.by()))
	}},
	{"of many that found at once one does, and nothing is left of the others", func(_ *testing.T, w *world) {
		h := w.offer()
		names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		outcomes := counter[fault.Kind]{}
		w.atOnce(len(names), func(i int) {
			if err := w.db.Found(w.ctx, h, w.founder(names[i]), w.by()); err != nil {
				outcomes.add(fault.Of(err))
			}
		})
		same(w, "told that it is done", outcomes.count[fault.Conflict], len(names)-1)
		all, _, err := w.Users(w.ctx, user.Filter{Role: "owner"}, "", 100)
		w.ok(err)
		same(w, "owners", len(all), 1)
	}},
	{"a founding that fails leaves nothing, and the secret counts on", func(_ *testing.T, w *world) {
		h := w.offer()
		f := w.founder("ann")
		f.Clients = append(f.Clients, f.Clients[0])
		before := w.dump()
		w.refuses(fault.Conflict, w.db.Found(w.ctx, h, f, w.by()))
		same(w, "changed", w.dump() == before, true)
		w.ok(w.db.Found(w.ctx, h, w.founder("ann"), w.by()))
	}},
	{"a wrong secret is told apart from none, and ten of them are the end of it", func(_ *testing.T, w *world) {
		w.refuses(fault.Denied, w.db.TryFounding(w.ctx, secret.Value("x").Hash(), w.by())) // there is none
		h := w.offer()
		for range founding.MaxAttempts {
			w.refuses(fault.Denied, w.db.TryFounding(w.ctx, secret.Value("x").Hash(), w.by()))
		}
		w.refuses(fault.Denied, w.db.TryFounding(w.ctx, h, w.by()))
		same(w, "recorded", w.events()[string(audit.FoundingRefused)], founding.MaxAttempts+2)
		offered, err := w.db.OfferedFounding(w.ctx, w.now())
		w.ok(err)
		same(w, "offered", offered, false)
		w.ok(w.db.TryFounding(w.ctx, w.offer(), w.by()))
	}},
	{"the right secret may be tried as often as one likes", func(_ *testing.T, w *world) {
		h := w.offer()
		for range 3 * founding.MaxAttempts {
			w.ok(w.db.TryFounding(w.ctx, h, w.by()))
		}
	}},
	{"a secret counts for an hour, and only the last one", func(_ *testing.T, w *world) {
		old, h := w.offer(), w.offer()
		w.refuses(fault.Denied, w.db.TryFounding(w.ctx, old, w.by()))
		w.clock.Advance(founding.Valid - time.Second)
		w.ok(w.db.TryFounding(w.ctx, h, w.by()))
		w.clock.Advance(time.Second)
		w.refuses(fault.Denied, w.db.TryFounding(w.ctx, h, w.by()))
		w.refuses(fault.Denied, w.db.Found(w.ctx, h, w.founder("ann"), w.by()))
	}},
	{"somebody is an owner again, and can log in", func(_ *testing.T, w *world) {
		w.ok(w.db.Found(w.ctx, w.offer(), w.founder("ann"), w.by()))
		f := w.founder("ben").Admin
		f.User.Role = "support"
		_, err := w.CreateUser(w.ctx, f, w.by())
		w.ok(err)
		link := w.linked("usr_ben", user.Invite)
		w.ok(w.DisableUser(w.ctx, "usr_ben", w.by()))
		id, err := w.RecoverAdmin(w.ctx, "ben", w.by())
		w.ok(err)
		got, err := w.Account(w.ctx, id)
		w.ok(err)
		same(w, "role", got.Role, "owner")
		same(w, "disabled", got.Disabled, false)
		w.refuses(fault.Conflict, w.use(link)) // whoever has it was trusted with who ben was before
		same(w, "recorded", w.events()[string(audit.AdminRecovered)], 1)
		_, err = w.RecoverAdmin(w.ctx, "nobody", w.by())
		w.refuses(fault.NotFound, err)
	}},
}

// ring returns a ring of the given secrets.
func (w *world) ring(secrets ...seal.Secret) *seal.Ring {
	w.Helper()
	r, err := seal.NewRing(secrets...)
	w.ok(err)
	return r
}

// filled is a world of its own, sealed under a secret, with something in every sealed
// column.
func (w *world) filled(under seal.Secret) (*world, func(secrets ...seal.Secret) *store.DB) {
	w.Helper()
	db := w.another(WithKeys(w.ring(under)))
	if URL(w, db) == "sqlite::memory:" {
		db = OpenFile(w, WithClock(w.clock), WithKeys(w.ring(under)))
	}
	o := &world{TB: w.TB, ctx: w.ctx, open: w.open, clock: w.clock, db: db, Tenant: Tenant(w, db)}
	o.declare(basic("1"))
	o.ok(o.db.OfferFounding(o.ctx, secret.Value("x").Hash(), o.now().Add(time.Hour), o.by()))
	o.ok(o.ApplyKeys(o.ctx, key.Changes{Create: []key.Key{o.key(jose.ES256, 0)}}, o.now()))
	o.login("ann")
	o.queue("a letter")
	o.ok(o.db.Found(o.ctx, secret.Value("x").Hash(), o.founder("zoe"), o.by()))
	r, _ := o.registration("other")
	_, err := o.RegisterClient(o.ctx, r, o.with(o.receipt("key", "request", "answer")))
	o.ok(err)
	return o, func(secrets ...seal.Secret) *store.DB { return Again(w, db, WithKeys(w.ring(secrets...))) }
}

var resealPromises = []promise{
	{"everything is sealed under the first secret, and the old one can be taken out", func(_ *testing.T, w *world) {
		first, second := seal.NewSecret(), seal.NewSecret()
		o, again := w.filled(first)
		sealed := func(s seal.Secret) int {
			return strings.Count(Dump(w, o.db), "01"+s.ID())
		}
		before := sealed(first)
		if before < 8 {
			w.Fatalf("only %d values are sealed", before)
		}
		both := again(second, first)
		rounds, total := 0, 0
		for more := true; more; rounds++ { // it is broken off again and again
			done, left, err := both.Reseal(w.ctx, 2, w.by())
			w.ok(err)
			total, more = total+done, left
		}
		same(w, "sealed under the old one", sealed(first), 0)
		same(w, "broken off", rounds > 2, true)
		done, more, err := both.Reseal(w.ctx, 100, w.by())
		w.ok(err)
		same(w, "left to do", done, 0)
		same(w, "more", more, false)
		alone := again(second)
		w.ok(alone.Opens(w.ctx))
		tn, err := alone.Tenant(w.ctx, o.ID())
		w.ok(err)
		same(w, "the refresh key", string(tn.RefreshKey()), string(o.RefreshKey()))
		_, err = tn.SigningKeys(w.ctx)
		w.ok(err)
		_, err = tn.Connectors(w.ctx)
		w.ok(err)
	}},
	{"that everything is sealed anew is recorded once, however many values there are", func(_ *testing.T, w *world) {
		first, second := seal.NewSecret(), seal.NewSecret()
		o, again := w.filled(first)
		both := again(second, first)
		total := strings.Count(Dump(w, o.db), "01"+first.ID())
		for _, step := range []struct {
			most, done int
			more       bool
			recorded   int
		}{{1, 1, true, 0}, {total - 1, total - 1, false, 1}, {total, 0, false, 1}} {
			done, more, err := both.Reseal(w.ctx, step.most, w.by())
			w.ok(err)
			same(w, "sealed anew", done, step.done)
			same(w, "more", more, step.more)
			same(w, "recorded", o.events()[string(audit.Resealed)], step.recorded)
		}
	}},
	{"what others write while it is sealed anew is not lost", func(_ *testing.T, w *world) {
		first, second := seal.NewSecret(), seal.NewSecret()
		o, again := w.filled(first)
		both, old := again(second, first), again(first, second) // one that was not restarted yet
		writer := Tenant(w, old)
		w.atOnce(2, func(i int) {
			for n := range 20 {
				if i == 0 {
					_, _, err := both.Reseal(w.ctx, 100, w.by())
					w.ok(err)
					continue
				}
				d := basic(fmt.Sprint(n))
				d.Connectors[0].Config = fmt.Appendf(nil, `{"n":%d}`, n)
				_, err := writer.Apply(w.ctx, d, w.now())
				w.ok(err)
			}
		})
		_, _, err := both.Reseal(w.ctx, 100, w.by())
		w.ok(err)
		alone, err := again(second).Tenant(w.ctx, o.ID())
		w.ok(err)
		all, err := alone.Connectors(w.ctx)
		w.ok(err)
		i := slices.IndexFunc(all, func(c connector.Configured) bool { return c.ID == upstream })
		same(w, "what was written last", string(all[i].Config), `{"n":19}`)
	}},
	{"a secret that is missing is named", func(_ *testing.T, w *world) {
		first, second := seal.NewSecret(), seal.NewSecret()
		_, again := w.filled(first)
		err := again(second).Opens(w.ctx)
		w.refuses(fault.Unavailable, err)
		if err == nil || !strings.Contains(err.Error(), first.ID()) {
			w.Errorf("it says %v, and not %s", err, first.ID())
		}
		w.ok(again(second, first).Opens(w.ctx))
	}},
}
