package oidc

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/outbound"
	"dex/internal/connector"
	"dex/internal/connector/connectortest"
	"dex/internal/domain/user"
)

// house is a connector with the provider that it asks.
type house struct {
	connector.Connector
	t        testing.TB
	clock    *clock.Fake
	provider *connectortest.Provider
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// newHouse opens a connector, with the settings changed.
func newHouse(t testing.TB, change map[string]any) *house {
	t.Helper()
	h := &house{t: t, clock: &clock.Fake{}}
	h.provider = connectortest.NewProvider(t, h.clock)
	h.open(change, outbound.New(outbound.Options{AllowPrivate: loopback, PerHost: 64}))
	return h
}

func (h *house) open(change map[string]any, client *http.Client) {
	h.t.Helper()
	settings := map[string]any{"issuer": h.provider.Issuer, "client_id": h.provider.ClientID, "client_secret": h.provider.ClientSecret}
	maps.Copy(settings, change)
	config, err := json.Marshal(settings)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Connector, err = newConnector(config, connector.Env{ID: "up", Client: client, Clock: h.clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(client.CloseIdleConnections)
}

// ann is what the provider says of one person.
func ann() connectortest.Claims {
	return connectortest.Claims{
		"sub": "1", "preferred_username": "ann", "name": "Ann Smith", "email": "ann@Example.com", "email_verified": true,
		"groups": []string{"dev", "ops"},
	}
}

var login = connectortest.Login(1)

// begin begins a login and returns what the browser brings back from the provider.
func (h *house) begin(l connector.Login, person connectortest.Claims) connector.Answer {
	h.t.Helper()
	step, err := h.Begin(h.t.Context(), l)
	if err != nil {
		h.t.Fatalf("begin: %v", err)
	}
	return connector.Answer{Form: h.provider.Authorize(h.t, step.Prompt.Redirect, person), State: step.Prompt.State}
}

// finish goes all the way.
func (h *house) finish(l connector.Login, person connectortest.Claims) (connector.Step, error) {
	h.t.Helper()
	return h.Continue(h.t.Context(), l, h.begin(l, person))
}

// in goes all the way and demands to arrive.
func (h *house) in(person connectortest.Claims) connector.Step {
	h.t.Helper()
	step, err := h.finish(login, person)
	if err != nil {
		h.t.Fatal(err)
	}
	return step
}

// refresh asks again about somebody.
func (h *house) refresh(id user.Identity) (user.Identity, error) {
	h.t.Helper()
	return h.Connector.(connector.Refresher).Refresh(h.t.Context(), id)
}

// failed demands that a login came to nothing.
func (h *house) failed(step connector.Step, err error) {
	h.t.Helper()
	if err == nil || step.Identity != nil || step.Prompt != nil {
		h.t.Errorf("%+v, %v", step, err)
	}
}

func seconds(n int) *time.Duration {
	d := time.Duration(n) * time.Second
	return &d
}

func TestPromises(t *testing.T) {
	h := newHouse(t, nil)
	connectortest.Run(t, connectortest.Subject{
		Connector: h,
		Answer: func(t testing.TB, _ connector.Login, p *connector.Prompt, n int) connector.Answer {
			person := connectortest.Claims{"sub": strconv.Itoa(n), "preferred_username": "p" + strconv.Itoa(n)}
			return connector.Answer{Form: h.provider.Authorize(t, p.Redirect, person), State: p.State}
		},
		Identity: func(n int) (string, string, string) {
			return "up", h.provider.Issuer + "#" + strconv.Itoa(n), "p" + strconv.Itoa(n)
		},
	})
}
