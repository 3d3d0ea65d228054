package overlord

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/config"
	"dex/internal/app/duty"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/connector/founding"
	"dex/internal/domain/tenant"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

const patienceOfTests = 60 * time.Second

// lines is a log that many write and a test reads.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// running is an overlord that runs until the test stops it.
type running struct {
	*Overlord
	url      string
	log      *lines
	terminal *lines
	stop     func() error
}

func start(t *testing.T, s config.Overlord, more ...duty.Duty) *running {
	t.Helper()
	r := &running{log: &lines{}, terminal: &lines{}}
	o, err := New(&s, slog.New(slog.NewTextHandler(r.log, nil)), r.terminal)
	if err != nil {
		t.Fatal(err)
	}
	o.More = more
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Serve(ctx, listener) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = r.stop() })
	r.Overlord, r.url = o, "http://"+listener.Addr().String()
	return r
}

// settings are those of an overlord at a database of the engine that the tests run
// on.
func settings(t *testing.T) (config.Overlord, *store.DB) {
	t.Helper()
	own := seal.NewSecret()
	ring, err := seal.NewRing(own)
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.Open(t, storetest.WithKeys(ring))
	if storetest.URL(t, db) == "sqlite::memory:" {
		db = storetest.OpenFile(t, storetest.WithKeys(ring))
	}
	s := load(t, storetest.URL(t, db), own)
	return s, db
}

func load(t *testing.T, url string, secrets ...seal.Secret) config.Overlord {
	t.Helper()
	environ := []string{"DEX_OVERLORD_DB_URL=" + url}
	var all []string
	for _, s := range secrets {
		all = append(all, s.Reveal())
	}
	s, err := config.LoadOverlord(config.Source{Environ: append(environ, "DEX_KEY_SECRETS="+strings.Join(all, ","))})
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	return r.call(t, http.MethodGet, path, "")
}

func (r *running) call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patienceOfTests); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (r *running) ready(t *testing.T) {
	t.Helper()
	until(t, "the overlord is ready", func() bool { status, _ := r.get(t, "/readyz"); return status == http.StatusOK })
}

func TestTheOverlordBringsAnEmptyDatabaseUpAndDoesItsDuties(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dex.db")
	r := start(t, load(t, "sqlite:"+file, seal.NewSecret()))
	r.ready(t)
	db := r.db.Load()
	if _, err := db.EnsureTenant(t.Context(), tenant.Default, storetest.Issuer); err != nil {
		t.Fatal(err)
	}
	until(t, "a worker's new tenant has keys", func() bool {
		tn, err := db.Tenant(t.Context(), tenant.Default)
		if err != nil {
			return false
		}
		keys, err := tn.SigningKeys(t.Context())
		return err == nil && len(keys) == 3
	})
	until(t, "every duty has been done", func() bool {
		all, err := db.Duties(t.Context())
		done := 0
		for _, d := range all {
			if !d.DoneAt.IsZero() {
				done++
			}
		}
		return err == nil && done >= 4
	})
	if status, body := r.get(t, "/livez"); status != http.StatusOK || !strings.Contains(body, "alive") {
		t.Errorf("/livez answers %d %s", status, body)
	}
	if status, body := r.get(t, "/api/v1/duties"); status != http.StatusUnauthorized {
		t.Errorf("the duties are told to strangers: %d %s", status, body)
	}
	if err := r.stop(); err != nil && !strings.Contains(err.Error(), "canceled") {
		t.Errorf("it ended with %v", err)
	}
}

func TestTheOverlordSaysWhatItWaitsFor(t *testing.T) {
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	s, db := settings(t)
	if _, err := db.EnsureTenant(t.Context(), tenant.Default, storetest.Issuer); err != nil {
		t.Fatal(err)
	}
	other := load(t, string(s.DB), seal.NewSecret())
	empty := load(t, "sqlite:"+filepath.Join(t.TempDir(), "dex.db"), seal.NewSecret())
	empty.DBMigrate = false
	for _, test := range []struct {
		name string
		s    config.Overlord
		want string
	}{
		{"a database that is not up", load(t, "postgres://dex@"+address+"/dex?connect_timeout=1", seal.NewSecret()), "database"},
		{"a key secret that is missing", other, "key secret " + secretID(t, s) + " is missing"},
		{"somebody to migrate", empty, "it has to be migrated first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, test.s)
			until(t, "it says why", func() bool {
				status, body := r.get(t, "/readyz")
				return status == http.StatusServiceUnavailable && strings.Contains(body, test.want)
			})
			if status, body := r.get(t, "/api/v1/state"); status != http.StatusServiceUnavailable || !strings.Contains(body, test.want) {
				t.Errorf("the API answers %d %s", status, body)
			}
			if !strings.Contains(r.log.String(), "waiting") {
				t.Errorf("the log does not say it: %s", r.log)
			}
		})
	}
}

