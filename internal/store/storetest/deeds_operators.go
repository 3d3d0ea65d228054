package storetest

import (
	"context"
	"time"

	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/outbox"
	"dex/internal/domain/tenant"
	"dex/internal/store"
)

// operatorsDeeds are those by which operators keep tenants and connectors, and what
// waits to be delivered.
var operatorsDeeds = []deed{
	{"RegisterTenant", func(w *world, n string) func(context.Context) error {
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.db.RegisterTenant(ctx, newTenant(n), by)
			return err
		}
	}},
	{"ChangeTenant", func(w *world, n string) func(context.Context) error {
		r := w.registerTenant(n)
		r.Name, r.Issuer = "another", "https://another-"+n+".example"
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.db.ChangeTenant(ctx, r, by)
			return err
		}
	}},
	{"SwitchTenant", func(w *world, n string) func(context.Context) error {
		w.registerTenant(n)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.db.SwitchTenant(ctx, n, true, by) }
	}},
	{"DeleteTenant", func(w *world, n string) func(context.Context) error {
		w.registerTenant(n)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.db.DeleteTenant(ctx, n, 0, by) }
	}},
	{"RegisterConnector", func(w *world, n string) func(context.Context) error {
		r := connector.Registered{Configured: connector.Configured{ID: n, Kind: "oidc", Name: n, Config: []byte(`{}`)}}
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.RegisterConnector(ctx, r, by)
			return err
		}
	}},
	{"ChangeConnector", func(w *world, n string) func(context.Context) error {
		r := w.registerConnector(n, "oidc")
		r.Name = "another"
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.ChangeConnector(ctx, r, by)
			return err
		}
	}},
	{"DeleteConnector", func(w *world, n string) func(context.Context) error {
		// Disabled already: one that is not is disabled first, in a step of its own.
		w.registerConnector(n, "oidc")
		w.ok(w.DisableConnector(w.ctx, n, w.by()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DeleteConnector(ctx, connector.Deletion{ID: n}, by) }
	}},
	{"Enqueue", func(w *world, n string) func(context.Context) error {
		m := outbox.Message{Kind: outbox.Mail, Body: []byte("Dear " + n)}
		return func(ctx context.Context) error { return w.Enqueue(ctx, m, w.now()) }
	}},
	{"TakeDue", func(w *world, n string) func(context.Context) error {
		w.clock.Advance(2 * time.Minute) // nobody has what was taken before any more
		w.emptyOutbox()
		w.queue("Dear " + n)
		return func(ctx context.Context) error {
			_, err := w.db.TakeDue(ctx, everyKind, 10, w.now().Add(lapse), w.now())
			return err
		}
	}},
	{"Delivered", func(w *world, n string) func(context.Context) error {
		m := w.taken(n)
		return func(ctx context.Context) error { return w.db.Delivered(ctx, m) }
	}},
	{"PutOff", func(w *world, n string) func(context.Context) error {
		m := w.taken(n)
		return func(ctx context.Context) error { return w.db.PutOff(ctx, m, "not now", w.now().Add(time.Hour)) }
	}},
	{"GiveUp", func(w *world, n string) func(context.Context) error {
		m := w.taken(n)
		return func(ctx context.Context) error { return w.db.GiveUp(ctx, m, "never", w.now()) }
	}},
	{"RetryLetter", func(w *world, n string) func(context.Context) error {
		m := w.taken(n)
		w.ok(w.db.GiveUp(w.ctx, m, "never", w.now()))
		by := w.signed(n)
		return func(ctx context.Context) error { return w.RetryLetter(ctx, m.ID, by) }
	}},
	{"DropLetter", func(w *world, n string) func(context.Context) error {
		m := w.taken(n)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.DropLetter(ctx, m.ID, by) }
	}},
	{"OpenDevice", func(w *world, n string) func(context.Context) error {
		d := w.device(n)
		return func(ctx context.Context) error { return w.OpenDevice(ctx, d) }
	}},
	{"Enrol", func(w *world, n string) func(context.Context) error {
		r, by := w.plainRegistration(n), w.by()
		_, token := w.invitation(n, 10)
		return func(ctx context.Context) error {
			_, err := w.Enrol(ctx, r, secret.Value("token of "+n).Hash(), &token, 1000, by)
			return err
		}
	}},
	{"Enrolment", func(w *world, n string) func(context.Context) error {
		_, token := w.enrol(n)
		return func(ctx context.Context) error {
			_, err := w.Enrolment(ctx, n, token.Hash(), secret.Value("next of "+n).Hash())
			return err
		}
	}},
	{"AddInitialToken", func(w *world, n string) func(context.Context) error {
		i, by := client.InitialToken{ID: "iat_" + n, UsesLeft: 1, ExpiresAt: w.now().Add(time.Hour)}, w.signed(n)
		return func(ctx context.Context) error { return w.AddInitialToken(ctx, i, secret.Value(n).Hash(), by) }
	}},
	{"RemoveInitialToken", func(w *world, n string) func(context.Context) error {
		i, _ := w.invitation(n, 1)
		by := w.signed(n)
		return func(ctx context.Context) error { return w.RemoveInitialToken(ctx, i.ID, by) }
	}},
	{"SetRegistration", func(w *world, n string) func(context.Context) error {
		by := w.signed(n)
		return func(ctx context.Context) error {
			_, err := w.SetRegistration(ctx, tenant.Registration{Admission: tenant.AdmitAnybody}, 0, by)
			return err
		}
	}},
	{"KeepPushed", func(w *world, n string) func(context.Context) error {
		p := w.pushed(n)
		return func(ctx context.Context) error { return w.KeepPushed(ctx, p) }
	}},
	{"EndPushed", func(w *world, n string) func(context.Context) error {
		p := w.pushed(n)
		w.ok(w.KeepPushed(w.ctx, p))
		return func(ctx context.Context) error { return w.EndPushed(ctx, p.Hash, w.now()) }
	}},
	{"ApproveDevice", func(w *world, n string) func(context.Context) error {
		d, a := w.asking(n)
		permit := Permit(w, grant.ApproveDevice, a)
		return func(ctx context.Context) error { return w.ApproveDevice(ctx, permit, d.ID, nil, w.now()) }
	}},
	{"DenyDevice", func(w *world, n string) func(context.Context) error {
		d, _ := w.asking(n)
		return func(ctx context.Context) error { return w.DenyDevice(ctx, d.ID, w.now()) }
	}},
	{"PollDevice", func(w *world, n string) func(context.Context) error {
		d, _ := w.asking(n)
		w.clock.Advance(grant.DevicePause)
		return func(ctx context.Context) error {
			_, err := w.PollDevice(ctx, d.Code, d.ClientID, w.now())
			return err
		}
	}},
}

// taken is a message in somebody's hands.
func (w *world) taken(body string) outbox.Taken {
	w.Helper()
	w.emptyOutbox()
	w.queue(body)
	all := w.due(1)
	if len(all) != 1 {
		w.Fatalf("%d messages were taken", len(all))
	}
	return all[0]
}

// emptyOutbox takes all messages away, so that what is taken is the one meant.
func (w *world) emptyOutbox() {
	w.Helper()
	_, err := store.Raw(w.db).ExecContext(w.ctx, `DELETE FROM outbox`)
	w.ok(err)
}

// asking is a device that waits, and the authorization that somebody may give it.
func (w *world) asking(n string) (grant.Device, grant.Authorization) {
	w.Helper()
	d := w.device(n)
	w.ok(w.OpenDevice(w.ctx, d))
	_, s := w.login(n)
	return d, grant.Authorization{
		ID: grant.NewID(), ClientID: d.ClientID, UserID: s.UserID, SessionID: s.ID, ConnectorID: s.ConnectorID, Subject: s.Subject,
		Scopes: d.Scopes, AuthTime: s.AuthTime, Methods: s.Methods, IssuedAt: w.now(), SupportCode: d.SupportCode,
	}
}
