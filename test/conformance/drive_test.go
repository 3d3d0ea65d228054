package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/app/config"
	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/base/outbound"
	"dex/internal/connector/connectortest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenFile compares a text with a file that is there to be looked at.
func goldenFile(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is another now (-update writes it):\n%s", file, diff)
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// driver drives a fake suite, without waiting.
func driver(t *testing.T, f *fake) *Driver {
	return &Driver{
		Suite:  f.suite(),
		Config: func(p Plan) (map[string]any, error) { return setup(f.server.URL).Config(p) },
		Rotate: func(context.Context) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.rotated = true
			return nil
		},
		Every: time.Second, Patience: 10 * time.Second,
		Wait: func(context.Context, time.Duration) error { return nil },
		Said: t.Logf,
	}
}

func setup(suite string) Setup {
	return Setup{
		Issuer: "https://dex.example.com", MTLS: "https://mtls.dex.example.com", Suite: suite,
		Resource: "https://mtls.dex.example.com/conformance/resource", Approve: "https://dex.example.com/conformance/ciba",
		Keys: [2]Key{
			{Private: []byte(`{"keys":[{"kid":"private-1"}]}`), Public: []byte(`{"keys":[{"kid":"public-1"}]}`)},
			{Private: []byte(`{"keys":[{"kid":"private-2"}]}`), Public: []byte(`{"keys":[{"kid":"public-2"}]}`)},
		},
		Certificates: [2]Certificate{{"certificate 1", "key 1", "CN=one"}, {"certificate 2", "key 2", "CN=two"}},
	}
}

