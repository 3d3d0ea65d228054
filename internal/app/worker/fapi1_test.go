package worker_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/protocol/certificate"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// advanced is a server with clients of FAPI 1.0 Advanced: one that proves itself by
// private_key_jwt and signs in PS256, and one that does by its certificate and signs in
// ES256. Both show a certificate, which their tokens are bound to.
type advanced struct {
	*workertest.Server
	certificates map[string]*tls.Certificate
	signers      map[string]workertest.Signer
	weak         workertest.Signer // of the first, in RS256
}

// ofAdvanced are what the clients have in common. What a code alone is answered in stands
// in response_types as well, so that each takes part in all variants of the plan.
const ofAdvanced = `profile: fapi1, trusted: true, certificate_bound_tokens: true, grant_types: [authorization_code, implicit, refresh_token], response_types: [code, "code id_token"], ` +
	`request_object_alg: %[2]s, id_token_alg: %[2]s, response_alg: %[2]s, jwks: %[3]s, redirect_uris: ["https://%[1]s.example.com/cb", "https://%[1]s.example.com/cb?dummy1=lorem&dummy2=ipsum"]`

func startAdvanced(t *testing.T) *advanced {
	return startFAPI(t, func(a *advanced, id string, alg jose.Algorithm, auth string) string {
		return "- {id: " + id + ", " + auth + ", " + fmt.Sprintf(ofAdvanced, id, alg, workertest.KeySet(t, a.signers[id])) + "}\n"
	})
}

// startFAPI starts a server with what clients of FAPI need. The clients are made twice:
// for who proves themselves by an assertion, and for who does by a certificate.
func startFAPI(t *testing.T, clients func(a *advanced, id string, alg jose.Algorithm, auth string) string) *advanced {
	t.Helper()
	ca := workertest.Certificate(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	a := &advanced{
		certificates: map[string]*tls.Certificate{
			"assert": workertest.Certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "assert"}}, nil),
			"shows":  workertest.Certificate(t, &x509.Certificate{Subject: pkix.Name{CommonName: "shows"}, ExtKeyUsage: usage}, ca),
		},
		signers: map[string]workertest.Signer{"assert": workertest.NewSigner(t, jose.PS256), "shows": workertest.NewSigner(t, jose.ES256)},
	}
	a.weak = workertest.Signer{Key: a.signers["assert"].Key, Alg: jose.RS256, ID: a.signers["assert"].ID}
	file := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Leaf.Raw}), 0o600))
	a.Server = workertest.Start(t, workertest.Options{
		Issuer: secureIssuer, Mutual: true,
		Config: "mtls_ca_file: " + file + "\nkeys: {algorithms: [RS256, PS256, ES256, EdDSA]}\nauthorization_details_types: [payment]\n",
		Clients: clients(a, "assert", jose.PS256, "auth_method: private_key_jwt") +
			clients(a, "shows", jose.ES256, `auth_method: tls_client_auth, tls_client_auth_subject_dn: "CN=shows"`),
	})
	return a
}

// client is one of the clients, with its key and its certificate.
func (a *advanced) client(t *testing.T, id string) *workertest.Client {
	c := withCertificate(t, a.Server, id, a.certificates[id])
	c.Signer, c.Signs = a.signers[id], id == "assert"
	return c
}

// variant is one of the plan's: a client, how its requests come, and what it is answered.
type variant struct {
	t      *testing.T
	s      *advanced
	c      *workertest.Client
	b      *workertest.Browser
	pushed bool
	jarm   bool
}

func (v *variant) name() string {
	method, mode := "by_value", "plain_response"
	if v.pushed {
		method = "pushed"
	}
	if v.jarm {
		mode = "jarm"
	}
	auth := "mtls"
	if v.c.Signs {
		auth = "private_key_jwt"
	}
	return auth + "/" + method + "/" + mode
}

// members are those of the request object, with some instead.
func (v *variant) members(instead map[string]any) map[string]any {
	m := map[string]any{"response_type": "code id_token"}
	if v.jarm {
		m = map[string]any{"response_type": "code", "response_mode": "jwt"}
	}
	if !v.pushed { // which demands no PKCE
		m["code_challenge"], m["code_challenge_method"] = nil, nil
	}
	for name, value := range instead {
		m[name] = value
	}
	return v.c.Members(m)
}

