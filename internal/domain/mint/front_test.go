package mint

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/base/secret"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// OpenID Connect Core sections 3.2.2.10 and 3.3.2.11; FAPI 1.0 Advanced section 5.1.
func TestAnIDTokenHoldsWhatComesBesideIt(t *testing.T) {
	k := newKeyring(t)
	code := secret.New(secret.CodePrefix)
	for _, tt := range []struct {
		of   oauth.ResponseType
		want []string // beside what every ID token says
	}{
		{oauth.ResponseTypeIDToken, []string{"email", "email_verified", "s_hash"}},
		{oauth.ResponseTypeIDTokenToken, []string{"at_hash", "s_hash"}},
		{oauth.ResponseTypeCodeIDToken, []string{"c_hash", "s_hash"}},
		{oauth.ResponseTypeCodeIDTokenToken, []string{"at_hash", "c_hash", "s_hash"}},
	} {
		for _, alg := range []jose.Algorithm{jose.RS256, jose.EdDSA} {
			c := app(alg)
			c.ScopeClaims = false
			f := Front{Type: tt.of, State: "state"}
			if tt.of.Code() {
				f.Code = code
			}
			got, err := theMint(k).Front(permit(t, grant.IssueTokens, c, ofAnn("openid", "email")), c, ann, f, now)
			if err != nil {
				t.Fatal(err)
			}
			claims := k.claims(t, got.IDToken, jose.TypeJWT)
			for name, value := range map[string]string{"at_hash": got.AccessToken, "c_hash": string(f.Code), "s_hash": "state"} {
				if hash, has := claims[name]; has && hash != jose.HalfHash(alg, value) {
					t.Errorf("%s in %s: %s is %v", tt.of, alg, name, hash)
				}
			}
			var beside []string
			for name := range claims {
				if !slices.Contains([]string{"iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "nonce"}, name) {
					beside = append(beside, name)
				}
			}
			slices.Sort(beside)
			if !slices.Equal(beside, tt.want) {
				t.Errorf("%s: the ID token has %q, want %q", tt.of, beside, tt.want)
			}
			if (got.AccessToken != "") != tt.of.Token() || got.RefreshToken != "" || tt.of.Token() && got.ExpiresIn != 600 {
				t.Errorf("%s: an access token for %d seconds", tt.of, got.ExpiresIn)
			}
		}
	}
	c := app(jose.RS256)
	got, err := theMint(k).Front(permit(t, grant.IssueTokens, c, ofAnn("openid")), c, ann, Front{Type: oauth.ResponseTypeCodeToken, Code: code}, now)
	if err != nil || got.AccessToken == "" || got.IDToken != "" {
		t.Errorf("an access token beside a code: %v, an ID token: %v", err, got.IDToken != "")
	}
}

func TestNothingGoesByTheBrowserWithoutTheGatesWord(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	for _, path := range []grant.Path{grant.IssueCode, grant.RedeemCode, grant.Refresh, grant.Userinfo} {
		if got, err := theMint(k).Front(permit(t, path, c, ofAnn("openid")), c, ann, Front{Type: oauth.ResponseTypeIDTokenToken}, now); err == nil || got.AccessToken != "" || got.IDToken != "" {
			t.Errorf("a permit to %s is good for tokens", path)
		}
	}
	if got, err := theMint(k).Front(permit(t, grant.IssueTokens, c, ofAnn("api")), c, ann, Front{Type: oauth.ResponseTypeIDTokenToken}, now); err == nil || got.IDToken != "" {
		t.Error("there is an ID token without the scope openid")
	}
	if got, err := theMint(k).Tokens(permit(t, grant.IssueTokens, c, ofAnn("openid")), c, &ann, now); err == nil || got.AccessToken != "" {
		t.Error("a permit for the browser is good at the token endpoint")
	}
}

// JARM section 2.1.
func TestAResponseIsOneSignedParameter(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	params := url.Values{"code": {"c"}, "state": {"s"}, "iss": {"https://somebody.example.com"}, "aud": {"other"}, "exp": {"never"}}
	for _, alg := range []jose.Algorithm{"", jose.ES256} {
		c.ResponseAlg = alg
		signed, err := theMint(k).Response(c, params, now)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"iss": issuer, "aud": "app", "exp": float64(now.Add(10 * time.Minute).Unix()), "code": "c", "state": "s"}
		if diff := cmp.Diff(want, k.claims(t, signed, jose.TypeJWT)); diff != "" {
			t.Errorf("signed by %q (-want +got):\n%s", alg, diff)
		}
	}
	if _, _, ok := ReadIDTokenHint(must(t)(theMint(k).Response(c, url.Values{"code": {"c"}}, now)), issuer, k.find); ok {
		t.Error("a response is taken for an ID token")
	}
}

func must(t *testing.T) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// OpenID Connect Core section 3.1.2.1: acr_values are met in the order of preference.
func TestAnIDTokenIsOfTheClassThatWasAskedFor(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	for _, tt := range []struct {
		name  string
		by    []credential.Method
		asked []string
		want  string
	}{
		{"nothing asked", []credential.Method{credential.Password}, nil, "aal1"},
		{"what it is", []credential.Method{credential.Password}, []string{"aal2", "aal1"}, "aal1"},
		{"less than it is", []credential.Method{credential.MultiStep}, []string{"aal1"}, "aal1"},
		{"what it is, first of all", []credential.Method{credential.MultiStep}, []string{"aal2", "aal1"}, "aal2"},
		{"more than it is", []credential.Method{credential.Password}, []string{"aal2"}, "aal1"},
	} {
		a := ofAnn("openid")
		a.Methods, a.Terms.ACR = tt.by, tt.asked
		got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, a), c, &user.Profile{}, now)
		if err != nil {
			t.Fatal(err)
		}
		if acr := k.claims(t, got.IDToken, jose.TypeJWT)["acr"]; acr != tt.want {
			t.Errorf("%s: %v", tt.name, acr)
		}
	}
}