func TestEveryModuleComesToAnEnd(t *testing.T) {
	f := newFake(t, "passes", "oidcc-server-rotate-keys", "wants-a-picture", "warns", "is-skipped", "is-interrupted", "hangs")
	d := driver(t, f)
	d.Visit = func(_ context.Context, address string) (string, error) {
		return "data:image/png;base64,of " + address, nil
	}
	outcomes, err := d.Run(t.Context(), Plan{Name: "a-plan"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range outcomes {
		got[o.Module] = strings.Join(append([]string{o.Result}, o.Why...), "; ")
	}
	want := map[string]string{
		"passes": "PASSED", "oidcc-server-rotate-keys": "PASSED", "wants-a-picture": "REVIEW",
		"warns": "WARNING; WARNING: CheckDiscovery: an unknown member", "is-skipped": "SKIPPED",
		"is-interrupted": "INTERRUPTED; FAILURE: CheckAll: it broke", "hangs": "TIMEOUT",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(f.stopped, []string{"hangs"}) {
		t.Errorf("these were stopped: %v", f.stopped)
	}
	if picture := f.running["run-wants-a-picture"].picture; picture != "place-1 data:image/png;base64,of https://dex.example.com/authorize?x=1" {
		t.Errorf("the picture is %q", picture)
	}
	if f.config["alias"] != "dex" {
		t.Errorf("the plan's configuration is %v", f.config)
	}
}

func TestWhatKeepsAPlanFromItsEnd(t *testing.T) {
	t.Run("a plan without modules", func(t *testing.T) {
		if _, err := driver(t, newFake(t)).Run(t.Context(), Plan{Name: "empty"}); err == nil {
			t.Error("it passes")
		}
	})
	t.Run("a suite that wants a token", func(t *testing.T) {
		d := driver(t, newFake(t, "passes"))
		d.Suite.Token = ""
		if _, err := d.Run(t.Context(), Plan{Name: "a-plan"}); err == nil || !strings.Contains(err.Error(), "404") {
			t.Error(err)
		}
	})
	t.Run("a suite that is not there", func(t *testing.T) {
		f := newFake(t, "passes")
		d := driver(t, f)
		f.server.Close()
		if _, err := d.Run(t.Context(), Plan{Name: "a-plan"}); err == nil {
			t.Error("it passes")
		}
	})
	t.Run("keys that cannot be rotated", func(t *testing.T) {
		d := driver(t, newFake(t, "oidcc-server-rotate-keys"))
		broken := errors.New("broken")
		d.Rotate = func(context.Context) error { return broken }
		if _, err := d.Run(t.Context(), Plan{Name: "a-plan"}); !errors.Is(err, broken) {
			t.Error(err)
		}
	})
	t.Run("somebody who stops it", func(t *testing.T) {
		d := driver(t, newFake(t, "hangs"))
		d.Wait = func(context.Context, time.Duration) error { return context.Canceled }
		if _, err := d.Run(t.Context(), Plan{Name: "a-plan"}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// provider is what the suite plays: a provider that logs a person in without a page.
func provider(t *testing.T) *connectortest.Provider {
	p := connectortest.NewProvider(t, clock.System{})
	p.ClientSecret = secretOf("dex")
	p.Set(connectortest.Knobs{Replace: map[string]http.Handler{
		"/authorize": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			back := p.Authorize(t, p.Issuer+r.URL.String(), connectortest.Claims{"sub": "1", "email": "alice@example.com"})
			if r.URL.Query().Get("response_mode") != "form_post" {
				http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
				return
			}
			fmt.Fprintf(w, `<form method="post" action="%s">`, r.URL.Query().Get("redirect_uri"))
			for name := range back {
				fmt.Fprintf(w, `<input type="hidden" name="%s" value="%s">`, name, back.Get(name))
			}
			fmt.Fprint(w, `</form>`)
		}),
		connectortest.EndPath: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			http.Redirect(w, r, q.Get("post_logout_redirect_uri")+"?"+url.Values{"state": q["state"]}.Encode(), http.StatusFound)
		}),
	}})
	return p
}

func TestOurRelyingPartyComesToEveryModuleThatWaitsForIt(t *testing.T) {
	for plan, module := range map[string]string{
		"oidcc-client-basic-certification-test-plan":          "oidcc-client-test-scope-userinfo-claims",
		"oidcc-client-formpost-basic-certification-test-plan": "oidcc-client-test",
		"oidcc-client-refreshtoken-test-plan":                 "oidcc-client-test-refresh-token",
		"oidcc-client-rp-initiated-logout-rp-basic":           "oidcc-client-test-rp-init-logout",
	} {
		t.Run(plan, func(t *testing.T) {
			p := provider(t)
			f := newFake(t, module)
			f.issuer = p.Issuer
			d := driver(t, f)
			came := errors.New("it did not come")
			party := Party{
				Client: outbound.New(outbound.Options{AllowPrivate: loopback}), Browser: f.server.Client().Transport, Clock: clock.System{},
			}
			t.Cleanup(party.Client.CloseIdleConnections)
			d.LogIn = func(ctx context.Context, v Visit) error {
				came = party.LogIn(ctx, v)
				return came
			}
			i := slices.IndexFunc(Plans(), func(p Plan) bool { return p.Name == plan })
			outcomes, err := d.Run(t.Context(), Plans()[i])
			if err != nil || came != nil || len(outcomes) != 1 || !outcomes[0].Passed() {
				t.Errorf("%+v, %v, %v", outcomes, err, came)
			}
			if p.Calls(connectortest.UserinfoPath) == 0 {
				t.Error("the userinfo endpoint was not asked, which is what ends a module")
			}
		})
	}
}

func TestOurRelyingPartyRefuses(t *testing.T) {
	p := provider(t)
	party := Party{Client: outbound.New(outbound.Options{AllowPrivate: loopback}), Browser: http.DefaultTransport, Clock: clock.System{}}
	t.Cleanup(party.Client.CloseIdleConnections)
	plan := Plan{Name: "oidcc-client-basic-certification-test-plan", family: relying}
	config, err := setup("https://suite.example.com").Config(plan)
	if err != nil {
		t.Fatal(err)
	}
	v := Visit{Plan: plan, Module: Module{Name: "oidcc-client-test-invalid-iss"}, Config: config, Issuer: p.Issuer + "/"}
	if err := party.LogIn(t.Context(), v); err == nil {
		t.Error("an issuer that calls itself otherwise is believed")
	}
}

func TestEachPlanIsThereOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Plans() {
		if seen[p.String()] {
			t.Errorf("%s comes twice", p)
		}
		seen[p.String()] = true
	}
	goldenFile(t, "plans", strings.Join(slices.Sorted(maps.Keys(seen)), "\n")+"\n")
}

// What the suite is told of a client, and what dex is: they are the same client.
func TestTheSuiteAndDexKnowTheSameClients(t *testing.T) {
	s := setup("https://suite.example.com")
	all, err := s.Clients(Plans())
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]object{}
	for _, c := range all {
		known[c.(object)["id"].(string)] = c.(object)
	}
	for _, p := range Plans() {
		config, err := s.Config(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"client", "client2", "client_secret_post"} {
			told, _ := config[name].(object)
			id, static := told["client_id"].(string)
			if c := known[id]; p.family != relying && static && (c == nil || c["secret"] != nil && c["secret"] != told["client_secret"]) {
				t.Errorf("%s: dex does not know the client %s", p, id)
			}
		}
	}
}

func TestTheConfigurationOfAPlan(t *testing.T) {
	for _, name := range []string{
		"oidcc-basic-certification-test-plan", "oidcc-dynamic-certification-test-plan", "fapi2-message-signing-final-test-plan",
		"fapi1-advanced-final-test-plan", "fapi-ciba-id1-test-plan", "oidcc-client-basic-certification-test-plan",
	} {
		i := slices.IndexFunc(Plans(), func(p Plan) bool { return p.Name == name })
		config, err := setup("https://suite.example.com").Config(Plans()[i])
		if err != nil {
			t.Fatal(err)
		}
		if name != "oidcc-basic-certification-test-plan" {
			delete(config, "browser") // they are the same for all
			delete(config, "override")
		}
		text, err := json.MarshalIndent(config, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		goldenFile(t, name+".json", string(text)+"\n")
	}
}

// The configuration under which dex is tested is one that dex takes.
func TestDexTakesItsConfiguration(t *testing.T) {
	s := setup("https://suite.example.com")
	now := time.Now()
	for i := range s.Keys {
		var err error
		if s.Keys[i], err = NewKey(fmt.Sprintf("client-%d", i)); err != nil {
			t.Fatal(err)
		}
		if s.Certificates[i], err = NewCertificate(fmt.Sprintf("client %d", i), "", now); err != nil {
			t.Fatal(err)
		}
	}
	server, err := NewCertificate("dex", "dex.example.com", now)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := Dex{
		Listen: "127.0.0.1:0", MTLSListen: "127.0.0.1:0", Database: "sqlite:" + filepath.Join(dir, "dex.db"), PasswordHash: workertest.PasswordHash,
		CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), SuiteCAFile: filepath.Join(dir, "tls.crt"),
		ClientsCAFile: filepath.Join(dir, "tls.crt"),
	}
	settings, err := s.Settings(d, Plans())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"tls.crt": server.Chain, "tls.key": server.Key, "dex.yaml": string(settings)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := config.Load(config.Source{Environ: []string{config.EnvPrefix + "CONFIG=" + filepath.Join(dir, "dex.yaml")}}); err != nil {
		t.Error(err)
	}
}

func TestTheTableSaysWhatIsNotOK(t *testing.T) {
	var b strings.Builder
	err := Write(&b, []Row{
		{Plan: Plan{Name: "good", Variant: map[string]string{"b": "2", "a": "1"}}, Outcomes: []Outcome{{Module: "x", Result: "PASSED"}, {Module: "y", Result: "REVIEW"}}},
		{Plan: Plan{Name: "warned"}, Outcomes: []Outcome{{Module: "x", ID: "1", Result: "WARNING", Why: []string{"WARNING: Check: odd"}}}},
		{Plan: Plan{Name: "broken"}, Err: errors.New("the suite went away")},
	})
	if err != nil {
		t.Fatal(err)
	}
	goldenFile(t, "table", b.String())
}
