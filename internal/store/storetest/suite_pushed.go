package storetest

import (
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// pushed is a request that a client has just left with us.
func (w *world) pushed(name string) grant.Pushed {
	return grant.Pushed{
		Hash: secret.Value("handle of " + name).Hash(), ClientID: app, Signed: true,
		Asked: oauth.Authorization{
			ClientID: app, RedirectURI: redirect, ResponseType: oauth.ResponseTypeCode, Scopes: oauth.Scopes{"openid"},
			State: "state of " + name, Challenge: oauth.ChallengeOf(verifier), IDTokenHint: "a-token-of-ours",
		},
		CreatedAt: w.now(), ExpiresAt: w.now().Add(grant.PushedLife),
	}
}

var pushedPromises = []promise{
	{"a pushed request is read as often as its browser comes, by its own client", func(_ *testing.T, w *world) {
		p := w.pushed("one")
		w.ok(w.KeepPushed(w.ctx, p))
		for range 2 {
			got, err := w.Pushed(w.ctx, p.Hash, app)
			w.ok(err)
			alike(w, "request", got, p)
		}
		_, err := w.Pushed(w.ctx, p.Hash, "another")
		w.refuses(fault.NotFound, err)
		_, err = w.Pushed(w.ctx, secret.Value("no handle").Hash(), app)
		w.refuses(fault.NotFound, err)
	}},
	{"it has ended once its client has had an answer, and is not revived", func(_ *testing.T, w *world) {
		p := w.pushed("one")
		w.ok(w.KeepPushed(w.ctx, p))
		w.ok(w.EndPushed(w.ctx, p.Hash, w.now()))
		got, err := w.Pushed(w.ctx, p.Hash, app)
		w.ok(err)
		same(w, "ended", got.Ended, true)
		w.ok(w.EndPushed(w.ctx, p.Hash, w.now().Add(time.Second)))
	}},
	{"of many browsers that finish one pushed request at once one gets a code, and it has ended", func(t *testing.T, w *world) {
		p := w.pushed("one")
		w.ok(w.KeepPushed(w.ctx, p))
		_, s := w.login("zoe")
		var outcomes counter[bool]
		w.atOnce(8, func(int) {
			i := w.unissued(s)
			i.code.Attempt = p.Hash
			err := w.KeepCode(w.ctx, Permit(t, grant.IssueCode, i.Authorization), i.code, nil, w.now())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		alike(w, "codes", outcomes.count, map[bool]int{true: 1, false: 7})
		got, err := w.Pushed(w.ctx, p.Hash, app)
		w.ok(err)
		same(w, "ended", got.Ended, true)
	}},
	{"it is cleared away some time after it is too old, and until then says so itself", func(_ *testing.T, w *world) {
		p := w.pushed("one")
		w.ok(w.KeepPushed(w.ctx, p))
		w.clock.Advance(grant.PushedLife)
		deleted, err := w.db.ClearAway(w.ctx, w.now(), 10)
		w.ok(err)
		same(w, "too early", deleted["pushed_requests"], 0)
		_, err = w.Pushed(w.ctx, p.Hash, app)
		w.ok(err)
		w.clock.Advance(time.Hour)
		deleted, err = w.db.ClearAway(w.ctx, w.now(), 10)
		w.ok(err)
		same(w, "cleared away", deleted["pushed_requests"], 1)
		_, err = w.Pushed(w.ctx, p.Hash, app)
		w.refuses(fault.NotFound, err)
	}},
	{"a copy of the database does not show what was pushed", func(_ *testing.T, w *world) {
		w.ok(w.KeepPushed(w.ctx, w.pushed("one")))
		for _, row := range tableRows(w, w.db, "pushed_requests") {
			for column, value := range row {
				for _, said := range []string{"a-token-of-ours", "state of one"} {
					same(w, column+" shows "+said, strings.Contains(value, said), false)
				}
			}
		}
	}},
	{"the statements of a pushed request are one to keep it and one to read it", func(_ *testing.T, w *world) {
		p := w.pushed("one")
		before := w.db.Work()
		w.ok(w.KeepPushed(w.ctx, p))
		same(w, "to keep", w.db.Work().Statements-before.Statements, 1)
		before = w.db.Work()
		_, err := w.Pushed(w.ctx, p.Hash, app)
		w.ok(err)
		same(w, "to read", w.db.Work().Statements-before.Statements, 1)
	}},
}
