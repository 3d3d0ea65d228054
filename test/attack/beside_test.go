package attack

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"dex/internal/app/workertest"
	"dex/internal/connector/connectortest"
	"dex/internal/protocol/oauth"
)

// playUpstream plays the table to the connector of OpenID Connect, where the other
// provider signs.
func (w *world) playUpstream(t *testing.T) {
	var past string
	arrive := func(forge func(w *world, t token) string) string {
		return w.arrive(func(c connectortest.Claims) string {
			body := object{}
			for name, value := range c {
				body[name] = value
			}
			past = forge(w, w.by(w.ec, "JWT", body))
			return past
		})
	}
	honest := func(_ *world, t token) string { return t.signed() }
	if got := arrive(honest); got != "See Other /authorize" {
		t.Fatalf("a good one: %s\n%s", got, w.log.took())
	}
	asked := w.up.Calls(connectortest.KeysPath)
	for _, a := range append(slices.Clone(corpus), claims...) {
		if a.name == "the header is null" || strings.HasPrefix(a.name, "bits") {
			continue // none can be made of it
		}
		w.log.took()
		got := arrive(a.forge)
		log := w.log.took()
		if got != "Service Unavailable" && past != "" {
			t.Errorf("%s: %s\n%s", a.name, got, log)
		}
		if len(past) > 24 && strings.Contains(log, past[len(past)-24:]) {
			t.Errorf("%s: it stands in the log: %s", a.name, log)
		}
	}
	if more := w.up.Calls(connectortest.KeysPath) - asked; more > 1 {
		t.Errorf("the keys were fetched %d times more, although no time has passed", more)
	}
	if got := arrive(honest); got != "See Other /authorize" {
		t.Errorf("a good one afterwards: %s", got)
	}
}

// playKeys plays hostile keys to those who take keys from a sender: a proof brings the
// key that it is signed with, and a client registers its own.
func (w *world) playKeys(t *testing.T) {
	register := func(jwk object) string {
		return w.enrol(text(object{
			"redirect_uris": []string{"https://x.example.com/cb"}, "token_endpoint_auth_method": "private_key_jwt", "jwks": set(jwk),
		})).said()
	}
	prove := func(jwk object) string {
		k := w.ec
		body := object{"jti": rand.Text(), "htm": http.MethodPost, "htu": w.s.URL + "/token", "iat": w.s.Clock.Now().Unix()}
		proof := w.by(k, oauth.TypeDPoP, body)
		delete(proof.head, "kid")
		proof.head["jwk"] = jwk
		input := proof.signed()
		switch jwk["kty"] {
		case "OKP":
			// Under the point of order one it holds for every message: R is the base point, S is 1.
			proof.head["alg"] = "EdDSA"
			input = proof.bears(slices.Concat([]byte{0x58}, bytes.Repeat([]byte{0x66}, 31), []byte{1}, make([]byte, 31)))
		case "RSA":
			proof.head["alg"] = "PS256"
			input = proof.bears(bytes.Repeat([]byte{1}, 256))
		}
		return w.ask(http.MethodPost, "/token", url.Values{"grant_type": {"client_credentials"}}, append(basic("app"), "DPoP", input)...).said()
	}
	good := w.ec.public()
	if a, b := prove(good), register(good); a != "OK" || b != "Created" {
		t.Fatalf("a good key: %s, %s\n%s", a, b, w.log.took())
	}
	for name, jwk := range badKeys(w) {
		if got := prove(jwk); got != "Bad Request invalid_dpop_proof" {
			t.Errorf("%s, in a proof: %s\n%s", name, got, w.log.took())
		}
		if got := register(jwk); got != "Bad Request invalid_client_metadata" {
			t.Errorf("%s, registered: %s\n%s", name, got, w.log.took())
		}
	}
	for name, jwk := range map[string]any{"null": nil, "a text": "key", "a list": []object{good}, "a number": 1, "a key set": set(good)} {
		proof := w.by(w.ec, oauth.TypeDPoP, object{"jti": rand.Text(), "htm": http.MethodPost, "htu": w.s.URL + "/token", "iat": w.s.Clock.Now().Unix()})
		proof.head["jwk"] = jwk
		if got := w.ask(http.MethodPost, "/token", url.Values{"grant_type": {"client_credentials"}}, append(basic("app"), "DPoP", proof.signed())...).said(); got != "Bad Request invalid_dpop_proof" {
			t.Errorf("the key of a proof is %s: %s", name, got)
		}
	}
}

