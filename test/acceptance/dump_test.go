package acceptance_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/outbox"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// dumpConfig has a secret in every place of the configuration that takes one.
const dumpConfig = `
registration: {admission: token, profile: openid}
clients:
- {id: app, trusted: true, secrets: [app-secret, the-secret-that-comes-next], redirect_uris: ["https://app.example.com/cb"], grant_types: [authorization_code, refresh_token, client_credentials], scopes: [openid, profile, offline_access, api]}
- {id: asks, secret: asks-secret, redirect_uris: ["https://asks.example.com/cb"]}
- {id: tv, public: true, grant_types: ["urn:ietf:params:oauth:grant-type:device_code"], scopes: [openid]}
users:
- {id: ann, username: ann, password: correct horse battery}
- {id: ben, username: ben, password: another-password-of-ben}
connectors:
- {id: local, kind: local}
- {id: elsewhere, kind: oidc, config: {issuer: "https://elsewhere.example.com", client_id: dex, client_secret: the-secret-at-the-provider}}
`

// secrets are all that was issued, or given to us, and must not be found again.
type secrets map[string][]byte

func (s secrets) add(what, value string) {
	if len(value) < 8 {
		panic("the secret " + what + " is too short to be looked for")
	}
	s[what] = []byte(value)
	// What stands behind a typed prefix is the secret itself.
	for _, prefix := range []string{secret.CodePrefix, secret.RefreshPrefix, secret.SessionPrefix, secret.ClientPrefix, secret.DevicePrefix, secret.LinkPrefix, secret.InitialPrefix, secret.EnrolPrefix, secret.PushedPrefix} {
		if rest, ok := strings.CutPrefix(value, prefix); ok {
			s[what+" without its prefix"] = []byte(rest)
		}
	}
	// A token's signature is what makes it one. Its claims are no secret.
	if parts := strings.Split(value, "."); len(parts) == 3 {
		s["the signature of "+what] = []byte(parts[2])
	}
}

// spellings are the ways in which bytes may stand in a dump.
func spellings(value []byte) map[string]string {
	all := map[string]string{
		"clear": string(value), "hex": hex.EncodeToString(value), "HEX": strings.ToUpper(hex.EncodeToString(value)),
	}
	for name, enc := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		// Wherever in a longer text it stands: what depends on its neighbours is cut off.
		for shift := range 3 {
			text := enc.EncodeToString(append(make([]byte, shift), value...))
			from, to := (shift*8+5)/6, (shift+len(value))*8/6
			all[fmt.Sprintf("%s, moved by %d", name, shift)] = text[from:to]
		}
	}
	return all
}

// find says which secrets are in a dump, and how.
func (s secrets) find(dump string) (found []string) {
	for what, value := range s {
		for how, text := range spellings(value) {
			if strings.Contains(dump, text) {
				found = append(found, what+" in "+how)
			}
		}
	}
	slices.Sort(found)
	return found
}

