package worker_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"dex/internal/admin/plan"
	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
)

const desired = `{"connectors": [{"id": "corp", "kind": "oidc", "config": {"issuer": "https://id.corp.example", "client_id": "dex", "client_secret": "upstream-secret"}}],
	"clients": [{"id": "grafana", "redirect_uris": ["https://grafana.example.com/login"], "connectors": ["corp"]}]}`

// planned asks what would change.
func planned(t *testing.T, o *workertest.Operator, resources string, prune bool) resource.Plan {
	t.Helper()
	var p resource.Plan
	o.Call(http.MethodPost, "/plan", map[string]any{"resources": json.RawMessage(resources), "prune": prune}).Into(t, &p)
	return p
}

// apply changes what a plan has said.
func apply(o *workertest.Operator, resources string, prune bool, basis string, headers ...string) workertest.Replied {
	return o.Call(http.MethodPost, "/apply", map[string]any{"resources": json.RawMessage(resources), "prune": prune, "basis": basis}, headers...)
}

func TestWhatIsPlannedIsAppliedAndThenThereIsNothingToChange(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	p := planned(t, ann, desired, false)
	if len(p.Changes) != 2 || p.Changes[0].Action != plan.Create || p.Changes[0].ID != "corp" || p.Changes[1].ID != "grafana" {
		t.Fatalf("the plan: %+v", p)
	}
	got := apply(ann, desired, false, p.Basis, "Idempotency-Key", "one")
	var done, again resource.Applied
	got.Into(t, &done)
	if len(done.Changes) != 2 || len(done.Secrets) != 1 || done.Secrets[0].ClientID != "grafana" || strings.Contains(got.Body, "upstream-secret") {
		t.Fatalf("applied: %s", got.Body)
	}
	apply(ann, desired, false, p.Basis, "Idempotency-Key", "one").Into(t, &again)
	if again.Secrets[0] != done.Secrets[0] {
		t.Error("asked again with the same key, it shows another secret")
	}
	if got := apply(ann, desired, false, p.Basis); got.Status != http.StatusConflict {
		t.Errorf("the plan of before, once more: %d %s", got.Status, got.Body)
	}
	if p := planned(t, ann, desired, true); len(p.Changes) != 0 {
		t.Errorf("planned again: %+v", p)
	}
	app := s.Client(t, "grafana")
	app.Secret, app.RedirectURI = done.Secrets[0].Secret, "https://grafana.example.com/login"
	if tokens := app.Redeem("dxc_nonsense"); tokens.Error != "invalid_grant" {
		t.Errorf("the secret does not count: %d %s", tokens.Status, tokens.Error)
	}
	var export resource.Export
	ann.Call(http.MethodGet, "/export", nil).Into(t, &export)
	if strings.Contains(export.YAML, "upstream-secret") || !strings.Contains(export.YAML, "id: grafana") || !strings.Contains(export.YAML, "# config.client_secret is set") {
		t.Errorf("exported:\n%s", export.YAML)
	}
}

