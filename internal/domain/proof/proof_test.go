package proof

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/protocol/certificate"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

const (
	issuer = "https://id.example.com"
	mtls   = "https://mtls.example.com"
)

// once is what counts once, in memory: the store itself is tried in package store.
type once map[string]bool

// ConsumeAssertion implements [Store].
func (o once) ConsumeAssertion(_ context.Context, whose string, jti secret.Hash, _, _ time.Time) error {
	key := whose + string(jti[:])
	if o[key] {
		return fault.New(fault.Conflict, "It was used before.")
	}
	o[key] = true
	return nil
}

type bench struct {
	desk  *Desk
	clock *clock.Fake
}

func newBench(t testing.TB, nonces bool) bench {
	t.Helper()
	b := bench{clock: &clock.Fake{}}
	b.desk = &Desk{Bases: []string{issuer, mtls}, Store: once{}, Clock: b.clock}
	if nonces {
		b.desk.Nonces = &Nonces{Key: ring(t, seal.NewSecret()).MACKey("test")}
	}
	return b
}

func ring(t testing.TB, secrets ...seal.Secret) *seal.Ring {
	t.Helper()
	r, err := seal.NewRing(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newKey(t testing.TB) (crypto.Signer, string) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	thumbprint, err := jose.Thumbprint(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, thumbprint
}

func newCertificate(t testing.TB) *x509.Certificate {
	t.Helper()
	key, _ := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// proof is one of this moment for POST /token, with the given claims set beside.
func (b bench) proof(t testing.TB, key crypto.Signer, more map[string]any) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": issuer + "/token", "iat": b.clock.Now().Unix()}
	for name, value := range more {
		claims[name] = value
	}
	proof, err := jose.SignEmbedded(key, jose.ES256, oauth.TypeDPoP, claims)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func shown(proofs ...string) Shown {
	return Shown{DPoP: proofs, Method: "POST", Path: "/token"}
}

func isCode(t testing.TB, err error, want oauth.Code) {
	t.Helper()
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// prove looks at what a request shows, and marks it used.
func prove(t *testing.T, d *Desk, s Shown) (oauth.Binding, error) {
	t.Helper()
	b, use, err := d.Look(s)
	if err == nil {
		err = use(t.Context())
	}
	if err != nil {
		b = oauth.Binding{}
	}
	return b, err
}

func TestARequestProvesTheKeysOfItsSender(t *testing.T) {
	b := newBench(t, false)
	key, thumbprint := newKey(t)
	cert := newCertificate(t)
	for name, tt := range map[string]struct {
		shown Shown
		want  oauth.Binding
	}{
		"none":               {shown(), oauth.Binding{}},
		"by a proof":         {shown(b.proof(t, key, nil)), oauth.Binding{JKT: thumbprint}},
		"by another address": {shown(b.proof(t, key, map[string]any{"htu": mtls + "/token"})), oauth.Binding{JKT: thumbprint}},
		"by a certificate":   {Shown{Certificates: []*x509.Certificate{cert}}, oauth.Binding{X5T: certificate.Thumbprint(cert)}},
		"by both": {
			Shown{DPoP: []string{b.proof(t, key, nil)}, Certificates: []*x509.Certificate{cert}, Method: "POST", Path: "/token"},
			oauth.Binding{JKT: thumbprint, X5T: certificate.Thumbprint(cert)},
		},
	} {
		got, err := prove(t, b.desk, tt.shown)
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, error %v", name, got, err)
		}
	}
	_, err := prove(t, b.desk, shown(b.proof(t, key, map[string]any{"htu": issuer + "/userinfo"})))
	isCode(t, err, oauth.InvalidDPoPProof)
}

// 1.H 96.
func TestAProofCountsOnce(t *testing.T) {
	b := newBench(t, false)
	key, _ := newKey(t)
	other, _ := newKey(t)
	proof := b.proof(t, key, map[string]any{"jti": "chosen"})
	if _, err := prove(t, b.desk, shown(proof)); err != nil {
		t.Fatal(err)
	}
	_, err := prove(t, b.desk, shown(proof))
	isCode(t, err, oauth.InvalidDPoPProof)
	_, err = prove(t, b.desk, shown(b.proof(t, key, map[string]any{"jti": "chosen"})))
	isCode(t, err, oauth.InvalidDPoPProof)
	if _, err := prove(t, b.desk, shown(b.proof(t, other, map[string]any{"jti": "chosen"}))); err != nil {
		t.Errorf("of another key, which may call its proofs as it likes: %v", err)
	}
}

// 1.H 98.
func TestAProofHoldsTheNonceOfItsTime(t *testing.T) {
	b := newBench(t, true)
	key, _ := newKey(t)
	_, err := prove(t, b.desk, shown(b.proof(t, key, nil)))
	isCode(t, err, oauth.UseDPoPNonce)
	_, err = prove(t, b.desk, shown(b.proof(t, key, map[string]any{"nonce": "invented"})))
	isCode(t, err, oauth.UseDPoPNonce)
	nonce := b.desk.Nonce(shown("any"))
	use := func(nonce string) error {
		_, err := prove(t, b.desk, shown(b.proof(t, key, map[string]any{"nonce": nonce})))
		return err
	}
	if err := use(nonce); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(nonceTime)
	if err := use(nonce); err != nil {
		t.Errorf("after it has been replaced: %v", err)
	}
	if next := b.desk.Nonce(shown("any")); next == nonce {
		t.Error("it is not replaced")
	}
	b.clock.Advance(nonceTime)
	isCode(t, use(nonce), oauth.UseDPoPNonce)
	if got := b.desk.Nonce(shown()); got != "" {
		t.Errorf("who sends no proof is told the nonce %q", got)
	}
}

// 1.H 98.
func TestANonceIsKnownToEveryWorkerAndUnderEveryKeySecret(t *testing.T) {
	before, after := seal.NewSecret(), seal.NewSecret()
	now := (&clock.Fake{}).Now()
	of := func(secrets ...seal.Secret) *Nonces { return &Nonces{Key: ring(t, secrets...).MACKey("test")} }
	nonce := of(before).At(now)
	for name, tt := range map[string]struct {
		nonces *Nonces
		want   bool
	}{
		"another worker":                   {of(before), true},
		"one that seals by a newer secret": {of(after, before), true},
		"one that does not know it":        {of(after), false},
	} {
		if got := tt.nonces.Holds(nonce, now); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	if of(before).Holds(nonce, now.Add(-2*nonceTime)) {
		t.Error("a nonce counts before its time")
	}
	for _, odd := range []string{"", "A", nonce + "A", nonce[:len(nonce)-1], "\x00"} {
		if of(before).Holds(odd, now) {
			t.Errorf("%q is a nonce", odd)
		}
	}
}

func TestATokenIsOfUseToTheHolderOfItsKeyAlone(t *testing.T) {
	b := newBench(t, false)
	key, thumbprint := newKey(t)
	other, _ := newKey(t)
	cert, foreign := newCertificate(t), newCertificate(t)
	byKey, byCert := oauth.Binding{JKT: thumbprint}, oauth.Binding{X5T: certificate.Thumbprint(cert)}
	both := oauth.Binding{JKT: byKey.JKT, X5T: byCert.X5T}
	good := func() string { return b.proof(t, key, map[string]any{"ath": oauth.TokenHash("token")}) }
	used := good()
	if _, err := prove(t, b.desk, shown(used)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		bound oauth.Binding
		dpop  bool
		proof string
		cert  *x509.Certificate
		want  oauth.Code // empty: it may be used
	}{
		{"a bearer token", oauth.Binding{}, false, "", nil, ""},
		{"a bearer token beside a proof", oauth.Binding{}, false, good(), nil, ""},
		{"a bearer token beside a certificate", oauth.Binding{}, false, "", cert, ""},
		{"a bearer token under DPoP", oauth.Binding{}, true, good(), nil, oauth.InvalidToken},
		{"bound, with its proof", byKey, true, good(), nil, ""},
		{"bound, as a bearer token", byKey, false, "", nil, oauth.InvalidToken},
		{"bound, as a bearer token beside its proof", byKey, false, good(), nil, oauth.InvalidToken},
		{"bound, without a proof", byKey, true, "", nil, oauth.InvalidDPoPProof},
		{"bound, with the proof of another key", byKey, true, b.proof(t, other, map[string]any{"ath": oauth.TokenHash("token")}), nil, oauth.InvalidToken},
		{"bound, with a proof for another token", byKey, true, b.proof(t, key, map[string]any{"ath": oauth.TokenHash("other")}), nil, oauth.InvalidDPoPProof},
		{"bound, with a proof for no token", byKey, true, b.proof(t, key, nil), nil, oauth.InvalidDPoPProof},
		{"bound, with a proof that was used", byKey, true, used, nil, oauth.InvalidDPoPProof},
		{"bound to a certificate", byCert, false, "", cert, ""},
		{"bound to a certificate, without it", byCert, false, "", nil, oauth.InvalidToken},
		{"bound to a certificate, with another", byCert, false, "", foreign, oauth.InvalidToken},
		{"bound to a certificate, with a proof instead", byCert, true, good(), nil, oauth.InvalidToken},
		{"bound to both", both, true, good(), cert, ""},
		{"bound to both, by one", both, true, good(), nil, oauth.InvalidToken},
	} {
		s := Shown{Method: "POST", Path: "/token"}
		if tt.proof != "" {
			s.DPoP = []string{tt.proof}
		}
		if tt.cert != nil {
			s.Certificates = []*x509.Certificate{tt.cert}
		}
		err := b.desk.Admit(t.Context(), s, oauth.Presented{Token: "token", DPoP: tt.dpop}, tt.bound)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "":
			t.Run(tt.name, func(t *testing.T) { isCode(t, err, tt.want) })
		}
	}
}

func TestWhoeverRefreshesHoldsTheKey(t *testing.T) {
	public, confidential := client.Client{Public: true}, client.Client{}
	for _, tt := range []struct {
		name   string
		client client.Client
		bound  oauth.Binding
		want   string
	}{
		{"a public client with a key", public, oauth.Binding{JKT: "k"}, "k"},
		{"a public client with a certificate", public, oauth.Binding{X5T: "c"}, "x5t c"},
		{"a public client with both", public, oauth.Binding{JKT: "k", X5T: "c"}, "k"},
		{"a public client with neither", public, oauth.Binding{}, ""},
		{"a client that proves itself", confidential, oauth.Binding{JKT: "k", X5T: "c"}, ""},
	} {
		if got := Holder(tt.client, tt.bound); got != tt.want {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// Mirrors fapi2-…-ensure-mtls-holder-of-key-required and -no-dpop-proof, and
// fapi1-advanced-final-ensure-holder-of-key-required.
func TestWhatTheTokensOfAClientAreBoundTo(t *testing.T) {
	key, cert := oauth.Binding{JKT: "k"}, oauth.Binding{X5T: "c"}
	both := oauth.Binding{JKT: "k", X5T: "c"}
	of := func(p client.Profile, dpop, certificate bool) client.Client {
		return client.Client{Profile: p, DPoPBound: dpop, CertificateBound: certificate}
	}
	for _, tt := range []struct {
		name   string
		client client.Client
		proven oauth.Binding
		want   oauth.Binding
		code   oauth.Code
	}{
		{"nothing, of whoever proves nothing", of(client.Standard, false, false), oauth.Binding{}, oauth.Binding{}, ""},
		{"a key that is proven", of(client.Standard, false, false), key, key, ""},
		{"not a certificate that happens to be shown", of(client.OpenID, false, false), cert, oauth.Binding{}, ""},
		{"a certificate, if it is registered for that", of(client.Standard, false, true), cert, cert, ""},
		{"a certificate and a key", of(client.Standard, false, true), both, both, ""},
		{"no certificate, which it has to show", of(client.Standard, false, true), oauth.Binding{}, oauth.Binding{}, oauth.InvalidRequest},
		{"a key instead of a certificate", of(client.Standard, false, true), key, oauth.Binding{}, oauth.InvalidRequest},
		{"no key, which it has to prove", of(client.Standard, true, false), cert, oauth.Binding{}, oauth.InvalidDPoPProof},
		{"FAPI 2 with a key", of(client.FAPI2, true, false), both, key, ""},
		{"FAPI 2 with a certificate", of(client.FAPI2, false, true), cert, cert, ""},
		{"FAPI 2 with neither", of(client.FAPI2, false, false), oauth.Binding{}, oauth.Binding{}, oauth.InvalidDPoPProof},
		{"FAPI 1 with a certificate", of(client.FAPI1, false, true), cert, cert, ""},
		{"FAPI 1 with a key alone", of(client.FAPI1, false, true), key, oauth.Binding{}, oauth.InvalidRequest},
	} {
		got, err := Bind(tt.client, tt.proven)
		switch {
		case tt.code == "" && (err != nil || got != tt.want):
			t.Errorf("%s: %+v, error %v", tt.name, got, err)
		case tt.code != "":
			t.Run(tt.name, func(t *testing.T) { isCode(t, err, tt.code) })
		}
	}
}