// object is a request object of the client's.
func (v *variant) object(instead map[string]any) string {
	return v.c.Sign("oauth-authz-req+jwt", v.members(instead))
}

// send brings an object, and returns where it leads: what is wrong with a pushed request
// is told to whoever pushes it.
func (v *variant) send(object string, beside ...string) *workertest.Answer {
	v.t.Helper()
	if v.pushed {
		a, answer := v.c.Pushed(url.Values{"request": {object}})
		if a.Status != http.StatusCreated {
			return a
		}
		return v.b.Get(v.c.AuthorizePushed(answer.RequestURI, beside...))
	}
	// As the suite does it: what OAuth demands stands outside, too.
	q := url.Values{
		"client_id": {v.c.ID}, "redirect_uri": {v.c.RedirectURI}, "scope": {"openid"}, "response_type": {"code id_token"}, "request": {object},
	}
	if v.jarm {
		q.Set("response_type", "code")
		q.Set("response_mode", "jwt")
	}
	for i := 0; i+1 < len(beside); i += 2 {
		q.Set(beside[i], beside[i+1])
	}
	return v.b.Get("/authorize?" + q.Encode())
}

// answer reads an answer of the authorization endpoint in the way of the variant, and
// holds it to what holds for each.
func (v *variant) answer(a *workertest.Answer) url.Values {
	v.t.Helper()
	if a.Location() == nil || !strings.HasPrefix(a.Location().String(), v.c.RedirectURI) {
		v.t.Fatalf("no answer to the client: %d, to %v: %s", a.Status, a.Location(), a.Body)
	}
	got, way := answerOf(v.t, a)
	if !v.jarm {
		if way != oauth.ModeFragment || got.Get("iss") != v.s.URL {
			v.t.Errorf("the answer comes by %s, of %q", way, got.Get("iss"))
		}
		return got
	}
	response := got.Get("response")
	if way != oauth.ModeQuery || got.Has("iss") || got.Has("code") {
		v.t.Errorf("the answer comes by %s: %v", way, got)
	}
	head, claims := headerOf(v.t, response), workertest.Claims(v.t, response)
	exp, _ := claims["exp"].(float64)
	left := time.Unix(int64(exp), 0).Sub(v.s.Clock.Now())
	if head["alg"] != string(v.c.Signer.Alg) || head["kid"] == nil || claims["iss"] != v.s.URL || claims["aud"] != v.c.ID || left < 10*time.Second || left > 10*time.Minute {
		v.t.Errorf("the answer is signed as %v for %v, and says %v", head, left, claims)
	}
	got = url.Values{}
	for name, value := range claims {
		if text, ok := value.(string); ok && name != "iss" && name != "aud" {
			got.Set(name, text)
		}
	}
	return got
}

// code is that of an answer, whose ID token is looked at.
func (v *variant) code(a *workertest.Answer) string {
	v.t.Helper()
	got := v.answer(a)
	if got.Get("code") == "" || got.Has("access_token") {
		v.t.Fatalf("the answer is %v", got)
	}
	if v.jarm {
		return got.Get("code")
	}
	head, claims := headerOf(v.t, got.Get("id_token")), workertest.Claims(v.t, got.Get("id_token"))
	if head["alg"] != string(v.c.Signer.Alg) || head["kid"] == nil || claims["nonce"] != "nonce-of-"+v.c.ID {
		v.t.Errorf("the ID token is signed as %v, and says %v", head, claims)
	}
	hash := func(name string) any {
		if got.Get(name) == "" {
			return nil
		}
		return jose.HalfHash(v.c.Signer.Alg, got.Get(name))
	}
	if claims["c_hash"] != hash("code") || claims["s_hash"] != hash("state") || claims["at_hash"] != nil {
		v.t.Errorf("the hashes are %v, %v and %v", claims["c_hash"], claims["s_hash"], claims["at_hash"])
	}
	return got.Get("code")
}

// redeem redeems a code as its request was made.
func (v *variant) redeem(code string, pairs ...string) workertest.Tokens {
	v.t.Helper()
	if !v.pushed {
		pairs = append([]string{"code_verifier", ""}, pairs...)
	}
	return v.c.Redeem(code, pairs...)
}

