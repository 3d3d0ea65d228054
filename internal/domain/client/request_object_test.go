package client

import (
	"encoding/json"
	"errors"
	"net/url"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// object signs a request object: a good one, but for what the change does to it.
func object(t testing.TB, alg, key, typ string, change func(claims map[string]any)) string {
	t.Helper()
	claims := map[string]any{
		"iss": "app", "aud": here.Issuer, "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"client_id": "app", "redirect_uri": "https://app.example/cb", "response_type": "code", "scope": "openid", "state": "inside",
	}
	if change != nil {
		change(claims)
	}
	options := (&gojose.SignerOptions{}).WithHeader("kid", key)
	if typ != "" {
		options = options.WithType(gojose.ContentType(typ))
	}
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(alg), Key: signers()[key]}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := json.Marshal(claims)
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := signed.CompactSerialize()
	return text
}

// member sets a member; nil takes it out.
func member(name string, value any) func(map[string]any) {
	return func(claims map[string]any) {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
}

func TestAnObjectCountsIfItsClientHasSignedIt(t *testing.T) {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	outer := url.Values{"client_id": {"app"}, "scope": {"openid"}, "response_type": {"code"}, "state": {"outside"}, "nonce": {"outside"}}
	for _, test := range []struct {
		name   string
		object func(t *testing.T) string
		taken  []Profile // by the others it is refused
	}{
		{"of a good one", func(t *testing.T) string { return object(t, "ES256", "ec", "oauth-authz-req+jwt", nil) }, Profiles},
		{"of the type JWT", func(t *testing.T) string { return object(t, "ES256", "ec", "JWT", nil) }, Profiles},
		{"of no type", func(t *testing.T) string { return object(t, "ES256", "ec", "", nil) }, Profiles},
		{"of another type", func(t *testing.T) string { return object(t, "ES256", "ec", "at+jwt", nil) }, nil},
		{"in RS256", func(t *testing.T) string { return object(t, "RS256", "rsa", "", nil) }, []Profile{Standard, OpenID}},
		{"in PS256", func(t *testing.T) string { return object(t, "PS256", "rsa", "", nil) }, Profiles},
		{"in EdDSA", func(t *testing.T) string { return object(t, "EdDSA", "ed", "", nil) }, Profiles},
		{"by a stranger", func(t *testing.T) string { return object(t, "ES256", "stranger", "", nil) }, nil},
		{"by nobody", func(*testing.T) string { return "eyJhbGciOiJub25lIn0.e30." }, []Profile{OpenID}},
		{"malformed", func(*testing.T) string { return "a.b" }, nil},
		{"with the issuer among others", func(t *testing.T) string {
			return object(t, "ES256", "ec", "", member("aud", []string{"https://else.example", here.Issuer}))
		}, Profiles},
		{"for somebody else", func(t *testing.T) string {
			return object(t, "ES256", "ec", "", member("aud", "https://else.example"))
		}, nil},
		{"for the token endpoint", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("aud", tokenURL)) }, nil},
		{"without aud", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("aud", nil)) }, []Profile{OpenID}},
		{"without iss", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("iss", nil)) }, []Profile{OpenID}},
		{"with another iss", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("iss", "other")) }, nil},
		{"without client_id", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("client_id", nil)) }, []Profile{OpenID}},
		{"with another client_id", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("client_id", "other")) }, nil},
		{"with another response_type than outside", func(t *testing.T) string {
			return object(t, "ES256", "ec", "", member("response_type", "code id_token"))
		}, []Profile{Standard, FAPI1, FAPI2}},
		{"that would pass for an assertion", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("sub", "app")) }, nil},
		{"without exp", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("exp", nil)) }, []Profile{Standard, OpenID}},
		{"without nbf", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("nbf", nil)) }, []Profile{Standard, OpenID}},
		{"that has expired", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("exp", at(-5*time.Minute))) }, nil},
		{"that begins in eight seconds", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("nbf", at(8*time.Second))) }, Profiles},
		{"that begins in two minutes", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("nbf", at(2*time.Minute))) }, nil},
		{"that is good for an hour", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("exp", at(time.Hour))) }, Profiles},
		{"that is good for longer", func(t *testing.T) string { return object(t, "ES256", "ec", "", member("exp", at(70*time.Minute))) }, []Profile{Standard, OpenID}},
		{"that began too long ago", func(t *testing.T) string {
			return object(t, "ES256", "ec", "", func(claims map[string]any) {
				claims["nbf"], claims["exp"] = at(-61*time.Minute), at(-30*time.Second)
			})
		}, []Profile{Standard, OpenID}},
		{"with a reference in it", func(t *testing.T) string {
			return object(t, "ES256", "ec", "", member("request_uri", "https://app.example/object"))
		}, nil},
	} {
		for _, p := range Profiles {
			t.Run("an object "+test.name+", "+string(p), func(t *testing.T) {
				params, signed, err := ReadRequestObject(signing(p), test.object(t), outer, here.Issuer, now)
				taken := false
				for _, by := range test.taken {
					taken = taken || by == p
				}
				if told, ok := errors.AsType[*oauth.Error](err); !taken {
					if !ok || told.Code != oauth.InvalidRequestObject {
						t.Errorf("it is taken: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if signed == (test.name == "by nobody") {
					t.Errorf("signed: %v", signed)
				}
				// Only OpenID Connect takes what stands outside, where nothing stands inside.
				if got := params.Get("nonce"); (got == "outside") != (p == OpenID) {
					t.Errorf("the nonce is %q", got)
				}
				if got := params.Get("state"); signed && got != "inside" {
					t.Errorf("the state is %q", got)
				}
			})
		}
	}
}

func TestAClientMaySayHowItsObjectsAreSigned(t *testing.T) {
	c := signing(OpenID)
	read := func(object string) error {
		_, _, err := ReadRequestObject(c, object, url.Values{"client_id": {"app"}}, here.Issuer, now)
		return err
	}
	c.RequestObjectAlg = jose.ES256
	if err := read(object(t, "ES256", "ec", "", nil)); err != nil {
		t.Error(err)
	}
	if read(object(t, "EdDSA", "ed", "", nil)) == nil || read("eyJhbGciOiJub25lIn0.e30.") == nil {
		t.Error("another algorithm is taken")
	}
	c.RequestObjectAlg = unsigned
	if err := read("eyJhbGciOiJub25lIn0.e30."); err != nil {
		t.Error(err)
	}
	if read(object(t, "ES256", "ec", "", nil)) == nil {
		t.Error("a signed one is taken of a client whose objects are unsigned")
	}
}

func FuzzReadRequestObject(f *testing.F) {
	c := signing(OpenID)
	f.Add("eyJhbGciOiJub25lIn0.eyJzdGF0ZSI6IngifQ.", "state=y&client_id=app")
	f.Add(object(f, "ES256", "ec", "", nil), "client_id=app")
	f.Fuzz(func(t *testing.T, object, query string) {
		outer, err := url.ParseQuery(query)
		if err != nil {
			t.Skip()
		}
		params, _, err := ReadRequestObject(c, object, outer, here.Issuer, now)
		if _, ok := errors.AsType[*oauth.Error](err); err != nil && !ok {
			t.Fatalf("the error is %#v", err)
		}
		if err == nil && params.Get("client_id") != "" && params.Get("client_id") != "app" && outer.Get("client_id") == "app" {
			t.Fatalf("%v is another client's", params)
		}
	})
}
