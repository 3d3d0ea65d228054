package worker_test

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/grant"
	"dex/internal/protocol/certificate"
	"dex/internal/protocol/jose"
)

// The plan fapi-ciba-id1-test-plan with private_key_jwt and with mtls: requests are signed,
// tokens are bound to the certificate, and what is wrong is refused in CIBA's words.
func TestThePlanOfFAPICIBA(t *testing.T) {
	s := startFAPI(t, func(a *advanced, id string, alg jose.Algorithm, auth string) string {
		more := ""
		if id == "shows" {
			more = strings.TrimLeft(workertest.OperatorClients, "\n")
		}
		return "- {id: " + id + ", " + auth + ", profile: fapi1, trusted: true, certificate_bound_tokens: true, grant_types: [\"" + ciba + "\", refresh_token], ciba_mode: poll, " +
			"ciba_request_alg: " + string(alg) + ", id_token_alg: " + string(alg) + ", scopes: [openid, email, offline_access], jwks: " + workertest.KeySet(t, a.signers[id]) + "}\n" + more
	})
	for _, id := range []string{"assert", "shows"} {
		members := func(instead map[string]any) map[string]any {
			now := s.Clock.Now()
			m := map[string]any{
				"iss": id, "aud": s.URL, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": grant.NewID(),
				"scope": "openid offline_access", "login_hint": "ann", "binding_message": "1234",
			}
			for name, value := range instead {
				if m[name] = value; value == nil {
					delete(m, name)
				}
			}
			return m
		}
		send := func(c *workertest.Client, object string) *workertest.Answer {
			return c.Send("/backchannel_authentication", url.Values{"request": {object}})
		}
		t.Run(id+"/fapi-ciba-id1", func(t *testing.T) {
			call := &called{t: t, client: s.client(t, id)}
			a := send(call.client, call.client.Sign(jose.TypeJWT, members(nil)))
			if err := json.Unmarshal([]byte(a.Body), call); err != nil || a.Status != http.StatusOK || call.Interval != 5 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if got := call.poll(); got.Error != "authorization_pending" {
				t.Errorf("%d %s", got.Status, got.Error)
			}
			allow(t, s.Server, "usr_ann")
			foreign := &called{t: t, client: s.client(t, otherOf(id)), ID: call.ID}
			if got := foreign.poll(); got.Status != http.StatusBadRequest || got.Error != "invalid_grant" {
				t.Errorf("another client gets %d %s", got.Status, got.Error)
			}
			bare := &called{t: t, client: withCertificate(t, s.Server, id, nil), ID: call.ID}
			bare.client.Signer, bare.client.Signs = call.client.Signer, call.client.Signs
			if got := bare.poll(); got.Error != "invalid_request" && got.Error != "invalid_client" {
				t.Errorf("without a certificate: %d %s", got.Status, got.Error)
			}
			s.Advance(t, grant.DevicePause)
			tokens := call.poll()
			cnf, _ := workertest.Claims(t, tokens.AccessToken)["cnf"].(map[string]any)
			if tokens.Status != http.StatusOK || cnf["x5t#S256"] != certificate.Thumbprint(s.certificates[id].Leaf) {
				t.Fatalf("%d %s, bound to %v", tokens.Status, tokens.Error, cnf)
			}
			head, claims := headerOf(t, tokens.IDToken), workertest.Claims(t, tokens.IDToken)
			if head["alg"] != string(call.client.Signer.Alg) || claims["sub"] != "usr_ann" || claims["c_hash"] != nil || claims["s_hash"] != nil {
				t.Errorf("%v: %v", head, claims)
			}
			isOK(t, call.client.Userinfo(tokens.AccessToken))
			if a := withCertificate(t, s.Server, id, workertest.Certificate(t, &x509.Certificate{}, nil)).Userinfo(tokens.AccessToken); a.Status != http.StatusUnauthorized {
				t.Errorf("another certificate opens userinfo: %d", a.Status)
			}
			if again := call.client.Refresh(tokens.RefreshToken); again.Status != http.StatusOK {
				t.Errorf("fapi-ciba-id1-refresh-token: %d %s", again.Status, again.Error)
			}
		})
		c, another := s.client(t, id), s.client(t, id)
		another.Signer = s.signers[otherOf(id)]
		good := c.Sign(jose.TypeJWT, members(nil))
		for name, object := range map[string]string{
			"fapi-ciba-id1-ensure-authorization-request-without-request-fails":                      "",
			"fapi-ciba-id1-ensure-request-object-signature-algorithm-is-not-none":                   "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
			"fapi-ciba-id1-ensure-request-object-signed-by-other-client-fails":                      another.Sign(jose.TypeJWT, members(nil)),
			"fapi-ciba-id1-ensure-request-object-with-invalid-signature-fails":                      good[:len(good)-12] + strings.Repeat("A", 12),
			"fapi-ciba-id1-ensure-request-object-missing-aud-fails":                                 c.Sign(jose.TypeJWT, members(map[string]any{"aud": nil})),
			"fapi-ciba-id1-ensure-request-object-bad-aud-fails":                                     c.Sign(jose.TypeJWT, members(map[string]any{"aud": "https://other.example.com"})),
			"fapi-ciba-id1-ensure-request-object-missing-iss-fails":                                 c.Sign(jose.TypeJWT, members(map[string]any{"iss": nil})),
			"fapi-ciba-id1-ensure-request-object-missing-nbf-fails":                                 c.Sign(jose.TypeJWT, members(map[string]any{"nbf": nil})),
			"fapi-ciba-id1-ensure-request-object-missing-jti-fails":                                 c.Sign(jose.TypeJWT, members(map[string]any{"jti": nil})),
			"fapi-ciba-id1-ensure-authorization-request-with-multiple-hints-fails":                  c.Sign(jose.TypeJWT, members(map[string]any{"id_token_hint": "x.y.z"})),
			"fapi-ciba-id1-ensure-authorization-request-with-potentially-bad-binding-message-fails": c.Sign(jose.TypeJWT, members(map[string]any{"binding_message": "👍"})),
		} {
			t.Run(id+"/"+name, func(t *testing.T) {
				a := send(s.client(t, id), object)
				if code, _ := jsonOf(t, a)["error"].(string); a.Status != http.StatusBadRequest || code != "invalid_request" && code != "invalid_binding_message" {
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
	}
	t.Run("fapi-ciba-id1-ensure-request-object-signed-with-RS256-fails", func(t *testing.T) {
		c := s.client(t, "assert")
		weak := *c
		weak.Signer = s.weak
		object := weak.Sign(jose.TypeJWT, map[string]any{"iss": "assert", "aud": s.URL})
		if a := c.Send("/backchannel_authentication", url.Values{"request": {object}}); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "invalid_request") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}
