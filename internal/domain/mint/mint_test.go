package mint

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

const issuer = "https://id.example.com"

var now = time.Date(2026, time.May, 1, 12, 0, 0, 500_000_000, time.UTC)

// keyring signs with one key for each algorithm.
type keyring map[jose.Algorithm]crypto.Signer

func newKeyring(t testing.TB) keyring {
	t.Helper()
	r, err1 := rsa.GenerateKey(rand.Reader, 2048)
	e, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, err3 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return keyring{jose.RS256: r, jose.ES256: e, jose.EdDSA: d}
}

// Sign implements [Signer].
func (k keyring) Sign(alg jose.Algorithm, typ string, claims any) (string, error) {
	key, ok := k[alg]
	if !ok {
		return "", errors.New("there is no such key")
	}
	return jose.Sign(key, alg, string(alg), typ, claims)
}

// find is the [KeyFinder] of the ring.
func (k keyring) find(kid string, alg jose.Algorithm) []crypto.PublicKey {
	if key, ok := k[alg]; ok && kid == string(alg) {
		return []crypto.PublicKey{key.Public()}
	}
	return nil
}

func (k keyring) claims(t testing.TB, token, typ string) map[string]any {
	t.Helper()
	payload, _, err := jose.Verify(token, []jose.Algorithm{jose.RS256, jose.ES256, jose.EdDSA}, []string{typ}, k.find)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := jose.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// app is a client that may have whatever these tests ask for.
func app(alg jose.Algorithm) client.Client {
	return client.Client{
		ID: "app", GrantTypes: []string{client.AuthorizationCode, client.RefreshToken, client.ClientCredentials, client.Implicit}, ResponseTypes: oauth.ResponseTypes(),
		Scopes:       oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeGroups, "api"},
		RedirectURIs: []string{"https://app.example.com/cb"}, ScopeClaims: true, IDTokenAlg: alg,
	}
}

