package worker_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/connector/connectortest"
	"dex/internal/protocol/jose"
)

// privatePEM returns a new private key as operators write it.
func privatePEM(t *testing.T, alg jose.Algorithm) string {
	t.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// A provider that demands all of FAPI 2.0, with message signing, and encrypts: the
// provider learns our keys where we publish them, and a person who comes by it is
// logged in to an application. The answer comes as a form from another site, too.
func TestSomebodyLogsInByAProviderThatDemandsEverything(t *testing.T) {
	for _, mode := range []string{"query.jwt", "form_post.jwt"} {
		t.Run(mode, func(t *testing.T) {
			fake := &clock.Fake{}
			up := connectortest.NewProvider(t, fake)
			config, err := json.Marshal(map[string]any{
				"issuer": up.Issuer, "client_id": up.ClientID, "auth_method": "private_key_jwt", "signing_key": privatePEM(t, jose.ES256),
				"decryption_key": privatePEM(t, jose.RS256), "encrypted_id_token": true, "par": true, "request_object": true, "dpop": true,
				"response_mode": mode, "refresh": true,
			})
			if err != nil {
				t.Fatal(err)
			}
			s := workertest.Start(t, workertest.Options{
				Clock:  fake,
				Config: "outbound_allow_private: [127.0.0.0/8]\nconnectors:\n- {id: local, kind: local, name: Password}\n- {id: strict, kind: oidc, name: Strict, config: " + string(config) + "}\n",
			})
			b, c := s.Browser(t), s.Client(t, "app")

			published := b.Get(s.URL + "/keys/strict")
			signing, err := jose.ParseJWKS([]byte(published.Body))
			encryption, err2 := jose.ParseEncryptionJWKS([]byte(published.Body))
			if err != nil || err2 != nil || len(signing) != 1 || len(encryption) != 1 || published.Status != http.StatusOK {
				t.Fatalf("our keys: %d %s (%v, %v)", published.Status, published.Body, err, err2)
			}
			encryption[0].Alg = jose.RSAOAEP256
			up.Demand(connectortest.Demands{
				Auth: "private_key_jwt", ClientKeys: signing, Push: true, Object: true, DPoP: true, Nonce: "n", EncryptTo: encryption[0],
			})

			away := b.Follow(b.Get(c.Authorize("connector_id", "strict")))
			back := up.Authorize(t, away.Header.Get("Location"), connectortest.Claims{"sub": "1", "email": "zoe@example.com", "preferred_username": "zoe"})
			var arrived *workertest.Answer
			if callback := s.URL + "/callback/strict"; mode == "query.jwt" {
				arrived = b.Get(callback + "?" + back.Encode())
			} else {
				arrived = b.CrossPost(callback, back)
			}
			code := b.Follow(arrived).Param("code")
			if code == "" {
				t.Fatalf("no code: %d %s", arrived.Status, arrived.Body)
			}
			tokens := c.Redeem(code)
			var who struct{ Email string }
			if a := c.Userinfo(tokens.AccessToken); json.Unmarshal([]byte(a.Body), &who) != nil || who.Email != "zoe@example.com" {
				t.Errorf("userinfo: %d %s", a.Status, a.Body)
			}
			fake.Advance(2 * time.Minute) // the provider is asked again no sooner
			c.Refresh(tokens.RefreshToken)

			if a := b.Get(s.URL + "/keys/nobody"); a.Status != http.StatusNotFound {
				t.Errorf("keys of no connector: %d", a.Status)
			}
			if a := b.CrossPost(s.URL+"/callback/strict", url.Values{"response": {"a.b.c"}}); a.Status >= 500 {
				t.Errorf("an answer that is none: %d", a.Status)
			}
		})
	}
}
