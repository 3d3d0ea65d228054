package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"dex/test/foreign"
	"dex/test/program"
)

// privateKeys are what dex proves itself by, and what is encrypted for it, in PEM as its
// configuration has it.
func privateKeys(t *testing.T) (signing, decryption string) {
	t.Helper()
	signer, _ := clientKey(t, "signing")
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON([]byte(signer)); err != nil {
		t.Fatal(err)
	}
	opener, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, key := range []any{jwk.Key, opener} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
	return texts[0], texts[1]
}

// oidc-provider is the provider behind a connector, and demands all that it knows to
// demand: PAR with signed requests, private_key_jwt, DPoP and signed answers. Its ID
// tokens are encrypted, its subjects pairwise, its userinfo is signed, and then it takes
// other keys.
func TestAForeignProviderFindsNothingWrong(t *testing.T) {
	dir := foreign.Install(t)
	address := program.FreeAddress(t)
	up := "http://" + address
	signing, decryption := privateKeys(t)
	config, err := json.Marshal(map[string]any{
		"issuer": up, "client_id": "dex", "auth_method": "private_key_jwt", "signing_key": signing, "decryption_key": decryption,
		"encrypted_id_token": true, "signed_userinfo": true, "par": true, "request_object": true, "dpop": true, "response_mode": "query.jwt",
		"refresh": true, "prompt": "consent", "keys_min_refresh": "0s",
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	s.configure(fmt.Sprintf(`outbound_allow_private: [127.0.0.0/8]
connectors:
  - {id: up, kind: oidc, name: Up, config: %s}
clients:
  - {id: app, name: App, secret: app-secret, redirect_uris: [%q], post_logout_redirect_uris: [%q], trusted: true}
`, config, callback, byebye))
	dex := s.start()
	resp, err := http.Get(dex.URL + "/keys/up")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := io.ReadAll(resp.Body)
	if closed := resp.Body.Close(); err != nil || closed != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("our keys: %d %v %v", resp.StatusCode, err, closed)
	}
	provider := launchProgram(t, "/usr/bin/env", []string{
		"PORT=" + address[strings.LastIndexByte(address, ':')+1:], "ISSUER=" + up, "CLIENT_KEYS=" + string(keys),
		"REDIRECT_URI=" + dex.URL + "/callback/up", "POST_LOGOUT_REDIRECT_URI=" + dex.URL + "/logout/done",
	}, "node", filepath.Join(dir, foreign.Upstream))
	provider.Await("it is ready", func() bool { return strings.Contains(provider.Out.String(), "ready") })
	t.Cleanup(provider.Kill)

	p := newParty(t, dex.URL, "app")
	logIn := func() tokens {
		v := newVisitor(t)
		return p.login(v, func(page *page) *page {
			page = v.press(page, "", "login", "zoe", "password", "any") // its buttons have no ids
			return v.press(page, "")
		})
	}
	first := logIn()
	if c := first.claims(t); c.Email != "zoe@example.com" || !c.EmailVerified || c.Name != "zoe Example" {
		t.Errorf("dex knows %+v", c)
	}
	if next, err := p.refresh(first.RefreshToken); err != nil || next.id.Subject != first.id.Subject {
		t.Errorf("the refresh led to %+v (%v)", next, err)
	}
	provider.Signal(syscall.SIGHUP)
	provider.Await("it has other keys", func() bool { return strings.Contains(provider.Out.String(), "rotated") })
	if again := logIn(); again.id.Subject != first.id.Subject {
		t.Errorf("with other keys she is %q, and was %q", again.id.Subject, first.id.Subject)
	}
}
