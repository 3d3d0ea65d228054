package mock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"dex/internal/base/clock"
	"dex/internal/connector"
	"dex/internal/connector/connectortest"
)

func open(t testing.TB, config string) connector.Connector {
	t.Helper()
	c, err := newConnector(json.RawMessage(config), connector.Env{ID: "who", Clock: &clock.Fake{}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPromises(t *testing.T) {
	var users []string
	for n := range 300 {
		users = append(users, fmt.Sprintf(`{"login": "p%d", "groups": ["g%d"]}`, n, n))
	}
	connectortest.Run(t, connectortest.Subject{
		Connector: open(t, `{"users": [`+strings.Join(users, ",")+`]}`),
		Answer: func(_ testing.TB, _ connector.Login, _ *connector.Prompt, n int) connector.Answer {
			return connector.Answer{Form: url.Values{loginField: {fmt.Sprintf("p%d", n)}}}
		},
		Identity: func(n int) (string, string, string) { return "who", fmt.Sprintf("p%d", n), fmt.Sprintf("p%d", n) },
	})
}

func TestItBelievesTheName(t *testing.T) {
	c := open(t, `{"users": [{"login": "ann", "email": "ann@example.com", "email_verified": true, "groups": ["dev"]}]}`)
	step, err := c.Continue(t.Context(), connector.Login{}, connector.Answer{Form: url.Values{loginField: {"ann"}}})
	if err != nil || step.Identity == nil {
		t.Fatalf("%+v, %v", step, err)
	}
	if p := step.Identity.Profile; p.Email != "ann@example.com" || !p.EmailVerified || len(p.Groups) != 1 {
		t.Errorf("%+v", p)
	}
}

func TestItFailsOnDemand(t *testing.T) {
	refusing, broken, slow := open(t, `{"fail": "refuse"}`), open(t, `{"fail": "error"}`), open(t, `{"fail": "slow"}`)
	if _, err := refusing.Begin(t.Context(), connector.Login{}); !errors.Is(err, connector.ErrRefused) {
		t.Errorf("refuse: %v", err)
	}
	if _, err := broken.Begin(t.Context(), connector.Login{}); err == nil || errors.Is(err, connector.ErrRefused) {
		t.Errorf("error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := slow.Continue(ctx, connector.Login{}, connector.Answer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("slow: %v", err)
	}
	for c, healthy := range map[connector.Connector]bool{refusing: true, broken: false} {
		if err := c.(connector.Health).Check(t.Context()); (err == nil) != healthy {
			t.Errorf("health: %v", err)
		}
	}
}

func TestSettings(t *testing.T) {
	for config, says := range map[string]string{
		``: "nobody could log in", `{}`: "nobody could log in", `{"user": []}`: `"user": there is no such setting`,
		`{"users": [{"name": "Ann"}]}`:                     "users[0].login: is not set",
		`{"users": [{"login": "a"}, {"login": "a"}]}`:      "users[1].login: another user has it",
		`{"users": [{"login": "a", "shoe_size": 38}]}`:     "shoe_size",
		`{"users": [{"login": "a"}], "fail": "sometimes"}`: "fail: must be",
		`{"users": 7, "fail": 8}`:                          "users: a number does not fit here",
		`[]`:                                               "not a JSON object",
	} {
		if _, err := newConnector(json.RawMessage(config), connector.Env{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want something with %q", config, err, says)
		}
	}
}
