package worker_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/protocol/jose"
)

// oidcc-request-uri-unsigned and oidcc-request-uri-signed-rs256: an object at an address
// that is registered with the hash of its content, and is fetched without it.
func TestARequestMayStandWhereItsClientHasRegistered(t *testing.T) {
	var object atomic.Pointer[string]
	var paths atomic.Int32
	far := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths.Add(1)
		if r.URL.Path == "/object" && r.URL.Fragment == "" {
			w.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
			_, _ = w.Write([]byte(*object.Load() + "\n"))
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(far.Close)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: far.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	at := far.URL + "/object#a-hash-of-it"
	s := workertest.Start(t, workertest.Options{
		Config: "outbound_allow_private: [127.0.0.0/8]\noutbound_ca_file: " + roots + "\n",
		Clients: fmt.Sprintf(`
- {id: far, %s, trusted: true, request_uris: [%q, %q], redirect_uris: ["https://far.example.com/cb"]}
- {id: plain, profile: openid, secret: plain-secret, trusted: true, request_uris: [%q], redirect_uris: ["https://plain.example.com/cb"]}
`, pushingKey, at, far.URL+"/gone", at),
	})
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	try := func(c *workertest.Client, uri string, pairs ...string) *workertest.Answer {
		v := url.Values{"client_id": {c.ID}, "request_uri": {uri}}
		for i := 0; i+1 < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return b.Get("/authorize?" + v.Encode())
	}
	t.Run("signed", func(t *testing.T) {
		c := s.Client(t, "far")
		signed := c.Object(nil)
		object.Store(&signed)
		if a := try(c, at, "state", "outside"); a.Param("code") == "" || a.Param("state") != "state-of-far" {
			t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
		}
	})
	t.Run("unsigned, of a client of the profile openid", func(t *testing.T) {
		c := s.Client(t, "plain")
		claims, err := json.Marshal(c.Members(map[string]any{"state": nil}))
		if err != nil {
			t.Fatal(err)
		}
		unsigned := "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(claims) + "."
		object.Store(&unsigned)
		if a := try(c, at, "state", "outside", "response_type", "code", "scope", "openid"); a.Param("code") == "" || a.Param("state") != "outside" {
			t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
		}
		isTold(t, s, try(s.Client(t, "far"), at, "redirect_uri", "https://far.example.com/cb"), "https://far.example.com/cb?", "invalid_request_object", "of another profile")
	})
	// 1.H 94: nobody makes us call an address that the operator has not written down,
	// and nobody learns what is there.
	t.Run("nothing else is fetched, and it looks the same whatever is there", func(t *testing.T) {
		before := paths.Load()
		var said []string
		for _, uri := range []string{far.URL + "/object", far.URL + "/other", at + "x", "http://127.0.0.1:1/", "http://169.254.169.254/", "file:///etc/passwd", "x"} {
			a := try(s.Client(t, "far"), uri, "redirect_uri", "https://far.example.com/cb")
			isTold(t, s, a, "https://far.example.com/cb?", "invalid_request_uri", uri)
			said = append(said, a.Param("error_description"))
		}
		if paths.Load() != before {
			t.Error("something was fetched")
		}
		a := try(s.Client(t, "far"), far.URL+"/gone", "redirect_uri", "https://far.example.com/cb")
		isTold(t, s, a, "https://far.example.com/cb?", "invalid_request_uri", "an address where nothing is")
		for _, text := range said {
			if text != a.Param("error_description") {
				t.Errorf("%q tells more than %q", text, a.Param("error_description"))
			}
		}
	})
}

func TestARequestObjectMayBeEncryptedToUs(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: "keys: {encryption: [RSA-OAEP, ECDH-ES]}\n"})
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	c := s.Client(t, "jwt")
	keys, err := jose.ParseEncryptionJWKS([]byte(get(t, s, "/keys").Body))
	if err != nil || len(keys) < 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, m := range []jose.KeyManagement{"RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW"} {
		t.Run(string(m), func(t *testing.T) {
			to, err := jose.EncryptTo(keys, m)
			if err != nil {
				t.Fatal(err)
			}
			object, err := jose.Encrypt([]byte(c.Object(nil)), "JWT", to, "A256GCM")
			if err != nil {
				t.Fatal(err)
			}
			if a := b.Get("/authorize?" + values("client_id", "jwt", "request", object).Encode()); a.Param("code") == "" {
				t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
			}
			bent := object[:len(object)-6] + strings.Repeat("A", 6)
			isTold(t, s, b.Get("/authorize?"+values("client_id", "jwt", "request", bent, "redirect_uri", c.RedirectURI).Encode()), c.RedirectURI+"?", "invalid_request_object", "a bent one")
		})
	}
}
