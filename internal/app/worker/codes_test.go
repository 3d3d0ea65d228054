package worker_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/secret"
	"dex/internal/protocol/oauth"
	"dex/internal/store/storetest"
)

// everyClient are the clients of the base configuration that log people in.
var everyClient = []string{"app", "asks", "other", "post", "spa", "native", "es256", "eddsa", "certified", "admins"}

func TestEveryClientUsesPKCE(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: "- {id: open-spa, public: true, profile: openid, redirect_uris: [\"https://open-spa.example.com/cb\"]}\n"})
	for _, id := range append([]string{"open-spa"}, everyClient...) {
		t.Run("1.B 22 "+id, func(t *testing.T) {
			c := s.Client(t, id)
			a := s.Browser(t).Get(c.Authorize("code_challenge", "", "code_challenge_method", ""))
			if id == "certified" { // a confidential client of the openid profile need not, but may
				if !starts(s, a) {
					t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
				}
				return
			}
			isTold(t, s, a, c.RedirectURI+"?", "invalid_request", "no challenge")
		})
	}
	t.Run("1.B 22 nobody else can be let off", func(t *testing.T) {
		for client, good := range map[string]bool{
			"{id: x, secret: s, profile: openid, require_pkce: false, redirect_uris: ['https://x.example/cb']}":     true,
			"{id: x, secret: s, require_pkce: false, redirect_uris: ['https://x.example/cb']}":                      false,
			"{id: x, secret: s, profile: standard, require_pkce: false, redirect_uris: ['https://x.example/cb']}":   false,
			"{id: x, public: true, require_pkce: false, redirect_uris: ['https://x.example/cb']}":                   false,
			"{id: x, public: true, profile: openid, require_pkce: false, redirect_uris: ['https://x.example/cb']}":  false,
			"{id: x, secret: s, profile: openid, require_pkce: no-thanks, redirect_uris: ['https://x.example/cb']}": false,
		} {
			if err := configured(t, client); (err == nil) != good {
				t.Errorf("%s: %v", client, err)
			}
		}
	})
	t.Run("1.B 23 the method is S256 and the challenge one of its kind", func(t *testing.T) {
		c := s.Client(t, "app")
		good := string(oauth.ChallengeOf(c.Verifier))
		for challenge, methods := range map[string][]string{
			good:      {"plain", "", "s256", "S512", "S256 ", " S256", "none", "S256 plain"},
			"":        {"S256", "plain"},
			good[:42]: {"S256"}, good + "A": {"S256"}, good + "=": {"S256"}, good[:42] + "=": {"S256"}, good[:42] + "+": {"S256"}, good[:42] + "/": {"S256"}, good[:42] + ".": {"S256"},
			good[:42] + " ": {"S256"}, good[:42] + "\n": {"S256"}, good[:41] + "é": {"S256"}, good[:42] + "B": {"S256"}, // of which the last bits are not zero
			c.Verifier: {"S256"}, strings.Repeat("A", 128): {"S256"}, hex.EncodeToString([]byte(good)): {"S256"},
		} {
			for _, method := range methods {
				params := c.AuthorizeParams("code_challenge", challenge, "code_challenge_method", method)
				a := s.Browser(t).Get("/authorize?" + params.Encode())
				isTold(t, s, a, c.RedirectURI+"?", "invalid_request", fmt.Sprintf("%q by %q", challenge, method))
			}
		}
	})
}

