package worker_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/connector/connectortest"
)

// startWithProvider starts a worker beside a real OpenID provider, the connector
// "corp", to which people come beside "local".
func startWithProvider(t *testing.T, log *slog.Logger) (*workertest.Server, *connectortest.Provider) {
	t.Helper()
	c := &clock.Fake{}
	p := connectortest.NewProvider(t, c)
	secret, err := json.Marshal(p.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	s := workertest.Start(t, workertest.Options{Clock: c, Log: log, Config: fmt.Sprintf(`
outbound_allow_private: [127.0.0.0/8]
log_level: debug
connectors:
- {id: local, kind: local, name: Password}
- id: corp
  kind: oidc
  name: Corporation
  config: {issuer: %q, client_id: %q, client_secret: %s, scopes: [openid, profile, email], refresh: true}
`, p.Issuer, p.ClientID, secret)})
	return s, p
}

// comeBy logs in by the provider, as somebody whose name there is cora.
func comeBy(t *testing.T, s *workertest.Server, b *workertest.Browser, p *connectortest.Provider, c *workertest.Client) *workertest.Answer {
	t.Helper()
	away := b.Follow(b.Get(c.Authorize("connector_id", "corp", "prompt", "login")))
	if away.Location() == nil || !strings.HasPrefix(away.Location().String(), p.Issuer) {
		t.Fatalf("nobody is sent to the provider: %d, to %q\n%s", away.Status, away.Header.Get("Location"), away.Body)
	}
	answer := p.Authorize(t, away.Location().String(), connectortest.Claims{
		"sub": "cora", "name": "Cora Example", "email": "cora@corp.example.com", "email_verified": true,
	})
	back, err := url.Parse(away.Param("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	back.RawQuery = answer.Encode()
	a := b.Follow(b.Get(back.String()))
	if a.Param("code") == "" {
		t.Fatalf("no code: %d, to %q\n%s", a.Status, a.Header.Get("Location"), a.Body)
	}
	return a
}
