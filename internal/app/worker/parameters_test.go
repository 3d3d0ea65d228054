package worker_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

// protocolParameters are all that the authorization endpoint knows.
var protocolParameters = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
	"prompt", "max_age", "login_hint", "id_token_hint", "ui_locales", "acr_values", "display", "connector_id",
	"claims", "claims_locales", "request", "request_uri", "registration",
}

// saysWhere reports whether a parameter says where the answer goes.
func saysWhere(name string) bool { return name == "client_id" || name == "redirect_uri" }

// ways are the two ways to bring a request to the endpoint.
func ways(b *workertest.Browser) map[string]func(params url.Values) *workertest.Answer {
	return map[string]func(url.Values) *workertest.Answer{
		"GET":  func(params url.Values) *workertest.Answer { return b.Get("/authorize?" + params.Encode()) },
		"POST": func(params url.Values) *workertest.Answer { return posts(b, params) },
	}
}

// posts brings a request as another site's form does. The browser is then asked to
// come again by itself.
func posts(b *workertest.Browser, params url.Values) *workertest.Answer {
	a := b.CrossPost("/authorize", params)
	if to := a.Location(); to != nil && to.Path == "/authorize" && to.Query().Has("client_id") {
		return b.Get(to.String())
	}
	return a
}

// starts reports whether a request was taken: the browser is sent to the next step.
func starts(s *workertest.Server, a *workertest.Answer) bool {
	to := a.Location()
	return a.Status == http.StatusSeeOther && to != nil && strings.HasPrefix(to.String(), s.URL+"/") && to.Query().Has("attempt")
}

func TestAParameterComesOnce(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	for way, send := range ways(s.Browser(t)) {
		for _, name := range protocolParameters {
			t.Run("1.A 3 "+way+" "+name, func(t *testing.T) {
				value := c.AuthorizeParams().Get(name)
				for _, twice := range [][]string{{value, value}, {value, "other"}, {"other", value}, {"", ""}, {value, ""}, {value, value, value}} {
					params := c.AuthorizeParams()
					params[name] = twice
					a := send(params)
					if saysWhere(name) {
						isErrorPage(t, a, http.StatusBadRequest, fmt.Sprintf("%s=%q", name, twice))
						continue
					}
					isTold(t, s, a, c.RedirectURI+"?", "invalid_request", fmt.Sprintf("%s=%q", name, twice))
					if state := a.Param("state"); name == "state" && state != "" || name != "state" && state != "state-of-app" {
						t.Errorf("%s=%q: the state is %q", name, twice, state)
					}
				}
			})
		}
	}
	t.Run("1.A 3 what stands in the address does not mix with the body", func(t *testing.T) {
		b := s.Browser(t)
		c.Code(b)
		for _, name := range protocolParameters {
			for _, value := range []string{"", "other", c.AuthorizeParams().Get(name)} {
				a := b.Follow(b.CrossPost("/authorize?"+url.Values{name: {value}}.Encode(), c.AuthorizeParams()))
				if a.Param("code") == "" || a.Param("state") != "state-of-app" || !strings.HasPrefix(a.Header.Get("Location"), c.RedirectURI+"?") {
					t.Errorf("%s=%q in the address: %d %s", name, value, a.Status, a.Header.Get("Location"))
				}
			}
		}
		for _, name := range []string{"client_id", "redirect_uri"} {
			body := c.AuthorizeParams(name, "")
			a := b.CrossPost("/authorize?"+c.AuthorizeParams().Encode(), body)
			isErrorPage(t, a, http.StatusBadRequest, name+" in the address only")
		}
		a := b.CrossPost("/authorize?"+c.AuthorizeParams().Encode(), c.AuthorizeParams("code_challenge", "", "code_challenge_method", ""))
		isTold(t, s, a, c.RedirectURI+"?", "invalid_request", "the challenge in the address only")
	})
	t.Run("1.A 3 a parameter that nobody knows may come as often as it likes", func(t *testing.T) {
		for way, send := range ways(s.Browser(t)) {
			params := c.AuthorizeParams()
			params["unicorn"] = []string{"1", "2"}
			params["resource"] = []string{s.URL, s.URL} // the one that we know and may
			if a := send(params); !starts(s, a) {
				t.Errorf("%s: %d %s", way, a.Status, a.Header.Get("Location"))
			}
		}
	})
}

