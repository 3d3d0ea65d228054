package storetest

import (
	"context"
	"time"

	"dex/internal/base/secret"
	"dex/internal/connector/founding"
	"dex/internal/connector/inventory"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/key"
	"dex/internal/domain/outbox"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// peoplesDeeds are those by which operators keep people and what they have, and those
// by which an installation begins.
var peoplesDeeds = []deed{
	{"CreateUser", func(w *world, n string) func(context.Context) error {
		w.locally()
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.CreateUser(ctx, person(n), by)
			return err
		}
	}},
	{"UpdateUser", func(w *world, n string) func(context.Context) error {
		w.locally()
		u := w.made(n)
		e := user.Edit{ID: u.ID, Version: u.Version, Username: "other-" + n, Email: u.Email, Name: "Another", Local: person("other-" + n).Local}
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.UpdateUser(ctx, e, by)
			return err
		}
	}},
	{"SetRole", func(w *world, n string) func(context.Context) error {
		w.locally()
		u := w.made(n)
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.SetRole(ctx, u.ID, "admin", u.Version, by)
			return err
		}
	}},
	{"SetPassword", func(w *world, n string) func(context.Context) error {
		w.locally()
		u := w.made(n)
		w.sessionOf(u.ID)
		b := bucket(n, credential.Account)
		w.ok(w.RecordFailure(w.ctx, []credential.Bucket{b}, w.now()))
		by := w.signed(n)
		return func(ctx context.Context) error {
			return w.SetPassword(ctx, user.PasswordChange{UserID: u.ID, Hash: "$argon2id$next", Forgive: []secret.Hash{b.Key}}, by)
		}
	}},
	{"DeleteUser", func(w *world, n string) func(context.Context) error {
		w.locally()
		u := w.made(n)
		w.sessionOf(u.ID)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DeleteUser(ctx, u.ID, 0, by) }
	}},
	{"LinkIdentity", func(w *world, n string) func(context.Context) error {
		w.locally()
		u := w.made(n)
		by := w.signed(n)
		return func(ctx context.Context) error {
			return w.LinkIdentity(ctx, u.ID, user.Identity{ConnectorID: upstream, Subject: "elsewhere-" + n}, by)
		}
	}},
	{"UnlinkIdentity", func(w *world, n string) func(context.Context) error {
		w.locally()
		u := w.made(n)
		w.ok(w.LinkIdentity(w.ctx, u.ID, user.Identity{ConnectorID: upstream, Subject: n}, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.UnlinkIdentity(ctx, u.ID, upstream, n, by) }
	}},
	{"CreateGroup", func(w *world, n string) func(context.Context) error {
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.CreateGroup(ctx, user.Group{ID: n}, by)
			return err
		}
	}},
	{"UpdateGroup", func(w *world, n string) func(context.Context) error {
		w.grouped(n)
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.UpdateGroup(ctx, user.Group{ID: n, Description: "another", Version: 1}, by)
			return err
		}
	}},
	{"DeleteGroup", func(w *world, n string) func(context.Context) error {
		w.grouped(n)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DeleteGroup(ctx, n, 0, by) }
	}},
	{"AddMembers", func(w *world, n string) func(context.Context) error {
		w.locally()
		w.grouped(n)
		u := w.made(n)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.AddMembers(ctx, n, []string{u.ID}, by) }
	}},
	{"RemoveMembers", func(w *world, n string) func(context.Context) error {
		w.locally()
		w.grouped(n)
		u := w.made(n)
		w.ok(w.AddMembers(w.ctx, n, []string{u.ID}, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.RemoveMembers(ctx, n, []string{u.ID}, by) }
	}},
	{"CreateLink", func(w *world, n string) func(context.Context) error {
		w.locally()
		u := w.made(n)
		by := w.signed(n)
		return func(ctx context.Context) error {
			l, _ := user.NewLink(user.Reset, u.ID, w.now()) // another each time; the receipt is the same
			return w.CreateLink(ctx, l, &outbox.Message{Kind: outbox.Mail, Body: []byte("Dear " + n)}, by)
		}
	}},
	{"RedeemLink", func(w *world, n string) func(context.Context) error {
		w.locally()
		_, l := w.invited(n, user.Invite)
		return func(ctx context.Context) error {
			_, err := w.RedeemLink(ctx, user.Redemption{Hash: l.Hash, PasswordHash: "$argon2id$chosen", At: w.now()})
			return err
		}
	}},
	{"TerminateSession", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		w.issue(s)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.TerminateSession(ctx, s.ID, by) }
	}},
	{"TerminateSessions", func(w *world, n string) func(context.Context) error {
		o, s := w.login(n)
		w.secondLogin(o)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.TerminateSessions(ctx, s.UserID, by) }
	}},
	{"WithdrawGrant", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		i := w.issue(s, oauth.ScopeOffline)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.WithdrawGrant(ctx, i.ID, by) }
	}},
	{"WithdrawGrants", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		w.issue(s, oauth.ScopeOffline)
		w.issue(s)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.WithdrawGrants(ctx, s.UserID, by) }
	}},
	{"WithdrawConsent", func(w *world, n string) func(context.Context) error {
		_, s := w.login(n)
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
		w.issue(s, oauth.ScopeOffline)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.WithdrawConsent(ctx, s.UserID, app, by) }
	}},
	{"Reconcile", func(w *world, n string) func(context.Context) error {
		d := inventory.Deeds{NewClients: []client.Registered{w.plainRegistration(n)}, DeleteClients: []string{w.registered("old-" + n)}}
		by := w.signed(n)
		return func(ctx context.Context) error {
			return w.Reconcile(ctx, inventory.Named{}, func(inventory.Inventory) (inventory.Deeds, error) { return d, nil }, by)
		}
	}},
	{"MarkExported", func(w *world, n string) func(context.Context) error {
		e := audit.Event{ID: audit.NewEventID(w.now()), At: w.now(), Kind: audit.LoginRefused, UserID: n}
		w.ok(w.Record(w.ctx, e))
		return func(ctx context.Context) error {
			return w.db.MarkExported(ctx, []audit.Exported{{TenantID: w.ID(), Event: e}}, w.now())
		}
	}},
	{"DutyBegan", func(w *world, n string) func(context.Context) error {
		return func(ctx context.Context) error { return w.db.DutyBegan(ctx, n, "somebody", w.now()) }
	}},
	{"DutyEnded", func(w *world, n string) func(context.Context) error {
		w.ok(w.db.DutyBegan(w.ctx, n, "somebody", w.now()))
		w.clock.Advance(time.Second)
		return func(ctx context.Context) error { return w.db.DutyEnded(ctx, n, "done", "", w.now()) }
	}},
	{"RotateKeys", func(w *world, n string) func(context.Context) error {
		w.tidyKeys()
		c := key.Changes{Create: []key.Key{w.key(jose.ES256, 0)}}
		by := w.signed(n)
		return func(ctx context.Context) error { return w.RotateKeys(ctx, c, by) }
	}},
	{"CompromiseKey", func(w *world, n string) func(context.Context) error {
		w.tidyKeys()
		k := w.key(jose.ES256, 0)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{k}}, w.now()))
		w.clock.Advance(time.Second)
		plan, err := key.Compromise([]key.Key{k}, k.ID, w.now())
		w.ok(err)
		w.ok(key.Generate(plan.Create))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.CompromiseKey(ctx, plan, by) }
	}},
	{"RecoverAdmin", func(w *world, n string) func(context.Context) error {
		w.locally()
		u := w.made(n)
		w.ok(w.DisableUser(w.ctx, u.ID, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.RecoverAdmin(ctx, n, by)
			return err
		}
	}},
	{"FinishRestore", func(w *world, n string) func(context.Context) error { // of one tenant, as each is a step
		w.clock.Advance(time.Second)
		_, s := w.login(n)
		w.issue(s, oauth.ScopeOffline)
		return func(ctx context.Context) error {
			_, err := w.db.FinishRestore(ctx, w.by())
			return err
		}
	}},
	{"OfferFounding", func(w *world, n string) func(context.Context) error {
		w.unfounded()
		h := secret.Value(n).Hash()
		by := w.signed(n)
		return func(ctx context.Context) error { return w.db.OfferFounding(ctx, h, w.now().Add(founding.Valid), by) }
	}},
	{"Found", func(w *world, n string) func(context.Context) error {
		w.unfounded()
		h := w.offer()
		f := w.founder(n)
		by := w.by()
		return func(ctx context.Context) error { return w.db.Found(ctx, h, f, by) }
	}},
}

// locally declares where people have passwords.
func (w *world) locally() { w.declare(withLocal("with passwords")) }

// registered is the id of a client that is there.
func (w *world) registered(id string) string {
	w.Helper()
	_, err := w.RegisterClient(w.ctx, w.plainRegistration(id), w.by())
	w.ok(err)
	return id
}

// unfounded makes the installation one that has no administrator.
func (w *world) unfounded() {
	w.Helper()
	for _, q := range []string{
		`UPDATE bootstrap SET secret = NULL, expires_at = NULL, attempts = 0, closed_at = NULL, closed_by = ''`,
		`DELETE FROM clients WHERE id = 'dexctl'`, `DELETE FROM connectors WHERE id = 'own'`,
		`DELETE FROM identities WHERE connector_id = 'own'`,
	} {
		_, err := store.Raw(w.db).ExecContext(w.ctx, q)
		w.ok(err)
	}
}
