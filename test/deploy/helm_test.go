package deploy_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"dex/internal/app/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

const chart = "deploy/helm/dex"

// helm is Helm's engine, built once out of a module of its own.
var helm = sync.OnceValues(func() (string, error) {
	tools, err := filepath.Abs("../../.tools")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(tools, "helm"), ".")
	cmd.Dir = "../helm"
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return filepath.Join(tools, "helm"), nil
})

// render lints and renders the chart.
func render(t *testing.T, values string) (manifests string, err error) {
	t.Helper()
	program, err := helm()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, repository(t, chart), values).Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", errors.New(string(e.Stderr))
	}
	return string(out), err
}

func TestTheChartIsRenderedAsItWas(t *testing.T) {
	for _, name := range []string{"small", "full"} {
		t.Run(name, func(t *testing.T) {
			got, err := render(t, filepath.Join("testdata", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "helm-"+name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != got {
				t.Errorf("the manifests differ from %s (go test ./test/deploy -update), %v:\n%s", golden, err, got)
			}
		})
	}
}

func TestTheChartRefusesValuesThatCannotWork(t *testing.T) {
	for name, test := range map[string]struct{ values, want string }{
		"no issuer":                         {"{}", "issuer"},
		"an issuer in the clear":            {"issuer: http://login.example.com", "issuer"},
		"an issuer with a slash at its end": {"issuer: https://login.example.com/", "issuer"},
		"a value that nobody reads":         {"issuer: https://a.example\nworkers: 3", "workers"},
		"a number that is none":             {"issuer: https://a.example\nworker: {replicas: many}", "replicas"},
		"an ingress without a certificate":  {"issuer: https://a.example\ningress: {enabled: true}", "tlsSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(file, []byte(test.values), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := render(t, file); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it\n%s", err, test.want, out)
			}
		})
	}
}

// manifest is what of a manifest the tests look at.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Command, Args []string
					Env           []struct{ Name string }
				}
			}
		}
	}
}

func manifests(t *testing.T, values string) (all []manifest) {
	t.Helper()
	text, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(text, "\n---\n") {
		var m manifest
		if err := yaml.Unmarshal([]byte(part), &m); err != nil && !strings.Contains(part, "NOTES.txt") {
			t.Fatalf("%v in\n%s", err, part)
		}
		all = append(all, m)
	}
	return all
}

// What the chart gives the programs is what they take: the files load, under the
// environment that the pods have.
func TestTheProgramsTakeWhatTheChartGivesThem(t *testing.T) {
	for _, name := range []string{"small", "full"} {
		t.Run(name, func(t *testing.T) {
			files, environ := map[string]string{}, map[string][]string{}
			for _, m := range manifests(t, filepath.Join("testdata", name+".yaml")) {
				for file, text := range m.Data {
					files["/etc/dex/"+file] = text
				}
				for _, c := range m.Spec.Template.Spec.Containers {
					for _, e := range c.Env {
						value := "postgres://dex@db/dex"
						switch {
						case e.Name == "DEX_KEY_SECRETS":
							value = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
						case strings.HasSuffix(e.Name, "LOG_LEVEL"):
							value = "warn"
						}
						environ[c.Command[0]] = append(environ[c.Command[0]], e.Name+"="+value)
					}
				}
			}
			source := func(program string, bind func(*pflag.FlagSet)) config.Source {
				flags := pflag.NewFlagSet(program, pflag.ContinueOnError)
				bind(flags)
				file := "/etc/dex/dex.yaml"
				if strings.HasSuffix(program, "overlord") {
					file = "/etc/dex/overlord.yaml"
				}
				if err := flags.Parse([]string{"--config", file}); err != nil {
					t.Fatal(err)
				}
				return config.Source{Flags: flags, Environ: environ[program], ReadFile: func(name string, _ int64) ([]byte, error) {
					if text, ok := files[name]; ok {
						return []byte(text), nil
					}
					return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
				}}
			}
			worker, err := config.Load(source("/usr/local/bin/dex-worker", config.BindFlags))
			if err != nil {
				t.Fatal(err)
			}
			if worker.Duties || !strings.HasPrefix(worker.Issuer, "https://login.example.com") {
				t.Errorf("the worker is %+v", worker)
			}
			if _, err := config.LoadOverlord(source("/usr/local/bin/dex-overlord", config.BindOverlordFlags)); err != nil {
				t.Fatal(err)
			}
		})
	}
}