func TestACodeIsRedeemedByWhoKnowsTheVerifier(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	b := s.Browser(t)
	good := c.Verifier
	t.Run("1.B 24 another verifier, or none", func(t *testing.T) {
		for _, wrong := range []string{"", good + "x", good[1:], strings.ToLower(good) + "~", flip(good, 7), string(oauth.ChallengeOf(good)), good + " ", " " + good, good + "\x00", good + "=", good + "é", strings.Repeat("a", 43), strings.Repeat("a", 200)} {
			code := c.Code(b)
			got := c.Redeem(code, "code_verifier", wrong)
			if got.Status != http.StatusBadRequest || got.Error != "invalid_grant" && (got.Error != "invalid_request" || wrong != good+"\x00") {
				t.Errorf("%q: %d %s", wrong, got.Status, got.Error)
			}
			if got := c.Redeem(code); got.Status != http.StatusOK {
				t.Errorf("after %q the right one: %d %s", wrong, got.Status, got.Error)
			}
		}
	})
	t.Run("1.B 24 a verifier has 43 to 128 characters that need no escape", func(t *testing.T) {
		for verifier, status := range map[string]int{
			strings.Repeat("a", 42): http.StatusBadRequest, strings.Repeat("a", 43): http.StatusOK, strings.Repeat("-._~aA0", 7)[:43]: http.StatusOK,
			strings.Repeat("a", 128): http.StatusOK, strings.Repeat("a", 129): http.StatusBadRequest, strings.Repeat("a", 256): http.StatusBadRequest,
			strings.Repeat("a", 42) + "+": http.StatusBadRequest, strings.Repeat("a", 42) + " ": http.StatusBadRequest, strings.Repeat("a", 42) + "é": http.StatusBadRequest, strings.Repeat("a", 42) + "%": http.StatusBadRequest,
		} {
			c := s.Client(t, "app")
			c.Verifier = verifier // and its challenge is right
			if got := c.Redeem(c.Code(b)); got.Status != status {
				t.Errorf("%q of %d: %d %s", verifier, len(verifier), got.Status, got.Error)
			}
		}
	})
	t.Run("1.B 25 a verifier where the challenge was taken out", func(t *testing.T) {
		c := s.Client(t, "certified")
		code := c.Code(b, "code_challenge", "", "code_challenge_method", "")
		if got := c.Redeem(code); got.Error != "invalid_grant" {
			t.Errorf("with a verifier: %d %s", got.Status, got.Error)
		}
		if got := c.Redeem(code, "code_verifier", ""); got.Status != http.StatusOK {
			t.Errorf("without: %d %s", got.Status, got.Error)
		}
		if got := c.Redeem(c.Code(b), "code_verifier", ""); got.Error != "invalid_grant" {
			t.Errorf("a challenge, and no verifier: %d %s", got.Status, got.Error)
		}
	})
}

func TestACodeThatComesAgainEndsTheGrant(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	other := second(t, s)
	for _, id := range []string{"app", "spa", "es256"} {
		c, there := s.Client(t, id), other.Client(t, id)
		there.Verifier = c.Verifier
		resource := s.Client(t, id)
		if id == "spa" {
			resource = nil // it may not introspect
		}
		alive := func(tokens workertest.Tokens) []bool {
			all := []bool{c.Userinfo(tokens.AccessToken).Status == http.StatusOK, there.Userinfo(tokens.AccessToken).Status == http.StatusOK}
			if resource != nil {
				all = append(all, resource.Active(tokens.AccessToken), resource.Active(tokens.RefreshToken))
			}
			return all
		}
		for when, wait := range map[string]time.Duration{"at once": 0, "when it would have expired": 5 * time.Minute} {
			t.Run("1.B 26 "+id+" "+when, func(t *testing.T) {
				b := s.Browser(t)
				code := c.Code(b)
				first := c.Redeem(code)
				bystander := c.Redeem(c.Code(b))
				for _, ok := range alive(first) {
					if !ok {
						t.Fatal("the tokens are not good to begin with")
					}
				}
				s.Advance(t, wait)
				if err := other.Worker.CatchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := c.Redeem(code, "code_verifier", strings.Repeat("x", 50)); got.Error != "invalid_grant" || !alive(first)[0] {
					t.Errorf("who cannot prove anything ends the grant: %d %s", got.Status, got.Error)
				}
				if got := there.Redeem(code); got.Status != http.StatusBadRequest || got.Error != "invalid_grant" || got.AccessToken != "" {
					t.Errorf("the second time: %d %s", got.Status, got.Error)
				}
				for i, ok := range alive(first) {
					if ok {
						t.Errorf("what came of it is honoured (%d)", i)
					}
				}
				if got := c.Refresh(first.RefreshToken); got.Error != "invalid_grant" {
					t.Errorf("its refresh token: %d %s", got.Status, got.Error)
				}
				for i, ok := range alive(bystander) {
					if !ok {
						t.Errorf("another grant has ended with it (%d)", i)
					}
				}
				if got := c.Redeem(code); got.Error != "invalid_grant" {
					t.Errorf("the third time: %d %s", got.Status, got.Error)
				}
			})
		}
	}
}

