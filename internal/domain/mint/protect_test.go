package mint

import (
	"crypto"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// una is somebody of whom everything is known.
var una = user.Profile{
	Username: "una", Name: "Una Example", GivenName: "Una", FamilyName: "Example", MiddleName: "M.", Nickname: "u", PreferredUsername: "una",
	ProfileURL: "https://una.example/", Picture: "https://una.example/p.png", Website: "https://una.example/w", Gender: "female",
	Birthdate: "1985-12-30", ZoneInfo: "Europe/Paris", Locale: "fr-FR", UpdatedAt: now,
	Email: "una@example.com", EmailVerified: true, Phone: "+33 1 23456789", PhoneVerified: true,
	Address: user.Address{Formatted: "1 Rue X\nParis", Locality: "Paris", Country: "FR"}, Groups: []string{"staff"},
	Sources: user.Sources{
		Names: map[string]string{"credit_score": "bank", "shoe_size": "shop", "email": "bank", "lost": "nowhere"},
		Of:    map[string]map[string]any{"bank": {"JWT": "e30.e30.e30"}, "shop": {"endpoint": "https://shop.example/claims", "access_token": "t"}},
	},
}

func asked(t *testing.T, text string) *oauth.ClaimsRequest {
	t.Helper()
	c, err := oauth.ParseClaims(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func names(claims Claims) []string {
	var all []string
	for name := range claims {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// oidcc-scope-profile, oidcc-scope-email, oidcc-scope-address, oidcc-scope-phone,
// oidcc-scope-all: OpenID Connect Core section 5.4.
func TestEachScopeStandsForItsClaims(t *testing.T) {
	for scope, want := range map[string][]string{
		"openid":  nil,
		"email":   {"email", "email_verified"},
		"address": {"address"},
		"phone":   {"phone_number", "phone_number_verified"},
		"groups":  {"groups"},
		"profile": {
			"_claim_names", "_claim_sources", "birthdate", "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname",
			"picture", "preferred_username", "profile", "updated_at", "website", "zoneinfo",
		},
	} {
		if got := names(OfPerson(una, oauth.Scopes{scope})); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", scope, got, want)
		}
		if got := OfPerson(user.Profile{}, oauth.Scopes{scope}); len(got) > 0 {
			t.Errorf("%s, of somebody of whom nothing is known: %v", scope, got)
		}
	}
	text, err := json.Marshal(OfPerson(una, oauth.Scopes{"address", "phone"}))
	want := `{"address":{"formatted":"1 Rue X\nParis","locality":"Paris","country":"FR"},"phone_number":"+33 1 23456789","phone_number_verified":true}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v\nwant %s", text, err, want)
	}
	if got := OfPerson(una, oauth.Scopes{"profile"})["updated_at"]; got != now.Unix() {
		t.Errorf("updated_at is %v", got)
	}
}

// OpenID Connect Core section 5.6.2.
func TestClaimsOfOthersArePassedOn(t *testing.T) {
	got := OfPerson(una, oauth.Scopes{"profile"})
	want := Claims{
		"_claim_names":   map[string]string{"credit_score": "bank", "shoe_size": "shop"},
		"_claim_sources": map[string]map[string]any{"bank": una.Sources.Of["bank"], "shop": una.Sources.Of["shop"]},
	}
	for name := range want {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	one := Claims{}
	one.ask(una, asked(t, `{"userinfo":{"credit_score":null}}`).Userinfo, oauth.Scopes{"profile"})
	if diff := cmp.Diff(Claims{"_claim_names": map[string]string{"credit_score": "bank"}, "_claim_sources": map[string]map[string]any{"bank": una.Sources.Of["bank"]}}, one); diff != "" {
		t.Errorf("one of them (-want +got):\n%s", diff)
	}
}

// oidcc-claims-essential, oidcc-claims-locales: OpenID Connect Core section 5.5.
func TestClaimsThatAreAskedForByName(t *testing.T) {
	c := app(jose.RS256)
	c.Scopes = oauth.Scopes{"openid", "profile", "phone"}
	for _, test := range []struct {
		name, request string
		want          []string
	}{
		{"in the usual way", `{"userinfo":{"name":null}}`, []string{"name", "sub"}},
		{"essential", `{"userinfo":{"name":{"essential":true}}}`, []string{"name", "sub"}},
		{"with its value", `{"userinfo":{"locale":{"value":"fr-FR"}}}`, []string{"locale", "sub"}},
		{"with one of its values", `{"userinfo":{"locale":{"values":["de","fr-FR"]}}}`, []string{"locale", "sub"}},
		{"with a value that is no text", `{"userinfo":{"phone_number_verified":{"value": true }}}`, []string{"phone_number_verified", "sub"}},
		{"with another value", `{"userinfo":{"locale":{"value":"de"}}}`, []string{"sub"}},
		{"that nobody knows", `{"userinfo":{"shoe_colour":{"essential":true}}}`, []string{"sub"}},
		{"in another language", `{"userinfo":{"name#de":null}}`, []string{"sub"}},
		{"that the client may not have", `{"userinfo":{"email":{"essential":true},"address":null,"groups":null}}`, []string{"sub"}},
		{"elsewhere", `{"id_token":{"name":null}}`, []string{"sub"}},
		{"that are ours to say", `{"userinfo":{"aud":null,"iss":{"value":"x"},"act":null,"cnf":null}}`, []string{"sub"}},
	} {
		a := ofAnn("openid")
		a.Terms.Claims = asked(t, test.request)
		if got := names(theMint(nil).Userinfo(c, a, una, a.Scopes)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	k := newKeyring(t)
	c.ScopeClaims = false
	a := ofAnn("openid", "profile")
	a.Terms.Claims = asked(t, `{"id_token":{"nickname":null,"sub":{"value":"usr_ann"},"email":null}}`)
	got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, a), c, &una, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"acr", "amr", "at_hash", "aud", "auth_time", "exp", "iat", "iss", "nickname", "nonce", "sid", "sub"}
	if got := names(k.claims(t, got.IDToken, jose.TypeJWT)); !slices.Equal(got, want) {
		t.Errorf("the ID token has %q, want %q", got, want)
	}
}

// encrypted is a client that wants everything encrypted, and what decrypts it.
func encrypted(t *testing.T) (client.Client, func(token string) (string, string)) {
	t.Helper()
	key, err := jose.GenerateKey(jose.EncryptEC)
	if err != nil {
		t.Fatal(err)
	}
	c := app(jose.RS256)
	by := client.Encryption{Alg: jose.ECDHESA256KW}
	c.EncryptionKeys = []jose.EncryptionKey{{KID: "e1", Public: key.Public()}}
	c.IDTokenEncryption, c.UserinfoEncryption, c.IntrospectionEncryption, c.ResponseEncryption = by, by, by, by
	return c, func(token string) (content, contentType string) {
		t.Helper()
		plain, h, err := jose.Decrypt(token, []jose.KeyManagement{jose.ECDHESA256KW}, []jose.ContentEncryption{jose.A128CBCHS256},
			func(string, jose.KeyManagement) []crypto.PrivateKey { return []crypto.PrivateKey{key} })
		if err != nil {
			t.Fatal(err)
		}
		return string(plain), h.ContentType
	}
}

// OpenID Connect Core section 16.14: what is encrypted is signed first.
func TestWhatAClientWantsEncrypted(t *testing.T) {
	k := newKeyring(t)
	c, decrypt := encrypted(t)
	got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, ofAnn("openid")), c, &una, now)
	if err != nil {
		t.Fatal(err)
	}
	idToken, contentType := decrypt(got.IDToken)
	if claims := k.claims(t, idToken, jose.TypeJWT); claims["sub"] != "usr_ann" || contentType != "JWT" {
		t.Errorf("the ID token is %v, of type %s", claims, contentType)
	}
	response, _ := decrypt(must(t)(theMint(k).Response(c, map[string][]string{"code": {"x"}}, now)))
	if claims := k.claims(t, response, jose.TypeJWT); claims["code"] != "x" {
		t.Errorf("the response is %v", claims)
	}
	worth, _ := decrypt(must(t)(theMint(k).Introspection(c, oauth.IntrospectionResponse{Active: true, Scope: "api"}, now)))
	if claims := k.claims(t, worth, jose.TypeIntrospection); claims["aud"] != "app" || claims["iss"] != issuer || claims["exp"] != nil ||
		!cmp.Equal(claims["token_introspection"], map[string]any{"active": true, "scope": "api"}) {
		t.Errorf("the introspection is %v", claims)
	}
	// Userinfo alone may be encrypted without being signed.
	plain, contentType := decrypt(must(t)(theMint(k).UserinfoToken(c, Claims{"sub": "usr_ann"})))
	if contentType != "" || plain != `{"aud":"app","iss":"`+issuer+`","sub":"usr_ann"}` {
		t.Errorf("userinfo is %s, of type %q", plain, contentType)
	}
	c.UserinfoAlg = jose.ES256
	signed, contentType := decrypt(must(t)(theMint(k).UserinfoToken(c, Claims{"sub": "usr_ann"})))
	if claims := k.claims(t, signed, jose.TypeUserinfo); claims["sub"] != "usr_ann" || contentType != "JWT" {
		t.Errorf("userinfo is %v, of type %q", claims, contentType)
	}
	c.EncryptionKeys = nil
	if got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, ofAnn("openid")), c, &una, now); err == nil || got.IDToken != "" {
		t.Error("without a key of the client there is an ID token, which others can read")
	}
}

// oidcc-userinfo-rs256: OpenID Connect Core section 5.3.2.
func TestSignedUserinfoIsForItsClientAndNoIDToken(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	if token, err := theMint(k).UserinfoToken(c, Claims{"sub": "usr_ann"}); token != "" || err != nil {
		t.Errorf("a client that wants plain JSON gets %q, %v", token, err)
	}
	c.UserinfoAlg = jose.RS256
	claims := Claims{"sub": "usr_ann"}
	token := must(t)(theMint(k).UserinfoToken(c, claims))
	want := map[string]any{"sub": "usr_ann", "iss": issuer, "aud": "app"}
	if diff := cmp.Diff(want, k.claims(t, token, jose.TypeUserinfo)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(claims) != 1 {
		t.Error("the claims themselves are changed")
	}
	worth := must(t)(theMint(k).Introspection(c, oauth.IntrospectionResponse{}, now))
	for name, token := range map[string]string{"userinfo": token, "an introspection": worth} {
		if _, _, ok := ReadIDTokenHint(token, issuer, k.find); ok {
			t.Errorf("%s is taken for an ID token", name)
		}
		if _, err := (Reader{Issuer: issuer, Find: k.find}).Read(token, now); err == nil {
			t.Errorf("%s is taken for an access token", name)
		}
	}
}

// oidcc-... with subject_type=pairwise: a person has one name in all that a client gets.
func TestAPersonHasOneNameInAllThatAClientGets(t *testing.T) {
	k := newKeyring(t)
	m := theMint(k)
	m.Subjects = subjects
	c := app(jose.RS256)
	c.SubjectType = client.SubjectPairwise
	a := ofAnn("openid")
	got, err := m.Tokens(permit(t, grant.RedeemCode, c, a), c, &una, now)
	if err != nil {
		t.Fatal(err)
	}
	want := subjects.Of(c, "usr_ann")
	for name, sub := range map[string]any{
		"the ID token":     k.claims(t, got.IDToken, jose.TypeJWT)["sub"],
		"the access token": k.claims(t, got.AccessToken, jose.TypeAccessToken)["sub"],
		"userinfo":         m.Userinfo(c, a, una, a.Scopes)["sub"],
	} {
		if sub != want {
			t.Errorf("%s is about %v, not %s", name, sub, want)
		}
	}
	if subject, _, ok := ReadIDTokenHint(got.IDToken, issuer, k.find); !ok || subjects.Account(subject) != "usr_ann" {
		t.Errorf("the hint is about %s", subject)
	}
	own := grant.Authorization{ClientID: "app", Scopes: oauth.Scopes{"api"}, IssuedAt: now}
	itself, err := m.Tokens(permit(t, grant.ActForItself, c, own), c, nil, now.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if sub := k.claims(t, itself.AccessToken, jose.TypeAccessToken)["sub"]; sub != "app" {
		t.Errorf("a client that acts for itself is %v", sub)
	}
}