func TestAnEmptyParameterIsAbsent(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	for way, send := range ways(s.Browser(t)) {
		for _, name := range append([]string{"unicorn"}, protocolParameters...) {
			t.Run("1.A 4 "+way+" "+name, func(t *testing.T) {
				params := c.AuthorizeParams()
				params.Set(name, "")
				a := send(params)
				switch name {
				case "client_id", "redirect_uri":
					isErrorPage(t, a, http.StatusBadRequest, name)
				case "response_type", "code_challenge", "code_challenge_method":
					isTold(t, s, a, c.RedirectURI+"?", "invalid_request", name)
				case "scope":
					isTold(t, s, a, c.RedirectURI+"?", "invalid_scope", name)
				default:
					if !starts(s, a) {
						t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
					}
				}
			})
		}
	}
	t.Run("1.A 4 challenge and method both", func(t *testing.T) {
		params := c.AuthorizeParams()
		params.Set("code_challenge", "")
		params.Set("code_challenge_method", "")
		isTold(t, s, s.Browser(t).Get("/authorize?"+params.Encode()), c.RedirectURI+"?", "invalid_request", "empty challenge and method")
	})
	t.Run("1.A 4 an empty state is not echoed", func(t *testing.T) {
		params := c.AuthorizeParams("prompt", "none")
		params.Set("state", "")
		a := s.Browser(t).Get("/authorize?" + params.Encode())
		isTold(t, s, a, c.RedirectURI+"?", "login_required", "an empty state")
		if a.Location().Query().Has("state") {
			t.Error("there is a state")
		}
	})
}

// words returns n words of the given length.
func words(n, length int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%0*d", length, i)
	}
	return strings.Join(all, " ")
}

func TestTheSizesOfParameters(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	fill := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct {
		name, parameter string
		value           func(n int) string
		limit           int
		refused         string
	}{
		{"a state of 2 KiB", "state", fill, 2048, "invalid_request"},
		{"a nonce of 2 KiB", "nonce", fill, 2048, "invalid_request"},
		{"a scope of 100 values", "scope", func(n int) string { return "openid " + words(n-1, 8) }, 100, "invalid_scope"},
		{"a scope with a value of 256 bytes", "scope", func(n int) string { return "openid " + fill(n) }, 256, "invalid_scope"},
		{"a login_hint of 512 bytes", "login_hint", fill, 512, "invalid_request"},
		{"an id_token_hint of 8 KiB", "id_token_hint", fill, 8192, "invalid_request"},
		{"ui_locales of 10 values", "ui_locales", func(n int) string { return words(n, 8) }, 10, "invalid_request"},
		{"acr_values of 20 values", "acr_values", func(n int) string { return words(n, 8) }, 20, "invalid_request"},
		{"acr_values with a value of 256 bytes", "acr_values", fill, 256, "invalid_request"},
		{"a display of 256 bytes", "display", fill, 256, "invalid_request"},
		{"a connector_id of 256 bytes", "connector_id", fill, 256, "invalid_request"},
	} {
		t.Run("1.A 21 "+test.name, func(t *testing.T) {
			for way, send := range ways(s.Browser(t)) {
				for _, n := range []int{test.limit - 1, test.limit} {
					if a := send(c.AuthorizeParams(test.parameter, test.value(n))); !starts(s, a) {
						t.Errorf("%s with %d: %d %s", way, n, a.Status, a.Header.Get("Location"))
					}
				}
				a := send(c.AuthorizeParams(test.parameter, test.value(test.limit+1)))
				isTold(t, s, a, c.RedirectURI+"?", test.refused, way)
				if test.parameter == "state" && a.Param("state") != "" {
					t.Errorf("%s: a state that is too long comes back", way)
				}
			}
		})
	}
	t.Run("1.A 21 a client_id of 256 bytes and a redirect_uri of 2 KiB are read, no more", func(t *testing.T) {
		b := s.Browser(t)
		for parameter, limit := range map[string]int{"client_id": 256, "redirect_uri": 2048} {
			for n, longer := range map[int]bool{limit: false, limit + 1: true} {
				a := b.Get(c.Authorize(parameter, fill(n)))
				isErrorPage(t, a, http.StatusBadRequest, parameter)
				if said := strings.Contains(a.Body, "longer than"); said != longer {
					t.Errorf("%s of %d bytes is said to be too long: %v", parameter, n, said)
				}
			}
		}
	})
	t.Run("1.A 21 an address of 16 KiB", func(t *testing.T) {
		b := s.Browser(t)
		base := c.Authorize() + "&padding="
		for n, status := range map[int]int{16<<10 - 1: http.StatusSeeOther, 16 << 10: http.StatusSeeOther, 16<<10 + 1: http.StatusRequestURITooLong} {
			if a := b.Get(base + fill(n-len(base))); a.Status != status {
				t.Errorf("%d bytes: status %d, want %d", n, a.Status, status)
			}
		}
	})
	t.Run("1.A 21 a body of 64 KiB", func(t *testing.T) {
		b := s.Browser(t)
		params := c.AuthorizeParams()
		for n, status := range map[int]int{64<<10 - 1: http.StatusSeeOther, 64 << 10: http.StatusSeeOther, 64<<10 + 1: http.StatusRequestEntityTooLarge} {
			params.Del("padding")
			params.Set("padding", fill(n-len(params.Encode())-len("&padding=")))
			if a := b.CrossPost("/authorize", params); a.Status != status {
				t.Errorf("%d bytes: status %d, want %d", n, a.Status, status)
			}
		}
	})
	t.Run("1.A 21 256 parameters", func(t *testing.T) {
		b := s.Browser(t)
		for n, status := range map[int]int{255: http.StatusSeeOther, 256: http.StatusSeeOther, 257: http.StatusBadRequest} {
			params := c.AuthorizeParams()
			for i := len(params); i < n; i++ {
				params.Set(fmt.Sprintf("p%d", i), "x")
			}
			if a := b.Get("/authorize?" + params.Encode()); a.Status != status {
				t.Errorf("%d parameters: status %d, want %d", n, a.Status, status)
			}
		}
	})
}

