package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dex/internal/app/ctl"
	"dex/internal/app/workertest"
	"dex/internal/base/clock"
)

// desk is an operator at a terminal before a real worker.
type desk struct {
	t     *testing.T
	s     *workertest.Server
	token string
	env   map[string]string
}

// atDesk starts a worker, and seats an operator.
func atDesk(t *testing.T, role string) *desk {
	s := workertest.Start(t, workertest.Options{Clients: workertest.OperatorClients})
	return &desk{t: t, s: s, token: s.Operator(t, "ann", role).Token, env: map[string]string{}}
}

// run runs dexctl.
func (d *desk) run(input string, args ...string) said {
	d.t.Helper()
	var out, errs bytes.Buffer
	t := &tool{
		World: ctl.World{Clock: &clock.Fake{}, Err: &errs, Getenv: func(name string) string {
			switch name {
			case ctl.EnvAPI:
				return d.s.Admin
			case ctl.EnvToken:
				return d.token
			case ctl.EnvConfig:
				return filepath.Join(d.t.TempDir(), "config.yaml")
			}
			return d.env[name]
		}},
		In: strings.NewReader(input), Out: &out,
	}
	status := t.run(d.t.Context(), t.command(), args)
	return said{status, out.String(), errs.String()}
}

// file writes a file.
func (d *desk) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

const stackFile = `connectors:
- id: corp
  kind: oidc
  config: {issuer: "https://id.corp.example", client_id: dex, client_secret: "${UPSTREAM_SECRET}"}
clients:
- id: grafana
  name: Grafana
  redirect_uris: [https://grafana.example.com/login]
`

func TestFilesArePlannedAppliedAndExported(t *testing.T) {
	t.Parallel()
	d := atDesk(t, "owner")
	file := d.file("stack.yaml", stackFile)
	d.run("", "plan", "-f", file).expect(t, ctl.BadUse, "", "stack.yaml:4:78: connectors[0].config.client_secret: the environment variable UPSTREAM_SECRET is not set")
	d.env["UPSTREAM_SECRET"] = "upstream-secret"
	d.run("", "plan", "-f", file).expect(t, ctl.Found, `+ create connector corp
    config.client_id: dex
    config.issuer: https://id.corp.example
    kind: oidc
    config.client_secret: (set)
+ create client grafana
    name: Grafana
    redirect_uris: [https://grafana.example.com/login]
    secret: (made when it is applied, and shown once)

2 to create, 0 to change, 0 to disable, 0 to delete.
`)
	d.run("", "apply", "-f", file).expect(t, ctl.BadUse, "", "--yes")
	done := d.run("", "apply", "-f", file, "--yes")
	done.expect(t, ctl.Done, "*", "2 changes are made.", "never shown again")
	if !regexp.MustCompile(`^CLIENT +SECRET\ngrafana +dxk_[A-Z2-7]{52}\n$`).MatchString(done.out) {
		t.Errorf("applied: %s", done.out)
	}
	d.run("", "plan", "-f", file).expect(t, ctl.Done, "There is nothing to change.\n")
	d.run("", "apply", "-f", file, "--yes").expect(t, ctl.Done, "", "Nothing has to be changed.")
	export := d.run("", "export")
	export.expect(t, ctl.Done, "*")
	if strings.Contains(export.out, "upstream-secret") {
		t.Errorf("a secret is exported: %s", export.out)
	}
	d.run(export.out, "plan", "--prune", "-f", "-").expect(t, ctl.Done, "There is nothing to change.\n")
	renamed := d.file("stack.yaml", strings.Replace(stackFile, "name: Grafana", "name: Dashboards", 1))
	d.run("", "plan", "-f", renamed).expect(t, ctl.Found, "~ update client grafana  (0 people in the last 30 days)\n    name: Grafana → Dashboards\n\n0 to create, 1 to change, 0 to disable, 0 to delete.\n")
	var p struct{ Basis string }
	if err := json.Unmarshal([]byte(d.run("", "plan", "-f", renamed, "-o", "json").out), &p); err != nil {
		t.Fatal(err)
	}
	d.run("", "clients", "create", "--id", "kibana", "--redirect-uri", "https://kibana.example.com/").expect(t, ctl.Done, "*", "Client kibana is made.")
	d.run("", "apply", "-f", renamed, "--basis", p.Basis).expect(t, ctl.Conflict, "", "plan again")
	d.run("connectors: []\n", "plan", "--prune", "-f", "-", "-o", "name").expect(t, ctl.Found, "connector/corp\nclient/grafana\n")
}

