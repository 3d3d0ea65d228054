package worker_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/app/config"
	"dex/internal/app/workertest"
	"dex/internal/domain/session"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// 1.C 48.
func TestAClientIsNeverTakenForAPerson(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	claims := workertest.Claims(t, s.Client(t, "app").Token("grant_type", "client_credentials").AccessToken)
	for name, want := range map[string]any{"sub": "app", "client_id": "app", "auth_time": nil, "acr": nil, "amr": nil, "gid": nil} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	t.Run("no client may be called as an account is", func(t *testing.T) {
		for id, ok := range map[string]bool{"usr_ann": false, "usr_": false, "user": true, "usr": true} {
			file := filepath.Join(t.TempDir(), "dex.yaml")
			text := "issuer: http://127.0.0.1:5556\ndb: sqlite:unused\nclients: [{id: " + id + ", secret: s, redirect_uris: ['https://c.example.com/cb'], grant_types: [authorization_code, client_credentials]}]\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := config.Load(config.Source{Environ: []string{config.EnvPrefix + "CONFIG=" + file}})
			if (err == nil) != ok {
				t.Errorf("the client %q: %v", id, err)
			}
		}
	})
}

// 1.C 49.
func TestOnlyAnAccessTokenIsAnAccessToken(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	for _, id := range []string{"app", "es256", "eddsa", "jwt"} {
		c := s.Client(t, id)
		b := s.Browser(t)
		tokens := c.Redeem(c.Code(b))
		unused := c.Code(b)
		things := map[string]string{
			"an ID token": tokens.IDToken, "a refresh token": tokens.RefreshToken, "a code": unused,
			"an assertion": s.Client(t, "jwt").Assertion(map[string]any{"iss": s.URL, "client_id": id}),
			"a session":    b.Cookies(session.Cookie)[0].Value, "a client secret": id + "-secret", "a user's id": "usr_ann",
		}
		for name, thing := range things {
			if a := c.Userinfo(thing); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
				t.Errorf("%s: userinfo takes %s: %d %s", id, name, a.Status, a.Body)
			}
			if active := c.Active(thing); active != (name == "a refresh token") {
				t.Errorf("%s: %s is active: %v", id, name, active)
			}
			if got := c.Refresh(thing); name != "a refresh token" && got.Error != string(oauth.InvalidGrant) {
				t.Errorf("%s: %s refreshes: %d %s", id, name, got.Status, got.Error)
			}
			isOK(t, c.Revoke(thing+"x")) // whatever it is
		}
		if got := c.Redeem(tokens.RefreshToken); got.Error != string(oauth.InvalidGrant) {
			t.Errorf("%s: a refresh token is redeemed: %d %s", id, got.Status, got.Error)
		}
		if !c.Active(tokens.AccessToken) || c.Redeem(unused).Status != http.StatusOK {
			t.Errorf("%s: a token is the worse for it", id)
		}
	}
}

