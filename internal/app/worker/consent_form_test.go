package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

func TestConsentIsGivenOnOurPageOnly(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "asks")
	b := s.Browser(t)
	a := places[1].reach(b, c)
	form := a.Form(t, "allow")
	form.Values.Set("answer", "allow")
	form.Values.Set("remember", "1")
	cross := func(header map[string]string) *workertest.Answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, form.Action, strings.NewReader(form.Values.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, value := range header {
			req.Header.Set(name, value)
		}
		for _, cookie := range b.Cookies("") {
			req.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
		}
		return b.Do(req)
	}
	for what, header := range map[string]map[string]string{
		"nothing that says where it comes from": {},
		"another site":                          {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"another host of the site":              {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.127.0.0.1"},
		"another origin alone":                  {"Origin": "https://evil.example"},
		"a sandbox":                             {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
		"a sandbox, from an old browser":        {"Origin": "null"},
		"nobody's page":                         {"Sec-Fetch-Site": "none"},
		"two words that disagree":               {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
	} {
		t.Run("a form of "+what, func(t *testing.T) {
			isErrorPage(t, cross(header), http.StatusForbidden, what)
		})
	}
	t.Run("a form without the token, or with another", func(t *testing.T) {
		token := form.Values.Get("csrf")
		other := places[1].reach(s.Browser(t), c).Form(t, "allow").Values.Get("csrf")
		before, account, _ := strings.Cut(token, ".")
		for _, wrong := range []string{"", "x", other, token[:len(token)/2], before[1:] + "." + account, "." + account, flip(token, 0), strings.ToLower(token)} {
			isErrorPage(t, b.Submit(form, "csrf", wrong), http.StatusForbidden, fmt.Sprintf("%q", wrong))
		}
	})
	t.Run("a login form without the token", func(t *testing.T) {
		b := s.Browser(t)
		login := places[0].reach(b, c).Form(t, "password")
		a := b.Submit(login, "csrf", form.Values.Get("csrf"), "login", "ann", "password", workertest.Password)
		isErrorPage(t, a, http.StatusForbidden, "another attempt's token")
		if title := firstLine(a.Body); strings.Contains(title, "cannot sign in") {
			t.Errorf("the person, whom nobody has checked, is told: %s", title)
		}
		if len(b.Cookies("dex_session")) > 0 {
			t.Error("there is a session")
		}
	})
	t.Run("a page of ours that is only looked at", func(t *testing.T) {
		for _, query := range []string{"answer=allow", form.Values.Encode()} {
			if a := b.Get("/consent?attempt=" + form.Values.Get("attempt") + "&" + query); a.Param("code") != "" || a.Status == http.StatusSeeOther {
				t.Errorf("%s: %d %s", query, a.Status, a.Header.Get("Location"))
			}
		}
	})
	t.Run("an answer that is none", func(t *testing.T) {
		for _, answer := range []string{"", "maybe", "ALLOW"} {
			isErrorPage(t, b.Submit(form, "answer", answer), http.StatusBadRequest, answer)
		}
	})
	t.Run("none of it has counted", func(t *testing.T) {
		isTold(t, s, b.Get(c.Authorize("prompt", "none")), c.RedirectURI+"?", "consent_required", "afterwards")
		if a := b.Follow(b.Get("/authorize?attempt=" + form.Values.Get("attempt"))); !a.Has("allow") {
			t.Errorf("the page is not shown again: %d", a.Status)
		}
	})
	t.Run("the page of one account is no consent of another", func(t *testing.T) {
		elsewhere := b.Get(s.Client(t, "app").Authorize("prompt", "login"))
		b.SignIn(elsewhere, "ben", workertest.Password)
		a := b.Follow(b.Submit(form))
		if !a.Has("allow") || !strings.Contains(a.Body, "Ben Beispiel") || a.Param("code") != "" {
			t.Fatalf("%d %s", a.Status, firstLine(a.Body))
		}
		tokens := c.Redeem(handedBack(t, goOn(t, b, a), c))
		if sub := workertest.Claims(t, tokens.IDToken)["sub"]; sub != "usr_ben" {
			t.Errorf("it is %v", sub)
		}
	})
	t.Run("who wants to be somebody else can be", func(t *testing.T) {
		b := s.Browser(t)
		a := places[1].reach(b, c)
		a = b.Follow(b.Submit(a.Form(t, "switch"), "answer", "switch"))
		a = b.Follow(b.Submit(a.Form(t, "password"), "login", "ben", "password", workertest.Password))
		tokens := c.Redeem(handedBack(t, goOn(t, b, a), c))
		if sub := workertest.Claims(t, tokens.IDToken)["sub"]; sub != "usr_ben" {
			t.Errorf("it is %v", sub)
		}
	})
}
