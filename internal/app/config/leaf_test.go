package config

import (
	"strings"
	"testing"
	"time"

	"dex/internal/domain/credential"
)

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute,
		"30d": 30 * day, "1d12h": 36 * time.Hour, "0d": 0, "3650d": 3650 * day, "0": 0,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "10", "d", "-1s", "+1s", "1d-1h", "1d+1h", "1dd", "1w", "1 d", "500ms", "1.5s", "1ns", "3651d", "9999999h", "1.5d",
		"65536d", "99999999999999999999d", "10m0.5s", "٣s",
	} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestADurationIsWrittenAsPeopleWriteIt(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "90s": 90 * time.Second, "10m": 10 * time.Minute, "24h": 24 * time.Hour, "30d": 720 * time.Hour, "24h57m": 24*time.Hour + 57*time.Minute,
		"1h0m1s": time.Hour + time.Second, "10m30s": 10*time.Minute + 30*time.Second,
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
		if back, err := parseDuration(want); err != nil || back != d {
			t.Errorf("%q is read as %v, %v", want, back, err)
		}
	}
}

func TestNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "127.0.0.1": "127.0.0.1/32", "::1": "::1/128", "fd00::/8": "fd00::/8", "::ffff:10.0.0.1": "10.0.0.1/32", "0.0.0.0/0": "0.0.0.0/0",
	} {
		if got, err := parsePrefix(text); err != nil || got.String() != want {
			t.Errorf("%q is %v, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "10.0.0.1/8", "10.0.0.0/33", "::ffff:10.0.0.0/104", "fe80::1%eth0", "fe80::%eth0/10", "localhost", "010.0.0.0/8"} {
		if got, err := parsePrefix(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestIssuers(t *testing.T) {
	for _, issuer := range []string{
		"https://login.example.com", "https://login.example.com/dex", "https://login.example.com:8443/a/b", "https://10.0.0.1", "https://[2001:db8::1]:8443",
		"http://127.0.0.1:5556", "http://localhost", "http://[::1]:5556/dex", "http://127.8.8.8", "https://xn--bcher-kva.example",
	} {
		if err := validIssuer(issuer); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	for _, issuer := range []string{
		"", "login.example.com", "https:login.example.com", "https://", "https:///dex", "ftp://a.example", "javascript:alert(1)",
		"http://login.example.com", "http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1", "http://[::ffff:10.0.0.1]",
		"https://a.example/", "https://a.example/dex/", "https://a.example?x=1", "https://a.example?", "https://a.example#", "https://a.example/#f",
		"https://user@a.example", "https://user:pw@a.example", "https://A.example", "HTTPS://a.example", "https://a.example.", "https://a.example:443", "http://127.0.0.1:80",
		"https://a.example:", "https://a.example//dex", "https://a.example/../dex", "https://a.example/./dex", "https://a.example/d%65x", "https://a.example/d x",
		"https://a.example/dex\n", " https://a.example", "https://a.example/ü", "https://a.example:99999999", "https://[::1", "https://a.example:x",
	} {
		if err := validIssuer(issuer); err == nil {
			t.Errorf("%q passed", issuer)
		}
	}
}

func TestDatabases(t *testing.T) {
	for _, db := range []Database{"sqlite:dex.db", "sqlite:/var/lib/dex/dex.db", "sqlite:./a b.db", "postgres://dex:p%40ss@db/dex?sslmode=verify-full", "postgresql:///dex?host=/run/postgresql"} {
		if err := db.valid(); err != nil {
			t.Errorf("%s: %v", db, err)
		}
	}
	for _, db := range []Database{"", "dex.db", "sqlite:", "sqlite::memory:", "sqlite://dex.db", "sqlite:dex.db?_pragma=synchronous(0)", "sqlite:dex.db#", "mysql://a/b", "postgres:dex", "postgres://a b/c", "postgres://db/dex#x", "SQLITE:dex.db"} {
		if err := db.valid(); err == nil {
			t.Errorf("%q passed", string(db))
		}
	}
	for db, want := range map[Database]string{
		"postgres://dex:hunter2@db/dex?sslpassword=hunter2": "postgres://dex:xxxxx@db/dex",
		"postgres://dex:hun ter2@db/dex":                    "postgres://",
		"sqlite:dex.db":                                     "sqlite:dex.db",
	} {
		if got := db.String(); got != want {
			t.Errorf("%s is shown, want %s", got, want)
		}
	}
}

func TestHashes(t *testing.T) {
	const salt, sum = "aZ9qaIRJm2SHUn89oK+AKw", "uCc5cBLPE5Q61N1j+6wp2KJYmtMJFsWP8jkauTf8I0o"
	for _, hash := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + sum,
		"$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
		"$2y$12$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
	} {
		if err := credential.ParseHash(hash); err != nil {
			t.Errorf("%s: %v", hash, err)
		}
	}
	for _, hash := range []string{
		"", "password", "5f4dcc3b5aa765d61d8327deb882cf99", "$", "$argon2id$", "$1$salt$hash",
		"$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$t=2,m=19456,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=2$" + salt + "$" + sum,
		"$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=1048577,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=65,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + sum,
		"$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=19456,t=2,p=1$$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "==$" + sum,
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + sum + "$",
		"$2a$10$tooshort", "$2a$03$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W", "$2a$32$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
		"$2x$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W",
	} {
		if err := credential.ParseHash(hash); err == nil {
			t.Errorf("%q passed", hash)
		}
	}
}

func TestExpansion(t *testing.T) {
	env := func(name string) (string, bool) {
		value, ok := map[string]string{"A": "1", "EMPTY": "", "NESTED": "${A}"}[name]
		return value, ok
	}
	read := files{"/a": "one\n", "/b": "two\r\n", "/c": "three\n\n", "/large": strings.Repeat("x", maxSecret+1)}.read
	for text, want := range map[string]string{
		"": "", "plain": "plain", "${A}": "1", "x${A}y${A}z": "x1y1z", "${EMPTY}": "", "${NESTED}": "${A}",
		"${file:/a}": "one", "${file:/b}": "two", "${file:/c}": "three\n",
		"$${A}": "${A}", "$$${A}": "$${A}", "$${A}${A}": "${A}1", "${A}$${A}": "1${A}",
		"$A": "$A", "a$$b": "a$$b", "$": "$", "$2b$10$abc": "$2b$10$abc", "}": "}", "$ {A}": "$ {A}",
	} {
		if got, err := expand(text, env, read); err != nil || got != want {
			t.Errorf("%q became %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"${", "${A", "${}", "${MISSING}", "${file:}", "${file:/none}", "${file:/large}", "${1A}", "${A B}", "${${A}}", "${A:-default}", "${FILE:/a}"} {
		if got, err := expand(text, env, read); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestSuggestions(t *testing.T) {
	known := []string{"redirect_uris", "post_logout_redirect_uris", "id", "name", "secret", "secrets", "users", "kind", "log_level", "log_format"}
	for unknown, want := range map[string]string{
		"redirect_uri": "redirect_uris", "redirectURIs": "redirect_uris", "redirect-uris": "redirect_uris", "redirectUrl": "redirect_uris", "callbacks": "",
		"naem": "name", "ID": "id", "secert": "secret", "loglevel": "log_level", "type": "kind", "staticPasswords": "users", "zebra": "", "": "",
		strings.Repeat("x", 100): "",
	} {
		if got := suggest(unknown, known); got != want {
			t.Errorf("for %q it suggests %q, want %q", unknown, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"name", "name", 0}, {"naem", "name", 1}, {"nam", "name", 1}, {"kitten", "sitting", 3},
	} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("from %q to %q it is %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, email := range []string{"ann@example.com", "a.b+c@sub.example.co.uk", "user100@example.com"} {
		if !validEmail(email) {
			t.Errorf("%s does not pass", email)
		}
	}
	for _, email := range []string{"", "ann", "ann@", "@example.com", "Ann <ann@example.com>", "<ann@example.com>", "ann@example.com,ben@example.com", "ann@exa mple.com", "\"a b\"@example.com", "ann@example.com\n"} {
		if validEmail(email) {
			t.Errorf("%q passes", email)
		}
	}
	for _, name := range []string{"", " ann", "ann ", "a\x00b", "a\u202eb", "a\u200bb", strings.Repeat("x", 256)} {
		if printable(name) {
			t.Errorf("%q is printable", name)
		}
	}
	if !printable("Ännchen von Tharau") {
		t.Error("a name in another language is not printable")
	}
}