// jwes are hostile encrypted tokens, each around what would be taken.
func (w *world) jwes(t *testing.T) map[string]string {
	stranger := newKey(t, "ES256", "")
	encrypt := func(content string, recipient gojose.Recipient, enc gojose.ContentEncryption, options *gojose.EncrypterOptions) string {
		t.Helper()
		e, err := gojose.NewEncrypter(enc, recipient, options.WithContentType("JWT"))
		if err != nil {
			t.Fatal(err)
		}
		made, err := e.Encrypt([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		compact, err := made.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	ask := func(more object) token {
		body := w.soon("open", w.s.URL)
		for name, values := range w.s.Client(t, "open").AuthorizeParams("scope", "openid") {
			body[name] = values[0]
		}
		for name, value := range more {
			body[name] = value
		}
		return w.by(w.ec, "", body)
	}
	inner := ask(nil).signed()
	to := gojose.Recipient{Algorithm: gojose.ECDH_ES, Key: w.ours.Public, KeyID: w.ours.KID}
	plain := func(content string) string { return encrypt(content, to, gojose.A128GCM, &gojose.EncrypterOptions{}) }
	good := plain(inner)
	first, rest, _ := strings.Cut(good, ".")
	raw, err := b64decode(first)
	if err != nil {
		t.Fatal(err)
	}
	head := func(change func(head object)) string {
		head := object{}
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatal(err)
		}
		change(head)
		return b64(text(head)) + "." + rest
	}
	set := func(name string, value any) string { return head(func(h object) { h[name] = value }) }
	part := func(i int, change func(raw []byte) []byte) string {
		parts := strings.Split(good, ".")
		raw, err := b64decode(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		parts[i] = b64(change(raw))
		return strings.Join(parts, ".")
	}
	epk := func(jwk object) string { return set("epk", jwk) }
	cut := func(raw []byte) []byte { return raw[:len(raw)-1] }
	flip := func(raw []byte) []byte { raw[0] ^= 1; return raw }
	zip := &gojose.EncrypterOptions{Compression: gojose.DEFLATE}
	unsigned := ask(nil)
	unsigned.head["alg"] = "none"
	forged := ask(nil)
	all := map[string]string{
		"a bomb":                            encrypt(ask(object{"x": strings.Repeat("x", 2<<20)}).signed(), to, gojose.A128GCM, zip),
		"compressed":                        encrypt(inner, to, gojose.A128GCM, zip),
		"compressed with nothing":           set("zip", ""),
		"by a password":                     encrypt(inner, gojose.Recipient{Algorithm: gojose.PBES2_HS256_A128KW, Key: []byte("open-secret"), PBES2Count: 1000}, gojose.A128GCM, &gojose.EncrypterOptions{}),
		"by a password, two billion times":  head(func(h object) { h["alg"], h["p2c"], h["p2s"] = "PBES2-HS512+A256KW", 2147483647, "AAAAAAAAAAA" }),
		"p2c beside":                        set("p2c", 2147483647),
		"directly, by the secret":           encrypt(inner, gojose.Recipient{Algorithm: gojose.DIRECT, Key: []byte("open-secret 16 b")}, gojose.A128GCM, &gojose.EncrypterOptions{}),
		"by a wrapped key":                  encrypt(inner, gojose.Recipient{Algorithm: gojose.A128KW, Key: make([]byte, 16)}, gojose.A128GCM, &gojose.EncrypterOptions{}),
		"by a wrapped key, authenticated":   encrypt(inner, gojose.Recipient{Algorithm: gojose.A128GCMKW, Key: make([]byte, 16)}, gojose.A128GCM, &gojose.EncrypterOptions{}),
		"by RSA1_5":                         encrypt(inner, gojose.Recipient{Algorithm: gojose.RSA1_5, Key: w.rsaOurs()}, gojose.A128GCM, &gojose.EncrypterOptions{}),
		"by a cipher that is not offered":   encrypt(inner, to, gojose.A192GCM, &gojose.EncrypterOptions{}),
		"to a stranger":                     encrypt(inner, gojose.Recipient{Algorithm: gojose.ECDH_ES, Key: stranger.private.Public()}, gojose.A128GCM, &gojose.EncrypterOptions{}),
		"to a key that signs":               encrypt(inner, gojose.Recipient{Algorithm: gojose.ECDH_ES, Key: w.mine.private.Public(), KeyID: w.mine.kid}, gojose.A128GCM, &gojose.EncrypterOptions{}),
		"twice":                             plain(good),
		"around nothing":                    plain(""),
		"around what a stranger has signed": plain(forged.forged()),
		"around what nobody has signed":     plain(unsigned.input() + "."),
		"around JSON":                       plain(text(ask(nil).body)),
		"crit":                              set("crit", []string{"x"}),
		"crit of nothing":                   set("crit", []string{}),
		"no epk":                            head(func(h object) { delete(h, "epk") }),
		"epk is null":                       set("epk", nil),
		"epk is a text":                     set("epk", "x"),
		"epk beside its curve":              epk(object{"kty": "EC", "crv": "P-256", "x": b64(bytes.Repeat([]byte{7}, 32)), "y": b64(bytes.Repeat([]byte{7}, 32))}),
		"epk at infinity":                   epk(object{"kty": "EC", "crv": "P-256", "x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}),
		"epk of another curve":              epk(object{"kty": "EC", "crv": "P-384", "x": b64(make([]byte, 48)), "y": b64(make([]byte, 48))}),
		"epk of RSA":                        epk(w.rs.public()),
		"epk is symmetric":                  epk(object{"kty": "oct", "k": "AAAA"}),
		"apu is no base64":                  set("apu", "!!"),
		"a long apu":                        set("apu", strings.Repeat("A", 8000)),
		"no enc":                            head(func(h object) { delete(h, "enc") }),
		"enc none":                          set("enc", "none"),
		"alg none":                          set("alg", "none"),
		"alg is a list":                     set("alg", []string{"ECDH-ES"}),
		"another header":                    set("x", "y"),
		"a long kid":                        set("kid", strings.Repeat("k", 2000)),
		"alg twice":                         b64(within(`"alg":"dir"`)(string(raw))) + "." + rest,
		"a deep header":                     b64(within(`"x":`+deep(3000))(string(raw))) + "." + rest,
		"a key where none is due":           part(1, func([]byte) []byte { return make([]byte, 24) }),
		"another vector":                    part(2, flip),
		"a short vector":                    part(2, cut),
		"no vector":                         part(2, func([]byte) []byte { return nil }),
		"another text":                      part(3, flip),
		"no text":                           part(3, func([]byte) []byte { return nil }),
		"another tag":                       part(4, flip),
		"a short tag":                       part(4, cut),
		"a tag of one byte":                 part(4, func(raw []byte) []byte { return raw[:1] }),
		"six parts":                         good + ".AAAA",
		"padding":                           good + "=",
		"longer than they are":              plain(ask(object{"x": strings.Repeat("x", 20<<10)}).signed()),
	}
	if got := w.open(good); got != "See Other /login" {
		t.Fatalf("a good one: %s\n%s", got, w.log.took())
	}
	return all
}

// rsaOurs is the RSA key that others encrypt to.
func (w *world) rsaOurs() *rsa.PublicKey {
	keys, err := w.s.Tenant.SigningKeys(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range keys {
		if public, ok := k.Public.(*rsa.PublicKey); ok && k.Alg.Encrypts() {
			return public
		}
	}
	w.t.Fatal("there is no RSA key to encrypt to")
	return nil
}

// open sends a request object to the authorization endpoint.
func (w *world) open(object string) string {
	params := url.Values{"client_id": {"open"}, "request": {object}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {"https://open.example.com/cb"}}
	a := w.ask(http.MethodPost, "/authorize", params)
	to, _ := url.Parse(a.Header().Get("Location"))
	switch {
	case to.Query().Get("error") != "":
		return "error " + to.Query().Get("error")
	case to.Path == "/authorize": // which a browser asks once more, as a get
		return w.next(to.RequestURI())
	default:
		return strings.TrimSpace(http.StatusText(a.Code) + " " + to.Path)
	}
}

func (w *world) next(path string) string {
	a := w.ask(http.MethodGet, path, nil)
	to, _ := url.Parse(a.Header().Get("Location"))
	return strings.TrimSpace(http.StatusText(a.Code) + " " + to.Path)
}

func (w *world) playEncrypted(t *testing.T) {
	good := w.measure(func() { w.open("e30.AA.AA") })
	for name, hostile := range w.jwes(t) {
		w.log.took()
		var got string
		paid := w.measure(func() { got = w.open(hostile) })
		log := w.log.took()
		if got != "error invalid_request_object" && (name != "longer than they are" || got != "error invalid_request") {
			t.Errorf("%s: %s\n%s", name, got, log)
		}
		if paid.bytes > 8*good.bytes+2<<20 {
			t.Errorf("%s: it costs %+v, and a good one %+v", name, paid, good)
		}
	}
}

// playCertificates plays hostile certificates to a worker behind a proxy, RFC 9440.
func (w *world) playCertificates(t *testing.T) {
	written := func(c *tls.Certificate) string {
		return ":" + base64.StdEncoding.EncodeToString(c.Leaf.Raw) + ":"
	}
	usage := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	pki := pkix.Name{CommonName: "pki"}
	good, ca, self := written(w.byAuthority), written(w.ca), written(w.byItself)
	made := func(template *x509.Certificate, by *tls.Certificate) string {
		template.ExtKeyUsage = append(template.ExtKeyUsage, usage...)
		return written(workertest.Certificate(t, template, by))
	}
	between := workertest.Certificate(t, &x509.Certificate{Subject: pki, ExtKeyUsage: usage}, w.byAuthority)
	show := func(id string, headers ...string) string {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}}
		return w.ask(http.MethodPost, "/token", form, headers...).said()
	}
	secret := []string{"Dex-Proxy-Secret", proxySecret}
	by := func(cert string, chain ...string) []string {
		headers := append(slices.Clone(secret), "Client-Cert", cert)
		for _, c := range chain {
			headers = append(headers, "Client-Cert-Chain", c)
		}
		return headers
	}
	if a, b := show("pki", by(good)...), show("self", by(self)...); a != "OK" || b != "OK" {
		t.Fatalf("good ones: %s, %s\n%s", a, b, w.log.took())
	}
	asPEM := func(c *tls.Certificate) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Leaf.Raw}))
	}
	server := workertest.Certificate(t, &x509.Certificate{Subject: pki, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, w.ca)
	for name, headers := range map[string][]string{
		"none":                                nil,
		"without the proxy's secret":          {"Client-Cert", good},
		"with another secret":                 {"Client-Cert", good, "Dex-Proxy-Secret", proxySecret + "x"},
		"with an empty secret":                {"Client-Cert", good, "Dex-Proxy-Secret", ""},
		"with two secrets":                    append(by(good), secret...),
		"with the secret in a list":           {"Client-Cert", good, "Dex-Proxy-Secret", "x, " + proxySecret},
		"in a header with another line":       append(slices.Clone(secret), "Client_Cert", good),
		"in nginx's header":                   append(slices.Clone(secret), "X-Ssl-Client-Cert", url.QueryEscape(asPEM(w.byAuthority))),
		"in Envoy's header":                   append(slices.Clone(secret), "X-Forwarded-Client-Cert", "Subject=\"CN=pki\""),
		"the name of its subject alone":       append(slices.Clone(secret), "Ssl-Client-S-Dn", "CN=pki"),
		"twice":                               append(by(good), "Client-Cert", good),
		"two in a line":                       by(good + ", " + good),
		"bare base64":                         by(strings.Trim(good, ":")),
		"one colon":                           by(strings.TrimSuffix(good, ":")),
		"nothing":                             by(""),
		"two colons":                          by("::"),
		"a text":                              by(`"` + strings.Trim(good, ":") + `"`),
		"in PEM":                              by(asPEM(w.byAuthority)),
		"in PEM and percent":                  by(url.QueryEscape(asPEM(w.byAuthority))),
		"with a parameter":                    by(good + ";a=1"),
		"with spaces":                         by(good[:40] + " " + good[40:]),
		"with a byte behind":                  by(":" + base64.StdEncoding.EncodeToString(append(slices.Clone(w.byAuthority.Leaf.Raw), 0)) + ":"),
		"cut off":                             by(":" + base64.StdEncoding.EncodeToString(w.byAuthority.Leaf.Raw[:300]) + ":"),
		"with one bit":                        by(":" + base64.StdEncoding.EncodeToString(flipped(w.byAuthority.Leaf.Raw)) + ":"),
		"huge":                                by(":" + strings.Repeat("MIIB", 16<<10) + ":"),
		"garbage":                             by(":AAAA:"),
		"a stranger of the same name":         by(written(w.stranger)),
		"a stranger, and the CA behind":       by(written(w.stranger), ca),
		"a stranger, and a good one behind":   by(written(w.stranger), good),
		"another's of the CA":                 by(made(&x509.Certificate{Subject: pkix.Name{CommonName: "other"}}, w.ca)),
		"a longer name of the CA":             by(made(&x509.Certificate{Subject: pkix.Name{CommonName: "pki", Organization: []string{"x"}}}, w.ca)),
		"a name with NUL":                     by(made(&x509.Certificate{Subject: pkix.Name{CommonName: "pki\x00.example.com"}}, w.ca)),
		"the CA itself":                       by(ca),
		"by one that is no CA":                by(written(between), good),
		"of a server":                         by(written(server)),
		"a chain of nothing":                  by(good, ""),
		"a chain that is garbage":             by(good, ":AAAA:"),
		"a chain of nine":                     by(good, strings.TrimSuffix(strings.Repeat(ca+",", 8), ",")),
		"a chain with a key of 65536 bits":    by(good, hugeKey(t, w.ca)),
		"a key of 65536 bits, vouched for":    by(hugeKey(t, w.ca)),
		"another's, in the name of the first": by(self),
	} {
		if got := show("pki", headers...); got != "Unauthorized invalid_client" {
			t.Errorf("%s: %s\n%s", name, got, w.log.took())
		}
		if name == "another's, in the name of the first" {
			continue // it is the second's own
		}
		if got := show("self", headers...); got != "Unauthorized invalid_client" {
			t.Errorf("%s, for a client that signs its own: %s", name, got)
		}
	}
	if log := w.log.took(); strings.Contains(log, proxySecret) {
		t.Error("the proxy's secret stands in the log")
	}
}

func flipped(der []byte) []byte {
	der = slices.Clone(der)
	der[len(der)-1] ^= 1
	return der
}

// hugeKey is a certificate of a key with which each signature is much work to verify.
func hugeKey(t *testing.T, by *tls.Certificate) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "pki"}, NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	n := new(big.Int).SetBytes(odd(65536))
	der, err := x509.CreateCertificate(rand.Reader, template, by.Leaf, &rsa.PublicKey{N: n, E: 65537}, by.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return ":" + base64.StdEncoding.EncodeToString(der) + ":"
}

