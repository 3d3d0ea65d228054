package worker_test

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// published is a server where somebody publishes a document, which can be changed.
type published struct {
	*httptest.Server
	text  atomic.Pointer[string]
	calls atomic.Int32
}

func publish(t testing.TB, text string) *published {
	t.Helper()
	p := &published{}
	p.text.Store(&text)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.calls.Add(1)
		_, _ = w.Write([]byte(*p.text.Load()))
	}))
	t.Cleanup(p.Close)
	return p
}

func keySet(t testing.TB, kid string, key ed25519.PrivateKey) string {
	t.Helper()
	text, err := jose.MarshalForeignJWKS([]jose.Key{{KID: kid, Alg: jose.EdDSA, Public: key.Public()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// oidcc-registration-jwks-uri, and the rotation of a client's keys.
func TestAClientThatPublishesItsKeysReplacesThemByItself(t *testing.T) {
	keys := publish(t, keySet(t, "jwt-1", workertest.AssertionKey))
	s := workertest.Start(t, workertest.Options{
		Clients: fmt.Sprintf("- {id: far, jwks_uri: %q, redirect_uris: ['https://far.example.com/cb'], grant_types: [authorization_code, client_credentials]}\n", keys.URL+"/jwks"),
		Config:  "outbound_allow_private: [127.0.0.0/8]\n",
	})
	far := s.Client(t, "far")
	prove := func(assertion string) *workertest.Answer {
		t.Helper()
		return call{path: "/token", form: forItself(asserting(assertion)...)}.send(t, s)
	}
	isOK(t, prove(far.Assertion(nil)))
	isOK(t, prove(far.Assertion(nil)))
	if n := keys.calls.Load(); n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
	_, fresh, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	text := keySet(t, "jwt-2", fresh)
	keys.text.Store(&text)
	s.Advance(t, 5*time.Second)
	now := s.Clock.Now()
	assertion, err := jose.Sign(fresh, jose.EdDSA, "jwt-2", jose.TypeJWT, map[string]any{
		"iss": "far", "sub": "far", "aud": s.URL, "jti": "fresh", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	isOK(t, prove(assertion))
	isError(t, prove(far.Assertion(nil)), 401, oauth.InvalidClient)
	keys.Close()
	s.Advance(t, 2*time.Hour)
	isError(t, prove(far.Assertion(nil)), 401, oauth.InvalidClient)
}

// What a client is told is encrypted to the key that it publishes, and to its next one as
// soon as what was fetched is no longer fresh.
func TestAnIDTokenIsEncryptedToTheKeyThatItsClientPublishes(t *testing.T) {
	fresh := func(kid string) (crypto.Signer, string) {
		key, err := jose.GenerateKey(jose.EncryptEC)
		must(t, err)
		text, err := jose.MarshalForeignJWKS(nil, []jose.EncryptionKey{{KID: kid, Public: key.Public()}})
		must(t, err)
		return key, string(text)
	}
	key, text := fresh("one")
	keys := publish(t, text)
	s := workertest.Start(t, workertest.Options{
		Clients: fmt.Sprintf("- {id: far, secret: far-secret, trusted: true, jwks_uri: %q, id_token_encryption_alg: ECDH-ES, redirect_uris: ['https://far.example.com/cb']}\n", keys.URL+"/jwks"),
		Config:  "outbound_allow_private: [127.0.0.0/8]\n",
	})
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	c := s.Client(t, "far")
	isFor := func(kid string, key crypto.Signer) {
		t.Helper()
		tokens := c.Redeem(b.Get(c.Authorize()).Param("code"))
		plain, _, err := jose.Decrypt(tokens.IDToken, jose.KeyManagements(), jose.ContentEncryptions(), func(string, jose.KeyManagement) []crypto.PrivateKey {
			return []crypto.PrivateKey{key}
		})
		if err != nil || headerOf(t, tokens.IDToken)["kid"] != kid || workertest.Claims(t, string(plain))["aud"] != "far" {
			t.Errorf("%s: %v, as %v", kid, err, headerOf(t, tokens.IDToken))
		}
	}
	isFor("one", key)
	key, text = fresh("two")
	keys.text.Store(&text)
	s.Advance(t, time.Hour)
	isFor("two", key)
	keys.Close()
	s.Advance(t, 45*time.Minute)
	isFor("two", key) // which is stale, and still the client's
}
