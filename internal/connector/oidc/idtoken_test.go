package oidc

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"dex/internal/connector/connectortest"
	"dex/internal/protocol/jose"
)

// segment encodes one part of a token.
func segment(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// hs256 signs claims with a secret.
func hs256(c connectortest.Claims, secret string) string {
	input := segment(map[string]string{"alg": "HS256"}) + "." + segment(c)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// by signs claims with a key that the provider does not have.
func by(c connectortest.Claims, kid string) string {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		panic(err)
	}
	options := (&gojose.SignerOptions{}).WithType(jose.TypeJWT)
	if kid != "" {
		options.WithHeader(gojose.HeaderKey("kid"), kid)
	}
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.ES256, Key: key}, options)
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

func TestAWrongIDTokenIsRefused(t *testing.T) {
	type claims = connectortest.Claims
	set := func(name string, value any) func(*house) connectortest.Knobs {
		return func(*house) connectortest.Knobs {
			return connectortest.Knobs{IDToken: func(c claims) {
				if c[name] = value; value == nil {
					delete(c, name)
				}
			}}
		}
	}
	at := func(name string, d time.Duration) func(*house) connectortest.Knobs {
		return func(h *house) connectortest.Knobs { return set(name, h.clock.Now().Add(d).Unix())(h) }
	}
	sign := func(f func(*house, claims) string) func(*house) connectortest.Knobs {
		return func(h *house) connectortest.Knobs {
			return connectortest.Knobs{Sign: func(c claims) string { return f(h, c) }}
		}
	}
	tests := map[string]func(*house) connectortest.Knobs{
		"of another issuer":              set("iss", "https://evil.example"),
		"of an issuer that looks like":   func(h *house) connectortest.Knobs { return set("iss", h.provider.Issuer+"/")(h) },
		"of no issuer":                   set("iss", nil),
		"for another client":             set("aud", "someone-else"),
		"for nobody":                     set("aud", nil),
		"for no list of clients":         set("aud", []string{}),
		"for several, issued to nobody":  set("aud", []string{"dex", "other"}),
		"issued to another client":       set("azp", "someone-else"),
		"issued to an empty client":      set("azp", ""),
		"without an end":                 set("exp", nil),
		"of yesterday":                   at("exp", -2*time.Minute),
		"of tomorrow":                    at("nbf", 2*time.Minute),
		"issued tomorrow":                at("iat", 2*time.Minute),
		"issued at no time":              set("iat", nil),
		"with an end in words":           set("exp", "tomorrow"),
		"with another nonce":             set("nonce", "another"),
		"without a nonce":                set("nonce", nil),
		"with an empty nonce":            set("nonce", ""),
		"for another access token":       set("at_hash", jose.HalfHash(jose.ES256, "another")),
		"with an empty at_hash":          set("at_hash", ""),
		"about nobody":                   set("sub", nil),
		"about an empty subject":         set("sub", ""),
		"about a number":                 set("sub", 1),
		"about a very long subject":      set("sub", strings.Repeat("x", maxSubject+1)),
		"about a subject with NUL":       set("sub", "a\x00b"),
		"about a subject that is broken": set("sub", "a\xffb"),
		"not signed": sign(func(_ *house, c claims) string {
			return segment(map[string]string{"alg": "none"}) + "." + segment(c) + "."
		}),
		"not signed, but it says so": sign(func(_ *house, c claims) string {
			return segment(map[string]string{"alg": "none"}) + "." + segment(c) + ".AAAA"
		}),
		"signed with our secret": sign(func(h *house, c claims) string { return hs256(c, h.provider.ClientSecret) }),
		"signed with nothing":    sign(func(_ *house, c claims) string { return hs256(c, "") }),
		"signed by a stranger":   sign(func(_ *house, c claims) string { return by(c, "stranger") }),
		"signed by a stranger with the provider's key id": sign(func(h *house, c claims) string {
			header, _, _ := strings.Cut(h.provider.SignAs(c), ".")
			var said struct {
				KeyID string `json:"kid"`
			}
			raw, _ := base64.RawURLEncoding.DecodeString(header)
			_ = json.Unmarshal(raw, &said)
			return by(c, said.KeyID)
		}),
		"signed by a stranger without a key id": sign(func(_ *house, c claims) string {
			return by(c, "")
		}),
		"signed with an algorithm that is not trusted": sign(func(_ *house, c claims) string {
			return segment(map[string]string{"alg": "ES512"}) + "." + segment(c) + "." + strings.Repeat("A", 176)
		}),
		"changed after it was signed": sign(func(h *house, c claims) string {
			parts := strings.Split(h.provider.SignAs(c), ".")
			c["sub"] = "2"
			return parts[0] + "." + segment(c) + "." + parts[2]
		}),
		"with a subject twice": sign(func(h *house, c claims) string {
			parts := strings.Split(h.provider.SignAs(c), ".")
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"1","sub":"2"}`)) + "." + parts[2]
		}),
		"an access token": func(h *house) connectortest.Knobs {
			return connectortest.Knobs{Tokens: func(c claims) { c["id_token"] = c["access_token"] }}
		},
		"missing": func(*house) connectortest.Knobs {
			return connectortest.Knobs{Tokens: func(c claims) { delete(c, "id_token") }}
		},
		"empty":   sign(func(*house, claims) string { return "" }),
		"garbage": sign(func(*house, claims) string { return "a.b.c" }),
		"larger than read": sign(func(h *house, c claims) string {
			c["x"] = strings.Repeat("x", jose.MaxToken)
			return h.provider.SignAs(c)
		}),
	}
	for name, knobs := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.provider.Set(knobs(h))
			step, err := h.finish(login, ann())
			h.failed(step, err)
			if !strings.Contains(fmt.Sprint(err), "ID token") {
				t.Errorf("it is refused for another reason: %v", err)
			}
			if calls := h.provider.Calls(connectortest.UserinfoPath); calls != 0 {
				t.Errorf("the userinfo endpoint was asked %d times after that", calls)
			}
		})
	}
}

func TestAnIDTokenMayBeUnusual(t *testing.T) {
	type claims = connectortest.Claims
	tests := map[string]func(h *house, c claims){
		"for several, issued to us":       func(_ *house, c claims) { c["aud"] = []string{"other", "dex"}; c["azp"] = "dex" },
		"for us alone, in a list":         func(_ *house, c claims) { c["aud"] = []string{"dex"} },
		"without at_hash":                 func(_ *house, c claims) { delete(c, "at_hash") },
		"by a clock that is a little off": func(h *house, c claims) { c["iat"] = h.clock.Now().Add(30 * time.Second).Unix() },
		"about the longest subject":       func(_ *house, c claims) { c["sub"] = strings.Repeat("x", maxSubject) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, map[string]any{"userinfo": false})
			h.provider.Set(connectortest.Knobs{IDToken: func(c claims) { change(h, c) }})
			h.in(ann())
		})
	}
}

// Two subjects that only differ in broken text must not become one person.
func TestBrokenTextIsNoSubject(t *testing.T) {
	for _, sub := range []string{"a\ufffdb", "a\nb", "\x7f"} {
		if goodSubject(sub) {
			t.Errorf("%q", sub)
		}
	}
	if !goodSubject("Zoë|google-oauth2|1#2") {
		t.Error("a subject of many signs")
	}
}