// permit is the gate's word for an authorization.
func permit(t testing.TB, path grant.Path, c client.Client, a grant.Authorization) grant.Permit {
	t.Helper()
	peers := map[string]client.Client{}
	for _, id := range a.Audience {
		peers[id] = client.Client{ID: id, TrustedPeers: []string{c.ID}}
	}
	p, err := grant.Decide(grant.Case{
		Path: path, Now: now, Client: c, Peers: peers, Connector: &grant.Connector{ID: "local"},
		User: &user.User{ID: a.UserID}, Identity: &user.Identity{},
		Session:       &session.Session{IdleUntil: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)},
		Authorization: a, RedirectURI: c.RedirectURIs[0], ResponseType: oauth.ResponseTypeCode, Consent: a.Scopes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var ann = user.Profile{
	Username: "ann", Name: "Ann Example", Email: "ann@example.com", EmailVerified: true, Groups: []string{"staff"},
	Extra: map[string]any{"department": "R&D", "sub": "root", "aud": "*", "groups": []string{"admins"}},
}

func ofAnn(scopes ...string) grant.Authorization {
	return grant.Authorization{
		ID: "gra_1", ClientID: "app", UserID: "usr_ann", SessionID: "ses_1", ConnectorID: "local", Scopes: scopes,
		Nonce: "n", AuthTime: now.Add(-time.Minute), Methods: []credential.Method{credential.Password}, IssuedAt: now,
	}
}

func theMint(k keyring) *Mint {
	return &Mint{
		Issuer: issuer, Signer: k, Lifetimes: tenant.Lifetimes{AccessToken: 10 * time.Minute, IDToken: 5 * time.Minute},
		Opaque: NewOpaque(opaqueKey, issuer),
	}
}

// opaqueKey is the tenant's own.
var opaqueKey = []byte("a key of thirty-two bytes, or so")

func TestTheTokensOfAPerson(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	p := permit(t, grant.RedeemCode, c, ofAnn("openid", "profile", "email", "groups"))
	got, err := theMint(k).Tokens(p, c, &ann, now)
	if err != nil {
		t.Fatal(err)
	}
	if got.TokenType != "Bearer" || got.ExpiresIn != 600 || got.Scope != "openid profile email groups" || got.RefreshToken != "" {
		t.Errorf("the answer is for %q: %d s, scope %q", got.TokenType, got.ExpiresIn, got.Scope)
	}
	iat := float64(now.Unix())
	sum := sha256.Sum256([]byte(got.AccessToken))
	want := map[string]any{
		"iss": issuer, "sub": "usr_ann", "aud": "app", "iat": iat, "exp": iat + 300, "nonce": "n",
		"auth_time": iat - 60, "acr": "aal1", "amr": []any{"pwd"}, "sid": session.SID("ses_1", "app"),
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
		"name":    "Ann Example", "preferred_username": "ann", "email": "ann@example.com", "email_verified": true,
		"groups": []any{"staff"}, "department": "R&D",
	}
	if diff := cmp.Diff(want, k.claims(t, got.IDToken, jose.TypeJWT)); diff != "" {
		t.Errorf("ID token (-want +got):\n%s", diff)
	}
	access := k.claims(t, got.AccessToken, jose.TypeAccessToken)
	jti, _ := access["jti"].(string)
	delete(access, "jti")
	want = map[string]any{
		"iss": issuer, "sub": "usr_ann", "aud": issuer, "iat": iat, "exp": iat + 600, "client_id": "app", "gid": "gra_1",
		"scope": "openid profile email groups", "auth_time": iat - 60, "acr": "aal1", "amr": []any{"pwd"},
	}
	if diff := cmp.Diff(want, access); diff != "" {
		t.Errorf("access token (-want +got):\n%s", diff)
	}
	again, err := theMint(k).Tokens(p, c, &ann, now)
	if err != nil {
		t.Fatal(err)
	}
	if other := k.claims(t, again.AccessToken, jose.TypeAccessToken)["jti"]; len(jti) < 26 || other == jti {
		t.Errorf("two access tokens are called %q and %q", jti, other)
	}
}

func TestWhatAClientSettlesAboutItsTokens(t *testing.T) {
	k := newKeyring(t)
	for _, tt := range []struct {
		name   string
		client func(c *client.Client)
		grant  func(a *grant.Authorization)
		want   map[string]any // of the ID token; nil is absent
		access map[string]any
	}{
		{"its own lifetimes", func(c *client.Client) { c.AccessTTL, c.IDTTL = time.Minute, 2*time.Minute }, nil,
			map[string]any{"exp": float64(now.Unix() + 120)}, map[string]any{"exp": float64(now.Unix() + 60)}},
		{"the claims of scopes at userinfo alone", func(c *client.Client) { c.ScopeClaims = false }, nil,
			map[string]any{"name": nil, "email": nil, "groups": nil, "sub": "usr_ann"}, nil},
		{"other clients in the audience", nil, func(a *grant.Authorization) { a.Audience = []string{"other", "third"} },
			map[string]any{"aud": []any{"app", "other", "third"}, "azp": "app"}, map[string]any{"aud": []any{issuer, "other", "third"}}},
		{"no nonce, because it sent none", nil, func(a *grant.Authorization) { a.Nonce = "" },
			map[string]any{"nonce": nil, "azp": nil, "aud": "app"}, nil},
		{"two factors", nil, func(a *grant.Authorization) {
			a.Methods = []credential.Method{credential.Password, credential.MultiStep}
		}, map[string]any{"acr": "aal2"}, map[string]any{"acr": "aal2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, a := app(jose.ES256), ofAnn("openid", "profile", "email", "groups")
			if tt.client != nil {
				tt.client(&c)
			}
			if tt.grant != nil {
				tt.grant(&a)
			}
			got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, a), c, &ann, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range []struct {
				text, typ string
				want      map[string]any
			}{{got.IDToken, jose.TypeJWT, tt.want}, {got.AccessToken, jose.TypeAccessToken, tt.access}} {
				claims := k.claims(t, token.text, token.typ)
				for name, want := range token.want {
					if diff := cmp.Diff(want, claims[name]); diff != "" {
						t.Errorf("%s of the %s (-want +got):\n%s", name, token.typ, diff)
					}
				}
			}
		})
	}
}

// 1.E 69: the hash is that of the algorithm which the ID token is signed in.
func TestTheHashOfTheAccessTokenIsThatOfTheAlgorithm(t *testing.T) {
	k := newKeyring(t)
	half256 := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	half512 := func(s string) string {
		sum := sha512.Sum512([]byte(s))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	for alg, half := range map[jose.Algorithm]func(string) string{jose.RS256: half256, jose.ES256: half256, jose.EdDSA: half512} {
		c := app(alg)
		got, err := theMint(k).Tokens(permit(t, grant.Refresh, c, ofAnn("openid")), c, &ann, now)
		if err != nil {
			t.Fatal(err)
		}
		if hash := k.claims(t, got.IDToken, jose.TypeJWT)["at_hash"]; hash != half(got.AccessToken) {
			t.Errorf("%s: at_hash is %v", alg, hash)
		}
	}
}

func TestAClientThatActsForItselfIsItsOwnSubject(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	a := grant.Authorization{ClientID: "app", Scopes: oauth.Scopes{"api"}, IssuedAt: now}
	got, err := theMint(k).Tokens(permit(t, grant.ActForItself, c, a), c, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if got.IDToken != "" {
		t.Error("there is an ID token and no person")
	}
	claims := k.claims(t, got.AccessToken, jose.TypeAccessToken)
	for name, want := range map[string]any{"sub": "app", "client_id": "app", "scope": "api", "auth_time": nil, "acr": nil, "amr": nil, "gid": nil} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
}

func TestNothingIsMintedWithoutTheGatesWord(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	good := permit(t, grant.RedeemCode, c, ofAnn("openid"))
	unknown := c
	unknown.IDTokenAlg = jose.PS256
	for _, tt := range []struct {
		name    string
		mint    *Mint
		permit  grant.Permit
		client  client.Client
		profile *user.Profile
	}{
		{"without a permit", theMint(k), grant.Permit{}, c, &ann},
		{"with a permit to look", theMint(k), permit(t, grant.Userinfo, c, ofAnn("openid")), c, &ann},
		{"with a permit to introspect", theMint(k), permit(t, grant.Introspect, c, ofAnn("openid")), c, &ann},
		{"with a permit for a code", theMint(k), permit(t, grant.IssueCode, c, ofAnn("openid")), c, &ann},
		{"with an ID token for nobody", theMint(k), good, c, nil},
		{"in an algorithm without a key", theMint(k), good, unknown, &ann},
		{"without the key for access tokens", theMint(keyring{jose.RS256: k[jose.RS256]}), good, c, &ann},
	} {
		if got, err := tt.mint.Tokens(tt.permit, tt.client, tt.profile, now); err == nil || got.AccessToken != "" || got.IDToken != "" {
			t.Errorf("%s: there are tokens; %v", tt.name, err)
		}
	}
}

func TestReservedClaimsAreNoConnectorsToMake(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	c.IDTTL = time.Minute
	p := ann
	p.Extra = map[string]any{"name": "Somebody Else"}
	for name := range reserved {
		p.Extra[name] = "forged"
	}
	got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, ofAnn("openid", "profile")), c, &p, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, claims := range []map[string]any{
		k.claims(t, got.IDToken, jose.TypeJWT), k.claims(t, got.AccessToken, jose.TypeAccessToken),
		OfPerson(p, oauth.Scopes{"openid", "profile", "email", "groups"}),
	} {
		for name, value := range claims {
			if value == "forged" || name == "name" && value != "Ann Example" {
				t.Errorf("a connector has made the claim %s: %v", name, value)
			}
		}
	}
	// Whatever we say ourselves is reserved.
	all := k.claims(t, got.IDToken, jose.TypeJWT)
	for name := range k.claims(t, got.AccessToken, jose.TypeAccessToken) {
		all[name] = true
	}
	for name := range all {
		if _, ofPerson := OfPerson(ann, oauth.Scopes{"profile"})[name]; !ofPerson && !Reserved(name) {
			t.Errorf("the claim %q is ours, and a connector may make it", name)
		}
	}
}

func TestAScopeOpensItsClaimsAndNoOthers(t *testing.T) {
	for _, tt := range []struct {
		scopes oauth.Scopes
		want   []string
	}{
		{nil, nil},
		{oauth.Scopes{"openid"}, nil},
		{oauth.Scopes{"email"}, []string{"email", "email_verified"}},
		{oauth.Scopes{"groups"}, []string{"groups"}},
		{oauth.Scopes{"profile"}, []string{"department", "name", "preferred_username"}},
		{oauth.Scopes{"api", "offline_access"}, nil},
	} {
		var got []string
		for name := range OfPerson(ann, tt.scopes) {
			got = append(got, name)
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q opens %q, want %q", tt.scopes, got, tt.want)
		}
	}
	if got := OfPerson(user.Profile{}, oauth.Scopes{"profile", "email", "groups"}); len(got) != 0 {
		t.Errorf("of nobody in particular there is %v", got)
	}
}

// 1.E 73: each character of an access token counts.
func TestAnAccessTokenIsReadToTheLastBit(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.RS256)
	got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, ofAnn("openid")), c, &ann, now)
	if err != nil {
		t.Fatal(err)
	}
	good := got.AccessToken
	read := func(token string) error {
		return readError(token, issuer, k.find, now)
	}
	if err := read(good); err != nil {
		t.Fatal(err)
	}
	for i := range len(good) {
		if read(good[:i]) == nil {
			t.Errorf("the first %d of %d bytes are good as well", i, len(good))
		}
		for bit := range 8 {
			bent := []byte(good)
			bent[i] ^= 1 << bit
			if read(string(bent)) == nil {
				t.Errorf("with bit %d of byte %d turned it is good as well", bit, i)
			}
		}
	}
	for _, tail := range []string{"=", "==", "A", ".", "..", "\n", " ", "\x00", "%3D"} {
		if read(good+tail) == nil || read(tail+good) == nil {
			t.Errorf("it is good as well with %q", tail)
		}
	}
	if read(strings.ToUpper(good)) == nil || read(strings.ToLower(good)) == nil {
		t.Error("it is good in other letters")
	}
}

