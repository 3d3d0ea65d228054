package storetest

import (
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
)

func (w *world) enrol(n string) (client.Registered, secret.Value) {
	w.Helper()
	token := secret.New(secret.EnrolPrefix)
	r, err := w.Enrol(w.ctx, w.plainRegistration(n), token.Hash(), nil, 100, w.by())
	w.ok(err)
	return r, token
}

func (w *world) invitation(n string, uses int64) (client.InitialToken, secret.Hash) {
	w.Helper()
	i := client.InitialToken{
		ID: "iat_" + n, Note: "for " + n, Profile: client.OpenID, UsesLeft: uses,
		CreatedAt: w.now(), CreatedBy: operator, ExpiresAt: w.now().Add(time.Hour),
	}
	token := secret.Value("initial " + n).Hash()
	w.ok(w.AddInitialToken(w.ctx, i, token, w.by()))
	return i, token
}

var enrolmentPromises = []promise{
	{"a client that registers itself is known as such, and reads its registration by its token alone", func(_ *testing.T, w *world) {
		r, first := w.enrol("own")
		same(w, "who manages it", r.ManagedBy, tenant.ManagedByItself)
		kept, err := w.Client(w.ctx, "own")
		w.ok(err)
		same(w, "it has registered itself", kept.SelfRegistered, true)
		w.enrol("other")
		second, third := secret.New(secret.EnrolPrefix), secret.New(secret.EnrolPrefix)
		got, err := w.Enrolment(w.ctx, "own", first.Hash(), second.Hash())
		w.ok(err)
		same(w, "the client", got.ID, "own")
		_, err = w.Enrolment(w.ctx, "other", second.Hash(), third.Hash())
		w.refuses(fault.NotFound, err)
		// An answer may be lost: until its successor is used, a token counts.
		_, err = w.Enrolment(w.ctx, "own", first.Hash(), third.Hash())
		w.ok(err)
		_, err = w.Enrolment(w.ctx, "own", second.Hash(), third.Hash())
		w.refuses(fault.NotFound, err)
		_, err = w.Enrolment(w.ctx, "own", third.Hash(), second.Hash())
		w.ok(err)
		_, err = w.Enrolment(w.ctx, "own", first.Hash(), third.Hash())
		w.refuses(fault.NotFound, err)
	}},
	{"a registration is dead while its client is disabled, and gone with it", func(_ *testing.T, w *world) {
		_, token := w.enrol("own")
		w.ok(w.DisableClient(w.ctx, "own", w.by()))
		_, err := w.Enrolment(w.ctx, "own", token.Hash(), token.Hash())
		w.refuses(fault.NotFound, err)
		w.ok(w.EnableClient(w.ctx, "own", w.by()))
		_, err = w.Enrolment(w.ctx, "own", token.Hash(), token.Hash())
		w.ok(err)
		w.ok(w.DeleteClient(w.ctx, "own", 0, w.by()))
		_, err = w.Enrolment(w.ctx, "own", token.Hash(), token.Hash())
		w.refuses(fault.NotFound, err)
	}},
	{"there are no more such clients than may be", func(_ *testing.T, w *world) {
		w.enrol("one")
		_, err := w.Enrol(w.ctx, w.plainRegistration("two"), secret.Hash{}, nil, 1, w.by())
		w.refuses(fault.Conflict, err)
	}},
	{"an initial access token is good as often as it says, however many come at once", func(_ *testing.T, w *world) {
		_, token := w.invitation("twice", 2)
		var outcomes counter[bool]
		w.atOnce(6, func(n int) {
			_, err := w.Enrol(w.ctx, w.plainRegistration("own-"+string(rune('a'+n))), secret.Hash{byte(n)}, &token, 100, w.by())
			if err != nil && !fault.Is(err, fault.Denied) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "clients that were registered", outcomes.count[true], 2)
		_, err := w.InitialToken(w.ctx, token, w.now())
		w.refuses(fault.NotFound, err)
	}},
	{"an initial access token is good until its time, or until it is removed", func(_ *testing.T, w *world) {
		i, token := w.invitation("one", 1)
		got, err := w.InitialToken(w.ctx, token, w.now())
		w.ok(err)
		alike(w, "token", got, i)
		_, err = w.InitialToken(w.ctx, token, i.ExpiresAt)
		w.refuses(fault.NotFound, err)
		all, err := w.InitialTokens(w.ctx, "", 10)
		w.ok(err)
		same(w, "tokens", len(all), 1)
		w.ok(w.RemoveInitialToken(w.ctx, i.ID, w.by()))
		_, err = w.InitialToken(w.ctx, token, w.now())
		w.refuses(fault.NotFound, err)
		w.refuses(fault.NotFound, w.RemoveInitialToken(w.ctx, i.ID, w.by()))
	}},
	{"who may register clients is known wherever the tenant is", func(_ *testing.T, w *world) {
		same(w, "anybody may at first", w.Known().Registration.Opens(), false)
		set, err := w.SetRegistration(w.ctx, tenant.Registration{Admission: tenant.AdmitAnybody, Most: 7}, 0, w.by())
		w.ok(err)
		self, err := w.Self(w.ctx)
		w.ok(err)
		same(w, "anybody may", self.Registration.Opens(), true)
		same(w, "and who was seen last says so", w.Known().Registration.Most, 7)
		kept, err := w.Registration(w.ctx)
		w.ok(err)
		alike(w, "registration", kept, set)
		_, err = w.SetRegistration(w.ctx, tenant.Registration{}, set.Version+1, w.by())
		w.refuses(fault.Conflict, err)
	}},
}