// playHandles plays tokens where handles of ours are expected, which are no tokens.
func (w *world) playHandles(t *testing.T) {
	own := w.enrol(text(object{"redirect_uris": []string{"https://x.example.com/cb"}}))
	_, id, _ := strings.Cut(own.Body.String(), `"client_id":"`)
	id, _, _ = strings.Cut(id, `"`)
	asked := func(grant, name string) func(string) string {
		return func(token string) string {
			form := url.Values{"grant_type": {grant}, name: {token}, "redirect_uri": {"https://app.example.com/cb"}, "code_verifier": {strings.Repeat("v", 43)}}
			return w.ask(http.MethodPost, "/token", form, basic("app")...).said()
		}
	}
	tokens := w.of("app")
	for name, one := range map[string]struct {
		send func(token string) string
		no   []string
	}{
		"an initial access token": {func(token string) string {
			return w.serve(w.s.Worker.Handler(), http.MethodPost, w.s.URL+"/register", "{}", "Content-Type", "application/json", "Authorization", "Bearer "+token).said()
		}, []string{"Unauthorized invalid_token", "Bad Request invalid_request"}},
		"a registration access token": {func(token string) string {
			return w.ask(http.MethodGet, "/register/"+id, nil, "Authorization", "Bearer "+token).said()
		}, []string{"Unauthorized invalid_token", "Bad Request invalid_request"}},
		"a refresh token": {asked("refresh_token", "refresh_token"), []string{"Bad Request invalid_grant", "Bad Request invalid_request"}},
		"a code":          {asked("authorization_code", "code"), []string{"Bad Request invalid_grant", "Bad Request invalid_request"}},
		"a client secret": {func(token string) string {
			return w.ask(http.MethodPost, "/introspect", url.Values{"client_id": {"post"}, "client_secret": {token}, "token": {"x"}}).said()
		}, []string{"Unauthorized invalid_client", "Bad Request invalid_request"}},
	} {
		for _, a := range corpus {
			hostile := a.forge(w, w.again(w.mine, tokens.AccessToken))
			if hostile == "" {
				continue
			}
			if got := one.send(hostile); !slices.Contains(one.no, got) {
				t.Errorf("%s as %s: %s", a.name, name, got)
			}
		}
	}
}

