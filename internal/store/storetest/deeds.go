package storetest

import (
	"context"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/session"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// deeds are all verbs of the store that change something, each with a case in which
// it does. A test insists that none is missing.
var deeds = []deed{
	{"EnsureTenant", func(w *world, n string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := w.db.EnsureTenant(ctx, n, "https://"+n+".example")
			return err
		}
	}},
	{"DisableTenant", func(w *world, n string) func(context.Context) error {
		w.ok(w.EnableTenant(w.ctx, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DisableTenant(ctx, by) }
	}},
	{"EnableTenant", func(w *world, n string) func(context.Context) error {
		w.ok(w.DisableTenant(w.ctx, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.EnableTenant(ctx, by) }
	}},
	{"SetTenantNotBefore", func(w *world, n string) func(context.Context) error {
		w.clock.Advance(time.Second)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.SetTenantNotBefore(ctx, w.now(), by) }
	}},
	{"DisableClient", func(w *world, n string) func(context.Context) error {
		w.ok(w.EnableClient(w.ctx, app, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DisableClient(ctx, app, by) }
	}},
	{"EnableClient", func(w *world, n string) func(context.Context) error {
		w.ok(w.DisableClient(w.ctx, app, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.EnableClient(ctx, app, by) }
	}},
	{"RegisterClient", func(w *world, n string) func(context.Context) error {
		r := w.plainRegistration(n)
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.RegisterClient(ctx, r, by)
			return err
		}
	}},
	{"ChangeClient", func(w *world, n string) func(context.Context) error {
		r, err := w.RegisterClient(w.ctx, w.plainRegistration(n), w.by())
		w.ok(err)
		r.Name, r.AllowedOrigins = "another", []string{"https://another.example"}
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.ChangeClient(ctx, r, by)
			return err
		}
	}},
	{"DeleteClient", func(w *world, n string) func(context.Context) error {
		_, err := w.RegisterClient(w.ctx, w.plainRegistration(n), w.by())
		w.ok(err)
		// Without consents: those go before it, batch by batch, and mean nothing alone.
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DeleteClient(ctx, n, 0, by) }
	}},
	{"AddClientSecret", func(w *world, n string) func(context.Context) error {
		_, err := w.RegisterClient(w.ctx, w.plainRegistration(n), w.by())
		w.ok(err)
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.AddClientSecret(ctx, n, secret.Value(n), client.SecretNote{ID: "sec_of-another-" + n}, by)
			return err
		}
	}},
	{"RemoveClientSecret", func(w *world, n string) func(context.Context) error {
		r, err := w.RegisterClient(w.ctx, w.plainRegistration(n), w.by())
		w.ok(err)
		_, err = w.AddClientSecret(w.ctx, n, secret.Value(n), client.SecretNote{ID: "sec_of-another-" + n}, w.by())
		w.ok(err)
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.RemoveClientSecret(ctx, n, r.Notes[0].ID, by)
			return err
		}
	}},
	{"DisableConnector", func(w *world, n string) func(context.Context) error {
		w.ok(w.EnableConnector(w.ctx, upstream, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DisableConnector(ctx, upstream, by) }
	}},
	{"EnableConnector", func(w *world, n string) func(context.Context) error {
		w.ok(w.DisableConnector(w.ctx, upstream, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.EnableConnector(ctx, upstream, by) }
	}},
	{"DisableUser", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		w.issue(s)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DisableUser(ctx, s.UserID, by) }
	}},
	{"EnableUser", func(w *world, n string) func(context.Context) error {
		o, _ := w.login(n)
		w.ok(w.DisableUser(w.ctx, o.User.ID, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.EnableUser(ctx, o.User.ID, by) }
	}},
	{"Apply", func(w *world, n string) func(context.Context) error {
		d := basic(n)
		d.Clients[0].Name, d.Connectors[0].Name, d.Users[0].User.Name = n, n, n
		d.Users[0].PasswordHash = n
		return func(ctx context.Context) error {
			_, err := w.Apply(ctx, d, w.now())
			return err
		}
	}},
	{"OpenSession of somebody new", func(w *world, n string) func(context.Context) error {
		o := w.opening(n)
		permit := Permit(w, grant.OpenSession, grant.Authorization{
			UserID: o.User.ID, ConnectorID: o.Identity.ConnectorID, Subject: o.Identity.Subject, IssuedAt: w.now(),
		})
		return func(ctx context.Context) error {
			_, err := w.OpenSession(ctx, permit, o)
			return err
		}
	}},
	{"OpenSession in the place of another's", func(w *world, n string) func(context.Context) error {
		_, before := w.login("before-" + n)
		w.issue(before)
		o := w.opening(n)
		o.Previous = before
		permit := Permit(w, grant.OpenSession, grant.Authorization{
			UserID: o.User.ID, ConnectorID: o.Identity.ConnectorID, Subject: o.Identity.Subject, IssuedAt: w.now(),
		})
		return func(ctx context.Context) error {
			_, err := w.OpenSession(ctx, permit, o)
			return err
		}
	}},
	{"KeepGrant of somebody new", func(w *world, n string) func(context.Context) error {
		permit, o, by := w.vouched(n)
		return func(ctx context.Context) error { return w.KeepGrant(ctx, permit, o, by, nil) }
	}},
	{"TouchSession", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		return func(ctx context.Context) error { return w.TouchSession(ctx, s.ID, w.now().Add(2*time.Hour)) }
	}},
	{"EndSession", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		w.issue(s)
		return func(ctx context.Context) error {
			_, err := w.EndSession(ctx, s.ID, time.Time{}, w.now())
			return err
		}
	}},
	{"EndEverywhere", func(w *world, n string) func(context.Context) error {
		o, s := w.login(n)
		w.issue(w.secondLogin(o))
		return func(ctx context.Context) error {
			_, err := w.EndEverywhere(ctx, s.UserID, s.ID, time.Time{}, w.now())
			return err
		}
	}},
	{"EndByNotice", func(w *world, n string) func(context.Context) error {
		_, s := w.loginCalled(n, n)
		w.issue(s)
		return func(ctx context.Context) error {
			_, err := w.EndByNotice(ctx, session.Notice{
				ConnectorID: s.ConnectorID, UpstreamID: session.UpstreamID(n), Token: secret.Value(n).Hash(), Expires: w.now().Add(time.Minute),
			}, time.Time{}, w.now())
			return err
		}
	}},
	{"KeepCode", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		i := w.unissued(s, oauth.ScopeOffline)
		i.code.Attempt = secret.Value(n).Hash()
		permit := Permit(w, grant.IssueCode, i.Authorization)
		return func(ctx context.Context) error {
			return w.KeepCode(ctx, permit, i.code, []audit.Step{{What: "code"}}, w.now())
		}
	}},
	{"KeepGrant with a family", func(w *world, n string) func(context.Context) error {
		permit, o := w.byPassword(n, oauth.ScopeOffline)
		return func(ctx context.Context) error { return w.KeepGrant(ctx, permit, o, grant.Token{}, nil) }
	}},
	{"KeepGrant of a login that is shared", func(w *world, n string) func(context.Context) error {
		permit, o := w.shared(n)
		return func(ctx context.Context) error { return w.KeepGrant(ctx, permit, o, grant.Token{}, nil) }
	}},
	{"KeepDeviceSecret", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		before := w.sharing(s)
		i := w.issue(s)
		w.redeem(i)
		permit, next := Permit(w, grant.RedeemCode, i.Authorization), grant.DeviceSecret{Hash: secret.Value(n).Hash(), Group: "apps", ExpiresAt: s.ExpiresAt}
		return func(ctx context.Context) error { return w.KeepDeviceSecret(ctx, permit, next, before.Hash) }
	}},
	{"Redeem", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		i := w.issue(s, oauth.ScopeOffline)
		return func(ctx context.Context) error {
			_, _, err := w.Redeem(ctx, i.proof(), w.family(), w.now())
			return err
		}
	}},
	{"Redeem again", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		return func(ctx context.Context) error {
			_, _, err := w.Redeem(ctx, i.proof(), w.family(), w.now())
			return err
		}
	}},
	{"Redeem with the last wrong proof", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		i := w.issue(s, oauth.ScopeOffline)
		wrong := i.proof()
		wrong.Verifier = ""
		for range grant.MaxAttempts - 1 {
			_, _, err := w.Redeem(w.ctx, wrong, w.family(), w.now())
			w.ok(err)
		}
		return func(ctx context.Context) error {
			_, _, err := w.Redeem(ctx, wrong, w.family(), w.now())
			return err
		}
	}},
	{"Rotate", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		permit := Permit(w, grant.Refresh, i.Authorization)
		return func(ctx context.Context) error {
			_, err := w.Rotate(ctx, permit, 1, w.now().Add(time.Hour), w.now())
			return err
		}
	}},
	{"Revoke", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		return func(ctx context.Context) error { return w.Revoke(ctx, i.ID, audit.TokenRevoked, w.now()) }
	}},
	{"RevokeToken", func(w *world, n string) func(context.Context) error {
		return func(ctx context.Context) error { return w.RevokeToken(ctx, n, w.now().Add(time.Hour), w.now()) }
	}},
	{"KeepConsent to more", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
		return func(ctx context.Context) error {
			return w.KeepConsent(ctx, s.UserID, app, oauth.Scopes{"openid", "email"}, w.now())
		}
	}},
	{"RevokeConsent", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
		w.issue(s, oauth.ScopeOffline)
		return func(ctx context.Context) error { return w.RevokeConsent(ctx, s.UserID, app, w.now()) }
	}},
	{"ConsumeAssertion", func(w *world, n string) func(context.Context) error {
		return func(ctx context.Context) error {
			return w.ConsumeAssertion(ctx, app, secret.Value(n).Hash(), w.now().Add(time.Minute), w.now())
		}
	}},
	{"ClaimRefresh", func(w *world, n string) func(context.Context) error {
		o, _ := w.login(n)
		return func(ctx context.Context) error {
			_, err := w.ClaimRefresh(ctx, o.Identity, w.now().Add(time.Minute), w.now())
			return err
		}
	}},
	{"SaveIdentity", func(w *world, n string) func(context.Context) error {
		o, _ := w.login(n)
		fresh := o.Identity
		fresh.Profile.Groups, fresh.CheckedAt = []string{"others"}, w.now().Add(time.Second)
		return func(ctx context.Context) error { return w.SaveIdentity(ctx, fresh) }
	}},
	{"RecordFailure", func(w *world, n string) func(context.Context) error {
		b := []credential.Bucket{bucket(n, credential.Account), bucket("net of "+n, credential.Network)}
		return func(ctx context.Context) error { return w.RecordFailure(ctx, b, w.now()) }
	}},
	{"Forgive", func(w *world, n string) func(context.Context) error {
		b := []credential.Bucket{bucket(n, credential.Account), bucket("net of "+n, credential.Network)}
		w.ok(w.RecordFailure(w.ctx, b, w.now()))
		return func(ctx context.Context) error { return w.Forgive(ctx, b) }
	}},
	{"Rehash", func(w *world, n string) func(context.Context) error {
		d := basic(n)
		d.Users[0].PasswordHash = n
		w.declare(d)
		return func(ctx context.Context) error { return w.Rehash(ctx, "usr_ann", n, "fresh") }
	}},
	{"ApplyKeys", func(w *world, n string) func(context.Context) error {
		// All that can be done to keys at once, each to one of its own.
		last, spent, gone := w.key(jose.ES256, 0), w.key(jose.EdDSA, 0), w.key(jose.EdDSA, 0)
		for _, k := range []*key.Key{&spent, &gone} {
			k.SignUntil, k.UnpublishAt = w.now().Add(time.Second), w.now().Add(time.Second)
		}
		w.tidyKeys()
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{last, spent, gone}}, w.now()))
		w.clock.Advance(time.Minute)
		c := key.Changes{
			Create: []key.Key{w.key(jose.ES256, time.Hour)}, Destroy: []string{spent.ID}, Remove: []string{gone.ID},
			Retire: []key.Retire{{ID: last.ID, SignUntil: w.now().Add(time.Hour), UnpublishAt: w.now().Add(2 * time.Hour)}},
		}
		return func(ctx context.Context) error { return w.ApplyKeys(ctx, c, w.now()) }
	}},
	{"Record", func(w *world, n string) func(context.Context) error {
		return func(ctx context.Context) error {
			return w.Record(ctx, audit.Event{At: w.now(), Kind: audit.LoginRefused, UserID: n})
		}
	}},
	{"KeepTrace", func(w *world, n string) func(context.Context) error {
		return func(ctx context.Context) error {
			return w.KeepTrace(ctx, n, w.now(), []audit.Step{{What: "request"}})
		}
	}},
	{"TakeTurn", func(w *world, n string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := w.db.TakeTurn(ctx, n, "somebody", w.now().Add(time.Minute), w.now())
			return err
		}
	}},
}

// signed is the operator, now, who may send the request again.
func (w *world) signed(n string) audit.By { return w.with(w.receipt(n, n, "the answer to "+n)) }

// plainRegistration is a client whose secret nothing is told of.
func (w *world) plainRegistration(id string) client.Registered {
	r, _ := w.registration(id)
	r.Notes[0] = client.SecretNote{ID: "sec_of-" + id, CreatedAt: w.now()}
	return r
}

// tidyKeys takes all keys away, of which there may be one without an end.
func (w *world) tidyKeys() {
	w.Helper()
	_, err := store.Raw(w.db).ExecContext(w.ctx, `DELETE FROM signing_keys`)
	w.ok(err)
}
