package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.yaml.in/yaml/v4"

	"dex/internal/base/clock"
	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/route"
	"dex/internal/domain/key"
	"dex/internal/domain/outbox"
	"dex/internal/domain/system"
	"dex/internal/protocol/jose"
	"dex/internal/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// database is one that stands as a test says.
type database struct {
	at   clock.Clock
	away error
}

func (d database) Clock() clock.Clock         { return d.at }
func (d database) Ping(context.Context) error { return d.away }
func (d database) Work() store.Work           { return store.Work{Statements: 7, Commits: 3} }
func (d database) Pool() store.Pool {
	return store.Pool{Max: 16, InUse: 2, Idle: 5, Waits: 4, Waited: 1500 * time.Millisecond}
}
func (d database) LookedAt() time.Time { return clock.System{}.Now() }
func (d database) Duties(context.Context) ([]system.Duty, error) {
	return []system.Duty{{Name: "rotate keys", Runs: 9, Failures: 1, DoneAt: d.at.Now().Add(-time.Minute)}, {Name: system.ExportAudit}}, d.away
}
func (d database) OldestUnexported(context.Context) (time.Time, error) {
	return d.at.Now().Add(-2 * time.Minute), d.away
}
func (d database) Backlog(context.Context) (outbox.Backlog, error) {
	return outbox.Backlog{Waiting: 3, Dead: 1, Oldest: d.at.Now().Add(-time.Hour)}, d.away
}
func (d database) Timelines(context.Context) (map[string][]key.Key, error) {
	now := d.at.Now()
	return map[string][]key.Key{
		"default": {
			{ID: "1", Alg: jose.ES256, SignFrom: now.Add(-10 * time.Hour), SignUntil: now.Add(time.Hour), Private: key.Unopened{}},
			{ID: "2", Alg: jose.ES256, SignFrom: now.Add(time.Hour), Private: key.Unopened{}},
			{ID: "0", Alg: jose.ES256, SignFrom: now.Add(-900 * time.Hour), SignUntil: now.Add(-10 * time.Hour)},
		},
		"empty": nil,
	}, d.away
}

func measured(away error) *Metrics {
	db := database{at: &clock.Fake{}, away: away}
	return New("dex-worker", Sources{
		Store: func() Database { return db },
		Serving: func() Serving {
			return Serving{Tenants: 2, Open: 1, PictureAge: 20 * time.Second, Hashing: 1, Waiting: 2, Hashes: 4,
				Connectors: []Connector{{"default", "local", true}, {"default", "corp", false}, {"default", "corp", false}}}
		},
	})
}

// exposed returns what Prometheus reads.
func exposed(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// everything is what is exposed after something of each kind has happened.
func everything(t *testing.T) (*Metrics, string) {
	t.Helper()
	m := measured(nil)
	m.For("default").Login("local", "app", measure.Success)
	m.For("default").Token("authorization_code", "app", "")
	h := httpx.Log(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		end := m.Begin()
		defer end(w, route.Keys)
		w.WriteHeader(http.StatusNotModified)
	}), slog.New(slog.DiscardHandler))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/keys", nil))
	return m, exposed(t, m)
}

func TestWhatIsExposedAnswersWithNumbers(t *testing.T) {
	_, text := everything(t)
	for _, want := range []string{
		`dex_logins_total{client="app",connector="local",result="success",tenant="default"} 1`,
		`dex_token_requests_total{client="app",grant_type="authorization_code",result="ok",tenant="default"} 1`,
		`dex_http_requests_total{route="/keys",status="3xx"} 1`, `dex_http_request_duration_seconds_count{route="/keys"} 1`, `dex_http_requests_in_flight 0`,
		`dex_database_up 1`, `dex_database_statements_total 7`, `dex_database_commits_total 3`, `dex_database_connections_max 16`,
		`dex_database_connections{state="in_use"} 2`, `dex_database_connections{state="idle"} 5`, `dex_database_connection_waits_total 4`, `dex_database_connection_wait_seconds_total 1.5`,
		`dex_password_hashes_running 1`, `dex_password_hashes_waiting 2`, `dex_password_hashes_max 4`, `dex_tenants 2`, `dex_tenants_open 1`, `dex_signing_keys_picture_age_seconds 20`,
		`dex_signing_key_age_seconds{alg="ES256"} 36000`, `dex_signing_key_next_switch_seconds{alg="ES256"} 3600`, `dex_signing_keys_missing{alg="ES256"} 1`,
		`dex_connector_up{connector="local",tenant="default"} 1`, `dex_connector_up{connector="corp",tenant="default"} 0`,
		`dex_duty_runs_total{duty="rotate keys"} 9`, `dex_duty_failures_total{duty="rotate keys"} 1`, `dex_duty_last_failure_timestamp_seconds{duty="rotate keys"} 0`,
		`dex_outbox_waiting 3`, `dex_outbox_dead 1`, `dex_outbox_oldest_seconds 3600`, `dex_audit_export_oldest_seconds 120`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("there is no line %s", want)
		}
	}
	if !strings.Contains(text, `dex_build_info{`) || !strings.Contains(text, "go_goroutines ") {
		t.Error("nothing is told of the program itself")
	}
	for _, m := range all {
		if !strings.Contains(text, "# TYPE "+m.name+" "+m.kind+"\n") {
			t.Errorf("%s is documented as a %s, and is not exposed as one", m.name, m.kind)
		}
		for _, label := range m.labels {
			if !regexp.MustCompile(`(?m)^` + m.name + `(_bucket)?\{[^}]*\b` + label + `="`).MatchString(text) {
				t.Errorf("%s is documented with the label %s, and has none", m.name, label)
			}
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (dex_\w+) `).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(Names(), line[1]) {
			t.Errorf("%s is exposed, and is not documented", line[1])
		}
	}
}

func TestTheMetricsAreAsPrometheusWantsThem(t *testing.T) {
	m, _ := everything(t)
	problems, err := testutil.GatherAndLint(m.Gatherer(), Names()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestWithoutADatabaseTheRestIsToldAllTheSame(t *testing.T) {
	text := exposed(t, measured(errors.New("away")))
	for _, want := range []string{"dex_database_up 0", "dex_tenants 2", "dex_database_connections_max 16"} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("there is no line %s", want)
		}
	}
	if strings.Contains(text, "dex_duty") || strings.Contains(text, "dex_outbox") {
		t.Error("what nobody knows is told")
	}
	none := New("dex-overlord", Sources{Store: func() Database { return nil }})
	if text := exposed(t, none); !strings.Contains(text, "dex_database_up 0") || strings.Contains(text, "dex_http") {
		t.Errorf("a program without a database, or a public server: %s", text)
	}
}

func TestOnlySoManyNamesAreToldApart(t *testing.T) {
	m := measured(nil)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 5000 {
				name := fmt.Sprint(worker, "-", i)
				m.For(name).Login(name, name, measure.Wrong)
				m.For("default").Token("authorization_code", name, "invalid_grant")
			}
		})
	}
	all.Wait()
	text := exposed(t, m)
	values := map[string]map[string]bool{"client": {}, "connector": {}, "tenant": {}}
	for label, seen := range values {
		for _, found := range regexp.MustCompile(`\b`+label+`="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			seen[found[1]] = true
		}
	}
	if len(values["client"]) > maxClients+2 || len(values["connector"]) > maxConnectors+2 || len(values["tenant"]) > maxTenants+2 {
		t.Errorf("%d clients, %d connectors, %d tenants", len(values["client"]), len(values["connector"]), len(values["tenant"]))
	}
	if !values["client"][other] || !strings.Contains(text, `client="other"`) {
		t.Error("the rest is not counted")
	}
	for _, path := range []string{"/nowhere", "/keys/x", "/login/a/b", "", "/static", "//", "/KEYS"} {
		if p := route.Pattern(path); p != route.Other && !slices.Contains(route.Patterns(), p) {
			t.Errorf("%q is %q", path, p)
		}
	}
}

