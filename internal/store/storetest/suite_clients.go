package storetest

import (
	"fmt"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// registration is a client as an operator registers one, with its secret.
func (w *world) registration(id string) (client.Registered, secret.Value) {
	value := secret.New(secret.ClientPrefix)
	c := appClient()
	c.ID, c.Name, c.Secrets = id, "The "+id, []secret.Hash{value.Hash()}
	return client.Registered{Client: c, Notes: []client.SecretNote{client.NoteOf(value, w.now())}}, value
}

// register adds a client, which must succeed.
func (w *world) register(id string) client.Registered {
	w.Helper()
	r, _ := w.registration(id)
	r, err := w.RegisterClient(w.ctx, r, w.by())
	w.ok(err)
	return r
}

// found names the clients that are looked for.
func (w *world) found(f client.Filter, after string, limit int) string {
	w.Helper()
	all, err := w.Clients(w.ctx, f, after, limit)
	w.ok(err)
	names := ""
	for _, r := range all {
		names += r.ID + " "
	}
	return names
}

var registryPromises = []promise{
	{"a client that is registered comes back, to operators and to workers", func(_ *testing.T, w *world) {
		r, value := w.registration("grafana")
		encryption, err := jose.GenerateKey(jose.EncryptEC)
		w.ok(err)
		r.EncryptionKeys = []jose.EncryptionKey{{KID: "e1", Alg: jose.ECDHESA256KW, Public: encryption.Public()}, {Public: encryption.Public()}}
		r.IDTokenEncryption = client.Encryption{Alg: jose.ECDHESA256KW, Enc: jose.A256GCM}
		made, err := w.RegisterClient(w.ctx, r, w.by())
		w.ok(err)
		same(w, "version", made.Version, 1)
		same(w, "managed by", made.ManagedBy, tenant.ManagedByHand)
		w.sameTime("created", made.CreatedAt, w.now())
		same(w, "hint", made.Notes[0].Hint, string(value[len(value)-4:]))
		got, err := w.RegisteredClient(w.ctx, "grafana")
		w.ok(err)
		alike(w, "registered", got, made)
		served, err := w.Client(w.ctx, "grafana")
		w.ok(err)
		served.NotBefore = time.Time{}
		alike(w, "served", served, made.Client)
		same(w, "recorded", w.events()[string(audit.ClientCreated)], 1)
	}},
	{"an id is taken once, and never looks like an account", func(_ *testing.T, w *world) {
		w.register("grafana")
		before := w.dump()
		again, _ := w.registration("grafana")
		_, err := w.RegisterClient(w.ctx, again, w.by())
		w.refuses(fault.Conflict, err)
		for _, id := range []string{"", "usr_ann"} {
			r, _ := w.registration(id)
			_, err := w.RegisterClient(w.ctx, r, w.by())
			w.refuses(fault.Invalid, err)
		}
		r, _ := w.registration("bare")
		r.Secrets, r.Notes = nil, nil
		_, err = w.RegisterClient(w.ctx, r, w.by())
		w.refuses(fault.Invalid, err)
		same(w, "changed", w.dump() == before, true)
	}},
	{"of many who register an id at once one does", func(_ *testing.T, w *world) {
		outcomes := counter[bool]{}
		w.atOnce(8, func(int) {
			r, _ := w.registration("grafana")
			_, err := w.RegisterClient(w.ctx, r, w.by())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "registered", outcomes.count[true], 1)
	}},
	{"clients come page by page, and by what is looked for", func(_ *testing.T, w *world) {
		w.declare(basic("1"))
		for i := range 5 {
			w.register(fmt.Sprint("c", i))
		}
		r, _ := w.registration("d_%")
		r.Name = "Größe 100%"
		_, err := w.RegisterClient(w.ctx, r, w.by())
		w.ok(err)
		w.ok(w.DisableClient(w.ctx, "c3", w.by()))
		yes, no := true, false
		for _, c := range []struct {
			name  string
			f     client.Filter
			after string
			limit int
			want  string
		}{
			{"the first", client.Filter{}, "", 3, "app c0 c1 "},
			{"the next", client.Filter{}, "c1", 3, "c2 c3 c4 "},
			{"after one that is gone", client.Filter{}, "c10", 2, "c2 c3 "},
			{"the end", client.Filter{}, "d_%", 3, ""},
			{"by the id", client.Filter{Text: "C4"}, "", 9, "c4 "},
			{"by the name", client.Filter{Text: "the appl"}, "", 9, "app "},
			{"by signs that mean something elsewhere", client.Filter{Text: "_%"}, "", 9, "d_% "},
			{"by a part of a name", client.Filter{Text: "100%"}, "", 9, "d_% "},
			{"by a backslash", client.Filter{Text: `\`}, "", 9, ""},
			{"by who manages them", client.Filter{ManagedBy: tenant.ManagedByFile}, "", 9, "app "},
			{"the disabled", client.Filter{Disabled: &yes}, "", 9, "c3 "},
			{"the enabled", client.Filter{Disabled: &no, Text: "c"}, "c0", 2, "c1 c2 "},
		} {
			same(w, c.name, w.found(c.f, c.after, c.limit), c.want)
		}
	}},
	{"a change replaces everything but the secrets, and says what is different", func(_ *testing.T, w *world) {
		before := w.register("grafana")
		_, err := w.Client(w.ctx, "grafana") // into memory
		w.ok(err)
		w.clock.Advance(time.Hour)
		change := client.Registered{Client: before.Client, Version: 1}
		change.Secrets, change.Name, change.RedirectURIs = nil, "Grafana", []string{"https://grafana.example/login"}
		change.AllowedOrigins = []string{"https://grafana.example"}
		after, err := w.ChangeClient(w.ctx, change, w.by())
		w.ok(err)
		same(w, "version", after.Version, 2)
		alike(w, "secrets", after.Secrets, before.Secrets)
		alike(w, "notes", after.Notes, before.Notes)
		w.sameTime("created", after.CreatedAt, before.CreatedAt)
		served, err := w.Client(w.ctx, "grafana")
		w.ok(err)
		served.NotBefore = time.Time{}
		alike(w, "served", served, after.Client)
		allowed, err := w.AllowsOrigin(w.ctx, "https://grafana.example")
		w.ok(err)
		same(w, "the new origin", allowed, true)
		allowed, err = w.AllowsOrigin(w.ctx, "https://app.example")
		w.ok(err)
		same(w, "the old origin", allowed, false)
		same(w, "detail", w.eventOf(audit.ClientChanged)["detail"], `{"changed":"allowed_origins, name, redirect_uris"}`)
	}},
	{"a change to what it is already changes nothing", func(_ *testing.T, w *world) {
		r := w.register("grafana")
		before := w.dump()
		after, err := w.ChangeClient(w.ctx, r, w.by())
		w.ok(err)
		alike(w, "client", after, r)
		same(w, "changed", w.dump() == before, true)
	}},
	{"of two who change what they have read, the second hears of it", func(_ *testing.T, w *world) {
		r := w.register("grafana")
		outcomes := counter[bool]{}
		w.atOnce(4, func(i int) {
			mine := r
			mine.Name = fmt.Sprint("Grafana ", i)
			_, err := w.ChangeClient(w.ctx, mine, w.by())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "changed", outcomes.count[true], 1)
		r.Version, r.Name = 0, "whatever it is by now"
		_, err := w.ChangeClient(w.ctx, r, w.by())
		w.ok(err)
	}},
	{"a client that becomes public has no secret any more, and needs one to turn back", func(_ *testing.T, w *world) {
		r := w.register("grafana")
		r.Public, r.AuthMethod = true, oauth.AuthNone
		r, err := w.ChangeClient(w.ctx, r, w.by())
		w.ok(err)
		same(w, "secrets", len(r.Secrets)+len(r.Notes), 0)
		r.Public, r.AuthMethod = false, oauth.AuthSecretBasic
		_, err = w.ChangeClient(w.ctx, r, w.by())
		w.refuses(fault.Invalid, err)
	}},
	{"a secret that a client signs with is kept itself, and given anew if only its hash was", func(_ *testing.T, w *world) {
		before := w.register("grafana")
		before.Version = 0 // whichever
		change := before
		change.AuthMethod, change.Secrets, change.Notes = oauth.AuthSecretJWT, nil, nil
		_, err := w.ChangeClient(w.ctx, change, w.by())
		w.refuses(fault.Invalid, err)
		change.AddSecret("dxk_another-which-is-long-enough-too")
		change.Notes = []client.SecretNote{client.NoteOf("dxk_another-which-is-long-enough-too", w.now())}
		_, err = w.ChangeClient(w.ctx, change, w.by())
		w.ok(err)
		_, err = w.AddClientSecret(w.ctx, "grafana", "dxk_the-third", client.NoteOf("dxk_the-third", w.now()), w.by())
		w.ok(err)
		served, err := w.Client(w.ctx, "grafana")
		w.ok(err)
		alike(w, "kept", served.Shared, []secret.Value{"dxk_another-which-is-long-enough-too", "dxk_the-third"})
		same(w, "hashes", len(served.Secrets), 2)
		change = before
		change.AuthMethod, change.Secrets, change.Notes = oauth.AuthSecretBasic, nil, nil
		_, err = w.ChangeClient(w.ctx, change, w.by())
		w.ok(err)
		served, err = w.Client(w.ctx, "grafana")
		w.ok(err)
		same(w, "kept after that", len(served.Shared), 0)
		same(w, "hashes after that", len(served.Secrets), 2)
	}},
	{"a secret is replaced without a moment in which none counts", func(_ *testing.T, w *world) {
		r := w.register("grafana")
		next := secret.New(secret.ClientPrefix)
		note := client.NoteOf(next, w.now())
		both, err := w.AddClientSecret(w.ctx, "grafana", next, note, w.by())
		w.ok(err)
		alike(w, "notes", both.Notes, []client.SecretNote{r.Notes[0], note})
		third := secret.New(secret.ClientPrefix)
		_, err = w.AddClientSecret(w.ctx, "grafana", third, client.NoteOf(third, w.now()), w.by())
		w.refuses(fault.Conflict, err)
		left, err := w.RemoveClientSecret(w.ctx, "grafana", r.Notes[0].ID, w.by())
		w.ok(err)
		alike(w, "secrets", left.Secrets, []secret.Hash{next.Hash()})
		alike(w, "notes", left.Notes, []client.SecretNote{note})
		served, err := w.Client(w.ctx, "grafana")
		w.ok(err)
		alike(w, "served", served.Secrets, []secret.Hash{next.Hash()})
		_, err = w.RemoveClientSecret(w.ctx, "grafana", note.ID, w.by())
		w.refuses(fault.Conflict, err)
		_, err = w.RemoveClientSecret(w.ctx, "grafana", "sec_unknown", w.by())
		w.refuses(fault.NotFound, err)
		same(w, "added", w.eventOf(audit.ClientSecretAdded)["detail"], fmt.Sprintf(`{"secret":%q}`, note.ID))
		same(w, "removed", w.eventOf(audit.ClientSecretRemoved)["detail"], fmt.Sprintf(`{"secret":%q}`, r.Notes[0].ID))
	}},
	{"many who add a secret at once leave no more than two", func(_ *testing.T, w *world) {
		w.register("grafana")
		outcomes := counter[bool]{}
		w.atOnce(6, func(int) {
			v := secret.New(secret.ClientPrefix)
			_, err := w.AddClientSecret(w.ctx, "grafana", v, client.NoteOf(v, w.now()), w.by())
			if err != nil && !fault.Is(err, fault.Conflict) {
				w.Error(err)
			}
			outcomes.add(err == nil)
		})
		same(w, "added", outcomes.count[true], 1)
	}},
	{"what a file declares is changed there, and deleted when it stands there no more", func(_ *testing.T, w *world) {
		d := basic("1")
		d.Clients[0].Secrets = append(d.Clients[0].Secrets, secret.Value("another").Hash())
		w.declare(d)
		r, err := w.RegisteredClient(w.ctx, app)
		w.ok(err)
		same(w, "names of its secrets", r.Notes[0].ID+r.Notes[1].ID, "12")
		_, err = w.ChangeClient(w.ctx, r, w.by())
		w.refuses(fault.Conflict, err)
		_, err = w.RemoveClientSecret(w.ctx, app, "1", w.by())
		w.refuses(fault.Conflict, err)
		w.refuses(fault.Conflict, w.DeleteClient(w.ctx, app, 0, w.by()))
		w.declare(store.Declared{Digest: "2"})
		w.ok(w.DeleteClient(w.ctx, app, 0, w.by()))
		_, err = w.Client(w.ctx, app)
		w.refuses(fault.NotFound, err)
	}},
	{"a client that is deleted takes along what people have allowed it", func(_ *testing.T, w *world) {
		r := w.register("grafana")
		_, s := w.login("zoe")
		w.ok(w.KeepConsent(w.ctx, s.UserID, "grafana", oauth.Scopes{"openid"}, w.now()))
		w.ok(w.KeepConsent(w.ctx, s.UserID, app, oauth.Scopes{"openid"}, w.now()))
		w.refuses(fault.Conflict, w.DeleteClient(w.ctx, "grafana", r.Version+1, w.by()))
		w.ok(w.DeleteClient(w.ctx, "grafana", r.Version, w.by()))
		same(w, "consents", Counts(w, w.db)["consents"], 1)
		same(w, "origins", Counts(w, w.db)["client_origins"], 0)
		w.refuses(fault.NotFound, w.DeleteClient(w.ctx, "grafana", 0, w.by()))
		_, err := w.RegisteredClient(w.ctx, "grafana")
		w.refuses(fault.NotFound, err)
		same(w, "recorded", w.eventOf(audit.ClientDeleted)["client_id"], "grafana")
		w.clock.Advance(time.Minute)
		w.register("grafana")
		served, err := w.Client(w.ctx, "grafana")
		w.ok(err)
		w.sameTime("counts from", served.NotBefore, w.now().Truncate(time.Second))
	}},
	{"one tenant changes nothing of another's clients", func(_ *testing.T, w *world) {
		r := w.register("grafana")
		other, err := w.db.EnsureTenant(w.ctx, "other", Issuer+"/other")
		w.ok(err)
		before := w.dump()
		_, err = other.RegisteredClient(w.ctx, "grafana")
		w.refuses(fault.NotFound, err)
		_, err = other.ChangeClient(w.ctx, r, w.by())
		w.refuses(fault.NotFound, err)
		_, err = other.AddClientSecret(w.ctx, "grafana", "x", client.SecretNote{ID: "x"}, w.by())
		w.refuses(fault.NotFound, err)
		w.refuses(fault.NotFound, other.DeleteClient(w.ctx, "grafana", 0, w.by()))
		all, err := other.Clients(w.ctx, client.Filter{}, "", 10)
		w.ok(err)
		same(w, "clients", len(all), 0)
		same(w, "changed", w.dump() == before, true)
	}},
}

// eventOf returns the newest event of a kind.
func (w *world) eventOf(kind audit.Kind) map[string]string {
	w.Helper()
	newest := map[string]string{}
	for _, row := range tableRows(w, w.db, "audit_events") {
		if row["kind"] == string(kind) && row["id"] > newest["id"] {
			newest = row
		}
	}
	return newest
}