// playDocuments plays registrations that are no JSON as we mean it.
func (w *world) playDocuments(t *testing.T) {
	good := `{"redirect_uris":["https://x.example.com/cb"]}`
	if got := w.enrol(good).said(); got != "Created" {
		t.Fatal(got)
	}
	for name, change := range map[string]func(string) string{
		"a member twice":                 within(`"redirect_uris":["https://evil.example.com/cb"]`),
		"a member twice by an escape":    within(`"redirect_\u0075ris":["https://evil.example.com/cb"]`),
		"a member twice that nobody has": within(`"x":1,"x":2`),
		"a deep one":                     within(`"x":` + deep(9000)),
		"a deep one, cut off":            func(string) string { return `{"x":` + strings.Repeat("[", 60000) },
		"no text":                        within("\"client_name\":\"\xff\xfe\""),
		"half a surrogate":               within("\"client_name\":\"\xed\xa0\x80\""),
		"a mark before it":               func(s string) string { return "\xef\xbb\xbf" + s },
		"something behind it":            func(s string) string { return s + s },
		"a list":                         func(s string) string { return "[" + s + "]" },
		"a text":                         func(s string) string { return text(s) },
		"a comment":                      func(s string) string { return "/**/" + s },
		"a comma too many":               func(s string) string { return s[:len(s)-1] + ",}" },
		"longer than they are":           within(`"x":"` + strings.Repeat("x", 65<<10) + `"`),
		"many keys":                      within(`"jwks":{"keys":[` + strings.TrimSuffix(strings.Repeat(`{"kty":"EC"},`, 101), ",") + `]}`),
		"keys that are none":             within(`"jwks":{"keys":{}}`),
		"a key twice":                    within(`"jwks":{"keys":[],"keys":[]}`),
		"XML":                            func(string) string { return `<?xml version="1.0"?>` },
	} {
		var got string
		if paid := w.measure(func() { got = w.enrol(change(good)).said() }); paid.bytes > 8<<20 {
			t.Errorf("%s: it costs %+v", name, paid)
		}
		if got != "Bad Request invalid_client_metadata" {
			t.Errorf("%s: %s\n%s", name, got, w.log.took())
		}
	}
}