// scenario lives through everything that leaves something in the database, and
// returns the secrets that came up.
func scenario(t *testing.T, s *workertest.Server, clk *clock.Fake) secrets {
	t.Helper()
	found := secrets{}
	app, asks := s.Client(t, "app"), s.Client(t, "asks")
	keep := func(what string, tokens workertest.Tokens) workertest.Tokens {
		t.Helper()
		if tokens.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", what, tokens.Status, tokens.Error)
		}
		for kind, token := range map[string]string{"access token": tokens.AccessToken, "refresh token": tokens.RefreshToken, "ID token": tokens.IDToken} {
			if token != "" {
				found.add(what+": "+kind, token)
			}
		}
		return tokens
	}
	code := func(what, code string) string {
		found.add(what+": code", code)
		return code
	}
	cookies := func(what string, b *workertest.Browser) {
		for _, c := range b.Cookies("dex") {
			found.add(what+": cookie "+c.Name, c.Value)
		}
	}

	first := s.Browser(t)
	// A wrong password, the right one, consent that is remembered, and a refresh.
	at := first.Follow(first.Get(asks.Authorize("connector_id", "local")))
	at = first.Follow(first.Submit(at.Form(t, "password"), "login", "ann", "password", "a password that is wrong"))
	found.add("the wrong password", "a password that is wrong")
	cookies("under way", first)
	found.add("the anti-forgery value", at.Form(t, "password").Values.Get("csrf"))
	at = first.Follow(first.Submit(at.Form(t, "password"), "login", "ann", "password", workertest.Password))
	at = first.Follow(first.Submit(at.Form(t, "allow"), "answer", "allow", "remember", "1"))
	cookies("logged in", first)
	used := keep("the first", asks.Redeem(code("used", at.Param("code"))))
	clk.Advance(time.Minute)
	used = keep("the second", asks.Refresh(used.RefreshToken))
	keep("the third", asks.Refresh(used.RefreshToken))

	// A code that nobody redeems, one that is replayed, one that is presented wrongly.
	code("unused", asks.Code(first))
	replayed := code("replayed", app.Code(first))
	keep("replayed", app.Redeem(replayed))
	app.Redeem(replayed)
	app.Redeem(code("wrongly presented", app.Code(first)), "code_verifier", strings.Repeat("wrong", 10))
	found.add("the code verifier", app.Verifier)
	found.add("a wrong code verifier", strings.Repeat("wrong", 10))

	// Somebody from elsewhere, whose provider is asked again, and who leaves.
	second := s.Browser(t)
	away := keep("from elsewhere", app.Redeem(code("from elsewhere", app.CodeBy(second, "zoe"))))
	cookies("from elsewhere", second)
	clk.Advance(2 * time.Minute)
	keep("from elsewhere, later", app.Refresh(away.RefreshToken))
	found.add("what the provider gave us to ask again", workertest.UpstreamToken("zoe"))
	found.add("what the provider gave us to log out", workertest.UpstreamSession("zoe"))

	// A client by itself, a token that is revoked, a session that is ended.
	keep("by itself", app.Token("grant_type", "client_credentials", "scope", "api"))
	revoked := keep("revoked", app.Redeem(code("revoked", app.Code(first))))
	app.Revoke(revoked.AccessToken)
	app.Revoke(revoked.RefreshToken)
	third := s.Browser(t)
	code("of a session that is over", app.CodeBy(third, "yan"))
	cookies("of a session that is over", third)
	at = third.Get("/logout")
	third.Submit(at.Form(t, "confirm-logout"))
	return found
}

// deeds does what operators do, and leaves secrets on their way.
func (s secrets) deeds(t *testing.T, w *workertest.Server, now time.Time) {
	t.Helper()
	ctx, tn := t.Context(), w.Tenant
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	by := audit.By{Actor: "usr_ann", At: now, Receipt: &audit.Receipt{
		Actor: "usr_ann", Key: sha256.Sum256([]byte("a key")), Request: sha256.Sum256([]byte("a request")),
		Answer: []byte(`{"secret":"a-secret-that-is-shown-once"}`), ExpiresAt: now.Add(time.Hour),
	}}
	s.add("what was answered and shown once", "a-secret-that-is-shown-once")
	_, err := tn.CreateGroup(ctx, user.Group{ID: "friends"}, by)
	must(err)
	by.Receipt = nil
	must(tn.AddMembers(ctx, "friends", []string{"usr_ben"}, by))
	made, err := tn.CreateUser(ctx, user.New{
		User: user.User{ID: user.NewID(), Username: "cat"}, Local: user.Local{ConnectorID: "local", LoginNames: []string{"cat"}},
	}, by)
	must(err)
	link, value := user.NewLink(user.Reset, made.ID, now)
	s.add("a link", string(value))
	must(tn.CreateLink(ctx, link, &outbox.Message{Kind: outbox.Mail, Body: []byte(`{"link":"` + string(value) + `"}`)}, by))
	tv := w.Client(t, "tv")
	var device struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	answer := tv.Send("/device_authorization", url.Values{"scope": {"openid"}})
	must(json.Unmarshal([]byte(answer.Body), &device))
	s.add("a device code", device.DeviceCode)
	s.add("a user code", device.UserCode)
	asks := w.Client(t, "asks")
	s.add("the handle of a pushed request", strings.TrimPrefix(asks.Push("nonce", "a-nonce-that-was-pushed"), oauth.RequestURIPrefix))
	s.add("what a pushed request says", "a-nonce-that-was-pushed")
	initial := secret.New(secret.InitialPrefix)
	s.add("an initial access token", string(initial))
	must(tn.AddInitialToken(ctx, client.InitialToken{
		ID: client.NewInitialTokenID(), UsesLeft: 2, CreatedAt: now, CreatedBy: "usr_ann", ExpiresAt: now.Add(time.Hour),
	}, initial.Hash(), by))
	s.registration(t, w, initial)
	must(w.Worker.CatchUp(ctx))
}