func TestOfManyWhoRedeemACodeAtOnceOneSucceeds(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	workers := []*workertest.Server{s, second(t, s), second(t, s)}
	b := s.Browser(t)
	for round := range 12 {
		c := s.Client(t, "app")
		code := c.Code(b)
		answers := make([]workertest.Tokens, 64)
		start := make(chan struct{})
		var running sync.WaitGroup
		for i := range answers {
			here := workers[i%len(workers)].Client(t, "app")
			here.Verifier = c.Verifier
			running.Go(func() {
				<-start
				answers[i] = here.Redeem(code)
			})
		}
		close(start)
		running.Wait()
		var won []workertest.Tokens
		for _, a := range answers {
			switch {
			case a.Status == http.StatusOK:
				won = append(won, a)
			case a.Status != http.StatusBadRequest || a.Error != "invalid_grant":
				t.Errorf("1.B 27 round %d: %d %s", round, a.Status, a.Error)
			}
		}
		if len(won) != 1 {
			t.Fatalf("1.B 27 round %d: %d succeed", round, len(won))
		}
		if c.Active(won[0].AccessToken) || c.Refresh(won[0].RefreshToken).Error != "invalid_grant" {
			t.Errorf("1.B 27 round %d: what came of a replayed code is honoured", round)
		}
	}
}

func TestAWrongAttemptDoesNotBurnACode(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c, other := s.Client(t, "asks"), s.Client(t, "other")
	other.Verifier = c.Verifier
	b := s.Browser(t)
	wrongs := map[string]func(code string) workertest.Tokens{
		"verifier": func(code string) workertest.Tokens { return c.Redeem(code, "code_verifier", strings.Repeat("x", 43)) },
		"address": func(code string) workertest.Tokens {
			return c.Redeem(code, "redirect_uri", "https://asks.example.com/other?x=1")
		},
		"client": func(code string) workertest.Tokens { return other.Redeem(code, "redirect_uri", c.RedirectURI) },
	}
	for name, wrong := range wrongs {
		for n, status := range map[int]int{4: http.StatusOK, 5: http.StatusBadRequest} {
			t.Run(fmt.Sprintf("1.B 28 %d times the wrong %s", n, name), func(t *testing.T) {
				code := c.Code(b)
				for range n {
					if got := wrong(code); got.Status != http.StatusBadRequest || got.Error != "invalid_grant" {
						t.Fatalf("a wrong one: %d %s", got.Status, got.Error)
					}
				}
				if got := c.Redeem(code); got.Status != status {
					t.Errorf("the right one: %d %s, want %d", got.Status, got.Error, status)
				}
			})
		}
	}
	t.Run("1.B 28 what cannot be a redemption does not count", func(t *testing.T) {
		code := c.Code(b)
		for range 8 {
			c.Redeem(code, "redirect_uri", "")
			c.Redeem(code, "code_verifier", strings.Repeat("x", 300))
			c.Redeem(strings.ToLower(code))
			c.Token("grant_type", "refresh_token", "refresh_token", code)
			stranger := s.Client(t, "asks")
			stranger.Secret, stranger.Verifier = "wrong", c.Verifier
			stranger.Redeem(code)
		}
		if got := c.Redeem(code); got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Error)
		}
	})
	t.Run("1.B 28 the record has it", func(t *testing.T) {
		if burned := strings.Count(storetest.Dump(t, s.DB), "code.burned"); burned != len(wrongs) {
			t.Errorf("%d codes were burned, %d are in the record", len(wrongs), burned)
		}
	})
}