// refused holds what became of a request to being an error of one of the codes.
func (v *variant) refused(a *workertest.Answer, codes ...string) {
	v.t.Helper()
	var code string
	if v.pushed && a.Location() == nil {
		if code, _ = jsonOf(v.t, a)["error"].(string); a.Status != http.StatusBadRequest {
			v.t.Errorf("%d %s", a.Status, a.Body)
		}
	} else {
		code = v.answer(a).Get("error")
	}
	if !slices.Contains(codes, code) {
		v.t.Errorf("the error is %q, want one of %q", code, codes)
	}
}

// advancedModules are those of fapi1-advanced-final-test-plan, in our words.
var advancedModules = []struct {
	name string
	of   func(v *variant) bool // nil: all
	try  func(v *variant)
}{
	{name: "fapi1-advanced-final", try: func(v *variant) {
		tokens := v.redeem(v.code(v.send(v.object(nil))))
		cnf, _ := workertest.Claims(v.t, tokens.AccessToken)["cnf"].(map[string]any)
		if tokens.Status != http.StatusOK || tokens.TokenType != "Bearer" || cnf["x5t#S256"] != certificate.Thumbprint(v.s.certificates[v.c.ID].Leaf) {
			v.t.Fatalf("%d %s: %q, bound to %v", tokens.Status, tokens.Description, tokens.TokenType, cnf)
		}
		if head, claims := headerOf(v.t, tokens.IDToken), workertest.Claims(v.t, tokens.IDToken); head["alg"] != string(v.c.Signer.Alg) || claims["sub"] != "usr_ann" {
			v.t.Errorf("%v: %v", head, claims)
		}
		isOK(v.t, v.c.Userinfo(tokens.AccessToken))
	}},
	{name: "fapi1-advanced-final-ensure-mtls-holder-of-key-required", try: func(v *variant) {
		code := v.code(v.send(v.object(nil)))
		bare := withCertificate(v.t, v.s.Server, v.c.ID, nil)
		bare.Signer, bare.Signs, bare.Verifier = v.c.Signer, v.c.Signs, v.c.Verifier
		mine := *v
		mine.c = bare
		if got := mine.redeem(code); got.Error != "invalid_request" && got.Error != "invalid_client" {
			v.t.Errorf("without a certificate: %d %s", got.Status, got.Error)
		}
		tokens := v.redeem(code)
		for name, cert := range map[string]*tls.Certificate{"none": nil, "another's": workertest.Certificate(v.t, &x509.Certificate{}, nil)} {
			if a := withCertificate(v.t, v.s.Server, v.c.ID, cert).Userinfo(tokens.AccessToken); a.Status != http.StatusUnauthorized {
				v.t.Errorf("a certificate of %s opens userinfo: %d", name, a.Status)
			}
		}
	}},
	{name: "fapi1-advanced-final-refresh-token", try: func(v *variant) {
		first := v.redeem(v.code(v.send(v.object(map[string]any{"scope": "openid offline_access"}))))
		again := v.c.Refresh(first.RefreshToken)
		cnf, _ := workertest.Claims(v.t, again.AccessToken)["cnf"].(map[string]any)
		if again.Status != http.StatusOK || cnf["x5t#S256"] != certificate.Thumbprint(v.s.certificates[v.c.ID].Leaf) {
			v.t.Fatalf("%d %s, bound to %v", again.Status, again.Description, cnf)
		}
		isOK(v.t, v.c.Userinfo(again.AccessToken))
		if stolen := v.other().Refresh(again.RefreshToken); stolen.Status != http.StatusBadRequest || stolen.Error != "invalid_grant" {
			v.t.Errorf("by another client: %d %s", stolen.Status, stolen.Error)
		}
	}},
	{name: "fapi1-advanced-final-user-rejects-authentication", try: func(v *variant) {
		v.b = v.s.Browser(v.t)
		page := v.b.Follow(v.send(v.object(nil)))
		got := v.answer(v.b.Follow(v.b.Submit(page.Form(v.t, "cancel"), "cancel", "1")))
		if got.Get("error") != "access_denied" || got.Get("state") != "state-of-"+v.c.ID {
			v.t.Errorf("%v", got)
		}
	}},
	{name: "fapi1-advanced-final-ensure-authorization-request-without-state-success", try: func(v *variant) {
		v.code(v.send(v.object(map[string]any{"state": nil})))
	}},
	{name: "fapi1-advanced-final-ensure-authorization-request-with-long-state-and-nonce", try: func(v *variant) {
		got := v.answer(v.send(v.object(map[string]any{"state": strings.Repeat("s", 1000), "nonce": strings.Repeat("n", 384)})))
		if got.Get("state") != strings.Repeat("s", 1000) || got.Get("code") == "" {
			v.t.Errorf("%v", got)
		}
	}},
	{name: "fapi1-advanced-final-ensure-other-scope-order-succeeds", try: func(v *variant) {
		if tokens := v.redeem(v.code(v.send(v.object(map[string]any{"scope": "email openid"})))); tokens.IDToken == "" {
			v.t.Errorf("%d %s", tokens.Status, tokens.Description)
		}
	}},
	{name: "fapi1-advanced-final-ensure-request-object-with-multiple-aud-succeeds", try: func(v *variant) {
		v.code(v.send(v.object(map[string]any{"aud": []string{"https://other.example.com", v.s.URL}})))
	}},
	{name: "fapi1-advanced-final-ensure-different-state-inside-and-outside-request-object", try: func(v *variant) {
		if got := v.answer(v.send(v.object(nil), "state", "outside")); got.Get("state") != "state-of-"+v.c.ID {
			v.t.Errorf("the state is %q", got.Get("state"))
		}
		if got := v.answer(v.send(v.object(map[string]any{"state": nil}), "state", "outside")); got.Get("state") != "" {
			v.t.Errorf("the state is %q, which stood outside alone", got.Get("state"))
		}
	}},
	{name: "fapi1-advanced-final-ensure-different-nonce-inside-and-outside-request-object", try: func(v *variant) {
		v.code(v.send(v.object(nil), "nonce", "outside"))
	}},
	{name: "fapi1-advanced-final-redirect-uri-with-query", try: func(v *variant) {
		v.c.RedirectURI += "?dummy1=lorem&dummy2=ipsum"
		a := v.send(v.object(nil))
		if a.Location() == nil || !strings.HasPrefix(a.Location().String(), v.c.RedirectURI) {
			v.t.Errorf("%d %v", a.Status, a.Location())
		}
	}},
	{name: "fapi1-advanced-final-ensure-registered-redirect-uri", try: func(v *variant) {
		a := v.send(v.object(map[string]any{"redirect_uri": v.c.RedirectURI + "/else"}))
		if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "redirect_uri") {
			v.t.Errorf("%d %s", a.Status, a.Body)
		}
	}},
	{name: "fapi1-advanced-final-ensure-signed-request-object-with-RS256-fails", of: func(v *variant) bool { return v.c.Signs }, try: func(v *variant) {
		object := v.members(nil)
		v.refused(v.send(v.signedBy(v.s.weak, object)), "invalid_request_object")
	}},
	{name: "fapi1-advanced-final-ensure-request-object-signature-algorithm-is-not-none", try: func(v *variant) {
		payload := strings.Split(v.object(nil), ".")[1]
		v.refused(v.send(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))+"."+payload+"."), "invalid_request_object")
	}},
	{name: "fapi1-advanced-final-ensure-request-object-with-invalid-signature-fails", try: func(v *variant) {
		object := v.object(nil)
		v.refused(v.send(object[:len(object)-12]+strings.Repeat("A", 12)), "invalid_request_object")
	}},
	{name: "fapi1-advanced-final-ensure-matching-key-in-authorization-request", try: func(v *variant) {
		v.refused(v.send(v.signedBy(v.s.signers[v.otherID()], v.members(nil))), "invalid_request_object")
	}},
	{name: "fapi1-advanced-final-ensure-authorization-request-without-request-object-fails", try: func(v *variant) {
		params := v.c.AuthorizeParams("response_type", "code id_token")
		if v.jarm {
			params = v.c.AuthorizeParams("response_mode", "jwt")
		}
		if v.pushed {
			a, _ := v.c.Pushed(params)
			v.refused(a, "invalid_request_object")
			return
		}
		v.refused(v.b.Get("/authorize?"+params.Encode()), "invalid_request_object")
	}},
	{name: "fapi1-advanced-final-ensure-response-mode-query", of: func(v *variant) bool { return !v.jarm }, try: func(v *variant) {
		a := v.send(v.object(map[string]any{"response_mode": "query"}))
		if v.pushed {
			v.refused(a, "invalid_request")
			return
		}
		if to := a.Location(); to == nil || to.Query().Has("code") || to.Query().Has("id_token") {
			v.t.Errorf("%d, to %v", a.Status, to)
		}
	}},
	{name: "fapi1-advanced-final-ensure-response-type-code-fails", of: func(v *variant) bool { return !v.jarm }, try: func(v *variant) {
		a := v.send(v.object(map[string]any{"response_type": "code"}))
		if v.pushed {
			v.refused(a, "invalid_request")
			return
		}
		if a.Param("error") != "invalid_request" {
			v.t.Errorf("%d, to %v", a.Status, a.Location())
		}
	}},
	{name: "fapi1-advanced-final-par-ensure-pkce-required", of: func(v *variant) bool { return v.pushed }, try: func(v *variant) {
		v.refused(v.send(v.object(map[string]any{"code_challenge": nil, "code_challenge_method": nil})), "invalid_request")
		v.refused(v.send(v.object(map[string]any{"code_challenge_method": "plain"})), "invalid_request")
	}},
	{name: "fapi1-advanced-final-par-ensure-pkce-code-verifier-required", of: func(v *variant) bool { return v.pushed }, try: func(v *variant) {
		for _, verifier := range []string{"", strings.Repeat("x", 43)} {
			code := v.code(v.send(v.object(nil)))
			if got := v.redeem(code, "code_verifier", verifier); got.Error != "invalid_grant" {
				v.t.Errorf("with the verifier %q: %d %s", verifier, got.Status, got.Error)
			}
		}
	}},
	{name: "fapi1-advanced-final-par-attempt-reuse-request_uri", of: func(v *variant) bool { return v.pushed }, try: func(v *variant) {
		_, answer := v.c.Pushed(url.Values{"request": {v.object(nil)}})
		v.code(v.b.Get(v.c.AuthorizePushed(answer.RequestURI)))
		v.refused(v.b.Get(v.c.AuthorizePushed(answer.RequestURI)), "invalid_request_uri")
		if a := v.b.Get(v.other().AuthorizePushed(answer.RequestURI)); a.Status != http.StatusBadRequest || a.Location() != nil {
			v.t.Errorf("by another client: %d, to %v", a.Status, a.Location())
		}
	}},
	{name: "fapi1-advanced-final-par-authorization-request-containing-request_uri", of: func(v *variant) bool { return v.pushed }, try: func(v *variant) {
		v.refused(v.send(v.object(map[string]any{"request_uri": "urn:ietf:params:oauth:request_uri:x"})), "invalid_request_object")
		a, _ := v.c.Pushed(url.Values{"request_uri": {"urn:ietf:params:oauth:request_uri:x"}})
		v.refused(a, "invalid_request")
	}},
	{name: "fapi1-advanced-final-ensure-authorization-code-is-bound-to-client", try: func(v *variant) {
		code := v.code(v.send(v.object(nil)))
		thief := *v
		thief.c = v.other()
		thief.c.RedirectURI, thief.c.Verifier = v.c.RedirectURI, v.c.Verifier
		if got := thief.redeem(code); got.Status != http.StatusBadRequest || got.Error != "invalid_grant" {
			v.t.Errorf("%d %s", got.Status, got.Error)
		}
		if got := v.redeem(code); got.Status != http.StatusOK {
			v.t.Errorf("afterwards, by its own: %d %s", got.Status, got.Error)
		}
	}},
	{name: "fapi1-advanced-final-attempt-reuse-authorization-code-after-one-second", try: func(v *variant) {
		code := v.code(v.send(v.object(nil)))
		first := v.redeem(code)
		v.s.Advance(v.t, time.Second)
		if got := v.redeem(code); got.Status != http.StatusBadRequest || got.Error != "invalid_grant" {
			v.t.Errorf("%d %s", got.Status, got.Error)
		}
		if a := v.c.Userinfo(first.AccessToken); a.Status != http.StatusUnauthorized {
			v.t.Errorf("the first token still counts: %d", a.Status)
		}
	}},
	{name: "fapi1-advanced-final-ensure-client-id-in-token-endpoint", try: func(v *variant) {
		code := v.code(v.send(v.object(nil)))
		if !v.c.Signs {
			v.c.ID = v.otherID() // by which alone it says who it is, beside its certificate
		}
		if got := v.redeem(code, "client_id", v.otherID()); got.Error != "invalid_client" && got.Error != "invalid_request" {
			v.t.Errorf("%d %s", got.Status, got.Error)
		}
	}},
	{name: "fapi1-advanced-final-access-token-type-header-case-sensitivity", try: func(v *variant) {
		token := v.redeem(v.code(v.send(v.object(nil)))).AccessToken
		for _, scheme := range []string{"bearer", "BEARER", "Bearer"} {
			if a := v.c.Ask("/userinfo", "Authorization", scheme+" "+token); a.Status != http.StatusOK {
				v.t.Errorf("%s: %d", scheme, a.Status)
			}
		}
		if a := v.c.Ask("/userinfo?access_token=" + token); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
			v.t.Errorf("in the address: %d", a.Status)
		}
	}},
}

