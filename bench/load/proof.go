package load

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// KeyClient is the client of bench/dex.yaml that proves itself by [Key].
const KeyClient = "bench-key"

// Key is the key of that client, and of every proof. Everybody knows it.
func Key() *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte("dex bench"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return key
}

// prover signs assertions and proofs.
type prover struct {
	key *ecdsa.PrivateKey
	jwk json.RawMessage
}

var b64 = base64.RawURLEncoding

func newProver() *prover {
	key := Key()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	jwk, err := json.Marshal(map[string]string{"kty": "EC", "crv": "P-256", "x": b64.EncodeToString(point[1:33]), "y": b64.EncodeToString(point[33:])})
	if err != nil {
		panic(err)
	}
	return &prover{key, jwk}
}

// sign returns a token in ES256.
func (p *prover) sign(header, claims any) (string, error) {
	var parts []string
	for _, v := range []any{header, claims} {
		raw, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		parts = append(parts, b64.EncodeToString(raw))
	}
	input := strings.Join(parts, ".")
	digest := sha256.Sum256([]byte(input))
	der, err := ecdsa.SignASN1(rand.Reader, p.key, digest[:])
	if err != nil {
		return "", err
	}
	var n struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &n); err != nil {
		return "", err
	}
	raw := append(n.R.FillBytes(make([]byte, 32)), n.S.FillBytes(make([]byte, 32))...)
	return input + "." + b64.EncodeToString(raw), nil
}

// assertion is how the client of the key proves itself (RFC 7523, section 2.2).
func (p *prover) assertion(issuer string) (string, error) {
	now := time.Now().Unix()
	return p.sign(map[string]string{"alg": "ES256", "typ": "JWT"}, map[string]any{
		"iss": KeyClient, "sub": KeyClient, "aud": issuer, "iat": now, "exp": now + 60, "jti": rand.Text(),
	})
}

// proof is that of a request (RFC 9449, section 4.2).
func (p *prover) proof(method, address string) (string, error) {
	return p.sign(map[string]any{"alg": "ES256", "typ": "dpop+jwt", "jwk": p.jwk}, map[string]any{
		"htm": method, "htu": address, "iat": time.Now().Unix(), "jti": rand.Text(),
	})
}

// actBySigning is [actForItself] by a client that signs an assertion.
func actBySigning(w *worker) error {
	assertion, err := w.prover.assertion(w.target.Issuer.String())
	if err != nil {
		return err
	}
	_, err = w.target.send(w.conn(), Request{
		Method: "POST", Path: w.target.paths.token,
		Body: "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=" + assertion,
	}, bearer)
	return err
}

// actBound is [actForItself] for a token that is bound to a key.
func actBound(w *worker) error {
	proof, err := w.prover.proof("POST", w.target.origin()+w.target.paths.token)
	if err != nil {
		return err
	}
	r := w.target.tokenRequest("grant_type=client_credentials")
	r.Header = append(r.Header, "DPoP", proof)
	_, err = w.target.send(w.conn(), r, bound)
	return err
}

// push pushes an authorization request (RFC 9126, section 2).
func push(w *worker) error {
	challenge := sha256.Sum256([]byte(rand.Text()))
	r := w.target.tokenRequest(url.Values{
		"response_type": {"code"}, "client_id": {w.target.Client.ID}, "redirect_uri": {w.target.Client.RedirectURI}, "scope": {ScopesOffline},
		"state": {rand.Text()}, "nonce": {rand.Text()}, "code_challenge": {b64.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode())
	r.Path = w.target.paths.push
	resp, err := w.conn().Do(r)
	if err != nil {
		return err
	}
	if resp.Status != 201 || !bytes.Contains(resp.Body, []byte(`"request_uri"`)) {
		return unexpected(r, resp)
	}
	return nil
}
