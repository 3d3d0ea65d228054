package worker_test

import (
	"net/http"
	"strings"
	"testing"

	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
)

const grafana = `{"id": "grafana", "name": "Grafana", "redirect_uris": ["https://grafana.example.com/login"]}`

func TestAClientIsCreatedWithASecretThatIsShownOnce(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "admin")
	made := ann.Call(http.MethodPost, "/clients", grafana, "Idempotency-Key", "once")
	var first, again resource.Client
	made.Into(t, &first)
	if made.Status != http.StatusCreated || made.Header.Get("Location") != "/api/v1/clients/grafana" || made.Header.Get("ETag") != `"1"` {
		t.Errorf("creating: %d %v", made.Status, made.Header)
	}
	if !strings.HasPrefix(first.Secret, "dxk_") || first.Declared.Name != "Grafana" || first.ManagedBy != "api" || len(first.SecretNotes) != 1 {
		t.Fatalf("what was made: %s", made.Body)
	}
	ann.Call(http.MethodPost, "/clients", grafana, "Idempotency-Key", "once").Into(t, &again)
	if again.Secret != first.Secret {
		t.Error("asked again with the same key, it shows another secret")
	}
	if got := ann.Call(http.MethodPost, "/clients", `{"id": "other", "public": true, "redirect_uris": ["https://o.example.com/"]}`, "Idempotency-Key", "once"); got.Status != http.StatusUnprocessableEntity || got.Problem.Code != resource.KeyReused {
		t.Errorf("the key with another request: %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodPost, "/clients", grafana); got.Status != http.StatusConflict {
		t.Errorf("the same id once more: %d %s", got.Status, got.Body)
	}
	got := ann.Call(http.MethodGet, "/clients/grafana", nil)
	var read resource.Client
	got.Into(t, &read)
	if read.Secret != "" || strings.Contains(got.Body, first.Secret) || read.SecretNotes[0].Hint != first.Secret[len(first.Secret)-4:] {
		t.Errorf("reading it: %s", got.Body)
	}
	app := s.Client(t, "grafana")
	app.Secret, app.RedirectURI = first.Secret, "https://grafana.example.com/login"
	if tokens := app.Redeem("dxc_nonsense"); tokens.Error != "invalid_grant" {
		t.Errorf("the secret does not count: %d %s", tokens.Status, tokens.Error)
	}
}

