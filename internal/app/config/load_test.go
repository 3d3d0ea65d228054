package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"dex/internal/admin/declare"
	"dex/internal/base/strict"
)

// files are what there is to read in a test.
type files map[string]string

func (f files) read(name string, limit int64) ([]byte, error) {
	text, ok := f[name]
	switch {
	case !ok:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case int64(len(text)) > limit:
		return nil, fmt.Errorf("it is larger than %d KiB", limit>>10)
	}
	return []byte(text), nil
}

// load reads a file called dex.yaml, under flags and an environment.
func load(t *testing.T, f files, args, environ []string) (*Settings, error) {
	t.Helper()
	flags := pflag.NewFlagSet("dex-worker", pflag.ContinueOnError)
	BindFlags(flags)
	if _, ok := f["dex.yaml"]; ok {
		args = append([]string{"--config=dex.yaml"}, args...)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(Source{Flags: flags, Environ: environ, ReadFile: f.read})
}

func mustLoad(t *testing.T, f files, args, environ []string) *Settings {
	t.Helper()
	s, err := load(t, f, args, environ)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const testKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func TestNoDatabaseNeedsNothingElse(t *testing.T) {
	s := mustLoad(t, nil, []string{"--no-db"}, nil)
	if s.Issuer != "http://127.0.0.1:5556" || s.Listen != "127.0.0.1:5556" || s.DemoListen != "127.0.0.1:5555" {
		t.Errorf("issuer %s, listen %s, demo %s", s.Issuer, s.Listen, s.DemoListen)
	}
	if want := []declare.Connector{{ID: "local", Kind: "local", Name: "Password"}}; !reflect.DeepEqual(s.Connectors, want) {
		t.Errorf("connectors %v", s.Connectors)
	}
	if !s.Duties || s.KeyFile() != "" || s.Expiry.Codes != time.Minute || s.Keys.Lead != 25*time.Hour {
		t.Errorf("defaults are missing: %+v", s)
	}
	if want := []string{"RS256", "ES256", "EdDSA"}; !cmp.Equal(s.Keys.Algorithms, want) {
		t.Errorf("algorithms %v", s.Keys.Algorithms)
	}
}

func TestTheIssuerWaitsForAFreePort(t *testing.T) {
	s := mustLoad(t, nil, []string{"--no-db", "--listen=127.0.0.1:0", "--demo-listen=127.0.0.1:0"}, nil)
	if s.Issuer != "" {
		t.Errorf("issuer %q, before the port is known", s.Issuer)
	}
}

func TestPrecedence(t *testing.T) {
	const file = "db: sqlite:dex.db\nissuer: https://a.example\nname: file\ntrusted_proxies: [10.0.0.0/8, 10.1.0.0/16]\n"
	for _, test := range []struct {
		name    string
		args    []string
		environ []string
		want    string
		where   string
	}{
		{name: "the file beats the default", want: "file", where: "dex.yaml:3:7"},
		{name: "the environment beats the file", environ: []string{"DEX_WORKER_NAME=environment"}, want: "environment", where: "DEX_WORKER_NAME"},
		{name: "an empty variable counts as not set", environ: []string{"DEX_WORKER_NAME="}, want: "file", where: "dex.yaml:3:7"},
		{name: "a flag beats the environment", args: []string{"--name=flag"}, environ: []string{"DEX_WORKER_NAME=environment"}, want: "flag", where: "--name"},
		{name: "the last of two flags counts", args: []string{"--name=first", "--name=last"}, want: "last", where: "--name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := mustLoad(t, files{"dex.yaml": file}, test.args, test.environ)
			if s.Name != test.want || s.Where("name") != test.where {
				t.Errorf("%q from %s, want %q from %s", s.Name, s.Where("name"), test.want, test.where)
			}
		})
	}
}

func TestTheFileCanBeNamedInTheEnvironment(t *testing.T) {
	s, err := Load(Source{
		Environ:  []string{"DEX_WORKER_CONFIG=other.yaml"},
		ReadFile: files{"other.yaml": "no_db: true\nname: other\n"}.read,
	})
	if err != nil || s.Name != "other" || s.File != "other.yaml" {
		t.Errorf("%v, %v", s, err)
	}
}

func TestListsOutsideTheFileReplaceIt(t *testing.T) {
	const file = "no_db: true\ntrusted_proxies: [10.0.0.0/8]\n"
	want := []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("::1/128")}
	for name, test := range map[string]struct{ args, environ []string }{
		"a flag with commas":      {args: []string{"--trusted-proxies=192.168.0.0/16, ::1"}},
		"a flag that is repeated": {args: []string{"--trusted-proxies=192.168.0.0/16", "--trusted-proxies=::1/128"}},
		"the environment":         {environ: []string{"DEX_WORKER_TRUSTED_PROXIES=192.168.0.0/16,::1/128"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustLoad(t, files{"dex.yaml": file}, test.args, test.environ)
			if diff := cmp.Diff(want, s.TrustedProxies, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestABooleanFlagNeedsNoValue(t *testing.T) {
	s := mustLoad(t, nil, []string{"--no-db", "--duties=false", "--templates-reload"}, nil)
	if !s.NoDB || s.Duties || !s.TemplatesReload {
		t.Errorf("no_db %t, duties %t, templates_reload %t", s.NoDB, s.Duties, s.TemplatesReload)
	}
}

func TestEverySettingOfTheTopIsAFlagAndAVariable(t *testing.T) {
	for _, program := range []struct {
		prefix string
		table  []setting
		bind   func(*pflag.FlagSet)
	}{{EnvPrefix, worker.table, BindFlags}, {OverlordPrefix, overlord.table, BindOverlordFlags}} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		program.bind(flags)
		for _, s := range program.table {
			for i, name := range s.flags {
				f := flags.Lookup(name)
				if f == nil {
					t.Fatalf("there is no flag for %s", s.name)
				}
				if f.Usage == "" || s.env[i] != program.prefix+strings.ToUpper(strings.ReplaceAll(name, "-", "_")) {
					t.Errorf("%s: usage %q, environment %v", name, f.Usage, s.env)
				}
			}
		}
		if len(program.table) < 17 {
			t.Errorf("%d settings are flags", len(program.table))
		}
	}
}

func TestASettingByItsOtherName(t *testing.T) {
	for name, test := range map[string]struct{ args, environ []string }{
		"as a flag":          {args: []string{"--db-url=sqlite:dex.db"}},
		"in the environment": {environ: []string{"DEX_WORKER_DB_URL=sqlite:dex.db"}},
		"a flag beats both":  {args: []string{"--db-url=sqlite:dex.db"}, environ: []string{"DEX_WORKER_DB=sqlite:x", "DEX_WORKER_DB_URL=sqlite:y"}},
	} {
		t.Run(name, func(t *testing.T) {
			if s := mustLoad(t, nil, append(test.args, "--issuer=https://a.example"), test.environ); s.DB != "sqlite:dex.db" {
				t.Errorf("the database is %s", s.DB)
			}
		})
	}
	_, err := load(t, nil, []string{"--db=sqlite:a.db", "--db-url=sqlite:b.db", "--issuer=https://a.example"}, nil)
	if err == nil || err.Error() != "--db-url: is the same setting as --db, which is set too" {
		t.Errorf("two that contradict each other: %v", err)
	}
}

func TestWhoeverOnlyTriesDexWaitsForNobodyAtTheEnd(t *testing.T) {
	for name, test := range map[string]struct {
		flags []string
		want  time.Duration
	}{
		"without a database":              {[]string{"--no-db"}, 0},
		"on this machine":                 {[]string{"--db=sqlite:dex.db", "--issuer=http://127.0.0.1:5556"}, 0},
		"on this machine, if it is asked": {[]string{"--db=sqlite:dex.db", "--issuer=http://127.0.0.1:5556", "--drain=3s"}, 3 * time.Second},
		"for others":                      {[]string{"--db=sqlite:dex.db", "--issuer=https://login.example.com"}, 5 * time.Second},
		"for others, if nobody balances":  {[]string{"--db=sqlite:dex.db", "--issuer=https://login.example.com", "--drain=0s"}, 0},
	} {
		if s := mustLoad(t, nil, test.flags, nil); s.Drain != test.want {
			t.Errorf("%s: %s, want %s", name, s.Drain, test.want)
		}
	}
}

func TestListenersThatCanBeSwitchedOff(t *testing.T) {
	s := mustLoad(t, nil, []string{"--no-db"}, nil)
	if s.AdminListen != "127.0.0.1:5558" || s.MetricsListen != "" {
		t.Errorf("by default %q and %q", s.AdminListen, s.MetricsListen)
	}
	for _, off := range []string{"--admin-listen=off", "--admin-listen="} {
		if s := mustLoad(t, nil, []string{"--no-db", off, "--metrics-listen=127.0.0.1:9"}, nil); s.AdminListen != "" || s.MetricsListen != "127.0.0.1:9" {
			t.Errorf("%s: %q and %q", off, s.AdminListen, s.MetricsListen)
		}
	}
	_, err := load(t, nil, []string{"--no-db", "--admin-listen=0.0.0.0:1", "--metrics-listen=x", "--otlp-endpoint=collector:4317"}, nil)
	const want = "--metrics-listen: must be host:port, such as 127.0.0.1:5558, or off\n" +
		"--admin-listen: must be a loopback address such as 127.0.0.1 together with no_db, which everybody can log in to; choose a database to serve others\n--otlp-endpoint: must be a URL such as http://127.0.0.1:4318"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func loadOverlord(args ...string) (*Overlord, error) {
	flags := pflag.NewFlagSet("dex-overlord", pflag.ContinueOnError)
	BindOverlordFlags(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return LoadOverlord(Source{Flags: flags, ReadFile: files{"dex-overlord.yaml": "db_url: postgres://db/dex\nkeys: {rotation: 60d}\naudit: {}\n"}.read})
}

func TestTheOverlordTakesTheFlagsOfOld(t *testing.T) {
	s, err := loadOverlord("--db-url=postgres://db/dex", "--key-secrets="+testKey, "--key-period=48h", "--gc-interval=1h", "--admin-listen=127.0.0.1:1", "--db-migrate=false")
	if err != nil {
		t.Fatal(err)
	}
	if s.DB != "postgres://db/dex" || s.Keys.Rotation != 48*time.Hour || s.KeyPeriod != 48*time.Hour || s.GCInterval != time.Hour || s.AdminListen != "127.0.0.1:1" || s.DBMigrate {
		t.Errorf("%+v", s)
	}
	s, err = loadOverlord("--config=dex-overlord.yaml", "--key-secrets="+testKey)
	if err != nil || s.KeyPeriod != 60*24*time.Hour || s.AdminListen != "127.0.0.1:5557" || !s.DBMigrate || s.Where("keys.rotation") != "dex-overlord.yaml:2:18" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestTheOverlordNamesEveryMistake(t *testing.T) {
	for want, args := range map[string][]string{
		"db_url: is not set: say --db-url postgres://…, the database of the workers\n--gc-interval: must be 1s at least": {"--gc-interval=0s"},
		"--key-period: must be a duration such as 90s, 10m, 24h or 30d":                                                  {"--db=sqlite:x.db", "--key-period=soon"},
		"keys.rotation: must be longer than keys.lead, which is 25h":                                                     {"--db=sqlite:x.db", "--key-period=1h"},
		"--key-period: is the same setting as keys.rotation, which is set too":                                           {"--config=dex-overlord.yaml", "--key-secrets=" + testKey, "--key-period=48h"},
	} {
		if _, err := loadOverlord(args...); err == nil || err.Error() != want {
			t.Errorf("%v: %v\nwant %s", args, err, want)
		}
	}
}

func TestKeySecrets(t *testing.T) {
	base := []string{"--db=postgres://dex@db/dex", "--issuer=https://a.example"}
	for _, test := range []struct {
		name    string
		args    []string
		environ []string
		files   files
		want    string
	}{
		{name: "a flag", args: []string{"--key-secrets=" + testKey}, want: testKey},
		{name: "a file with a line break at its end", args: []string{"--key-secrets=file:/key"}, files: files{"/key": testKey + "\n"}, want: testKey},
		{name: "the variable of dex-worker", environ: []string{"DEX_WORKER_KEY_SECRETS=" + testKey}, want: testKey},
		{name: "the variable of all programs", environ: []string{"DEX_KEY_SECRETS=" + testKey}, want: testKey},
		{name: "url-safe and without padding", args: []string{"--key-secrets=__ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}, want: "__ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := mustLoad(t, test.files, append(base, test.args...), test.environ)
			if len(s.KeySecrets) != 1 || string(s.KeySecrets[0]) != test.want {
				t.Errorf("%d key secrets, want one of %s", len(s.KeySecrets), test.want)
			}
		})
	}
}

func TestKeyFile(t *testing.T) {
	issuer := "--issuer=https://a.example"
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{name: "SQLite has one beside it", args: []string{"--db=sqlite:var/dex.db", issuer}, want: "var/dex.db.key"},
		{name: "not when there are key secrets", args: []string{"--db=sqlite:dex.db", issuer, "--key-secrets=" + testKey}},
		{name: "nor on Postgres", args: []string{"--db=postgresql://db/dex", issuer, "--key-secrets=" + testKey}},
		{name: "nor without a database", args: []string{"--no-db"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mustLoad(t, nil, test.args, nil).KeyFile(); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// What other programs put into our environment is not for us, and what people
// misspell is.
func TestUnknownVariables(t *testing.T) {
	s := mustLoad(t, nil, []string{"--no-db"}, []string{
		"DEX_WORKER_SERVICE_HOST=10.0.0.1", "DEX_WORKER_SERVICE_PORT=80", "DEX_WORKER_SERVICE_PORT_HTTP=80",
		"DEX_WORKER_PORT=tcp://10.0.0.1:80", "DEX_WORKER_PORT_5556_TCP=tcp://10.0.0.1:5556",
		"DEX_WORKER_PORT_5556_TCP_ADDR=10.0.0.1", "DEX_WORKER=1", "DEX_OTHER=1",
	})
	if s.Listen != "127.0.0.1:5556" {
		t.Errorf("listen %s", s.Listen)
	}
	_, err := load(t, nil, []string{"--no-db"}, []string{"DEX_WORKER_ZEBRA=1", "DEX_WORKER_LISTN=:80"})
	want := "DEX_WORKER_LISTN: unknown setting; did you mean DEX_WORKER_LISTEN?\nDEX_WORKER_ZEBRA: unknown setting"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestWhatIsFilledIn(t *testing.T) {
	const file = `
no_db: true
users:
  - {email: ann@example.com}
clients:
  - {id: web, secret: s, redirect_uris: [https://a.example/cb]}
  - {id: spa, public: true, redirect_uris: [https://a.example/cb], refresh_grace: 0s}
  - id: machine
    jwks: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}
    grant_types: [client_credentials]
connectors:
  - {id: here, kind: local}
`
	s := mustLoad(t, files{"dex.yaml": file}, nil, nil)
	web, spa, machine := s.Clients[0], s.Clients[1], s.Clients[2]
	if web.AuthMethod != "client_secret_basic" || spa.AuthMethod != "none" || machine.AuthMethod != "private_key_jwt" {
		t.Errorf("methods %s, %s, %s", web.AuthMethod, spa.AuthMethod, machine.AuthMethod)
	}
	if web.Name != "web" || web.Profile != "standard" || web.IDTokenAlg != "RS256" || web.RequirePKCE != nil || web.RefreshGrace != nil {
		t.Errorf("client %+v", web)
	}
	if len(web.Secrets) != 1 || web.Secrets[0] != "s" {
		t.Error("the one secret is not among the secrets")
	}
	if spa.RefreshGrace == nil || *spa.RefreshGrace != 0 {
		t.Errorf("no grace became %v", spa.RefreshGrace)
	}
	if want := []string{"authorization_code", "refresh_token"}; !cmp.Equal(web.GrantTypes, want) {
		t.Errorf("grant types %v", web.GrantTypes)
	}
	if s.Users[0].Username != "ann@example.com" || s.Connectors[0].Name != "here" {
		t.Errorf("user %q, connector %q", s.Users[0].Username, s.Connectors[0].Name)
	}
	if got := s.Where("clients[1].redirect_uris[0]"); got != "dex.yaml:7:45" {
		t.Errorf("a redirect URI stands at %s", got)
	}
	if got := s.Where("clients[1].profile"); got != "dex.yaml:7:5" {
		t.Errorf("what was not set stands at %s", got)
	}
}

func TestExpansionInTheFile(t *testing.T) {
	const file = `
db: postgres://dex:${DB_PASSWORD}@db/dex
name: ${NAME}
issuer: https://${HOST}
listen: 127.0.0.1:${PORT}
duties: ${DUTIES}
key_secrets: ["${file:/run/key}"]
connectors:
  - id: up
    kind: oidc
    config: {issuer: "https://${HOST}", port: "${PORT}", literal: "$${HOST} and $5", n: 7, list: [1.5, true, null]}
  - id: other
    kind: oidc
    config: ${file:/run/other.json}
`
	s := mustLoad(t, files{"dex.yaml": file, "/run/key": testKey + "\r\n", "/run/other.json": `{"issuer":"x"}`}, nil,
		[]string{"DB_PASSWORD=x", "NAME=${HOST}", "HOST=a.example", "PORT=1234", "DUTIES=false"})
	if s.Name != "${HOST}" {
		t.Errorf("what a variable holds was expanded again: %s", s.Name)
	}
	if string(s.DB) != "postgres://dex:x@db/dex" || s.Issuer != "https://a.example" || s.Listen != "127.0.0.1:1234" || s.Duties || string(s.KeySecrets[0]) != testKey {
		t.Errorf("%+v", s)
	}
	want := `{"issuer":"https://a.example","port":"1234","literal":"${HOST} and $5","n":7,"list":[1.5,true,null]}`
	if got := string(s.Connectors[0].Config); got != want {
		t.Errorf("config %s\nwant   %s", got, want)
	}
	if got := string(s.Connectors[1].Config); got != `{"issuer":"x"}` {
		t.Errorf("config %s", got)
	}
}

func TestAnchorsAndMerges(t *testing.T) {
	const file = `
no_db: true
clients:
  - &base
    id: one
    secret: s
    redirect_uris: &uris [https://a.example/cb]
  - <<: *base
    id: two
    redirect_uris: [https://b.example/cb]
  - <<: [{name: Three}, *base]
    id: three
    post_logout_redirect_uris: *uris
`
	s := mustLoad(t, files{"dex.yaml": file}, nil, nil)
	if s.Clients[1].ID != "two" || s.Clients[1].RedirectURIs[0] != "https://b.example/cb" || s.Clients[1].Secrets[0] != "s" {
		t.Errorf("merged into %+v", s.Clients[1])
	}
	if three := s.Clients[2]; three.Name != "Three" || three.PostLogoutRedirectURIs[0] != "https://a.example/cb" {
		t.Errorf("merged into %+v", three)
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	const file = `
db: postgres://dex:hunter2@db/dex?sslpassword=hunter2
issuer: http://localhost:5556
key_secrets: [` + testKey + `]
users: [{username: ann, password: hunter2}]
clients: [{id: web, secret: hunter2, redirect_uris: [https://a.example/cb]}]
connectors: [{id: local, kind: local, config: {client_secret: hunter2}}]
`
	s := mustLoad(t, files{"dex.yaml": file}, nil, nil)
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprintf("%v", s), fmt.Sprintf("%+v", *s), fmt.Sprintf("%#v", *s), string(asJSON), fmt.Sprintf("%s %q", s.DB, s.DB), s.DB.LogValue().String(),
		fmt.Sprintf("%s %x", s.Connectors[0].Config, s.Connectors[0].Config), s.Connectors[0].Config.LogValue().String(),
	} {
		if strings.Contains(printed, "hunter2") || strings.Contains(printed, testKey) || strings.Contains(printed, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("a secret in %s", printed)
		}
	}
}

func TestMistakesDoNotRepeatSecrets(t *testing.T) {
	const file = `
db: mysql://dex:hunter2@db/dex
issuer: hunter2
log_level: hunter2
listen: hunter2
key_secrets: [hunter2]
trusted_proxies: [hunter2]
expiry: {codes: hunter2}
db_max_open_conns: hunter2
no_db: ${PASSWORD}
users: [{username: ann, password_hash: hunter2}]
clients: [{id: web, secret: hunter2, public: true, id_token_alg: hunter2}]
`
	_, err := load(t, files{"dex.yaml": file}, nil, []string{"PASSWORD=hunter2"})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestReadingFromTheMachine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := write("good.yaml", "no_db: true\nname: ${file:"+write("name", "Ours\n")+"}\n")
	s, err := Load(Source{Environ: []string{"DEX_WORKER_CONFIG=" + good}})
	if err != nil || s.Name != "Ours" {
		t.Errorf("%v, %v", s, err)
	}
	for name, test := range map[string]struct{ file, want string }{
		"a file that is not there": {filepath.Join(dir, "none.yaml"), "DEX_WORKER_CONFIG: cannot read the configuration file " + filepath.Join(dir, "none.yaml") + ": no such file or directory\n"},
		"a folder":                 {dir, "DEX_WORKER_CONFIG: cannot read the configuration file " + dir + ": is a directory\n"},
		"a file that is too large": {write("large.yaml", "name: "+strings.Repeat("x", maxFile)), "DEX_WORKER_CONFIG: cannot read the configuration file " + filepath.Join(dir, "large.yaml") + ": it is larger than 4096 KiB\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(Source{Environ: []string{"DEX_WORKER_CONFIG=" + test.file, "DEX_WORKER_LOG_LEVEL="}})
			if err == nil || err.Error()+"\n" != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestMistakesCanBeTakenApart(t *testing.T) {
	_, err := load(t, files{"dex.yaml": "no_db: true\nclients:\n  - id: web\n    secrte: s\n"}, nil, nil)
	all, ok := errors.AsType[Mistakes](err)
	if !ok {
		t.Fatalf("a %T", err)
	}
	want := Mistake{Place: "dex.yaml:4:5", Path: "clients[0].secrte", Message: `unknown setting; did you mean "secret"?`}
	if !cmp.Equal(want, all[len(all)-1]) {
		t.Errorf("%+v", all)
	}
}

func TestALongListOfMistakesIsCut(t *testing.T) {
	var file strings.Builder
	file.WriteString("no_db: true\n")
	for i := range strict.MaxMistakes + 20 {
		fmt.Fprintf(&file, "zebra%d: 1\n", i)
	}
	_, err := load(t, files{"dex.yaml": file.String()}, nil, nil)
	all, _ := errors.AsType[Mistakes](err)
	if len(all) != strict.MaxMistakes+1 || all[strict.MaxMistakes].Error() != "and 20 more" {
		t.Errorf("%d mistakes, the last of which is %v", len(all), all[len(all)-1])
	}
}

func TestHelpNamesTheDefault(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	BindFlags(flags)
	help := flags.FlagUsages()
	for _, want := range []string{
		"--listen string", `(default "127.0.0.1:5556")`, "--no-db ", "--log-level debug|info|warn|error", "(default info)", "--db-max-open-conns int", "--trusted-proxies networks",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q:\n%s", want, help)
		}
	}
}
