package jose

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
)

func TestWhatWeSignOthersVerify(t *testing.T) {
	for _, alg := range []Algorithm{RS256, PS256, ES256, EdDSA} {
		for _, typ := range []string{TypeJWT, TypeAccessToken, TypeLogoutToken, "secevent+jwt", ""} {
			t.Run(string(alg)+" "+typ, func(t *testing.T) {
				key := keys()[alg]
				token, err := Sign(key, alg, "k1", typ, map[string]any{"sub": "ann", "n": "<&>"})
				if err != nil {
					t.Fatal(err)
				}
				jws, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
				if err != nil {
					t.Fatal(err)
				}
				payload, err := jws.Verify(key.Public())
				if err != nil {
					t.Fatal(err)
				}
				var claims struct {
					Subject string `json:"sub"`
					Special string `json:"n"`
				}
				if err := Unmarshal(payload, &claims); err != nil || claims.Subject != "ann" || claims.Special != "<&>" {
					t.Errorf("claims = %+v, %v", claims, err)
				}
				h := jws.Signatures[0].Protected
				if h.Algorithm != string(alg) || h.KeyID != "k1" {
					t.Errorf("header = %+v", h)
				}
				if got, _ := h.ExtraHeaders[gojose.HeaderType].(string); got != typ {
					t.Errorf("typ = %q, want %q", got, typ)
				}
			})
		}
	}
}