func TestATokenIsTakenForNoOther(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.ES256)
	got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, ofAnn("openid")), c, &ann, now)
	if err != nil {
		t.Fatal(err)
	}
	expired := now.Add(10 * time.Minute)
	for name, err := range map[string]error{
		"an ID token, though by the same key":         readError(got.IDToken, issuer, k.find, now),
		"an access token of another issuer":           readError(got.AccessToken, "https://other.example.com", k.find, now),
		"an access token that has expired":            readError(got.AccessToken, issuer, k.find, expired),
		"an access token by a key that is gone":       readError(got.AccessToken, issuer, keyring{}.find, now),
		"an access token by another key of that name": readError(got.AccessToken, issuer, newKeyring(t).find, now),
	} {
		if err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if err := readError(got.AccessToken, issuer, k.find, expired.Add(-time.Second)); err != nil {
		t.Errorf("a second before it expires: %v", err)
	}
}

func readError(token, issuer string, find KeyFinder, now time.Time) error {
	_, err := Reader{Issuer: issuer, Find: find, Opaque: NewOpaque(opaqueKey, issuer)}.Read(token, now)
	return err
}

func TestAHintIsReadOfOurOwnIDTokens(t *testing.T) {
	k := newKeyring(t)
	c := app(jose.EdDSA)
	a := ofAnn("openid")
	a.Audience = []string{"other"}
	got, err := theMint(k).Tokens(permit(t, grant.RedeemCode, c, a), c, &ann, now)
	if err != nil {
		t.Fatal(err)
	}
	subject, hint, ok := ReadIDTokenHint(got.IDToken, issuer, k.find)
	if !ok || subject != "usr_ann" || hint.Client() != "app" || hint.SessionID != session.SID("ses_1", "app") {
		t.Errorf("the hint is for %q at %q: %v", subject, hint.Client(), ok)
	}
	for name, token := range map[string]string{
		"nothing": "", "an access token": got.AccessToken, "garbage": "a.b.c", "one cut short": got.IDToken[:len(got.IDToken)-1],
	} {
		if subject, _, ok := ReadIDTokenHint(token, issuer, k.find); ok || subject != "" {
			t.Errorf("%s is a hint for %q", name, subject)
		}
	}
	if _, _, ok := ReadIDTokenHint(got.IDToken, "https://other.example.com", k.find); ok {
		t.Error("an ID token of another issuer is a hint")
	}
	for want, hint := range map[string]IDHint{
		"a": {AuthorizedParty: "a", Claims: jose.Claims{Audience: jose.Audience{"b", "a"}}},
		"b": {Claims: jose.Claims{Audience: jose.Audience{"b"}}},
		"":  {Claims: jose.Claims{Audience: jose.Audience{"a", "b"}}},
	} {
		if got := hint.Client(); got != want {
			t.Errorf("%v was issued to %q, want %q", hint, got, want)
		}
	}
}

func FuzzIssuerOf(f *testing.F) {
	f.Add("e30.eyJpc3MiOiJodHRwczovL2EifQ.x")
	f.Add("..")
	f.Add("e30.e30.")
	f.Add("a.b")
	f.Add("dxa_aHR0cHM6Ly9h.AQ")
	f.Fuzz(func(t *testing.T, token string) {
		if issuer := IssuerOf(token); issuer != "" && strings.Count(token, ".") < 2 && !strings.HasPrefix(token, "dxa_") {
			t.Errorf("%q has the issuer %q, and is no token", token, issuer)
		}
	})
}

func TestATokenSaysItsIssuer(t *testing.T) {
	for token, want := range map[string]string{
		"e30.eyJpc3MiOiJodHRwczovL2EifQ.x": "https://a", "e30.e30.x": "", "nonsense": "", "a.!.b": "", "e30.eyJpc3MiOiJhIiwiaXNzIjoiYiJ9.x": "",
		"dxa_aHR0cHM6Ly9h.AQ": "https://a", "dxa_aHR0cHM6Ly9h": "", "dxa_!.AQ": "", "dxa_": "",
	} {
		if got := IssuerOf(token); got != want {
			t.Errorf("%s: got %q, want %q", token, got, want)
		}
	}
}
