package ctl

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"dex/internal/base/secret"
)

// The variables that dexctl reads.
const (
	EnvConfig           = "DEXCTL_CONFIG"             // the file of contexts
	EnvContext          = "DEXCTL_CONTEXT"            // the name of a context
	EnvAPI              = "DEXCTL_API"                // the address of an API
	EnvTenant           = "DEXCTL_TENANT"             // the tenant to act on
	EnvCAFile           = "DEXCTL_CA_FILE"            // whom to trust beside the system's authorities
	EnvClientID         = "DEXCTL_CLIENT_ID"          // the client to be
	EnvClientSecretFile = "DEXCTL_CLIENT_SECRET_FILE" // a machine's secret
	EnvToken            = "DEXCTL_TOKEN"              // an access token, instead of logging in
)

// DefaultClient is the client that bootstrapping makes for this program.
const DefaultClient = "dexctl"

// Context is a server as the file of contexts names it.
type Context struct {
	Name             string `yaml:"name"`
	API              string `yaml:"api"`
	Tenant           string `yaml:"tenant,omitempty"`
	CAFile           string `yaml:"ca_file,omitempty"`
	ClientID         string `yaml:"client_id,omitempty"`
	ClientSecretFile string `yaml:"client_secret_file,omitempty"`
}

// Contexts is the file of contexts.
type Contexts struct {
	Current string    `yaml:"current,omitempty"`
	All     []Context `yaml:"contexts"`
}

// notOfNames is what a name cannot hold.
var notOfNames = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// maxContexts bounds the file.
const maxContexts = 1 << 20

// contextName is what a context may be called: it becomes the name of a file.
var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ContextsFile is where the contexts are kept.
func (w World) ContextsFile() (string, error) {
	if file := w.Getenv(EnvConfig); file != "" {
		return file, nil
	}
	folder, err := w.Folder()
	return filepath.Join(folder, "config.yaml"), err
}