// An ECDSA signature is shorter once in a while, because its numbers begin with
// zeros. This many rounds see several of those.
func TestShortNumbersInAnECDSASignatureAreFilledUp(t *testing.T) {
	s, err := NewSigner(keys()[ES256], ES256, "k1")
	if err != nil {
		t.Fatal(err)
	}
	for range 600 {
		token, err := s.Sign(TypeJWT, Claims{Subject: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Verify(token, []Algorithm{ES256}, []string{TypeJWT}, only(keys()[ES256].Public())); err != nil {
			t.Fatalf("%s: %v", token, err)
		}
	}
}

func TestASignerIsRefusedIf(t *testing.T) {
	for _, test := range []struct {
		name string
		key  crypto.Signer
		alg  Algorithm
		kid  string
	}{
		{"there is no key", nil, ES256, "k1"},
		{"the key has no id", keys()[ES256], ES256, ""},
		{"the algorithm is none", keys()[ES256], "none", "k1"},
		{"the algorithm is symmetric", keys()[ES256], "HS256", "k1"},
		{"the algorithm is one that we only verify", keys()[RS256], PS384, "k1"},
		{"the key is for others to encrypt to", keys()[RS256], EncryptRSA, "k1"},
		{"the key is of another kind", keys()[RS256], ES256, "k1"},
		{"the key is on another curve", keys()[ES384], ES256, "k1"},
		{"the key is weak", weakRSA(), RS256, "k1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := NewSigner(test.key, test.alg, test.kid); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}

// device is a key that lives elsewhere and may fail, or answer nonsense.
type device struct {
	crypto.Signer
	answer []byte
	err    error
}

func (d device) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return d.answer, d.err }

func TestADeviceThatFailsMakesNoToken(t *testing.T) {
	broken := errors.New("the device is on fire")
	for name, d := range map[string]device{
		"it fails":              {err: broken},
		"it answers nothing":    {},
		"it answers raw bytes":  {answer: make([]byte, 64)},
		"it answers long zeros": {answer: []byte{0x30, 8, 2, 3, 0, 0, 1, 2, 1, 1}},
		"it answers a zero r":   {answer: []byte{0x30, 6, 2, 1, 0, 2, 1, 1}},
		"it answers negatively": {answer: []byte{0x30, 6, 2, 1, 0x80, 2, 1, 1}},
		"it answers too much":   {answer: []byte{0x30, 6, 2, 1, 1, 2, 1, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			d.Signer = keys()[ES256]
			token, err := Sign(d, ES256, "k1", TypeJWT, Claims{})
			if err == nil || token != "" {
				t.Errorf("token %q, error %v", token, err)
			}
			if d.err != nil && !errors.Is(err, d.err) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}

func TestASignerPrintsNoKey(t *testing.T) {
	s, err := NewSigner(keys()[EdDSA], EdDSA, "k1")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("made", "signer", s)
	if got := fmt.Sprintf("%v %+v %#v", s, s, s); got != "[signer k1] [signer k1] [signer k1]" || !strings.Contains(log.String(), `"[signer k1]"`) {
		t.Errorf("printed as %s, logged as %s", got, log.String())
	}
}

func TestClaimsThatCannotBeEncodedMakeNoToken(t *testing.T) {
	if token, err := Sign(keys()[EdDSA], EdDSA, "k1", TypeJWT, make(chan int)); err == nil {
		t.Errorf("a token: %s", token)
	}
}

func TestPrivateKeysComeBackAsTheyWere(t *testing.T) {
	for _, alg := range []Algorithm{RS256, ES256, EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			der, err := MarshalPrivate(keys()[alg])
			if err != nil {
				t.Fatal(err)
			}
			back, err := ParsePrivate(der)
			if err != nil {
				t.Fatal(err)
			}
			if !back.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(keys()[alg].Public()) {
				t.Error("another key came back")
			}
		})
	}
	for name, key := range map[string]crypto.Signer{"weak": weakRSA(), "of another curve": keys()[ES384], "missing": nil} {
		if _, err := MarshalPrivate(key); err == nil {
			t.Errorf("a key that is %s was written", name)
		}
	}
	for name, der := range map[string][]byte{"empty": nil, "garbage": []byte("garbage")} {
		if _, err := ParsePrivate(der); err == nil {
			t.Errorf("%s was read as a key", name)
		}
	}
}

func TestHalfHash(t *testing.T) {
	if got := HalfHash(RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Errorf("at_hash of OpenID Connect Core, appendix A.3 = %q", got)
	}
	if got := HalfHash(RS256, "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"); got != "LDktKdoQak3Pk0cnXxCltA" {
		t.Errorf("c_hash of OpenID Connect Core, appendix A.4 = %q", got)
	}
	for alg, size := range map[Algorithm]int{RS256: 22, ES256: 22, PS256: 22, RS384: 32, ES384: 32, ES512: 43, PS512: 43, EdDSA: 43, "none": 0, "HS256": 0} {
		if got := HalfHash(alg, "a"); len(got) != size {
			t.Errorf("%s: %q has %d characters, want %d", alg, got, len(got), size)
		}
	}
	if HalfHash(EdDSA, "a") != HalfHash(ES512, "a") {
		t.Error("Ed25519 does not hash with SHA-512")
	}
}

func FuzzRawECDSA(f *testing.F) {
	good, _ := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 255)})
	f.Add(good)
	f.Add([]byte{0x30, 6, 2, 1, 0, 2, 1, 1})
	f.Fuzz(func(t *testing.T, der []byte) {
		raw, err := rawECDSA(der, 32)
		if err != nil {
			return
		}
		// Whatever is read, the standard library reads as well, and the same.
		var want struct{ R, S *big.Int }
		rest, err := asn1.Unmarshal(der, &want)
		if err != nil || len(rest) != 0 {
			t.Fatalf("%x reads as %x, and should not be read: %v", der, raw, err)
		}
		if new(big.Int).SetBytes(raw[:32]).Cmp(want.R) != 0 || new(big.Int).SetBytes(raw[32:]).Cmp(want.S) != 0 {
			t.Errorf("%x reads as %x", der, raw)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	claims := struct {
		Claims
		Nonce    string   `json:"nonce"`
		AtHash   string   `json:"at_hash"`
		AuthTime int64    `json:"auth_time"`
		Methods  []string `json:"amr"`
		Session  string   `json:"sid"`
		Name     string   `json:"name"`
		Email    string   `json:"email"`
		Verified bool     `json:"email_verified"`
		Groups   []string `json:"groups"`
	}{
		Claims: Claims{
			Issuer: "https://id.example.com", Subject: "usr_5ZQ2M4", Audience: Audience{"cli_grafana"},
			Expiry: DateOf(time.Unix(1800000600, 0)), IssuedAt: DateOf(time.Unix(1800000000, 0)), ID: "a8s7d6f8a7s6df",
		},
		Nonce: "n-0S6_WzA2Mj", AtHash: "77QmUPtjPfzWtF2AnpK9RQ", AuthTime: 1800000000, Methods: []string{"pwd"},
		Session: "ses_8ASD76", Name: "Ann Example", Email: "ann@example.com", Verified: true,
		Groups: []string{"admins", "developers", "operators"},
	}
	for _, alg := range []Algorithm{RS256, ES256, EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			s, err := NewSigner(keys()[alg], alg, "k1")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sign(TypeJWT, claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []Algorithm{RS256, ES256, EdDSA} {
		b.Run(string(alg), func(b *testing.B) {
			token, err := Sign(keys()[alg], alg, "k1", TypeAccessToken, Claims{Issuer: "https://id.example.com", Subject: "ann", Audience: Audience{"a"}})
			if err != nil {
				b.Fatal(err)
			}
			find := only(keys()[alg].Public())
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Verify(token, []Algorithm{alg}, []string{TypeAccessToken}, find); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
