package config

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"golang.org/x/crypto/argon2"
)

// verify checks an argon2id hash in the way of its own text.
func verify(t *testing.T, hash, password string) bool {
	t.Helper()
	parts := strings.Split(hash, "$")
	number := func(text, prefix string) uint32 {
		n, err := strconv.ParseUint(strings.TrimPrefix(text, prefix), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(n)
	}
	costs := strings.Split(parts[3], ",")
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		t.Fatal(err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		t.Fatal(err)
	}
	got := argon2.IDKey([]byte(password), salt, number(costs[1], "t="), number(costs[0], "m="), uint8(number(costs[2], "p=")), uint32(len(want)))
	return bytes.Equal(got, want)
}

func TestTheConfigurationOfTheBenchmarks(t *testing.T) {
	file := filepath.Join("..", "..", "..", "bench", "dex.yaml")
	for _, db := range []string{"sqlite:dex.db", "postgres://127.0.0.1/dex"} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		BindFlags(flags)
		if err := flags.Parse([]string{"--config", file, "--db", db}); err != nil {
			t.Fatal(err)
		}
		s, err := Load(Source{Flags: flags})
		if err != nil {
			t.Fatal(err)
		}
		if s.Issuer != "http://127.0.0.1:5556" || len(s.Clients) != 4 || len(s.Users) != 100 || !s.Duties {
			t.Errorf("issuer %s, %d clients, %d users", s.Issuer, len(s.Clients), len(s.Users))
		}
		if c := s.Clients[1]; c.ID != "bench-es256" || c.IDTokenAlg != "ES256" || c.Secrets[0] != "bench-secret" || !c.Trusted {
			t.Errorf("client %+v", c)
		}
		if len(s.Connectors) != 1 || s.Connectors[0].Kind != "local" {
			t.Errorf("connectors %v", s.Connectors)
		}
		salts := map[string]bool{}
		for i, u := range s.Users {
			n := strconv.Itoa(i + 1)
			if u.Username != "user"+n || u.Email != "user"+n+"@example.com" || u.Name != "User "+n || !u.EmailVerified {
				t.Errorf("user %s is %+v", n, u)
			}
			salts[strings.Split(string(u.PasswordHash), "$")[4]] = true
		}
		if len(salts) != 100 {
			t.Errorf("%d salts for 100 users", len(salts))
		}
		for _, i := range []int{0, 49, 99} {
			if !verify(t, string(s.Users[i].PasswordHash), "password") {
				t.Errorf("the password of user %d is not password", i+1)
			}
		}
	}
}

func TestTheExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "dex.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := mustLoad(t, files{
		"dex.yaml":                  string(text),
		"/etc/dex/grafana-secret":   "one\n",
		"/etc/dex/dashboard-secret": "two\n",
		"/etc/dex/backup-secret":    "three\n",
	}, nil, []string{"PARTNER_CLIENT_SECRET=four"})
	if string(s.Clients[0].Secrets[0]) != "one" || !bytes.Contains(s.Connectors[1].Config, []byte(`"client_secret":"four"`)) {
		t.Error("secrets were not filled in")
	}
	if s.KeyFile() != "/var/lib/dex/dex.db.key" {
		t.Errorf("key file %s", s.KeyFile())
	}
	if !verify(t, string(s.Users[0].PasswordHash), "correct horse battery staple") {
		t.Error("the comment on the password is wrong")
	}
}
