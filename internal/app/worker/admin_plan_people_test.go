package worker_test

import (
	"net/http"
	"strings"
	"testing"

	"dex/internal/admin/plan"
	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
)

const desiredPeople = `{"users": [{"id": "jane", "username": "jane", "email": "jane@example.com"}],
	"groups": [{"id": "oncall", "description": "On call", "members": ["jane"]}]}`

func TestPeopleAndGroupsAreAppliedExportedAndPruned(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	p := planned(t, ann, desiredPeople, false)
	if len(p.Changes) != 2 || p.Changes[0].ID != "usr_jane" || p.Changes[1].ID != "oncall" {
		t.Fatalf("the plan: %+v", p)
	}
	if got := apply(ann, desiredPeople, false, p.Basis); got.Status != http.StatusCreated {
		t.Fatalf("applied: %d %s", got.Status, got.Body)
	}
	var jane resource.User
	ann.Call(http.MethodGet, "/users/usr_jane", nil).Into(t, &jane)
	if jane.ManagedBy != "apply" || len(jane.Groups) != 1 || jane.Groups[0] != "oncall" {
		t.Errorf("jane: %+v", jane)
	}
	if p := planned(t, ann, desiredPeople, true); len(p.Changes) != 0 {
		t.Errorf("planned again: %+v", p)
	}
	var export resource.Export
	ann.Call(http.MethodGet, "/export", nil).Into(t, &export)
	if !strings.HasPrefix(export.YAML, "# Of the people") || !strings.Contains(export.YAML, "id: usr_jane") || strings.Contains(export.YAML, "username: bob") {
		t.Errorf("the export: %s", export.YAML)
	}
	p = planned(t, ann, `{}`, true)
	if len(p.Changes) != 2 || p.Changes[0].Action != plan.Disable || p.Changes[1].Action != plan.Delete {
		t.Fatalf("pruned: %+v", p)
	}
	if got := apply(ann, `{}`, true, p.Basis); got.Status != http.StatusCreated {
		t.Fatalf("pruned: %d %s", got.Status, got.Body)
	}
	jane = resource.User{}
	ann.Call(http.MethodGet, "/users/usr_jane", nil).Into(t, &jane)
	if !jane.Disabled || len(jane.Groups) != 0 {
		t.Errorf("jane, pruned: %+v", jane)
	}
}

func TestAFileTakesOnlyTheScopesOfWhatItNamesOrLetsGo(t *testing.T) {
	t.Parallel()
	s := operated(t)
	all := s.Operator(t, "ann", "owner")
	const (
		client    = `{"clients": [{"id": "wiki", "redirect_uris": ["https://wiki.example.com/cb"]}]}`
		connector = `{"connectors": [{"id": "corp", "name": "Corp", "kind": "mock", "config": {"users": [{"login": "vera"}]}}]}`
	)
	lesser := s.OperatorWith(t, "ann", "owner", "openid dex:clients:read dex:clients:write")
	p := planned(t, lesser, client, false)
	if got := apply(lesser, client, false, p.Basis); got.Status != http.StatusCreated {
		t.Errorf("a file of clients, by whoever may write clients: %d %s", got.Status, got.Body)
	}
	p = planned(t, all, connector, false)
	for _, path := range []string{"/plan", "/apply"} {
		body := `{"resources": ` + connector + `, "basis": "` + p.Basis + `"}`
		if path == "/plan" {
			body = `{"resources": ` + connector + `}`
		}
		if got := lesser.Call(http.MethodPost, path, body); got.Status != http.StatusForbidden || !strings.Contains(got.Problem.Detail, "dex:connectors:") {
			t.Errorf("a connector, %s: %d %s", path, got.Status, got.Body)
		}
	}
	if got := apply(all, connector, false, p.Basis); got.Status != http.StatusCreated {
		t.Fatalf("applied: %d %s", got.Status, got.Body)
	}
	p = planned(t, all, client, true)
	if len(p.Changes) != 1 || p.Changes[0].Noun != "connector" {
		t.Fatalf("pruned: %+v", p.Changes)
	}
	if got := apply(lesser, client, true, p.Basis); got.Status != http.StatusForbidden {
		t.Errorf("a connector that would go: %d %s", got.Status, got.Body)
	}
	var groups resource.List[resource.Group]
	apply(all, desiredPeople, false, planned(t, all, desiredPeople, false).Basis)
	all.Call(http.MethodPost, "/groups", map[string]any{"id": "crew"}).Into(t, &resource.Group{})
	all.Call(http.MethodGet, "/groups", nil).Into(t, &groups)
	for _, g := range groups.Items {
		if want := map[string]string{"crew": "api", "oncall": "apply"}[g.ID]; g.ManagedBy != want {
			t.Errorf("%s is managed by %q", g.ID, g.ManagedBy)
		}
	}
}

func TestNobodyGivesByAFileWhatTheirOwnTokenHasNot(t *testing.T) {
	t.Parallel()
	s := operated(t)
	all := s.Operator(t, "ann", "owner")
	const owner = `{"users": [{"id": "jane", "username": "jane", "role": "owner"}]}`
	without := func(scopes ...string) *workertest.Operator {
		left := workertest.AllScopes
		for _, scope := range scopes {
			left = strings.Replace(left, scope, "", 1)
		}
		return s.OperatorWith(t, "ann", "owner", strings.Join(strings.Fields(left), " "))
	}
	basis := planned(t, all, owner, false).Basis
	for name, o := range map[string]*workertest.Operator{
		"a scope of the role":  without("dex:keys:write"),
		"the scope for people": without("dex:users:write"),
	} {
		if got := apply(o, owner, false, basis); got.Status != http.StatusForbidden {
			t.Errorf("without %s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := without("dex:users:read").Call(http.MethodGet, "/export", nil); got.Status != http.StatusForbidden {
		t.Errorf("exported without the scope to read people: %d", got.Status)
	}
	if got := apply(all, owner, false, basis); got.Status != http.StatusCreated {
		t.Fatalf("applied: %d %s", got.Status, got.Body)
	}
	p := planned(t, all, `{}`, true)
	if got := apply(without("dex:keys:write"), `{}`, true, p.Basis); got.Status != http.StatusForbidden {
		t.Errorf("disabled somebody mightier: %d %s", got.Status, got.Body)
	}
}
