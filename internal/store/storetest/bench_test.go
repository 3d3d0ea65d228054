package storetest

import (
	"testing"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/credential"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

// BenchmarkHotPath measures what a login and its tokens ask of the store.
func BenchmarkHotPath(b *testing.B) {
	for name, open := range map[string]Opener{"memory": OpenSQLite, "file": OpenFile, "postgres": OpenPostgres} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, open)
			w.declare(basic("1"))
			o, s := w.loginAnn()
			measure := func(name string, prepare, do func()) {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						if prepare != nil {
							b.StopTimer()
							prepare()
							b.StartTimer()
						}
						do()
					}
				})
			}
			measure("candidate", nil, func() {
				_, err := w.Candidate(w.ctx, "ann", []credential.Bucket{bucket("a", credential.Account)})
				w.ok(err)
			})
			measure("open session", nil, func() {
				known := w.again(o, session.Session{})
				known.Identity = o.Identity
				_, err := w.keep(known)
				w.ok(err)
			})
			measure("session by cookie", nil, func() {
				_, err := w.SessionByCookie(w.ctx, o.Session.Cookie, app)
				w.ok(err)
			})
			var i issued
			measure("keep code", nil, func() { i = w.issue(s, oauth.ScopeOffline) })
			measure("redeem", func() { i = w.issue(s, oauth.ScopeOffline) }, func() { w.redeem(i) })
			measure("grant", nil, func() {
				_, err := w.Grant(w.ctx, i.ID, "tok")
				w.ok(err)
			})
			gen := 0
			measure("rotate", func() { gen++ }, func() {
				ok, err := w.rotate(i, gen)
				w.ok(err)
				if !ok {
					w.Fatal("not rotated")
				}
			})
			measure("consume assertion", nil, func() {
				w.ok(w.ConsumeAssertion(w.ctx, app, secret.New("").Hash(), w.now().Add(time.Minute), w.now()))
			})
		})
	}
}