func (v *variant) otherID() string { return otherOf(v.c.ID) }

// otherOf is the other one of the two clients.
func otherOf(id string) string {
	return map[string]string{"assert": "shows", "shows": "assert"}[id]
}

func (v *variant) other() *workertest.Client { return v.s.client(v.t, v.otherID()) }

// signedBy signs what the client asks with another key.
func (v *variant) signedBy(by workertest.Signer, members map[string]any) string {
	c := *v.c
	c.Signer = by
	return c.Sign("oauth-authz-req+jwt", members)
}

// Each module of the plan fapi1-advanced-final-test-plan, with each two of what its variants
// differ in: client authentication, how the request comes, and how it is answered. The first
// module goes through all eight.
func TestThePlanOfFAPI1Advanced(t *testing.T) {
	t.Parallel()
	s := startAdvanced(t)
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	for _, id := range []string{"assert", "shows"} {
		for _, pushed := range []bool{false, true} {
			for _, jarm := range []bool{false, true} {
				of := &variant{t: t, s: s, c: s.client(t, id), b: b, pushed: pushed, jarm: jarm}
				whole := (id == "assert") == (pushed == jarm)
				for i, m := range advancedModules {
					if i > 0 && !whole || m.of != nil && !m.of(of) {
						continue
					}
					t.Run(of.name()+"/"+m.name, func(t *testing.T) {
						m.try(&variant{t: t, s: s, c: s.client(t, id), b: b, pushed: pushed, jarm: jarm})
					})
				}
				if !whole {
					continue
				}
				t.Run(of.name()+"/objects", func(t *testing.T) {
					wrongObjects(&variant{t: t, s: s, c: s.client(t, id), b: b, pushed: pushed, jarm: jarm})
				})
			}
		}
	}
}

