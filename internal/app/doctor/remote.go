package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/base/clock"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/key"
	"dex/internal/protocol/jose"
)

// Remote is an installation that is looked at from afar, through its administrators'
// API.
type Remote struct {
	API    *apiclient.Client
	URL    string       // of the API
	Issuer string       // of the tenant
	HTTP   *http.Client // that leads there
	Clock  clock.Clock
}

// Ask gathers the facts that the API tells: of clients and connectors, which are tested
// from there, of the signing keys and the database, and what its servers show of
// themselves.
func (r Remote) Ask(ctx context.Context) Facts {
	f := Facts{Now: r.Clock.Now()}
	fail := func(about string, err error) { f.Failures = append(f.Failures, Failure{about, err.Error()}) }
	for one, err := range apiclient.All[resource.Client](ctx, r.API, "/clients", url.Values{"limit": {"500"}}) {
		if err != nil {
			fail("clients", err)
			break
		}
		made, err := one.Declared.Make()
		if err != nil {
			fail("client "+one.ID, err)
			continue
		}
		// What is told of a secret never holds it, but counts.
		made.Secrets = make([]secret.Hash, len(one.SecretNotes))
		registered := client.Registered{Client: made}
		for _, n := range one.SecretNotes {
			registered.Notes = append(registered.Notes, client.SecretNote{ID: n.ID, CreatedAt: n.CreatedAt})
		}
		f.Clients = append(f.Clients, registered)
	}
	for one, err := range apiclient.All[resource.Connector](ctx, r.API, "/connectors", url.Values{"limit": {"500"}}) {
		if err != nil {
			fail("connectors", err)
			break
		}
		f.Connectors = append(f.Connectors, Connector{Configured: one.Declared.Make(), Plaintext: plaintext([]byte(one.Declared.Config))})
	}
	r.test(ctx, f.Connectors)
	health, _, err := apiclient.Do[resource.Health](ctx, r.API, apiclient.Request{Method: http.MethodGet, Path: "/health"})
	if p, ok := errors.AsType[*resource.Problem](err); err != nil && (!ok || p.Status != http.StatusNotFound && p.Status != http.StatusForbidden) {
		fail("health", err) // which a worker beside an overlord does not tell, nor another tenant's server
	}
	f.Problems = health.Problems
	if health.Database.Version != "" { // which an older server does not tell
		f.Now = health.At // by which keys and secrets have the ages that they have there
		f.KeyPlan = &KeyPlan{
			Algorithms: health.Keys.Algorithms,
			Rotation:   time.Duration(health.Keys.Rotation) * time.Second, Lead: time.Duration(health.Keys.Lead) * time.Second,
		}
		f.Database = &Database{
			Afar: true, Version: health.Database.Version, Skew: time.Duration(health.Database.Skew * float64(time.Second)),
			Superuser: health.Database.Superuser, Durable: health.Database.Durable,
		}
		state, _, err := apiclient.Do[resource.State](ctx, r.API, apiclient.Request{Method: http.MethodGet, Path: "/state"})
		if err != nil {
			fail("state", err)
		}
		f.Database.Schema, f.Database.Brings = state.Schema, state.Needs
	}
	if f.Keys, err = r.keys(ctx); err != nil {
		fail("keys", err)
	} else {
		f.KeysKnown = true
	}
	for _, one := range []struct{ about, address string }{{"the administrators' API", r.URL}, {"the issuer", r.Issuer}} {
		if err := r.look(ctx, one.about, one.address, &f); err != nil {
			fail(one.about, err)
		}
	}
	return f
}

// keys are the timeline of the signing keys. Of a key no more is told.
func (r Remote) keys(ctx context.Context) (all []key.Key, err error) {
	list, _, err := apiclient.Do[resource.List[resource.Key]](ctx, r.API, apiclient.Request{Method: http.MethodGet, Path: "/keys"})
	for _, k := range list.Items {
		if k.State != "gone" {
			all = append(all, key.Key{
				ID: k.ID, Alg: jose.Algorithm(k.Algorithm), PublishAt: k.PublishAt, SignFrom: k.SignFrom, SignUntil: k.SignUntil, UnpublishAt: k.UnpublishAt,
			})
		}
	}
	return all, err
}

// atOnce is how many connectors are tested at the same time.
const atOnce = 4

// test has the server test each connector.
func (r Remote) test(ctx context.Context, all []Connector) {
	var wg sync.WaitGroup
	seats := make(chan struct{}, atOnce)
	for i := range all {
		c := &all[i]
		if c.Disabled {
			continue
		}
		wg.Go(func() {
			seats <- struct{}{}
			defer func() { <-seats }()
			began := r.Clock.Now()
			got, _, err := apiclient.Do[resource.ConnectorTest](ctx, r.API, apiclient.Request{Method: http.MethodPost, Path: apiclient.Path("connectors", c.ID, "test")})
			c.Took, c.Checked = r.Clock.Now().Sub(began), got.Tested
			switch {
			case err != nil:
				c.Err = "it could not be tested: " + err.Error()
			case !got.Works:
				c.Err = got.Problem
			}
		})
	}
	wg.Wait()
}

// look looks at what a server shows of itself: its certificate and its clock.
func (r Remote) look(ctx context.Context, about, address string, f *Facts) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return err
	}
	asked := r.Clock.Now()
	answer, err := r.HTTP.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return err
	}
	_ = answer.Body.Close()
	if shown, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		// It is told in whole seconds.
		if skew := asked.Sub(shown); skew.Abs() > 2*time.Second {
			f.Skews = append(f.Skews, Skew{about, skew})
		}
	}
	if answer.TLS != nil && len(answer.TLS.PeerCertificates) > 0 {
		leaf := answer.TLS.PeerCertificates[0]
		f.Certificates = append(f.Certificates, Certificate{
			About: about, Names: leaf.DNSNames, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter, Host: u.Hostname(),
			Covers: leaf.VerifyHostname(u.Hostname()) == nil,
		})
	}
	return nil
}