// registration lets a client register itself.
func (s secrets) registration(t *testing.T, w *workertest.Server, initial secret.Value) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/register", strings.NewReader(`{"redirect_uris": ["https://new.example.com/cb"]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+string(initial))
	req.Header.Set("Content-Type", "application/json")
	a := w.Browser(t).Do(req)
	var made struct {
		Secret string `json:"client_secret"`
		Token  string `json:"registration_access_token"`
	}
	if err := json.Unmarshal([]byte(a.Body), &made); err != nil || a.Status != http.StatusCreated {
		t.Fatalf("the client is not registered: %d %s", a.Status, a.Body)
	}
	s.add("the secret of a client that has registered itself", made.Secret)
	s.add("a registration access token", made.Token)
}

// operators adds what the operator has given us, and what we have made ourselves.
func (s secrets) operators(t *testing.T, tn *store.Tenant, keySecret seal.Secret) {
	t.Helper()
	for what, value := range map[string]string{
		"a client's secret": "app-secret", "a client's next secret": "the-secret-that-comes-next", "another client's secret": "asks-secret",
		"a password": workertest.Password, "another's password": "another-password-of-ben",
		"our secret at the provider": "the-secret-at-the-provider", "the key secret": keySecret.Reveal(),
	} {
		s.add(what, value)
	}
	raw, err := base64.StdEncoding.DecodeString(keySecret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	s["the key secret's bytes"] = raw
	s["the key of the refresh tokens"] = tn.RefreshKey()
	keys, err := tn.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(k.Private)
		if err != nil {
			t.Fatal(err)
		}
		public, err := x509.MarshalPKIXPublicKey(k.Public)
		if err != nil {
			t.Fatal(err)
		}
		// Any part of the private half that the public one does not have.
		for at := 0; at+24 <= len(der); at += 8 {
			if part := der[at : at+24]; at >= 40 && !bytes.Contains(public, part) && !partly(public, part) {
				s[fmt.Sprintf("bytes %d of the private half of %s", at, k.ID)] = part
			}
		}
	}
	if len(keys) != 3 {
		t.Fatalf("%d signing keys", len(keys))
	}
}

// partly reports whether half of a part stands in what is public.
func partly(public, part []byte) bool {
	return bytes.Contains(public, part[:12]) || bytes.Contains(public, part[12:])
}

