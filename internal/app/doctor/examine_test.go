package doctor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dex/internal/app/config"
	"dex/internal/app/doctor"
	"dex/internal/app/worker"
	"dex/internal/base/clock"
)

// installation is a configuration with a database in a folder of its own.
type installation struct {
	t      *testing.T
	folder string
	file   string
}

func install(t *testing.T, more string) installation {
	t.Helper()
	in := installation{t: t, folder: t.TempDir()}
	in.file = filepath.Join(in.folder, "dex.yaml")
	text := fmt.Sprintf("issuer: https://login.example.com\ndb: sqlite:%s\nadmin_listen: 127.0.0.1:0\nlisten: 127.0.0.1:0\n%s", filepath.Join(in.folder, "dex.db"), more)
	if err := os.WriteFile(in.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return in
}

func (in installation) source() config.Source {
	return config.Source{Environ: []string{config.EnvPrefix + "CONFIG=" + in.file}}
}

// started is the installation after a worker has once been there.
func (in installation) started() installation {
	in.t.Helper()
	s, err := config.Load(in.source())
	if err != nil {
		in.t.Fatal(err)
	}
	w, err := worker.New(s, worker.Options{})
	if err != nil {
		in.t.Fatal(err)
	}
	if err := w.Open(in.t.Context()); err != nil {
		in.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		in.t.Fatal(err)
	}
	return in
}

// codes are what is found, as severity and code and what it is about.
func (in installation) codes() (all []string, facts doctor.Facts) {
	in.t.Helper()
	facts = doctor.Examine(in.t.Context(), in.source(), clock.System{})
	for _, f := range doctor.Findings(facts) {
		all = append(all, fmt.Sprintf("%s %s: %s", f.Severity, f.Code, f.About))
	}
	return all, facts
}

const twoConnectors = `
clients:
- {id: app, secret: app-secret, redirect_uris: ["https://app.example.com/cb", "http://127.0.0.1/cb"]}
connectors:
- {id: local, kind: local}
- {id: corp, kind: oidc, config: {issuer: "https://127.0.0.1:1", client_id: x, client_secret: y}}
outbound_allow_private: [127.0.0.0/8]
`

func TestTheDoctorLooksAtWhatIsThere(t *testing.T) {
	in := install(t, twoConnectors).started()
	got, facts := in.codes()
	for _, want := range []string{
		"broken connector-out: connector corp", "weak redirect-loopback: client app", "weak key-beside-database: key_secrets",
		"weak no-trusted-proxies: trusted_proxies", "weak outbound-loopback: outbound_allow_private[0]", "note one-machine: db",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not found among %q", want, got)
		}
	}
	if len(got) != 6 {
		t.Errorf("found %q", got)
	}
	if !facts.KeysKnown || len(facts.Keys) == 0 || facts.Database.Schema == 0 || !strings.HasPrefix(facts.Database.Version, "SQLite") {
		t.Errorf("the database: %+v, %d keys", facts.Database, len(facts.Keys))
	}
}

// What the doctor looks at before anything runs is the configuration alone. It makes
// neither a database nor a key.
func TestTheDoctorMakesNothing(t *testing.T) {
	in := install(t, twoConnectors)
	got, facts := in.codes()
	if !slices.Contains(got, "weak redirect-loopback: client app") || facts.Database != nil {
		t.Errorf("found %q", got)
	}
	if files, _ := filepath.Glob(filepath.Join(in.folder, "*")); len(files) != 1 {
		t.Errorf("there are %q", files)
	}
}

func TestTheDoctorTellsEveryMistakeAtOnce(t *testing.T) {
	in := install(t, "lissen: x\nclients:\n- {name: x}\n")
	got, facts := in.codes()
	if len(facts.Mistakes) < 2 || !slices.Contains(got, "broken config-mistake: lissen") || !strings.Contains(facts.Mistakes.Error(), "dex.yaml:5:1") {
		t.Errorf("found %q: %q", got, facts.Mistakes)
	}
}

func TestTheDoctorFindsWhatOthersCanRead(t *testing.T) {
	in := install(t, twoConnectors).started()
	for _, name := range []string{"dex.yaml", "dex.db.key", "dex.db"} {
		if err := os.Chmod(filepath.Join(in.folder, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := in.codes()
	for _, name := range []string{"dex.yaml", "dex.db.key", "dex.db"} {
		if want := "unsafe file-open: " + filepath.Join(in.folder, name); !slices.Contains(got, want) {
			t.Errorf("%q is not found among %q", want, got)
		}
	}
}

func TestTheDoctorSaysThatAKeyIsMissing(t *testing.T) {
	in := install(t, twoConnectors).started()
	if err := os.Remove(filepath.Join(in.folder, "dex.db.key")); err != nil {
		t.Fatal(err)
	}
	if got, _ := in.codes(); !slices.Contains(got, "broken cannot-look: key_secrets") {
		t.Errorf("found %q", got)
	}
}

func TestTheDoctorSaysThatAKeyIsAnother(t *testing.T) {
	in := install(t, twoConnectors).started()
	if err := os.WriteFile(filepath.Join(in.folder, "dex.db.key"), []byte("ZGV4IHRlc3RzIGRleCB0ZXN0cyBkZXggdGVzdHMgMTI=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, facts := in.codes()
	if !slices.Contains(got, "broken cannot-look: key_secrets") || len(facts.Failures) != 1 || !strings.Contains(facts.Failures[0].Err, "is missing") {
		t.Errorf("found %q: %v", got, facts.Failures)
	}
}

func TestTheDoctorSaysThatADatabaseIsAway(t *testing.T) {
	in := install(t, "key_secrets: [\"ZGV4IHRlc3RzIGRleCB0ZXN0cyBkZXggdGVzdHMgMTI=\"]\n")
	text, err := os.ReadFile(in.file)
	if err != nil {
		t.Fatal(err)
	}
	away := strings.Replace(string(text), "sqlite:"+filepath.Join(in.folder, "dex.db"), "postgres://dex:secret@127.0.0.1:1/dex", 1)
	if err := os.WriteFile(in.file, []byte(away), 0o600); err != nil {
		t.Fatal(err)
	}
	got, facts := in.codes()
	if !slices.Contains(got, "broken database-away: db") || strings.Contains(facts.Database.Err, "secret") {
		t.Errorf("found %q: %s", got, facts.Database.Err)
	}
}
