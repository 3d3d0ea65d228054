package doctor_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/doctor"
	"dex/internal/base/clock"
)

// health is how an installation does with a database that is so.
func health(database string) string {
	return `{"well":false,"problems":["The duty \"keys\" fails: no."],"at":"` + time.Now().Format(time.RFC3339) + `","database":{"version":"PostgreSQL 17.2",` + database + `},
		"keys":{"algorithms":["RS256","ES256"],"rotation_s":2592000,"lead_s":90000}}`
}

func TestTheDoctorAsksFromAfar(t *testing.T) {
	secretOf := time.Now().Add(-500 * 24 * time.Hour).Format(time.RFC3339)
	answers := map[string]string{
		"GET /api/v1/clients":               fmt.Sprintf(`{"items":[{"id":"app","redirect_uris":["http://127.0.0.1/cb"],"secret_notes":[{"id":"sec_1","created_at":%q}],"version":1}]}`, secretOf),
		"GET /api/v1/connectors":            `{"items":[{"id":"corp","kind":"oidc","config":{"issuer":"http://idp.example.com"}},{"id":"off","kind":"mock","disabled":true}]}`,
		"POST /api/v1/connectors/corp/test": `{"works":false,"tested":true,"problem":"it answers 502"}`,
		"GET /api/v1/health":                health(`"superuser":true,"clock_ahead_s":90.5,"durable":false`),
		"GET /api/v1/state":                 `{"schema":6,"needs":7}`,
		"GET /api/v1/keys": fmt.Sprintf(`{"items":[{"id":"1","algorithm":"ES256","state":"signing","sign_from":%q},
			{"id":"2","algorithm":"RS256","state":"gone","sign_from":%[1]q},{"id":"3","algorithm":"RS256","state":"announced","sign_from":"2999-01-01T00:00:00Z"}]}`, secretOf),
		"HEAD /": "",
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.Method+" "+strings.TrimSuffix(r.URL.Path, "?")]
		if !ok {
			w.Header().Set("Content-Type", resource.ProblemType)
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(resource.Problem{Status: http.StatusForbidden, Detail: "No."})
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	defer server.Close()
	api, err := apiclient.New(apiclient.Options{URL: server.URL, HTTP: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	remote := doctor.Remote{API: api, URL: server.URL + "/", Issuer: server.URL + "/", HTTP: server.Client(), Clock: clock.System{}}
	codes := func() (all []string) {
		for _, f := range doctor.Findings(remote.Ask(t.Context())) {
			all = append(all, fmt.Sprintf("%s %s: %s", f.Severity, f.Code, f.About))
		}
		return all
	}
	got := codes()
	for _, want := range []string{
		"broken connector-out: connector corp", "unsafe connector-in-the-clear: connector corp", "weak redirect-loopback: client app", "weak old-secret: client app", "weak not-well: the installation",
		"broken schema-too-old: db", "unsafe clock-off: db", "weak database-superuser: db", "unsafe not-durable: db",
		"broken no-key: keys of RS256", "weak key-late: keys of ES256",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not found among %q", want, got)
		}
	}
	if len(got) != 11 {
		t.Errorf("found %q", got)
	}
	t.Run("what is well is not found", func(t *testing.T) {
		answers["GET /api/v1/health"] = health(`"durable":true,"clock_ahead_s":-0.25`)
		answers["GET /api/v1/state"] = `{"schema":7,"needs":7}`
		answers["GET /api/v1/keys"] = fmt.Sprintf(`{"items":[{"id":"1","algorithm":"ES256","sign_from":%q},{"id":"3","algorithm":"RS256","sign_from":%[1]q}]}`, time.Now().Add(-time.Hour).Format(time.RFC3339))
		if got := codes(); len(got) != 5 {
			t.Errorf("found %q", got)
		}
	})
	t.Run("of an older server, which does not tell of its database, nothing is found there", func(t *testing.T) {
		answers["GET /api/v1/health"] = `{"well":true,"problems":[]}`
		if got := codes(); len(got) != 4 {
			t.Errorf("found %q", got)
		}
	})
	t.Run("what it may not see is said", func(t *testing.T) {
		delete(answers, "GET /api/v1/clients")
		if got := codes(); !slices.Contains(got, "broken cannot-look: clients") {
			t.Errorf("found %q", got)
		}
	})
	t.Run("a clock that is off", func(t *testing.T) {
		off := &clock.Fake{}
		remote.Clock = off
		if got := codes(); !slices.Contains(got, "weak clock-off-yours: the issuer") {
			t.Errorf("found %q", got)
		}
	})
}
