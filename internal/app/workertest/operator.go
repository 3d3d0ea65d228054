package workertest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"dex/internal/admin/resource"
	"dex/internal/store"
)

// OperatorClients are clients for operators, to be put into [Options].Clients: one for
// people, and one that acts for itself. Both may have every administrative scope.
const OperatorClients = `
- {id: ops, name: Operations, secret: ops-secret, redirect_uris: ["https://ops.example.com/cb"], trusted: true, grant_types: [authorization_code, refresh_token, client_credentials], scopes: [openid, offline_access, ` + adminScopes + `]}
`

// OperatorUsers are four more people, to be put at the beginning of [Options].Config.
const OperatorUsers = `
- {id: cleo, username: cleo, password_hash: "` + PasswordHash + `"}
- {id: dan, username: dan, password_hash: "` + PasswordHash + `"}
- {id: eve, username: eve, password_hash: "` + PasswordHash + `"}
- {id: fay, username: fay, password_hash: "` + PasswordHash + `"}
`

const adminScopes = `"dex:users:read", "dex:groups:read", "dex:clients:read", "dex:connectors:read", "dex:tenants:read", "dex:keys:read", "dex:sessions:read", "dex:audit:read", "dex:traces:read", "dex:system:read", "dex:users:write", "dex:groups:write", "dex:clients:write", "dex:connectors:write", "dex:tenants:write", "dex:keys:write", "dex:sessions:write", "dex:system:write", "dex:links:write", "dex:approvals:write"`

// AllScopes are what an operator asks for who wants everything.
var AllScopes = "openid " + strings.NewReplacer(`"`, "", ",", "").Replace(adminScopes)

// Operator is somebody who calls the administrators' API.
type Operator struct {
	t      testing.TB
	base   string
	client *http.Client
	Token  string
}

// Operator gives ann, or whoever else it is, a role, and logs them in for the
// administrators' API by the client "ops" of [OperatorClients].
func (s *Server) Operator(t testing.TB, username, role string) *Operator {
	t.Helper()
	return s.OperatorWith(t, username, role, AllScopes)
}

// OperatorWith is [Server.Operator] for a token with no more than these scopes.
func (s *Server) OperatorWith(t testing.TB, username, role, scopes string) *Operator {
	t.Helper()
	s.SetRole(t, username, role)
	ops := s.Client(t, "ops")
	b := s.Browser(t)
	a := b.SignIn(b.Get(ops.Authorize("scope", scopes, "connector_id", "local")), username, Password)
	tokens := ops.Redeem(a.Param("code"))
	if tokens.Status != http.StatusOK {
		t.Fatalf("no token for the API: %d %s %s", tokens.Status, tokens.Error, a.Body)
	}
	return s.Bearer(t, tokens.AccessToken)
}

// Bearer is an operator by a token.
func (s *Server) Bearer(t testing.TB, token string) *Operator {
	return &Operator{t: t, base: s.Admin, client: s.operators, Token: token}
}

// SetRole gives somebody a role, past every rule.
func (s *Server) SetRole(t testing.TB, username, role string) {
	t.Helper()
	if _, err := store.Raw(s.DB).ExecContext(t.Context(), `UPDATE users SET role = $1 WHERE username = $2`, role, username); err != nil {
		t.Fatal(err)
	}
}

// Replied is an answer of the administrators' API.
type Replied struct {
	Status  int
	Header  http.Header
	Body    string
	Problem resource.Problem // if it is one
}

// Into reads the answer.
func (r Replied) Into(t testing.TB, into any) {
	t.Helper()
	if r.Status >= http.StatusBadRequest {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if err := json.Unmarshal([]byte(r.Body), into); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
}

// Call calls the API. The headers are pairs; a body that is not a string is written as
// JSON.
func (o *Operator) Call(method, path string, body any, headers ...string) Replied {
	o.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			o.t.Fatal(err)
		}
		text = string(b)
	}
	if !strings.HasPrefix(path, "/.well-known") {
		path = resource.Prefix + path
	}
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.base+path, strings.NewReader(text))
	if err != nil {
		o.t.Fatal(err)
	}
	if text != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if o.Token != "" {
		r.Header.Set("Authorization", "Bearer "+o.Token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := o.client.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	all, err := io.ReadAll(got.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	out := Replied{Status: got.StatusCode, Header: got.Header, Body: string(all)}
	if got.Header.Get("Content-Type") == resource.ProblemType && len(all) > 0 {
		if err := json.Unmarshal(all, &out.Problem); err != nil {
			o.t.Fatalf("%v: %s", err, all)
		}
	}
	return out
}
