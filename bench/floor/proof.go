package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"dex/bench/load"
)

// clientKey is that of the client which signs.
var clientKey = &load.Key().PublicKey

var errProof = errors.New("the proof does not hold")

// verified reads claims that a key has signed in ES256.
func verified(token string, key *ecdsa.PublicKey, claims any) error {
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 {
		return errProof
	}
	signature, err := b64.DecodeString(token[dot+1:])
	if err != nil || len(signature) != 64 {
		return errProof
	}
	digest := sha256.Sum256([]byte(token[:dot]))
	if !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return errProof
	}
	_, payload, _ := strings.Cut(token[:dot], ".")
	raw, err := b64.DecodeString(payload)
	if err != nil {
		return errProof
	}
	return json.Unmarshal(raw, claims)
}

// asserted is the client that has signed an assertion, RFC 7523 section 3.
func (s *server) asserted(r *http.Request, assertion string) (client, error) {
	var c struct {
		Issuer    string `json:"iss"`
		Subject   string `json:"sub"`
		Audience  string `json:"aud"`
		ExpiresAt int64  `json:"exp"`
		ID        string `json:"jti"`
	}
	if err := verified(assertion, clientKey, &c); err != nil {
		return client{}, err
	}
	if c.Issuer != load.KeyClient || c.Subject != load.KeyClient || c.Audience != s.issuer || c.ExpiresAt <= time.Now().Unix() || c.ID == "" {
		return client{}, errProof
	}
	return s.clients[load.KeyClient], s.store.use(r.Context(), digest(load.KeyClient+c.ID), c.ExpiresAt)
}

// proven returns the thumbprint of the key by which a request is proven, RFC 9449
// section 4.3.
func (s *server) proven(r *http.Request, proof string) (string, error) {
	first, _, _ := strings.Cut(proof, ".")
	raw, err := b64.DecodeString(first)
	if err != nil {
		return "", errProof
	}
	var h struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
		Key       struct {
			X string `json:"x"`
			Y string `json:"y"`
		} `json:"jwk"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return "", err
	}
	x, badX := b64.DecodeString(h.Key.X)
	y, badY := b64.DecodeString(h.Key.Y)
	if badX != nil || badY != nil || h.Algorithm != "ES256" || h.Type != "dpop+jwt" {
		return "", errProof
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return "", err
	}
	var c struct {
		Method   string `json:"htm"`
		Address  string `json:"htu"`
		IssuedAt int64  `json:"iat"`
		ID       string `json:"jti"`
	}
	if err := verified(proof, key, &c); err != nil {
		return "", err
	}
	now := time.Now().Unix()
	if c.Method != r.Method || c.Address != s.issuer+r.URL.Path || c.IssuedAt < now-60 || c.IssuedAt > now+30 || c.ID == "" {
		return "", errProof
	}
	thumbprint := b64.EncodeToString(digest(`{"crv":"P-256","kty":"EC","x":"` + h.Key.X + `","y":"` + h.Key.Y + `"}`))
	return thumbprint, s.store.use(r.Context(), digest(thumbprint+c.ID), now+60)
}

// push keeps an authorization request, RFC 9126 section 2.
func (s *server) push(w http.ResponseWriter, r *http.Request) error {
	c, err := s.authenticate(r)
	if err != nil {
		return err
	}
	if _, _, err := s.newGrant(r.PostForm); err != nil {
		return err
	}
	handle := rand.Text()
	if err := s.store.push(r.Context(), digest(handle), c.id, r.PostForm.Encode(), time.Now().Unix()+60); err != nil {
		return err
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int    `json:"expires_in"`
	}{"urn:ietf:params:oauth:request_uri:" + handle, 60})
}
