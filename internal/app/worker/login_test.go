package worker_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"dex/internal/app/workertest"
)

func TestSomebodyLogsInToAnApplication(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	for _, id := range []string{"app", "asks", "post", "spa", "native", "es256", "eddsa", "certified"} {
		t.Run(id, func(t *testing.T) {
			c := s.Client(t, id)
			b := s.Browser(t)
			answer := c.Login(b)
			if got := answer.Param("state"); got != "state-of-"+id {
				t.Errorf("state is %q", got)
			}
			if got := answer.Param("iss"); got != s.URL {
				t.Errorf("iss is %q", got)
			}
			tokens := c.Redeem(answer.Param("code"))
			if tokens.Status != http.StatusOK || tokens.TokenType != "Bearer" || tokens.ExpiresIn != 600 || tokens.RefreshToken == "" {
				t.Fatalf("got %+v", tokens)
			}
			claims := workertest.Claims(t, tokens.IDToken)
			for name, want := range map[string]any{"iss": s.URL, "sub": "usr_ann", "aud": id, "nonce": "nonce-of-" + id, "acr": "aal1"} {
				if claims[name] != want {
					t.Errorf("claim %s is %v, want %v", name, claims[name], want)
				}
			}
			_, hasName := claims["name"]
			if hasName == (id == "certified") {
				t.Errorf("the name in the ID token: %v", hasName)
			}
			answer = c.Userinfo(tokens.AccessToken)
			var info map[string]any
			if err := json.Unmarshal([]byte(answer.Body), &info); err != nil || info["email"] != "ann@example.com" || info["sub"] != "usr_ann" {
				t.Errorf("userinfo: %d %s", answer.Status, answer.Body)
			}
			again := c.Refresh(tokens.RefreshToken)
			if again.Status != http.StatusOK || again.RefreshToken == tokens.RefreshToken || again.IDToken == "" {
				t.Errorf("refresh: %+v", again)
			}
		})
	}
}

func TestASessionAnswersForTheNextApplication(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	answer := b.Get(s.Client(t, "es256").Authorize())
	if answer.Param("code") == "" {
		t.Fatalf("somebody who is logged in is asked again: %d %s", answer.Status, answer.Header.Get("Location"))
	}
	answer = b.Get(s.Client(t, "es256").Authorize("prompt", "none"))
	if answer.Param("code") == "" {
		t.Fatalf("prompt=none: %s", answer.Header.Get("Location"))
	}
}
