//go:build conformance

package worker_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

func TestTheControlLetsNewKeysSign(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	before := get(t, s, "/keys").Body
	tokens := c.Obtain()
	if a := (call{path: "/conformance/rotate", form: values("x", "y")}).send(t, s); a.Status != http.StatusNoContent {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if get(t, s, "/keys").Body == before {
		t.Error("the same keys are published")
	}
	isOK(t, c.Userinfo(tokens.AccessToken))
	isOK(t, c.Userinfo(c.Obtain().AccessToken))
}

func TestTheResourceOfTheControlHoldsTokensToTheirKeys(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	c.Key, _ = workertest.NewKey(t)
	token := c.Obtain().AccessToken
	ask := func(scheme string, proofs ...string) *workertest.Answer {
		headers := append(proving(proofs), [2]string{"Authorization", scheme + " " + token}, [2]string{"x-fapi-interaction-id", "one"})
		return call{method: http.MethodGet, path: "/conformance/resource", headers: headers}.send(t, s)
	}
	a := ask("DPoP", c.Proof("GET", s.URL+"/conformance/resource", token, nil))
	isOK(t, a)
	if a.Header.Get("x-fapi-interaction-id") != "one" || a.Header.Get("Date") == "" {
		t.Errorf("%v", a.Header)
	}
	for _, a := range []*workertest.Answer{ask("Bearer"), ask("DPoP"), call{method: http.MethodGet, path: "/conformance/resource", query: "access_token=" + token}.send(t, s)} {
		if a.Status != http.StatusUnauthorized {
			t.Errorf("%d", a.Status)
		}
	}
	c.Revoke(token)
	if a := ask("DPoP", c.Proof("GET", s.URL+"/conformance/resource", token, nil)); a.Status != http.StatusUnauthorized {
		t.Errorf("revoked: %d", a.Status)
	}
}

// fapi1-advanced-final at its resource: the certificate is asked for, and the interaction
// is named as the client named it.
func TestTheResourceOfTheControlHoldsTokensToTheirCertificates(t *testing.T) {
	s := startAdvanced(t)
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	for _, id := range []string{"assert", "shows"} {
		v := &variant{t: t, s: s, c: s.client(t, id), b: b, pushed: true}
		token := v.redeem(v.code(v.send(v.object(nil)))).AccessToken
		for _, scheme := range []string{"Bearer", "bearer"} {
			a := v.c.Ask("/conformance/resource", "Authorization", scheme+" "+token, "x-fapi-interaction-id", "c770aef3-6784-41f7-8e0e-ff5f97bddb3a")
			isOK(t, a)
			if a.Header.Get("x-fapi-interaction-id") != "c770aef3-6784-41f7-8e0e-ff5f97bddb3a" || a.Header.Get("Date") == "" || !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
				t.Errorf("%v", a.Header)
			}
		}
		if a := v.c.Ask("/conformance/resource?access_token=" + token); a.Status != http.StatusUnauthorized {
			t.Errorf("a token in the address: %d", a.Status)
		}
		for name, cert := range map[string]*tls.Certificate{"none": nil, "another's": s.certificates[v.otherID()]} {
			if a := withCertificate(t, s.Server, id, cert).Ask("/conformance/resource", "Authorization", "Bearer "+token); a.Status != http.StatusUnauthorized {
				t.Errorf("a certificate of %s: %d", name, a.Status)
			}
		}
	}
}

func TestTheControlAnswersRequestsByTheBackChannel(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: callingClients})
	decide := func(id, action string) int {
		return call{method: http.MethodGet, path: "/conformance/decide", query: values("auth_req_id", id, "action", action).Encode()}.send(t, s).Status
	}
	for action, want := range map[string]string{"allow": "", "deny": "access_denied"} {
		c := callFor(t, s, "caller", "login_hint", "ann")
		if got := decide(c.ID, "think"); got != http.StatusBadRequest {
			t.Errorf("neither: %d", got)
		}
		if got := decide(c.ID, action); got != http.StatusNoContent {
			t.Errorf("%s: %d", action, got)
		}
		if got := c.poll(); got.Error != want || (got.IDToken == "") != (want != "") {
			t.Errorf("%s: %d %s", action, got.Status, got.Error)
		}
		if got := decide(c.ID, action); got != http.StatusNotFound {
			t.Errorf("%s again: %d", action, got)
		}
	}
}