func TestMistakesInFilesAreToldAllAtOnceWithTheirPlaces(t *testing.T) {
	t.Parallel()
	d := atDesk(t, "owner")
	folder := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "clients:\n- id: grafana\n  redirect_uris: [https://grafana.example.com/login]\n",
		"b.yaml": "clients:\n- id: grafana\n  redirect_uris: [https://grafana.example.com/login]\n- id: other\n  called: x\n  redirect_uris: [ftp://x]\n",
		"c.yaml": "clients: [\n",
		"notes":  "not YAML that anybody reads",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := d.run("", "plan", "-f", folder)
	got.expect(t, ctl.BadUse, "", filepath.Join(folder, "b.yaml")+":2:7: clients[0].id", filepath.Join(folder, "a.yaml")+":2:7", "b.yaml:5:3", "b.yaml:6:", "c.yaml")
	d.run("", "plan", "-f", filepath.Join(folder, "nothing.yaml")).expect(t, ctl.BadUse, "", "nothing.yaml")
	d.run("", "plan", "-f", filepath.Join(folder, "a.yaml"), "-f", filepath.Join(folder, "a.yaml")).expect(t, ctl.BadUse, "", "given twice")
	d.run("", "plan").expect(t, ctl.BadUse, "", "file")
	d.run("clients:\n- {id: a, redirect_uris: [\"https://a.example/\"], connectors: [nowhere]}\n", "plan", "-f", "-").expect(t, ctl.Failed, "", "there is no connector \"nowhere\"")
}

func TestPeopleAndGroupsArePlannedAppliedAndExported(t *testing.T) {
	t.Parallel()
	d := atDesk(t, "owner")
	file := d.file("staff.yaml", "users:\n- {id: jane, username: jane, email: jane@example.com, role: support}\ngroups:\n- {id: oncall, description: On call, members: [jane]}\n")
	d.run("", "plan", "-f", file).expect(t, ctl.Found, `+ create user usr_jane
    email: jane@example.com
    role: support
    username: jane
+ create group oncall
    description: On call
    members: [+usr_jane]

2 to create, 0 to change, 0 to disable, 0 to delete.
`)
	d.run("", "apply", "-f", file, "--yes").expect(t, ctl.Done, "", "2 changes are made.")
	export := d.run("", "export")
	d.run(export.out, "plan", "--prune", "-f", "-").expect(t, ctl.Done, "There is nothing to change.\n")
	d.run("groups: []\n", "plan", "--prune", "-f", "-").expect(t, ctl.Found, `! disable user usr_jane  (no file names them; people are never deleted by a file)
- delete group oncall  (no file names it)

0 to create, 0 to change, 1 to disable, 1 to delete.
`)
}

func TestClientsAreManagedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	d := atDesk(t, "owner")
	made := d.run("", "clients", "create", "--id", "grafana", "--name", "Grafana", "--redirect-uri", "https://grafana.example.com/login")
	made.expect(t, ctl.Done, "*", "Client grafana is made.", "Keep its secret now")
	if !strings.HasPrefix(made.out, "dxk_") {
		t.Errorf("its secret: %s", made.out)
	}
	d.run("", "clients", "list", "--managed-by", "api", "-o", "name").expect(t, ctl.Done, "grafana\n")
	d.run("", "clients", "add-secret", "grafana").expect(t, ctl.Done, "*", "Client grafana has one more secret.")
	d.run("", "clients", "add-secret", "grafana").expect(t, ctl.Conflict, "", "2 secrets already")
	var client struct {
		Notes []struct{ ID string } `json:"secret_notes"`
	}
	if err := json.Unmarshal([]byte(d.run("", "clients", "get", "grafana", "-o", "json").out), &client); err != nil || len(client.Notes) != 2 {
		t.Fatalf("%v %+v", err, client)
	}
	d.run("", "clients", "remove-secret", "grafana", client.Notes[0].ID, "--yes").expect(t, ctl.Done, "", "counts nowhere any more")
	change := d.file("grafana.yaml", "id: grafana\nname: Dashboards\nredirect_uris: [https://grafana.example.com/login]\n")
	d.run("", "clients", "edit", "grafana", "--file", change).expect(t, ctl.Done, "", "Client grafana is changed.")
	wrong := d.file("grafana.yaml", "id: grafana\nname: Dashboards\nredirect_uris:\n- https://grafana.example.com/login\n- nonsense\n")
	d.run("", "clients", "edit", "grafana", "--file", wrong).expect(t, ctl.Failed, "", wrong+":5:3: redirect_uris[1]")
	d.run("", "clients", "disable", "grafana").expect(t, ctl.Done, "", "disabled, everywhere")
	d.run("", "clients", "list", "--state", "disabled", "-o", "name").expect(t, ctl.Done, "grafana\n")
	d.run("", "clients", "use", "grafana").expect(t, ctl.Done, "ID       PEOPLE  DAYS\ngrafana  0       30\n")
	d.run("", "clients", "delete", "grafana", "--yes").expect(t, ctl.Done, "", "Client grafana is deleted.")
	d.run("", "clients", "get", "grafana").expect(t, ctl.Failed, "", "There is no client \"grafana\".")
}

func TestConnectorsAreManagedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	d := atDesk(t, "owner")
	guests := d.file("guests.yaml", "id: guests\nkind: mock\nconfig:\n  users: [{login: gast}]\n")
	d.run("", "connectors", "test", "--file", guests).expect(t, ctl.Done, "")
	d.run("", "connectors", "create", "--file", guests).expect(t, ctl.Done, "", "Connector guests is made.")
	dead := d.file("dead.yaml", "id: corp\nkind: oidc\nconfig: {issuer: \"https://127.0.0.1:1\", client_id: dex, client_secret: s}\n")
	d.run("", "connectors", "test", "--file", dead).expect(t, ctl.Failed, "", "It does not work")
	d.run("", "connectors", "disable", "guests").expect(t, ctl.Done, "", "disabled, everywhere")
	d.run("", "connectors", "delete", "guests", "--yes").expect(t, ctl.Done, "", "Connector guests is deleted.")
}

func TestTheCommandsOfTheFirstDexWork(t *testing.T) {
	t.Parallel()
	d := atDesk(t, "owner")
	got := d.run("", "new-client", "--id", "example-app", "http://127.0.0.1:5555/callback", "https://app.example.com/a?b=c&d")
	got.expect(t, ctl.Done, "*")
	want := regexp.MustCompile(`^DEX_APP_CLIENT_ID=example-app\nDEX_APP_CLIENT_SECRET=dxk_[A-Z2-7]{52}\nDEX_APP_REDIRECTURL_0=http://127\.0\.0\.1:5555/callback\nDEX_APP_REDIRECTURL_1='https://app\.example\.com/a\?b=c&d'\n$`)
	if !want.MatchString(got.out) {
		t.Errorf("new-client writes %s %s", got.out, got.err)
	}
	list := `[{"id": "guests", "kind": "mock", "config": {"users": [{"login": "gast"}]}}]`
	d.run(list, "set-connector-configs", "-").expect(t, ctl.Done, "", "1 change is made.")
	d.run(list, "set-connector-configs", "-").expect(t, ctl.Done, "", "Nothing has to be changed.")
	configs := d.run("", "get-connector-configs")
	configs.expect(t, ctl.Done, "*")
	if !strings.Contains(configs.out, `"id": "guests"`) || strings.Contains(configs.out, "managed_by") {
		t.Errorf("get-connector-configs writes %s", configs.out)
	}
}

func TestTenantsAreManagedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	d := atDesk(t, "owner")
	d.run("", "tenants", "create", "--id", "acme", "--issuer", "https://acme.example.com", "--name", "Acme").expect(t, ctl.Done, "", "Tenant acme is made.")
	d.run("", "tenants", "list", "--text", "acme").expect(t, ctl.Done, "ID    ISSUER                    NAME  STATE\nacme  https://acme.example.com  Acme  enabled\n")
	d.run("", "--tenant", "acme", "clients", "create", "--id", "grafana", "--public", "--redirect-uri", "https://grafana.example.com/").expect(t, ctl.Done, "", "Client grafana is made.")
	d.run("", "tenants", "disable", "acme", "--yes").expect(t, ctl.Done, "", "disabled, everywhere")
	d.run("", "tenants", "delete", "acme", "--yes").expect(t, ctl.Done, "", "Tenant acme is deleted.")
	d.run("", "tenants", "create", "--id", "acme", "--issuer", "https://acme.example.com").expect(t, ctl.Conflict, "", "does not come back")
}

func TestTheExampleStackIsApplied(t *testing.T) {
	t.Parallel()
	d := atDesk(t, "owner")
	stack := filepath.Join("..", "..", "examples", "stack")
	d.run("", "apply", "--file", stack, "--yes").expect(t, ctl.Done, "*", "never shown again")
	d.run("", "plan", "--file", stack, "--prune").expect(t, ctl.Done, "There is nothing to change.\n")
}
