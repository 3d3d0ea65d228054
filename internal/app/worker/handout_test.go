package worker_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/base/secret"
	"dex/internal/store/storetest"
)

func TestEverythingThatWeHandOutIsLongAndKnownBySight(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: workertest.UpstreamConfig, Kinds: (&workertest.Upstream{}).Kinds()})
	app := s.Client(t, "app")
	forms := map[string]*regexp.Regexp{
		"a code":            regexp.MustCompile(`^dxc_[A-Z2-7]{52}$`),                      // 260 bits
		"a refresh token":   regexp.MustCompile(`^dxr_[a-z2-7]{26}\.1\.[\w-]{43}$`),        // a MAC of 256 bits over a name of 130
		"a session cookie":  regexp.MustCompile(`^dxs_[A-Z2-7]{52}$`),                      // 260 bits
		"an attempt":        regexp.MustCompile(`^[0-9a-f]{8}[a-z2-7]{26}$`),               // 130 bits, and worth nothing without its cookie
		"a form's token":    regexp.MustCompile(`^[A-Z2-7]{26}$`),                          // 130 bits, for one attempt
		"an upstream state": regexp.MustCompile(`^[0-9a-f]{8}[a-z2-7]{26}\.[A-Z2-7]{26}$`), // 260 bits
		"a token's id":      regexp.MustCompile(`^\S{26,}$`),
	}
	seen := map[string]string{}
	for range 16 {
		b := s.Browser(t)
		page := b.Get("/login/local?attempt=" + attemptIn(t, b.Get(app.Authorize())))
		form := page.Form(t, "password")
		done := b.Follow(b.Submit(form, "login", "ann", "password", workertest.Password))
		code := handedBack(t, done, app)
		tokens := app.Redeem(code)
		away := s.Browser(t)
		jti, _ := workertest.Claims(t, tokens.AccessToken)["jti"].(string)
		for what, value := range map[string]string{
			"a code": code, "a refresh token": tokens.RefreshToken, "a session cookie": b.Cookies("dex_session")[0].Value, "a token's id": jti,
			"an attempt": form.Values.Get("attempt"), "a form's token": form.Values.Get("csrf"),
			"an upstream state": away.Follow(away.Get(app.Authorize("connector_id", "elsewhere"))).Param("state"),
		} {
			if !forms[what].MatchString(value) {
				t.Errorf("1.B 32 %s is %q", what, value)
			}
			if before, ok := seen[value]; ok {
				t.Errorf("1.B 32 %s is the same as %s", what, before)
			}
			seen[value] = what
		}
	}
}

func TestADumpHoldsNothingThatWasHandedOut(t *testing.T) {
	c := &clock.Fake{}
	db := storetest.Open(t, storetest.WithClock(c))
	if storetest.URL(t, db) == "sqlite::memory:" { // the file and its log are looked at too
		db = storetest.OpenFile(t, storetest.WithClock(c))
	}
	s := workertest.Start(t, workertest.Options{
		Config: workertest.UpstreamConfig, Kinds: (&workertest.Upstream{}).Kinds(), DB: db, Clock: c,
	})
	secrets := map[string]string{"a password": workertest.Password, "an upstream token": workertest.UpstreamToken("victor"), "an upstream session": workertest.UpstreamSession("victor")}
	for _, id := range everyClient {
		client := s.Client(t, id)
		if client.Secret != "" {
			secrets["the secret of "+id] = client.Secret
		}
		secrets["the verifier of "+id] = client.Verifier
		b := s.Browser(t)
		page := b.Get("/login/local?attempt=" + attemptIn(t, b.Get(client.Authorize())))
		for _, cookie := range b.Cookies("dex_attempt_") {
			secrets["the attempt's cookie of "+id] = cookie.Value
		}
		form := page.Form(t, "password")
		secrets["the form's token of "+id] = form.Values.Get("csrf")
		code := handedBack(t, goOn(t, b, page), client)
		unused := client.Code(b)
		secrets["a code of "+id], secrets["an unused code of "+id] = code, unused
		tokens := client.Redeem(code)
		again := client.Refresh(tokens.RefreshToken)
		for n, tokens := range map[string]workertest.Tokens{"first": tokens, "second": again} {
			if tokens.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", id, tokens.Status, tokens.Error)
			}
			for what, token := range map[string]string{"access": tokens.AccessToken, "refresh": tokens.RefreshToken, "ID": tokens.IDToken} {
				secrets["the "+n+" "+what+" token of "+id] = token
			}
		}
		secrets["the session of "+id] = b.Cookies("dex_session")[0].Value
		secrets["the device of "+id] = b.Cookies("dex_device")[0].Value
	}
	b := s.Browser(t)
	away := b.Follow(b.Get(s.Client(t, "app").Authorize("connector_id", "elsewhere")))
	secrets["the upstream state"] = away.Param("state")
	a := b.Follow(b.Get("/callback/elsewhere?" + url.Values{"state": {away.Param("state")}, "name": {"victor"}}.Encode()))
	secrets["victor's code"] = handedBack(t, a, s.Client(t, "app"))
	secrets["victor's session"] = b.Cookies("dex_session")[0].Value

	dump := storetest.Dump(t, db)
	if !strings.Contains(dump, "usr_ann") || !strings.Contains(dump, "Name of victor") {
		t.Fatal("the dump holds nothing of the scenario")
	}
	for what, value := range secrets {
		if len(value) < 8 {
			t.Fatalf("%s is %q", what, value)
		}
		bare := value
		for _, prefix := range []string{secret.CodePrefix, secret.RefreshPrefix, secret.SessionPrefix} {
			bare = strings.TrimPrefix(bare, prefix)
		}
		for form, text := range map[string]string{
			"as it is": value, "without its prefix": bare, "in hex": hex.EncodeToString([]byte(value)), "in base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(value)), "="),
			"in base64url": base64.RawURLEncoding.EncodeToString([]byte(value)), "its random part in base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(bare)), "="),
		} {
			if strings.Contains(dump, text) {
				t.Errorf("1.B 33 the dump holds %s %s", what, form)
			}
		}
	}
}
