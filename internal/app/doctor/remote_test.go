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

func TestTheDoctorAsksFromAfar(t *testing.T) {
	secretOf := time.Now().Add(-500 * 24 * time.Hour).Format(time.RFC3339)
	answers := map[string]string{
		"GET /api/v1/clients":               fmt.Sprintf(`{"items":[{"id":"app","redirect_uris":["http://127.0.0.1/cb"],"secret_notes":[{"id":"sec_1","created_at":%q}],"version":1}]}`, secretOf),
		"GET /api/v1/connectors":            `{"items":[{"id":"corp","kind":"oidc","config":{"issuer":"http://idp.example.com"}},{"id":"off","kind":"mock","disabled":true}]}`,
		"POST /api/v1/connectors/corp/test": `{"works":false,"tested":true,"problem":"it answers 502"}`,
		"GET /api/v1/health":                `{"well":false,"problems":["The duty \"keys\" fails: no."]}`,
		"HEAD /":                            "",
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
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not found among %q", want, got)
		}
	}
	if len(got) != 5 {
		t.Errorf("found %q", got)
	}
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
