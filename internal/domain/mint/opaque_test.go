package mint

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// opaqueToken is an access token of ann's that nobody but us can read.
func opaqueToken(t testing.TB, a grant.Authorization) string {
	t.Helper()
	c := app(jose.RS256)
	c.AccessTokenFormat = client.Opaque
	got, err := theMint(newKeyring(t)).Tokens(permit(t, grant.RedeemCode, c, a), c, &ann, now)
	if err != nil {
		t.Fatal(err)
	}
	return got.AccessToken
}

func TestAnOpaqueAccessTokenSaysToUsWhatAnyOtherDoes(t *testing.T) {
	k, c, a := newKeyring(t), app(jose.RS256), ofAnn("openid", "email")
	a.ID, a.Terms = "gra_1", grant.Terms{
		Binding: oauth.Binding{JKT: "thumb"}, Actor: &grant.Actor{Subject: "orders"},
		Details: oauth.Details(`[{"type":"payment","amount":"1.00"}]`),
	}
	c.DetailsTypes = []string{"payment"}
	r := Reader{Issuer: issuer, Find: k.find, Opaque: NewOpaque(opaqueKey, issuer)}
	var both [2]AccessClaims
	for i, format := range []client.TokenFormat{client.JWT, client.Opaque} {
		c.AccessTokenFormat = format
		got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, a), c, &ann, now)
		if err != nil {
			t.Fatal(err)
		}
		if both[i], err = r.Read(got.AccessToken, now); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if id := k.claims(t, got.IDToken, jose.TypeJWT); id["at_hash"] != jose.HalfHash(jose.RS256, got.AccessToken) {
			t.Errorf("%s: the ID token has the hash %v", format, id["at_hash"])
		}
		both[i].ID = ""
	}
	if diff := cmp.Diff(both[0], both[1]); diff != "" {
		t.Errorf("what is sealed says something else (-signed +sealed):\n%s", diff)
	}
}

func TestAnOpaqueAccessTokenTellsNobodyAnything(t *testing.T) {
	a := ofAnn("openid", "email")
	one, two := opaqueToken(t, a), opaqueToken(t, a)
	if !strings.HasPrefix(one, "dxa_") || one == two || IssuerOf(one) != issuer {
		t.Errorf("it is %s, of %s", one, IssuerOf(one))
	}
	for _, part := range strings.FieldsFunc(one, func(r rune) bool { return r == '.' || r == '_' }) {
		if strings.Contains(part, "usr_ann") || strings.HasPrefix(part, "eyJ") {
			t.Errorf("one can read %s", part)
		}
	}
}

// 1.E 73: each character of it counts.
func TestAnOpaqueAccessTokenIsReadToTheLastBit(t *testing.T) {
	good := opaqueToken(t, ofAnn("openid"))
	if err := readError(good, issuer, nil, now); err != nil {
		t.Fatal(err)
	}
	for i := range len(good) {
		bent := []byte(good)
		bent[i] ^= 1
		if readError(good[:i], issuer, keyring{}.find, now) == nil || readError(string(bent), issuer, keyring{}.find, now) == nil {
			t.Errorf("byte %d does not count", i)
		}
	}
	expired := now.Add(10 * time.Minute)
	for name, err := range map[string]error{
		"with a tail":           readError(good+"A", issuer, nil, now),
		"at another issuer":     readError(good, "https://other.example.com", nil, now),
		"when it has expired":   readError(good, issuer, nil, expired),
		"under another key":     second(Reader{Issuer: issuer, Opaque: NewOpaque([]byte("a key of thirty-two bytes, or sp"), issuer)}.Read(good, now)),
		"with a signed payload": readError("dxa_"+"e30.e30.e30", issuer, nil, now),
	} {
		if err == nil {
			t.Errorf("%s it is good as well", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzOpaque(f *testing.F) {
	good := opaqueToken(f, ofAnn("openid"))
	f.Add(good)
	f.Add("dxa_.")
	f.Add(good + ".")
	r := Reader{Issuer: issuer, Find: keyring{}.find, Opaque: NewOpaque(opaqueKey, issuer)}
	f.Fuzz(func(t *testing.T, token string) {
		// What is good was made by us, here or in another process of the fuzzer.
		claims, err := r.Read(token, now)
		if err != nil {
			return
		}
		if _, err := r.Read(token+"A", now); err == nil || claims.Subject != "usr_ann" || claims.Issuer != issuer {
			t.Errorf("%q is good as well", token)
		}
	})
}
