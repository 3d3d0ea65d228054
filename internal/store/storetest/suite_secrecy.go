package storetest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

var secrecyPromises = []promise{
	{"a copy of the database holds no secret", func(_ *testing.T, w *world) {
		d := basic("1")
		w.declare(d)
		o, s := w.login("zoe")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		device := secret.New(secret.SharedPrefix)
		w.ok(w.KeepDeviceSecret(w.ctx, Permit(w, grant.RedeemCode, i.Authorization), grant.DeviceSecret{Hash: device.Hash(), Group: "apps", ExpiresAt: s.ExpiresAt}, secret.Hash{}))
		k := w.key(jose.ES256, 0)
		w.ok(w.ApplyKeys(w.ctx, key.Changes{Create: []key.Key{k}}, w.now()))
		der, err := jose.MarshalPrivate(k.Private)
		w.ok(err)
		clientHash := d.Clients[0].Secrets[0]
		dump := Dump(w, w.db)
		same(w, "the dump shows something", strings.Contains(dump, s.ID), true)
		for name, value := range map[string][]byte{
			"code": []byte(i.secret), "device secret": []byte(device), "connector secret": []byte("a-secret-of-the-connector"), "upstream token": o.Identity.Data,
			"upstream session": o.Session.Upstream, "signing key": der, "refresh key": w.RefreshKey(), "client secret": []byte("dxk_app"),
			"hash of the client secret": clientHash[:],
		} {
			for _, shown := range []string{
				string(value), hex.EncodeToString(value), base64.StdEncoding.EncodeToString(value), base64.RawURLEncoding.EncodeToString(value),
			} {
				if strings.Contains(dump, shown) {
					w.Errorf("the %s is in the dump, as %.20q", name, shown)
				}
			}
		}
	}},
	{"what is sealed opens in its own row alone", func(_ *testing.T, w *world) {
		w.login("zoe")
		w.login("yan")
		_, err := store.Raw(w.db).ExecContext(w.ctx, `
			UPDATE identities SET data = (SELECT o.data FROM identities o WHERE o.subject <> identities.subject)`)
		w.ok(err)
		_, _, err = w.ByIdentity(w.ctx, upstream, "zoe")
		same(w, "refused", strings.Contains(fmt.Sprint(err), seal.ErrTampered.Error()), true)
	}},
	{"a key secret that is replaced still opens, and one that is missing is named", func(_ *testing.T, w *world) {
		if URL(w, w.db) == "sqlite::memory:" {
			return // nobody else can open it
		}
		old, next := seal.NewSecret(), seal.NewSecret()
		ring := func(secrets ...seal.Secret) Option {
			r, err := seal.NewRing(secrets...)
			w.ok(err)
			return WithKeys(r)
		}
		db := w.another(ring(old))
		Tenant(w, db)
		_, err := Again(w, db, ring(next, old)).Tenant(w.ctx, w.ID())
		w.ok(err)
		_, err = Again(w, db, ring(next)).Tenant(w.ctx, w.ID())
		same(w, "refused by name", strings.Contains(fmt.Sprint(err), old.ID()), true)
	}},
}