func secretID(t *testing.T, s config.Overlord) string {
	t.Helper()
	own, err := seal.ParseSecret(string(s.KeySecrets[0]))
	if err != nil {
		t.Fatal(err)
	}
	return own.ID()
}

// Of three overlords at one database one at a time does each duty, and when it goes
// another takes over.
func TestOfThreeOverlordsOneAtATimeDoesEachDuty(t *testing.T) {
	s, db := settings(t)
	var at, most atomic.Int64
	var mu sync.Mutex
	done := map[int]int{}
	counting := func(who int) duty.Duty {
		return duty.Duty{Name: "count", Every: 50 * time.Millisecond, Do: func(context.Context) (string, error) {
			if n := at.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer at.Add(-1)
			mu.Lock()
			defer mu.Unlock()
			done[who]++
			return "counted", nil
		}}
	}
	by := func() (who, times int) {
		mu.Lock()
		defer mu.Unlock()
		for w, n := range done {
			if n > times {
				who, times = w, n
			}
		}
		return who, times
	}
	all := map[int]*running{}
	for who := range 3 {
		all[who] = start(t, s, counting(who))
	}
	until(t, "it is done ten times", func() bool { _, n := by(); return n >= 10 })
	who, _ := by()
	mu.Lock()
	if len(done) != 1 {
		t.Errorf("done by %v", done)
	}
	mu.Unlock()
	if err := all[who].stop(); err != nil && !strings.Contains(err.Error(), "canceled") {
		t.Fatal(err)
	}
	mu.Lock()
	clear(done)
	mu.Unlock()
	until(t, "another does it", func() bool { _, n := by(); return n >= 10 })
	if next, _ := by(); next == who || most.Load() != 1 {
		t.Errorf("then done by %d after %d, at most %d at once", next, who, most.Load())
	}
	stands, err := db.Duties(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range stands {
		if d.Name == "count" && (d.Runs < 20 || d.Failing() || d.Said != "counted") {
			t.Errorf("the record says %+v", d)
		}
	}
}

func bootstrap(given string) string {
	body, err := json.Marshal(resource.Bootstrap{Secret: given, Email: "ann@example.com", Name: "Ann", Password: "meadow lantern 47 kestrel"})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func TestTheFirstAdministratorIsMadeByTheSecretOfTheTerminal(t *testing.T) {
	s, db := settings(t)
	r := start(t, s)
	r.ready(t)
	until(t, "the terminal shows the secret", func() bool { return strings.Contains(r.terminal.String(), secret.FoundingPrefix) })
	var given string
	for word := range strings.FieldsSeq(r.terminal.String()) {
		if secret.Value(word).Is(secret.FoundingPrefix) {
			given = word
		}
	}
	state := func() (s resource.State) {
		_, body := r.get(t, "/api/v1/state")
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		return s
	}
	if before := state(); before.Bootstrapped || before.Schema == 0 || before.Schema != before.Needs {
		t.Errorf("before it is %+v", before)
	}
	if status, body := r.call(t, http.MethodPost, "/api/v1/bootstrap", bootstrap(given)); status != http.StatusServiceUnavailable || !strings.Contains(body, "start a worker") {
		t.Errorf("without an issuer it answers %d %s", status, body)
	}
	tn, err := db.EnsureTenant(t.Context(), tenant.Default, storetest.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ body, want string }{
		"a wrong secret":  {bootstrap("dxb_x"), "dex-overlord bootstrap-secret"},
		"a weak password": {strings.Replace(bootstrap(given), "meadow lantern 47 kestrel", "short", 1), "12 characters"},
		"their own name":  {strings.Replace(bootstrap(given), "meadow lantern 47 kestrel", "ann@example.com", 1), "made of a name"},
		"no mail address": {strings.Replace(bootstrap(given), "ann@example.com", "ann", 1), "mail address"},
		"a client that is wrong": {
			strings.Replace(bootstrap(given), `{`, `{"resources":{"clients":[{"id":"web","redirect_uri":"x"}]},`, 1), "resources.clients[0].redirect_uri",
		},
	} {
		if status, body := r.call(t, http.MethodPost, "/api/v1/bootstrap", test.body); status < 400 || status >= 500 || !strings.Contains(body, test.want) || strings.Contains(body, given) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	// A page that has its own name lead here must not use up what the secret bears.
	for range founding.MaxAttempts {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/api/v1/bootstrap", strings.NewReader(bootstrap("dxb_x")))
		if err != nil {
			t.Fatal(err)
		}
		q.Host = "evil.example"
		q.Header = http.Header{"Content-Type": {"application/json"}, "Origin": {"http://evil.example"}}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		if _ = a.Body.Close(); a.StatusCode != http.StatusForbidden {
			t.Fatalf("a page in a browser is answered %s", a.Status)
		}
	}
	answers := make(chan int, 8)
	for range cap(answers) {
		go func() {
			q, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url+"/api/v1/bootstrap", strings.NewReader(bootstrap(given)))
			if err != nil {
				answers <- 0
				return
			}
			q.Header.Set("Content-Type", "application/json")
			a, err := http.DefaultClient.Do(q)
			if err != nil {
				answers <- 0
				return
			}
			_ = a.Body.Close()
			answers <- a.StatusCode
		}()
	}
	counts := map[int]int{}
	for range cap(answers) {
		counts[<-answers]++
	}
	if counts[http.StatusOK] != 1 || counts[http.StatusConflict] != cap(answers)-1 {
		t.Errorf("of eight at once %v", counts)
	}
	if !state().Bootstrapped {
		t.Error("it is not said to be bootstrapped")
	}
	c, err := tn.Candidate(t.Context(), "ann@example.com", nil)
	if err != nil || c.User.Role != "owner" || !strings.HasPrefix(c.Hash, "$argon2id$") {
		t.Errorf("%+v, %v", c, err)
	}
	if strings.Contains(storetest.Dump(t, db), given) || strings.Contains(r.log.String(), given) || strings.Contains(r.log.String(), "meadow lantern") {
		t.Error("the secret or the password is where it should not be")
	}
	if _, _, err := BootstrapSecret(t.Context(), &s); err == nil || !strings.Contains(err.Error(), "closed for good") {
		t.Errorf("another secret: %v", err)
	}
	again := start(t, s)
	again.ready(t)
	until(t, "the next overlord does its duties", func() bool { return again.api.Load() != nil })
	if again.terminal.String() != "" {
		t.Errorf("it offers a secret again: %s", again.terminal)
	}
	if id, err := RecoverAdmin(t.Context(), &s, "Ann@Example.com"); err != nil || id != c.User.ID {
		t.Errorf("recovered %q, %v", id, err)
	}
}

func TestTheSecretGoesIntoAFileThatOnlyItsOwnerReads(t *testing.T) {
	s, _ := settings(t)
	s.BootstrapSecretFile = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(s.BootstrapSecretFile, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	first, second := start(t, s), start(t, s)
	first.ready(t)
	second.ready(t)
	var text []byte
	until(t, "the file holds the secret", func() bool {
		text, _ = os.ReadFile(s.BootstrapSecretFile)
		return secret.Value(strings.TrimSpace(string(text))).Is(secret.FoundingPrefix)
	})
	info, err := os.Stat(s.BootstrapSecretFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if shown := first.terminal.String() + second.terminal.String(); shown != "" {
		t.Errorf("it is shown, too: %s", shown)
	}
	if logged := first.log.String() + second.log.String(); strings.Contains(logged, strings.TrimSpace(string(text))) {
		t.Error("it stands in the log")
	}
}

func TestAnOverlordTellsApplicationsOnlyWhereTheOperatorAllows(t *testing.T) {
	s, db := settings(t)
	s.ClientDocumentsAllow = []string{"*.example.com"}
	o, err := New(&s, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	may := o.office(db).Delivery.Documents.MayName
	if !may("https://app.example.com/logout") || may("https://example.org/logout") || may("http://app.example.com/logout") {
		t.Error("it is not what the setting says")
	}
}