// random returns n characters as clients make them of random bytes.
func random(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)[:n]
}

// wide is a client that may ask for a hundred scopes.
func wide() string {
	scopes := []string{"openid", "profile", "email", "groups", "offline_access"}
	for i := len(scopes); i < 100; i++ {
		scopes = append(scopes, fmt.Sprintf("https://api.example.com/%02d.read", i))
	}
	return `
- {id: wide, name: Wide, secret: wide-secret, redirect_uris: ["https://wide.example.com/cb"], scopes: [` + strings.Join(scopes, ", ") + `]}
`
}

func TestARequestThatFillsEverySizeWorksInABrowser(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: wide()})
	c := s.Client(t, "wide")
	hint := c.Obtain("scope", "openid").IDToken
	scopes := []string{"openid", "profile", "email", "groups", "offline_access"}
	for i := len(scopes); i < 100; i++ {
		scopes = append(scopes, fmt.Sprintf("https://api.example.com/%02d.read", i))
	}
	state, nonce := random(2048), random(2048)
	params := c.AuthorizeParams(
		"state", state, "nonce", nonce, "scope", strings.Join(scopes, " "), "id_token_hint", hint,
		"login_hint", random(512), "acr_values", words(20, 64), "ui_locales", "de de-CH de-AT en en-GB en-US fr fr-CH it rm",
		"prompt", "login consent", "max_age", "2147483647", "display", "page",
	)
	for way, send := range map[string]func(b *workertest.Browser) *workertest.Answer{
		"GET":  func(b *workertest.Browser) *workertest.Answer { return b.Get("/authorize?" + params.Encode()) },
		"POST": func(b *workertest.Browser) *workertest.Answer { return posts(b, params) },
	} {
		t.Run("1.A 21 "+way, func(t *testing.T) {
			b := s.Browser(t)
			a := b.SignIn(b.Submit(b.Follow(send(b)).Form(t, "password"), "login", "ann", "password", "wrong"), "ann", workertest.Password)
			a = b.Follow(b.Submit(a.Form(t, "allow"), "answer", "allow", "remember", "1"))
			if a.Param("state") != state || a.Param("code") == "" {
				t.Fatalf("%d %.300s", a.Status, a.Header.Get("Location"))
			}
			tokens := c.Redeem(a.Param("code"))
			if tokens.Status != http.StatusOK || tokens.Scope != strings.Join(scopes, " ") {
				t.Fatalf("%d %s: %s", tokens.Status, tokens.Error, tokens.Scope)
			}
			if workertest.Claims(t, tokens.IDToken)["nonce"] != nonce {
				t.Error("the nonce is not what was sent")
			}
		})
	}
}

func TestARequestThatNoBrowserKeepsIsTheClientsToMend(t *testing.T) {
	address := "https://long.example.com/" + random(2000)
	s := workertest.Start(t, workertest.Options{Clients: "- {id: long, secret: long-secret, redirect_uris: [\"" + address + "\"]}\n"})
	c := s.Client(t, "long")
	for way, send := range ways(s.Browser(t)) {
		t.Run("1.A 21 "+way, func(t *testing.T) {
			a := send(c.AuthorizeParams("redirect_uri", address, "state", random(2048), "nonce", random(2048), "login_hint", random(512)))
			isTold(t, s, a, address+"?", "invalid_request", "too large for a cookie")
			if a := send(c.AuthorizeParams("redirect_uri", address)); !starts(s, a) {
				t.Errorf("a long address alone: %d %s", a.Status, a.Header.Get("Location"))
			}
		})
	}
}