func TestAClientChangesByTheVersionThatWasRead(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "admin")
	ann.Call(http.MethodPost, "/clients", grafana).Into(t, &resource.Client{})
	change := strings.Replace(grafana, `"Grafana"`, `"Dashboards"`, 1)
	if got := ann.Call(http.MethodPut, "/clients/grafana", change); got.Status != http.StatusPreconditionRequired {
		t.Errorf("without If-Match: %d %s", got.Status, got.Body)
	}
	changed := ann.Call(http.MethodPut, "/clients/grafana", change, "If-Match", `"1"`)
	var after resource.Client
	changed.Into(t, &after)
	if after.Declared.Name != "Dashboards" || changed.Header.Get("ETag") != `"2"` || len(after.SecretNotes) != 1 {
		t.Errorf("what came of it: %s", changed.Body)
	}
	if got := ann.Call(http.MethodPut, "/clients/grafana", grafana, "If-Match", `"1"`); got.Status != http.StatusPreconditionFailed || got.Problem.Code != resource.Changed {
		t.Errorf("by a version of before: %d %s", got.Status, got.Body)
	}
	for _, c := range []struct{ name, body, location string }{
		{"another id", strings.Replace(change, `"grafana"`, `"kibana"`, 1), "body.id"},
		{"a member that nobody knows", strings.Replace(change, `"name"`, `"called"`, 1), "body.called"},
		{"an address with a fragment", strings.Replace(change, "/login", "/#login", 1), "body.redirect_uris[0]"},
		{"a connector that is not there", strings.Replace(change, `"name"`, `"connectors": ["nowhere"], "name"`, 1), "body.connectors[0]"},
		{"a peer that is not there", strings.Replace(change, `"name"`, `"trusted_peers": ["nobody"], "name"`, 1), "body.trusted_peers[0]"},
	} {
		got := ann.Call(http.MethodPut, "/clients/grafana", c.body, "If-Match", "*")
		if got.Status != http.StatusUnprocessableEntity || len(got.Problem.Errors) == 0 || got.Problem.Errors[0].Location != c.location {
			t.Errorf("%s: %d %s", c.name, got.Status, got.Body)
		}
	}
	if got := ann.Call(http.MethodPut, "/clients/app", strings.Replace(grafana, `"grafana"`, `"app"`, 1), "If-Match", "*"); got.Status != http.StatusConflict || !strings.Contains(got.Problem.Detail, "dex.yaml") {
		t.Errorf("what the file declares: %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodDelete, "/clients/grafana", nil, "If-Match", `"1"`); got.Status != http.StatusPreconditionFailed {
		t.Errorf("deleting by a version of before: %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodDelete, "/clients/grafana", nil, "If-Match", `"2"`); got.Status != http.StatusNoContent {
		t.Errorf("deleting: %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodGet, "/clients/grafana", nil); got.Status != http.StatusNotFound {
		t.Errorf("reading what was deleted: %d", got.Status)
	}
}

func TestTheSecretsOfAClientAreReplacedOneByOne(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "admin")
	var made resource.Client
	ann.Call(http.MethodPost, "/clients", strings.Replace(grafana, `"name"`, `"grant_types": ["client_credentials"], "scopes": ["api"], "name"`, 1)).Into(t, &made)
	counts := func(value string) bool {
		app := s.Client(t, "grafana")
		app.Secret = value
		return app.Token("grant_type", "client_credentials").Status == http.StatusOK
	}
	var next resource.NewSecret
	ann.Call(http.MethodPost, "/clients/grafana/secrets", nil).Into(t, &next)
	if !counts(made.Secret) || !counts(next.Secret) {
		t.Error("not both of them count")
	}
	if got := ann.Call(http.MethodPost, "/clients/grafana/secrets", nil); got.Status != http.StatusConflict {
		t.Errorf("a third one: %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodDelete, "/clients/grafana/secrets/"+made.SecretNotes[0].ID, nil); got.Status != http.StatusNoContent {
		t.Errorf("removing the first: %d %s", got.Status, got.Body)
	}
	if counts(made.Secret) || !counts(next.Secret) {
		t.Error("not only the new one counts")
	}
	if got := ann.Call(http.MethodDelete, "/clients/grafana/secrets/"+next.ID, nil); got.Status != http.StatusConflict {
		t.Errorf("removing the last: %d %s", got.Status, got.Body)
	}
}

// Whoever could give a client scopes that they lack themselves, or get at the secret
// of one that has them, would have them.
func TestNobodyGivesAwayWhatTheyLackByAClient(t *testing.T) {
	t.Parallel()
	s := operated(t)
	owner, admin := s.Operator(t, "ben", "owner"), s.Operator(t, "ann", "admin")
	mighty := `{"id": "mighty", "trusted": true, "grant_types": ["client_credentials"], "scopes": ["dex:tenants:write"]}`
	if got := admin.Call(http.MethodPost, "/clients", mighty); got.Status != http.StatusForbidden {
		t.Errorf("creating: %d %s", got.Status, got.Body)
	}
	owner.Call(http.MethodPost, "/clients", mighty).Into(t, &resource.Client{})
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPut, "/clients/mighty", strings.Replace(mighty, "dex:tenants:write", "api", 1)},
		{http.MethodPost, "/clients/mighty/secrets", ""}, {http.MethodPost, "/clients/mighty/enable", ""}, {http.MethodDelete, "/clients/mighty", ""},
	} {
		if got := admin.Call(c.method, c.path, c.body, "If-Match", "*"); got.Status != http.StatusForbidden {
			t.Errorf("%s %s: %d %s", c.method, c.path, got.Status, got.Body)
		}
	}
}