// 1.C 50.
func TestATokenIsForThoseItNames(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c, peer, stranger := s.Client(t, "app"), s.Client(t, "other"), s.Client(t, "asks")
	plain := c.Obtain()
	crossed := c.Obtain("scope", "openid offline_access audience:server:client_id:other")
	for _, tt := range []struct {
		name  string
		token string
		want  any
	}{
		{"an access token is for us", plain.AccessToken, s.URL},
		{"an ID token is for its client", plain.IDToken, "app"},
		{"an access token is for the named peer too", crossed.AccessToken, []any{s.URL, "other"}},
		{"an ID token is for the named peer too", crossed.IDToken, []any{"app", "other"}},
	} {
		if got := workertest.Claims(t, tt.token)["aud"]; fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: aud is %v, want %v", tt.name, got, tt.want)
		}
	}
	if azp := workertest.Claims(t, crossed.IDToken)["azp"]; azp != "app" {
		t.Errorf("azp is %v", azp)
	}
	if peer.Active(plain.AccessToken) || !peer.Active(crossed.AccessToken) || stranger.Active(crossed.AccessToken) {
		t.Error("a token is told of to others than it is for")
	}
	t.Run("whoever is not trusted gets no token for a peer", func(t *testing.T) {
		for _, peer := range []string{"other", "app", "nobody", ""} {
			a := s.Client(t, "es256").Login(s.Browser(t), "scope", "openid audience:server:client_id:"+peer)
			if peer == "" { // names nobody, and is a scope that we do not know
				if a.Param("code") == "" {
					t.Errorf("an unknown scope is an error: %s", a.Header.Get("Location"))
				}
				continue
			}
			if got := a.Param("error"); got != string(oauth.InvalidScope) {
				t.Errorf("for %q: %s", peer, a.Header.Get("Location"))
			}
		}
	})
	t.Run("userinfo asks for openid", func(t *testing.T) {
		tokens := c.Obtain("scope", "profile api")
		if tokens.IDToken != "" {
			t.Error("there is an ID token without openid")
		}
		a := c.Userinfo(tokens.AccessToken)
		if a.Status != http.StatusForbidden || !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`) {
			t.Errorf("userinfo: %d %q", a.Status, a.Header.Get("WWW-Authenticate"))
		}
	})
	t.Run("userinfo is about people", func(t *testing.T) {
		a := c.Userinfo(c.Token("grant_type", "client_credentials", "scope", "openid profile api").AccessToken)
		if a.Status != http.StatusUnauthorized {
			t.Errorf("userinfo: %d %s", a.Status, a.Body)
		}
	})
}

// 1.C 51: what is granted is what was asked for, as far as the client may have it.
func TestNoScopeIsGrantedBeyondWhatClientAndPersonAllow(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: `
- {id: small, secret: small-secret, redirect_uris: ["https://small.example.com/cb"], trusted: true, grant_types: [authorization_code], scopes: [openid, email]}
`})
	may := map[string][]string{
		"app":   {"openid", "profile", "email", "groups", "offline_access", "api"},
		"small": {"openid", "email"},
		"asks":  {"openid", "profile", "email", "groups", "offline_access"},
	}
	every := []string{"openid", "profile", "email", "groups", "offline_access", "api", "admin", "dex:admin", "*", "OPENID"}
	dice := rand.New(rand.NewPCG(1, 2))
	b := s.Browser(t)
	for id, allowed := range may {
		c := s.Client(t, id)
		for range 25 {
			dice.Shuffle(len(every), func(i, j int) { every[i], every[j] = every[j], every[i] })
			asked := every[:1+dice.IntN(len(every))]
			var want []string
			for _, scope := range asked {
				if slices.Contains(allowed, scope) {
					want = append(want, scope)
				}
			}
			a := c.Login(b, "scope", strings.Join(asked, " "))
			if len(want) == 0 {
				if got := a.Param("error"); got != string(oauth.InvalidScope) {
					t.Errorf("%s asks for %q: %s", id, asked, a.Header.Get("Location"))
				}
				continue
			}
			tokens := c.Redeem(a.Param("code"))
			claims := workertest.Claims(t, tokens.AccessToken)
			if tokens.Scope != strings.Join(want, " ") || claims["scope"] != tokens.Scope {
				t.Errorf("%s asks for %q and gets %q, and %v in the token", id, asked, tokens.Scope, claims["scope"])
			}
			if (tokens.IDToken != "") != slices.Contains(want, "openid") || (tokens.RefreshToken != "") != slices.Contains(want, "offline_access") {
				t.Errorf("%s has %q: an ID token %v, a refresh token %v", id, want, tokens.IDToken != "", tokens.RefreshToken != "")
			}
		}
	}
	for asked, want := range map[string]string{"": "", "api": "api", "api admin": "api", "admin": "", "openid profile email groups offline_access api": "api"} {
		tokens := s.Client(t, "app").Token("grant_type", "client_credentials", "scope", asked)
		if tokens.Status != http.StatusOK || tokens.Scope != want || tokens.RefreshToken != "" || tokens.IDToken != "" {
			t.Errorf("for itself app asks for %q and gets %q: %d", asked, tokens.Scope, tokens.Status)
		}
	}
}

// 1.E 68, 71 and 74.
func TestWhatTokensSay(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	began := s.Clock.Now()
	nonce := `n%20+ "<é>/` + strings.Repeat("x", 200)
	b := s.Browser(t)
	code := c.Code(b, "nonce", nonce, "scope", "openid profile email groups offline_access")
	s.Advance(t, 30*time.Second)
	tokens := c.Redeem(code)
	id, access := workertest.Claims(t, tokens.IDToken), workertest.Claims(t, tokens.AccessToken)
	t.Run("1.E 68 times", func(t *testing.T) {
		iat := float64(began.Add(30 * time.Second).Unix())
		for _, claims := range []map[string]any{id, access} {
			if claims["iat"] != iat || claims["exp"] != iat+600 || claims["auth_time"] != float64(began.Unix()) || claims["nbf"] != nil {
				t.Errorf("iat %v, exp %v, auth_time %v, nbf %v", claims["iat"], claims["exp"], claims["auth_time"], claims["nbf"])
			}
		}
		s.Advance(t, 10*time.Minute-time.Second)
		if a := c.Userinfo(tokens.AccessToken); a.Status != http.StatusOK || !c.Active(tokens.AccessToken) {
			t.Errorf("in its last second a token is worth nothing: %d", a.Status)
		}
		s.Advance(t, time.Second)
		if a := c.Userinfo(tokens.AccessToken); a.Status != http.StatusUnauthorized || c.Active(tokens.AccessToken) {
			t.Errorf("with no tolerance for our own clock, an expired token counts: %d", a.Status)
		}
	})
	t.Run("1.E 71 the nonce, to the byte", func(t *testing.T) {
		if id["nonce"] != nonce {
			t.Errorf("the nonce is %q", id["nonce"])
		}
		other := c.Redeem(c.Code(b, "nonce", "other"))
		if got := workertest.Claims(t, other.IDToken)["nonce"]; got != "other" {
			t.Errorf("of the next code it is %q", got)
		}
		none := c.Redeem(c.Code(b, "nonce", ""))
		if got, there := workertest.Claims(t, none.IDToken)["nonce"]; there {
			t.Errorf("without one it is %q", got)
		}
	})
	t.Run("1.E 74 nothing of the person in an access token", func(t *testing.T) {
		known := []string{"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "gid", "auth_time", "acr", "amr"}
		for name := range access {
			if !slices.Contains(known, name) {
				t.Errorf("it says %s: %v", name, access[name])
			}
		}
		text := fmt.Sprint(access)
		for _, private := range []string{"Ann", "example.com", "admins", "staff", "ann@"} {
			if strings.Contains(text, private) {
				t.Errorf("it says %q: %s", private, text)
			}
		}
	})
}

// 1.E 69.
func TestTheIDTokenNamesItsAccessToken(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	for id, alg := range map[string]jose.Algorithm{"app": jose.RS256, "es256": jose.ES256, "eddsa": jose.EdDSA} {
		c := s.Client(t, id)
		first := c.Obtain()
		for _, tokens := range []workertest.Tokens{first, c.Refresh(first.RefreshToken)} {
			if got := workertest.Claims(t, tokens.IDToken)["at_hash"]; got != jose.HalfHash(alg, tokens.AccessToken) {
				t.Errorf("%s: at_hash is %v", alg, got)
			}
		}
	}
}

// 1.E 72.
func TestAnIssuersTokensAreWorthNothingAtAnother(t *testing.T) {
	here, there := workertest.Start(t, workertest.Options{}), workertest.Start(t, workertest.Options{})
	c := here.Client(t, "app")
	b := here.Browser(t)
	tokens := c.Redeem(c.Code(b))
	code := c.Code(b)
	abroad := there.Client(t, "app") // with the same id and secret
	abroad.Verifier = c.Verifier
	if a := abroad.Userinfo(tokens.AccessToken); a.Status != http.StatusUnauthorized {
		t.Errorf("userinfo: %d", a.Status)
	}
	if abroad.Active(tokens.AccessToken) || abroad.Active(tokens.RefreshToken) {
		t.Error("a token is active at another issuer")
	}
	for name, got := range map[string]workertest.Tokens{"refresh": abroad.Refresh(tokens.RefreshToken), "code": abroad.Redeem(code)} {
		if got.Error != string(oauth.InvalidGrant) {
			t.Errorf("%s: %d %s", name, got.Status, got.Error)
		}
	}
	isOK(t, abroad.Revoke(tokens.RefreshToken))
	if !c.Active(tokens.AccessToken) || !c.Active(tokens.RefreshToken) {
		t.Error("another issuer has revoked a token")
	}
	if a := (call{path: "/token", form: forItself(asserting(here.Client(t, "jwt").Assertion(nil))...)}).send(t, there); a.Status != http.StatusUnauthorized {
		t.Errorf("an assertion for another issuer: %d", a.Status)
	}
}

// 1.E 73, over the wire: every bit is turned in packages mint and jose.
func TestEachCharacterOfATokenCounts(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	b := s.Browser(t)
	tokens := c.Redeem(c.Code(b))
	code := c.Code(b)
	for _, tt := range []struct {
		name, good string
		works      func(token string) bool
	}{
		{"an access token at userinfo", tokens.AccessToken, func(token string) bool { return c.Userinfo(token).Status == http.StatusOK }},
		{"an access token at introspection", tokens.AccessToken, c.Active},
		{"a refresh token at introspection", tokens.RefreshToken, c.Active},
		{"a refresh token", tokens.RefreshToken, func(token string) bool { return c.Refresh(token).Status == http.StatusOK }},
		{"a code", code, func(token string) bool { return c.Redeem(token).Status == http.StatusOK }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := []string{strings.ToUpper(tt.good), strings.ToLower(tt.good)}
			for _, more := range []string{"=", "==", "A", ".", "-", "+", "/", "~"} {
				bad = append(bad, tt.good+more)
			}
			step := max(1, len(tt.good)/60)
			for i := 0; i < len(tt.good); i += step {
				bad = append(bad, tt.good[:i])
			}
			for i := range tt.good {
				bent := []byte(tt.good)
				if bent[i]++; bent[i] == '/' || bent[i] > 'z' {
					bent[i] = 'A'
				}
				bad = append(bad, string(bent))
			}
			// The last character encodes bits that nobody reads.
			for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
				bad = append(bad, tt.good[:len(tt.good)-1]+string(last))
			}
			for _, token := range bad {
				if token != tt.good && tt.works(token) {
					t.Errorf("it is good as well as %q", token)
				}
			}
			if !tt.works(tt.good) {
				t.Error("after all that it is worth nothing")
			}
		})
	}
}

func jsonOf(t testing.TB, a *workertest.Answer) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		t.Fatalf("%s: %d %q", a.URL, a.Status, a.Body)
	}
	return v
}