// Contexts reads the file of contexts. There need be none.
func (w World) Contexts() (Contexts, error) {
	file, err := w.ContextsFile()
	if err != nil {
		return Contexts{}, err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Contexts{}, nil
	}
	if err != nil {
		return Contexts{}, err
	}
	all, err := readContexts(text)
	if err != nil {
		return Contexts{}, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// readContexts reads what a file of contexts says.
func readContexts(text []byte) (Contexts, error) {
	var c Contexts
	if len(text) > maxContexts {
		return c, errors.New("the file is too large to be one of contexts")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return c, nil
	}
	if err := yaml.Load(text, &c, yaml.WithKnownFields()); err != nil {
		return Contexts{}, err
	}
	seen := map[string]bool{}
	for _, one := range c.All {
		switch _, err := parseAPI(one.API); {
		case !contextName.MatchString(one.Name):
			return Contexts{}, fmt.Errorf("%q is no name of a context: letters, digits, dots, dashes and underscores make one, 64 at most", one.Name)
		case seen[one.Name]:
			return Contexts{}, fmt.Errorf("the context %s stands here twice", one.Name)
		case err != nil:
			return Contexts{}, fmt.Errorf("the context %s: %w", one.Name, err)
		}
		seen[one.Name] = true
	}
	if c.Current != "" && !seen[c.Current] {
		return Contexts{}, fmt.Errorf("the current context %q is not among the contexts", c.Current)
	}
	return c, nil
}

// SaveContexts writes the file of contexts.
func (w World) SaveContexts(c Contexts) error {
	file, err := w.ContextsFile()
	if err != nil {
		return err
	}
	text, err := yaml.Dump(c)
	if err != nil {
		return err
	}
	if _, err := readContexts(text); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return replaceFile(file, text)
}

// Named returns the context of a name.
func (c Contexts) Named(name string) (Context, bool) {
	i := slices.IndexFunc(c.All, func(one Context) bool { return one.Name == name })
	if i < 0 {
		return Context{}, false
	}
	return c.All[i], true
}

// Set puts a context in the place of that of the same name, or at the end.
func (c *Contexts) Set(one Context) {
	if i := slices.IndexFunc(c.All, func(other Context) bool { return other.Name == one.Name }); i >= 0 {
		c.All[i] = one
		return
	}
	c.All = append(c.All, one)
}

// Remove takes a context out.
func (c *Contexts) Remove(name string) {
	c.All = slices.DeleteFunc(c.All, func(one Context) bool { return one.Name == name })
	if c.Current == name {
		c.Current = ""
	}
}

// Flags are what the command line says of the server; empty where it says nothing.
type Flags struct {
	Context, API, Tenant, CAFile, ClientID, ClientSecretFile string
}

// Target is the server that a command speaks to, and as whom.
type Target struct {
	Context
	Token secret.Value // given by the environment
}

// Find says which server is meant: by flags, or else by the environment, or else by
// the file of contexts.
func (w World) Find(f Flags) (Target, error) {
	all, err := w.Contexts()
	if err != nil {
		return Target{}, err
	}
	if f.Context == "" && f.API == "" {
		f.Context, f.API = w.Getenv(EnvContext), w.Getenv(EnvAPI)
	}
	one, err := all.choose(f.Context, f.API)
	if err != nil {
		return Target{}, err
	}
	base, err := parseAPI(one.API)
	if err != nil {
		return Target{}, err
	}
	one.API = base.String()
	one.Tenant = cmp.Or(f.Tenant, w.Getenv(EnvTenant), one.Tenant)
	one.CAFile = cmp.Or(f.CAFile, w.Getenv(EnvCAFile), one.CAFile)
	one.ClientID = cmp.Or(f.ClientID, w.Getenv(EnvClientID), one.ClientID, DefaultClient)
	one.ClientSecretFile = cmp.Or(f.ClientSecretFile, w.Getenv(EnvClientSecretFile), one.ClientSecretFile)
	return Target{Context: one, Token: secret.Value(w.Getenv(EnvToken))}, nil
}

// choose returns the context that a name, an address or both stand for.
func (c Contexts) choose(name, api string) (Context, error) {
	switch named, known := c.Named(name); {
	case name != "" && api != "": // about to be made, or led elsewhere this once
		named.Name, named.API = name, api
		return named, nil
	case known:
		return named, nil
	case name != "":
		return Context{}, fmt.Errorf("there is no context %q; dexctl context list shows those that there are", name)
	case api != "":
		return c.at(api)
	}
	if current, ok := c.Named(c.Current); ok {
		return current, nil
	}
	return Context{}, ErrNoServer
}

// at returns the context of an address, or one that is made up for it.
func (c Contexts) at(api string) (Context, error) {
	base, err := parseAPI(api)
	if err != nil {
		return Context{}, err
	}
	for _, one := range c.All {
		if known, err := parseAPI(one.API); err == nil && known.String() == base.String() {
			return one, nil
		}
	}
	return Context{Name: nameOf(base), API: base.String()}, nil
}

// ErrNoServer says that nobody has said which server is meant.
var ErrNoServer = EndWith(Denied, "%s", `dexctl does not know yet which server to speak to.
Log in to one, which is then remembered:

    dexctl login --api https://dex-admin.example.com

or name it for one command by --api, or in the environment by DEXCTL_API.
A worker's API listens on http://127.0.0.1:5558 unless admin_listen says otherwise`)

// nameOf makes the name of a context out of the address of its API.
func nameOf(api *url.URL) string {
	name := strings.Trim(notOfNames.ReplaceAllString(api.Host+api.Path, "-"), "-._")
	return name[:min(len(name), 64)]
}

// parseAPI reads the address of an API. A token goes there, so that it is https, or
// does not leave this machine.
func parseAPI(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, fmt.Errorf("%q is no address of an API: it looks like https://dex-admin.example.com", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the address of the API is a host and perhaps a path, without a name, query or fragment: %q", u.Redacted())
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("%q: a token is sent there, so the address must be https, or http on this machine. To reach a server that listens on its own loopback address, forward a port: ssh -L 5558:127.0.0.1:5558 HOST", text)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