func TestAProfilerOfThisMachineFindsItsProfilesAndNotTheCommandLine(t *testing.T) {
	h := measured(nil).Handler()
	for _, from := range []struct {
		address string
		may     bool
	}{{"127.0.0.1:50000", true}, {"[::1]:50000", true}, {"10.0.0.7:50000", false}, {"[2001:db8::7]:50000", false}, {"", false}} {
		paths := map[string]int{"/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/symbol": 200, "/debug/pprof/cmdline": 404, "/": 404}
		for path, want := range paths {
			if !from.may {
				want = 404
			}
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr = from.address
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != want {
				t.Errorf("%s from %q: %d, want %d", path, from.address, w.Code, want)
			}
		}
	}
}

// named finds the metrics of ours, and of the Go client, in an expression.
var named = regexp.MustCompile(`\b(dex|process|go)_[a-z0-9_]+`)

// exists fails if an expression names a metric that is not exposed.
func exists(t *testing.T, text, where, expr string) {
	t.Helper()
	found := named.FindAllString(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s asks for nothing of ours: %s", where, expr)
	}
	for _, name := range found {
		if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(text) {
			t.Errorf("%s asks for %s, which does not exist", where, name)
		}
	}
}

func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	data, err := os.ReadFile("../../../deploy/grafana/dex.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	_, text := everything(t)
	rows, asked := 0, map[string]bool{}
	for _, p := range board.Panels {
		if p.Type == "row" {
			rows++
			continue
		}
		if len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("the panel %s asks for nothing, or does not fit", p.Title)
		}
		for _, target := range p.Targets {
			exists(t, text, p.Title, target.Expr)
			for _, name := range named.FindAllString(target.Expr, -1) {
				asked[strings.TrimSuffix(name, "_bucket")] = true
			}
		}
	}
	if rows < 6 {
		t.Errorf("there are %d rows", rows)
	}
	for _, name := range Names() {
		if !asked[name] && name != dutyFailed.name {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func TestTheAlertsAskForWhatThereIsAndSayWhatToDo(t *testing.T) {
	data, err := os.ReadFile("../../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	_, text := everything(t)
	n := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			n++
			exists(t, text, r.Alert, r.Expr)
			if r.Alert == "" || r.For == "" || r.Annotations["summary"] == "" || r.Annotations["cure"] == "" || !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
				t.Errorf("the alert %+v does not say enough", r)
			}
		}
	}
	if n < 10 {
		t.Errorf("there are %d alerts", n)
	}
}

func TestTheDocumentationKnowsEveryMetric(t *testing.T) {
	const file, begin, end = "../../../docs/operate/metrics.md", "<!-- made by \"go test ./internal/app/metrics -update\" -->\n", "<!-- end -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	want := before + begin + "\n" + Reference() + "\n" + end + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Errorf("%s is stale; run: go test ./internal/app/metrics -update", file)
	}
}

func BenchmarkRequest(b *testing.B) {
	m := measured(nil)
	var w http.ResponseWriter = httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		m.Begin()(w, route.Keys)
	}
}

func BenchmarkLogin(b *testing.B) {
	meter := measured(nil).For("default")
	b.ReportAllocs()
	for b.Loop() {
		meter.Login("local", "app", measure.Success)
	}
}
