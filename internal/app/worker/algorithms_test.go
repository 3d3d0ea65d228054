package worker_test

import (
	"crypto"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
	"dex/internal/protocol/jose"
)

// 1.E 76: each algorithm that the metadata lists is served: of what we sign, of what we
// encrypt for clients, and of what clients sign for us.
func TestEachAlgorithmThatTheMetadataListsIsServed(t *testing.T) {
	ours := []jose.Algorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}
	decryptWith := map[string]crypto.Signer{}
	var public []jose.EncryptionKey
	for _, alg := range []jose.Algorithm{jose.EncryptRSA, jose.EncryptEC} {
		key, err := jose.GenerateKey(alg)
		must(t, err)
		decryptWith[string(alg)] = key
		public = append(public, jose.EncryptionKey{KID: string(alg), Public: key.Public()})
	}
	set, err := jose.MarshalForeignJWKS(nil, public)
	must(t, err)
	signers := map[jose.Algorithm]workertest.Signer{}
	var clients strings.Builder
	for _, alg := range ours {
		signers[alg] = workertest.NewSigner(t, alg)
		id := strings.ToLower(string(alg))
		fmt.Fprintf(&clients, "- {id: a%[1]s, trusted: true, jwks: %[3]s, redirect_uris: ['https://a%[1]s.example.com/cb'], auth_signing_alg: %[2]s, request_object_alg: %[2]s, "+
			"id_token_alg: %[2]s, userinfo_alg: %[2]s, response_alg: %[2]s, introspection_alg: %[2]s}\n", id, alg, workertest.KeySet(t, signers[alg]))
	}
	n := 0
	for _, alg := range jose.KeyManagements() {
		for _, enc := range jose.ContentEncryptions() {
			fmt.Fprintf(&clients, "- {id: e%[1]d, secret: e%[1]d-secret, trusted: true, jwks: %[2]s, redirect_uris: ['https://e%[1]d.example.com/cb'], id_token_encryption_alg: %[3]s, id_token_encryption_enc: %[4]s, "+
				"userinfo_encryption_alg: %[3]s, userinfo_encryption_enc: %[4]s}\n", n, set, alg, enc)
			n++
		}
	}
	s := workertest.Start(t, workertest.Options{Clients: clients.String(), Config: "keys: {algorithms: [RS256, PS256, ES256, EdDSA]}\n"})
	doc := jsonOf(t, get(t, s, route.Discovery))
	b := s.Browser(t)
	s.Client(t, "app").Code(b)

	for _, name := range []string{"id_token", "userinfo", "authorization", "introspection"} {
		listed := list(t, doc, name+"_signing_alg_values_supported")
		if want := "RS256 PS256 ES256 EdDSA"; strings.Join(listed, " ") != want {
			t.Errorf("%s: %q, want %s", name, listed, want)
		}
	}
	for _, alg := range ours {
		t.Run(string(alg), func(t *testing.T) {
			c := s.Client(t, "a"+strings.ToLower(string(alg)))
			c.Secret, c.Signs, c.Signer = "", true, signers[alg]
			for _, name := range []string{"token_endpoint_auth", "request_object"} {
				if listed := list(t, doc, name+"_signing_alg_values_supported"); !strings.Contains(" "+strings.Join(listed, " ")+" ", " "+string(alg)+" ") {
					t.Errorf("%s: %q", name, listed)
				}
			}
			a := b.Get("/authorize?" + values("client_id", c.ID, "request", c.Object(map[string]any{"response_mode": "jwt"})).Encode())
			response := a.Param("response")
			if response == "" {
				t.Fatalf("%d, to %v", a.Status, a.Location())
			}
			code, _ := workertest.Claims(t, response)["code"].(string)
			tokens := c.Redeem(code)
			for name, token := range map[string]string{
				"the response": response, "the ID token": tokens.IDToken, "userinfo": c.Userinfo(tokens.AccessToken).Body,
				"introspection": c.Send("/introspect", values("token", tokens.AccessToken)).Body,
			} {
				if head := headerOf(t, token); head["alg"] != string(alg) || head["kid"] == nil {
					t.Errorf("%s is signed as %v", name, head)
				}
			}
		})
	}
	i := 0
	for _, alg := range jose.KeyManagements() {
		for _, enc := range jose.ContentEncryptions() {
			t.Run(string(alg)+" "+string(enc), func(t *testing.T) {
				c := s.Client(t, fmt.Sprintf("e%d", i))
				i++
				for what, value := range map[string]string{"alg": string(alg), "enc": string(enc)} {
					for _, name := range []string{"id_token", "userinfo"} {
						if listed := list(t, doc, name+"_encryption_"+what+"_values_supported"); !strings.Contains(" "+strings.Join(listed, " ")+" ", " "+value+" ") {
							t.Errorf("%s: %q", name, listed)
						}
					}
				}
				tokens := c.Redeem(b.Get(c.Authorize()).Param("code"))
				told := c.Userinfo(tokens.AccessToken).Body
				for name, token := range map[string]string{"the ID token": tokens.IDToken, "userinfo": told} {
					if head := headerOf(t, token); head["alg"] != string(alg) || head["enc"] != string(enc) {
						t.Errorf("%s is encrypted as %v", name, head)
					}
					plain, _, err := jose.Decrypt(token, jose.KeyManagements(), jose.ContentEncryptions(), func(kid string, _ jose.KeyManagement) []crypto.PrivateKey {
						return []crypto.PrivateKey{decryptWith[kid]}
					})
					if err != nil {
						t.Errorf("%s: %v", name, err)
					} else if !json.Valid(plain) && strings.Count(string(plain), ".") != 2 {
						t.Errorf("%s holds %.40s", name, plain)
					}
				}
			})
		}
	}
}