// wrongObjects are the modules that send an object which says something wrong.
func wrongObjects(v *variant) {
	now := v.s.Clock.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for name, instead := range map[string]map[string]any{
		"fapi1-advanced-final-ensure-request-object-without-exp-fails":          {"exp": nil},
		"fapi1-advanced-final-ensure-request-object-without-nbf-fails":          {"nbf": nil},
		"fapi1-advanced-final-ensure-request-object-with-exp-over-60-fails":     {"exp": at(70 * time.Minute)},
		"fapi1-advanced-final-ensure-request-object-with-nbf-over-60-fails":     {"nbf": at(-70 * time.Minute), "exp": at(time.Minute)},
		"fapi1-advanced-final-ensure-expired-request-object-fails":              {"nbf": at(-30 * time.Minute), "exp": at(-5 * time.Minute)},
		"fapi1-advanced-final-ensure-request-object-with-bad-aud-fails":         {"aud": "https://other.example.com"},
		"fapi1-advanced-final-ensure-request-object-without-aud-fails":          {"aud": nil},
		"fapi1-advanced-final-ensure-request-object-without-scope-fails":        {"scope": nil},
		"fapi1-advanced-final-ensure-request-object-without-nonce-fails":        {"nonce": nil},
		"fapi1-advanced-final-ensure-request-object-without-redirect-uri-fails": {"redirect_uri": nil},
		"an object by another client":                                           {"iss": v.otherID()},
		"an object about another client":                                        {"client_id": v.otherID()},
	} {
		v.t.Run(name, func(t *testing.T) {
			mine := *v
			mine.t = t
			mine.refused(mine.send(mine.object(instead)), "invalid_request", "invalid_request_object")
		})
	}
	v.t.Run("an nbf that is 8 seconds ahead", func(t *testing.T) {
		mine := *v
		mine.t = t
		mine.code(mine.send(mine.object(map[string]any{"nbf": at(8 * time.Second)})))
	})
}