func TestAPlanOfAServerThatHasChangedDoesNothing(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	p := planned(t, ann, desired, false)
	ann.Call(http.MethodPost, "/clients", strings.Replace(grafana, "grafana", "kibana", 1)).Into(t, &resource.Client{})
	if got := apply(ann, desired, false, p.Basis); got.Status != http.StatusConflict || !strings.Contains(got.Problem.Detail, "plan again") {
		t.Errorf("applied to what has changed: %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodGet, "/connectors/corp", nil); got.Status != http.StatusNotFound {
		t.Errorf("half of it is there: %d", got.Status)
	}
	p = planned(t, ann, desired, false)
	if got := apply(ann, strings.Replace(desired, "/login", "/evil", 1), false, p.Basis); got.Status != http.StatusConflict {
		t.Errorf("other files than were planned: %d %s", got.Status, got.Body)
	}
	if got := apply(ann, desired, true, p.Basis); got.Status != http.StatusConflict {
		t.Errorf("pruned, and not planned so: %d %s", got.Status, got.Body)
	}
}

func TestPruningLetsGoWhatFilesHaveMadeAndSaysWhomItConcerns(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	p := planned(t, ann, desired, false)
	apply(ann, desired, false, p.Basis).Into(t, &resource.Applied{})
	if p := planned(t, ann, `{}`, false); len(p.Changes) != 0 {
		t.Errorf("without pruning: %+v", p)
	}
	p = planned(t, ann, `{}`, true)
	if len(p.Changes) != 2 || p.Changes[0].Action != plan.Disable || p.Changes[1].Action != plan.Delete || p.Changes[1].People == nil || *p.Changes[1].People != 0 {
		t.Fatalf("the plan: %+v", p)
	}
	apply(ann, `{}`, true, p.Basis).Into(t, &resource.Applied{})
	if got := ann.Call(http.MethodGet, "/clients/grafana", nil); got.Status != http.StatusNotFound {
		t.Errorf("the client: %d", got.Status)
	}
	if p := planned(t, ann, `{}`, true); len(p.Changes) != 0 {
		t.Errorf("planned again: %+v", p)
	}
	if got := ann.Call(http.MethodGet, "/clients/app", nil); got.Status != http.StatusOK {
		t.Errorf("what the servers' configuration declares: %d", got.Status)
	}
}

func TestWhatCannotBePlannedIsToldAllAtOnce(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	for _, c := range []struct {
		name, resources string
		status          int
		places          []string
	}{
		{"two of one name", `{"clients": [{"id": "a", "redirect_uris": ["https://a.example/"]}, {"id": "a", "redirect_uris": ["https://a.example/"]}]}`, 422, []string{"body.resources.clients[1].id"}},
		{"mistakes", `{"clients": [{"id": "a", "called": "x"}], "connectors": [{"id": "B!", "kind": "smoke"}], "customers": []}`, 422, []string{"body.resources.clients[0].called", "body.resources.customers"}},
		{"what the servers' configuration declares", `{"clients": [{"id": "app", "redirect_uris": ["https://other.example/"]}]}`, 422, []string{"body.resources.clients.app"}},
		{"what is not there", `{"clients": [{"id": "a", "redirect_uris": ["https://a.example/"], "connectors": ["nowhere"]}]}`, 422, []string{"body.resources.clients.a.connectors[0]"}},
		{"settings of a connector", `{"connectors": [{"id": "corp", "kind": "oidc", "config": {"client_id": "dex"}}]}`, 422, []string{"body.resources.connectors.corp.config.issuer", "body.resources.connectors.corp.config.client_secret"}},
		{"no section", `[]`, 422, nil},
	} {
		got := ann.Call(http.MethodPost, "/plan", map[string]any{"resources": json.RawMessage(c.resources)})
		if got.Status != c.status {
			t.Errorf("%s: %d %s", c.name, got.Status, got.Body)
		}
		for _, place := range c.places {
			if !strings.Contains(got.Body, `"location":"`+place+`"`) {
				t.Errorf("%s: %s is not told: %s", c.name, place, got.Body)
			}
		}
	}
	mighty := `{"clients": [{"id": "a", "trusted": true, "grant_types": ["client_credentials"], "scopes": ["dex:system:write"]}]}`
	fewer := s.OperatorWith(t, "ann", "owner", strings.ReplaceAll(workertest.AllScopes, " dex:system:write", ""))
	if got := apply(fewer, mighty, false, planned(t, ann, mighty, false).Basis); got.Status != http.StatusForbidden {
		t.Errorf("giving away more than one has: %d %s", got.Status, got.Body)
	}
	auditor := s.Operator(t, "ben", "auditor")
	p := planned(t, auditor, desired, false)
	if got := apply(auditor, desired, false, p.Basis); got.Status != http.StatusForbidden {
		t.Errorf("an auditor applies: %d %s", got.Status, got.Body)
	}
}