func TestACodeIsForTheClientThatAskedForIt(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	b := s.Browser(t)
	said := func(c *workertest.Client, code, address string) string {
		a := c.Send("/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {address}, "code_verifier": {c.Verifier}})
		return fmt.Sprint(a.Status, a.Body)
	}
	for _, owner := range everyClient {
		t.Run("1.B 29 a code of "+owner, func(t *testing.T) {
			c := s.Client(t, owner)
			for _, thief := range everyClient {
				if thief == owner {
					continue
				}
				code := c.Code(b)
				other := s.Client(t, thief)
				other.Verifier = c.Verifier
				unknown := said(other, string(secret.New(secret.CodePrefix)), c.RedirectURI)
				for _, address := range []string{c.RedirectURI, other.RedirectURI} {
					if got := said(other, code, address); got != unknown || !strings.Contains(got, "invalid_grant") {
						t.Errorf("%s: %s, and of an unknown code %s", thief, got, unknown)
					}
				}
				if got := c.Redeem(code); got.Status != http.StatusOK {
					t.Errorf("after %s its own client: %d %s", thief, got.Status, got.Error)
				}
			}
		})
	}
	t.Run("1.B 29 naming the owner besides one's own credentials does not help", func(t *testing.T) {
		c, other := s.Client(t, "spa"), s.Client(t, "other")
		code := c.Code(b)
		for _, id := range []string{"spa", "app"} {
			got := other.Token("grant_type", "authorization_code", "code", code, "redirect_uri", c.RedirectURI, "code_verifier", c.Verifier, "client_id", id)
			if got.Status == http.StatusOK || got.AccessToken != "" {
				t.Errorf("client_id=%s: %d", id, got.Status)
			}
		}
		if got := c.Redeem(code); got.Status != http.StatusOK {
			t.Errorf("its own client: %d %s", got.Status, got.Error)
		}
	})
	t.Run("1.B 29 an issuer's codes are worth nothing at another", func(t *testing.T) {
		elsewhere := workertest.Start(t, workertest.Options{})
		c := s.Client(t, "app")
		there := elsewhere.Client(t, "app")
		there.Verifier = c.Verifier
		if got := there.Redeem(c.Code(b)); got.Error != "invalid_grant" {
			t.Errorf("%d %s", got.Status, got.Error)
		}
	})
	t.Run("1.B 30 the address is the one that was asked for, to the byte", func(t *testing.T) {
		c := s.Client(t, "asks")
		for asked, others := range map[string][]string{
			c.RedirectURI:                        {"https://asks.example.com/other?x=1", c.RedirectURI + "/", c.RedirectURI + "?", "https://ASKS.example.com/cb", "https://asks.example.com:443/cb", "https://asks.example.com/%63b", "https://evil.example/cb", "/cb"},
			"https://asks.example.com/other?x=1": {c.RedirectURI, "https://asks.example.com/other", "https://asks.example.com/other?x=1&", "https://asks.example.com/other?x=2", "https://asks.example.com/other?x=1#"},
		} {
			for _, wrong := range others {
				code := c.Code(b, "redirect_uri", asked)
				if got := c.Redeem(code, "redirect_uri", wrong); got.Error != "invalid_grant" {
					t.Errorf("%q for %q: %d %s", wrong, asked, got.Status, got.Error)
				}
				if got := c.Redeem(code, "redirect_uri", ""); got.Error != "invalid_request" {
					t.Errorf("none for %q: %d %s", asked, got.Status, got.Error)
				}
				if got := c.Redeem(code, "redirect_uri", asked); got.Status != http.StatusOK {
					t.Errorf("%q: %d %s", asked, got.Status, got.Error)
				}
			}
		}
	})
}

func TestACodeLivesForAMinute(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "app")
	b := s.Browser(t)
	for wait, status := range map[time.Duration]int{
		time.Minute - time.Microsecond: http.StatusOK, time.Minute: http.StatusBadRequest, 61 * time.Second: http.StatusBadRequest, time.Hour: http.StatusBadRequest,
	} {
		t.Run("1.B 31 after "+wait.String(), func(t *testing.T) {
			code := c.Code(b)
			s.Advance(t, wait)
			if got := c.Redeem(code); got.Status != status || status != http.StatusOK && got.Error != "invalid_grant" {
				t.Errorf("%d %s", got.Status, got.Error)
			}
		})
	}
	t.Run("1.B 31 what the operator sets, up to ten minutes", func(t *testing.T) {
		s := workertest.Start(t, workertest.Options{Config: "expiry: {codes: 10m}\n"})
		c, b := s.Client(t, "app"), s.Browser(t)
		for wait, status := range map[time.Duration]int{10*time.Minute - time.Microsecond: http.StatusOK, 10 * time.Minute: http.StatusBadRequest} {
			code := c.Code(b)
			s.Advance(t, wait)
			if got := c.Redeem(code); got.Status != status {
				t.Errorf("after %s: %d %s", wait, got.Status, got.Error)
			}
		}
		if err := configured(t, "{id: x, public: true, redirect_uris: ['https://x.example/cb']}\nexpiry: {codes: 601s}"); err == nil {
			t.Error("more than ten minutes are taken")
		}
	})
}