// The modules of the plan about the assertions by which a client proves itself.
func TestThePlanOfFAPI1AdvancedAboutAssertions(t *testing.T) {
	s := startAdvanced(t)
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	now := s.Clock.Now()
	for _, test := range []struct {
		name    string
		instead map[string]any
		weak    bool
		error   string
	}{
		{name: "fapi1-advanced-final-ensure-client-assertion-aud-issuer-succeeds", instead: map[string]any{"aud": s.URL}},
		{name: "fapi1-advanced-final-ensure-client-assertion-with-iss-aud-succeeds", instead: map[string]any{"aud": s.URL + "/token"}},
		{name: "fapi1-advanced-final-ensure-client-assertion-aud-at-the-alias-succeeds", instead: map[string]any{"aud": workertest.MutualURL + "/token"}},
		{name: "fapi1-advanced-final-ensure-client-assertion-aud-array-succeeds", instead: map[string]any{"aud": []string{s.URL, s.URL + "/token"}}},
		{name: "fapi1-advanced-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", instead: map[string]any{"exp": now.Add(-5 * time.Minute).Unix()}, error: "invalid_client"},
		{name: "fapi1-advanced-final-ensure-client-assertion-with-wrong-aud-fails", instead: map[string]any{"aud": "https://other.example.com"}, error: "invalid_client"},
		{name: "fapi1-advanced-final-ensure-client-assertion-with-no-sub-fails", instead: map[string]any{"sub": nil}, error: "invalid_client"},
		{name: "fapi1-advanced-final-ensure-signed-client-assertion-with-RS256-fails", weak: true, error: "invalid_client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &variant{t: t, s: s, c: s.client(t, "assert"), b: b}
			code := v.code(v.send(v.object(nil)))
			if test.weak {
				v.c.Signer = s.weak
			}
			v.c.Signs, v.c.Secret = false, ""
			got := v.redeem(code, "client_assertion_type", oauth.AssertionTypeJWT, "client_assertion", v.c.Assertion(test.instead))
			if got.Error != test.error || (got.Status == http.StatusOK) != (test.error == "") {
				t.Errorf("%d %s", got.Status, got.Error)
			}
		})
	}
	t.Run("fapi1-advanced-final-ensure-client-assertion-in-token-endpoint", func(t *testing.T) {
		v := &variant{t: t, s: s, c: s.client(t, "assert"), b: b}
		code := v.code(v.send(v.object(nil)))
		v.c.Signs = false
		if got := v.redeem(code); got.Status != http.StatusUnauthorized || got.Error != "invalid_client" {
			t.Errorf("%d %s", got.Status, got.Error)
		}
	})
	for name, aud := range map[string]any{
		"fapi1-advanced-final-par-pushed-authorization-url-as-audience-in-client-assertion": s.URL + "/par",
		"fapi1-advanced-final-par-token-endpoint-as-audience-in-client-assertion":           s.URL + "/token",
		"fapi1-advanced-final-par-array-as-audience-for-client-assertion":                   []string{s.URL, s.URL + "/token", s.URL + "/par"},
	} {
		t.Run(name, func(t *testing.T) {
			v := &variant{t: t, s: s, c: s.client(t, "assert"), b: b, pushed: true}
			v.c.Signs, v.c.Secret = false, ""
			a, _ := v.c.Pushed(url.Values{
				"request": {v.object(nil)}, "client_assertion_type": {oauth.AssertionTypeJWT}, "client_assertion": {v.c.Assertion(map[string]any{"aud": aud})},
			})
			if a.Status != http.StatusCreated {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	t.Run("fapi1-advanced-final-ensure-client-assertion-in-par-endpoint", func(t *testing.T) {
		v := &variant{t: t, s: s, c: s.client(t, "assert"), b: b, pushed: true}
		v.c.Signs = false
		if a, answer := v.c.Pushed(url.Values{"request": {v.object(nil)}}); a.Status != http.StatusUnauthorized || answer.Error != "invalid_client" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}