func TestListsOfClientsAreReadPartByPart(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "admin")
	for _, id := range []string{"a", "b", "c"} {
		ann.Call(http.MethodPost, "/clients", strings.Replace(grafana, "grafana", id, 1)).Into(t, &resource.Client{})
	}
	var ids []string
	next := ""
	for {
		var part resource.List[resource.Client]
		ann.Call(http.MethodGet, "/clients?managed_by=api&limit=2&cursor="+next, nil).Into(t, &part)
		for _, c := range part.Items {
			ids = append(ids, c.ID)
		}
		if next = part.Next; next == "" {
			break
		}
		if got := ann.Call(http.MethodGet, "/clients?limit=2&cursor="+next, nil); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("the cursor with another filter: %d %s", got.Status, got.Body)
		}
	}
	if strings.Join(ids, "") != "abc" {
		t.Errorf("the clients in parts: %v", ids)
	}
	for _, query := range []string{"limit=501", "limit=0", "cursor=nonsense", "state=asleep", "unknown=1"} {
		if got := ann.Call(http.MethodGet, "/clients?"+query, nil); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", query, got.Status, got.Body)
		}
	}
}

func TestAConnectorIsTriedOutBeforeItCounts(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	mock := `{"id": "guests", "kind": "mock", "config": {"users": [{"login": "gast"}]}}`
	ann.Call(http.MethodPost, "/connectors?test=true", mock).Into(t, &resource.Connector{})
	dead := `{"id": "corp", "kind": "oidc", "config": {"issuer": "https://127.0.0.1:1", "client_id": "dex", "client_secret": "upstream-secret"}}`
	if got := ann.Call(http.MethodPost, "/connectors?test=true", dead); got.Status != http.StatusUnprocessableEntity || !strings.Contains(got.Problem.Detail, "does not work") {
		t.Errorf("one that does not work: %d %s", got.Status, got.Body)
	}
	wrong := strings.Replace(strings.Replace(dead, "client_id", "clientid", 1), "https://127", "gopher://127", 1)
	if got := ann.Call(http.MethodPost, "/connectors", wrong); got.Status != http.StatusUnprocessableEntity || len(got.Problem.Errors) < 2 {
		t.Errorf("one with wrong settings: %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodPost, "/connectors", strings.Replace(dead, "oidc", "smoke", 1)); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("one of no kind: %d %s", got.Status, got.Body)
	}
	made := ann.Call(http.MethodPost, "/connectors", dead)
	made.Into(t, &resource.Connector{})
	read := ann.Call(http.MethodGet, "/connectors/corp", nil)
	for _, body := range []string{made.Body, read.Body} {
		if strings.Contains(body, "upstream-secret") {
			t.Errorf("its secret is told: %s", body)
		}
	}
	// A change that leaves the secret out keeps it.
	change := `{"id": "corp", "name": "Corporate", "kind": "oidc", "config": {"issuer": "https://127.0.0.1:1", "client_id": "dex"}}`
	ann.Call(http.MethodPut, "/connectors/corp", change, "If-Match", "*").Into(t, &resource.Connector{})
	kept, err := s.Tenant.RegisteredConnector(t.Context(), "corp")
	must(t, err)
	if kept.Name != "Corporate" || !strings.Contains(string(kept.Config), "upstream-secret") {
		t.Errorf("after a change: %q %v", kept.Name, strings.Contains(string(kept.Config), "upstream-secret"))
	}
	// It is not sent to somebody else, who would learn what nobody is told.
	moved := strings.Replace(change, "https://127.0.0.1:1", "https://127.0.0.1:2", 1)
	for _, attempt := range []struct{ method, path, body, place string }{
		{http.MethodPut, "/connectors/corp", moved, "body.config.client_secret"},
		{http.MethodPut, "/connectors/corp?test=true", moved, "body.config.client_secret"},
		{http.MethodPost, "/connectors/test", moved, "body.config.client_secret"},
		{http.MethodPost, "/plan", `{"resources": {"connectors": [` + moved + `]}}`, "body.resources.connectors.corp.config.client_secret"},
	} {
		got := ann.Call(attempt.method, attempt.path, attempt.body, "If-Match", "*")
		if got.Status != http.StatusUnprocessableEntity || len(got.Problem.Errors) != 1 || got.Problem.Errors[0].Location != attempt.place ||
			!strings.Contains(got.Problem.Errors[0].Message, "must be given again, because issuer is another") {
			t.Errorf("%s %s to another issuer: %d %s", attempt.method, attempt.path, got.Status, got.Body)
		}
	}
	given := strings.Replace(moved, `"client_id"`, `"client_secret": "for-the-other", "client_id"`, 1)
	ann.Call(http.MethodPut, "/connectors/corp", given, "If-Match", "*").Into(t, &resource.Connector{})
	var test resource.ConnectorTest
	ann.Call(http.MethodPost, "/connectors/corp/test", nil).Into(t, &test)
	if test.Works || !test.Tested || test.Problem == "" {
		t.Errorf("a test of one that does not work: %+v", test)
	}
	must204 := func(what string, got workertest.Replied) {
		t.Helper()
		if got.Status != http.StatusNoContent {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
	}
	must204("disabling", ann.Call(http.MethodPost, "/connectors/corp/disable", nil))
	if got := ann.Call(http.MethodPost, "/connectors/corp/enable?test=true", nil); got.Status != http.StatusUnprocessableEntity {
		t.Errorf("enabling one that does not work: %d %s", got.Status, got.Body)
	}
	must204("enabling it all the same", ann.Call(http.MethodPost, "/connectors/corp/enable", nil))
	must204("deleting", ann.Call(http.MethodDelete, "/connectors/corp", nil, "If-Match", "*"))
}

func TestTenantsAreForTheOperatorsOfAll(t *testing.T) {
	t.Parallel()
	s := operated(t)
	owner, admin := s.Operator(t, "ben", "owner"), s.Operator(t, "ann", "admin")
	acme := `{"id": "acme", "issuer": "https://acme.example.com", "name": "Acme"}`
	if got := admin.Call(http.MethodPost, "/tenants", acme); got.Status != http.StatusForbidden {
		t.Errorf("an admin creates one: %d %s", got.Status, got.Body)
	}
	made := owner.Call(http.MethodPost, "/tenants", acme)
	made.Into(t, &resource.Tenant{})
	if got := owner.Call(http.MethodPost, "/tenants", strings.Replace(acme, "https", "http", 1)); got.Status != http.StatusUnprocessableEntity || got.Problem.Errors[0].Location != "body.issuer" {
		t.Errorf("an issuer that will not do: %d %s", got.Status, got.Body)
	}
	owner.Call(http.MethodPost, "/clients?tenant=acme", grafana).Into(t, &resource.Client{})
	if got := owner.Call(http.MethodGet, "/clients/grafana", nil); got.Status != http.StatusNotFound {
		t.Errorf("a client of another tenant: %d", got.Status)
	}
	if got := admin.Call(http.MethodGet, "/clients/grafana?tenant=acme", nil); got.Status != http.StatusForbidden {
		t.Errorf("an admin looks into another tenant: %d %s", got.Status, got.Body)
	}
	if got := owner.Call(http.MethodPut, "/tenants/acme", strings.Replace(acme, "Acme", "ACME", 1), "If-Match", made.Header.Get("ETag")); got.Status != http.StatusPreconditionFailed {
		t.Errorf("a tenant that has changed since: %d %s", got.Status, got.Body)
	}
	owner.Call(http.MethodPut, "/tenants/acme", strings.Replace(acme, "Acme", "ACME", 1), "If-Match", "*").Into(t, &resource.Tenant{})
	if got := owner.Call(http.MethodDelete, "/tenants/default", nil, "If-Match", "*"); got.Status != http.StatusConflict {
		t.Errorf("deleting the default tenant: %d %s", got.Status, got.Body)
	}
	if got := owner.Call(http.MethodDelete, "/tenants/acme", nil, "If-Match", "*"); got.Status != http.StatusNoContent {
		t.Errorf("deleting: %d %s", got.Status, got.Body)
	}
	if got := owner.Call(http.MethodPost, "/tenants", acme); got.Status != http.StatusConflict {
		t.Errorf("an id that was another's: %d %s", got.Status, got.Body)
	}
}