// DESIGN 8, promise 5, security requirement 33: a copy of the database alone is
// worth nothing.
func TestACopyOfTheDatabaseIsWorthNothing(t *testing.T) {
	keySecret := seal.NewSecret()
	ring, err := seal.NewRing(keySecret)
	if err != nil {
		t.Fatal(err)
	}
	clk, up := &clock.Fake{}, &workertest.Upstream{}
	db := shared(t, storetest.WithClock(clk), storetest.WithKeys(ring))
	s := workertest.Start(t, workertest.Options{Bare: true, Config: dumpConfig, Kinds: up.Kinds(), Clock: clk, DB: db})
	issued := scenario(t, s, clk)
	issued.deeds(t, s, clk.Now())
	issued.operators(t, s.Tenant, keySecret)
	dump := storetest.Dump(t, db)
	for table, rows := range storetest.Counts(t, db) {
		if unused := []string{"used_assertions", "client_origins", "leases", "deleted_tenants"}; rows == 0 && !slices.Contains(unused, table) {
			t.Errorf("the scenario leaves nothing in %s", table)
		}
	}
	for _, found := range issued.find(dump) {
		t.Errorf("the dump holds %s", found)
	}
	t.Logf("%d secrets, %d bytes of dump", len(issued), len(dump))

	t.Run("and what is looked for would be found", func(t *testing.T) {
		for what, value := range issued {
			for how, text := range spellings(value) {
				if len(text) < 8 {
					t.Errorf("%s in %s is too short to mean anything: %q", what, how, text)
				}
			}
			for _, planted := range []string{
				string(value), hex.EncodeToString(value), base64.StdEncoding.EncodeToString(append([]byte("{"), value...)),
				base64.RawURLEncoding.EncodeToString(append([]byte("{x"), append(value, "}"...)...)),
			} {
				if len((secrets{what: value}).find("before"+planted+"after")) == 0 {
					t.Errorf("%s is not found in %q", what, planted)
				}
			}
		}
	})
	t.Run("and nothing in it opens anything", func(t *testing.T) { replay(t, s, dump) })
}

// words are what in a dump is long enough to be worth a try.
var words = regexp.MustCompile(`[A-Za-z0-9_.+/=$,-]{16,}`)

// replay presents everything that stands in a dump wherever a secret is expected.
func replay(t *testing.T, s *workertest.Server, dump string) {
	t.Helper()
	app := s.Client(t, "app")
	anybody := s.Browser(t)
	app.Code(anybody, "connector_id", "local")
	cookie := anybody.Cookies("session")[0].Name
	tried := map[string]bool{}
	for _, word := range words.FindAllString(dump, -1) {
		for _, part := range append(strings.FieldsFunc(word, func(r rune) bool { return r == '=' || r == '"' }), word) {
			tried[part] = len(part) >= 16 && len(part) < 2000
		}
	}
	n := 0
	for word, worth := range tried {
		if !worth {
			continue
		}
		n++
		thief := s.Browser(t)
		for _, value := range []string{word, secret.SessionPrefix + word} {
			thief.SetCookie(&http.Cookie{Name: cookie, Value: value})
			if a := thief.Get(app.Authorize("prompt", "none")); a.Param("error") != "login_required" {
				t.Errorf("%q is a session: %d %s", word, a.Status, a.Header.Get("Location"))
			}
		}
		for _, value := range []string{word, secret.CodePrefix + word} {
			if got := app.Redeem(value); got.Error != "invalid_grant" && got.Error != "invalid_request" {
				t.Errorf("%q is a code: %d %s", word, got.Status, got.Error)
			}
		}
		for _, value := range []string{word, secret.RefreshPrefix + word} {
			if got := app.Refresh(value); got.Error != "invalid_grant" && got.Error != "invalid_request" {
				t.Errorf("%q is a refresh token: %d %s", word, got.Status, got.Error)
			}
		}
		if a := app.Userinfo(word); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
			t.Errorf("%q is an access token: %d", word, a.Status)
		}
		as := *app
		as.Secret = word
		if got := as.Token("grant_type", "client_credentials"); got.Error != "invalid_client" {
			t.Errorf("%q is a client's secret: %d %s", word, got.Status, got.Error)
		}
	}
	if n < 100 {
		t.Errorf("only %d texts of the dump were tried", n)
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(app.Userinfo(app.Obtain("connector_id", "local").AccessToken).Body), &answer); err != nil || answer["sub"] == nil {
		t.Errorf("afterwards nothing works any more: %v", answer)
	}
	t.Logf("%d texts of the dump were tried", n)
}
