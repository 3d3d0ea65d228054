package worker_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/secret"
)

// canaries are secrets in the configuration of the test.
const canaries = workertest.OperatorUsers + `
connectors:
- {id: local, kind: local}
- {id: elsewhere, kind: oidc, name: Elsewhere, config: {issuer: "https://elsewhere.example.com", client_id: dex, client_secret: canary-of-the-connector}}
`

// Whatever an operator may read, no secret is in it: not of clients, connectors,
// people, sessions or tokens, nor the hashes that are kept of them.
func TestNothingThatIsReadHoldsASecret(t *testing.T) {
	t.Parallel()
	s := workertest.Start(t, workertest.Options{Clients: workertest.OperatorClients, Config: canaries})
	ann := s.Operator(t, "ann", "owner")
	app := s.Client(t, "app")
	b := s.Browser(t)
	code := b.SignIn(b.Get(app.Authorize("connector_id", "local")), "ben", workertest.Password).Param("code")
	tokens := app.Redeem(code)
	secrets := map[string]string{
		"the connector's secret": "canary-of-the-connector", "a client's secret": "app-secret", "a code": code,
		"an access token": tokens.AccessToken, "a refresh token": tokens.RefreshToken, "an ID token": tokens.IDToken,
		"a password's hash": "$argon2id$", "our own token": ann.Token, "a key secret": "ZGV4IHRlc3RzIGRleCB0ZXN0cyBkZXggdGVzdHMgMTI",
	}
	for _, name := range []string{"a code", "a client's secret"} {
		hash := secret.Value(secrets[name]).Hash()
		secrets[name+", hashed, in hex"] = hex.EncodeToString(hash[:])
		secrets[name+", hashed, in base64"] = strings.TrimRight(base64.StdEncoding.EncodeToString(hash[:]), "=")
		secrets[name+", hashed, in base64url"] = base64.RawURLEncoding.EncodeToString(hash[:])
	}
	read, names := 0, []string{"app", "elsewhere", "local", "default", idOf(t, s, "ben"), idOf(t, s, "ann")}
	look := func(path string) {
		got := ann.Call(http.MethodGet, path, nil)
		if got.Status == http.StatusOK {
			read++
			names = gatherIDs(t, got.Body, names)
		}
		for what, text := range secrets {
			if text == "" {
				t.Fatalf("there is no %s", what)
			}
			if strings.Contains(got.Body, text) {
				t.Errorf("GET %s shows %s", path, what)
			}
		}
	}
	routes := routesOf(t, s)
	for _, r := range routes {
		if r.Method == http.MethodGet && !strings.Contains(r.Path, "{") {
			look(r.Path)
		}
	}
	for range 2 { // what was found may have more below it
		for _, r := range routes {
			if r.Method == http.MethodGet && strings.Count(r.Path, "{") == 1 {
				for _, id := range slices.Clone(names) {
					look(placeholder.ReplaceAllString(r.Path, id))
				}
			}
		}
	}
	if read < 5 {
		t.Errorf("only %d answers were read", read)
	}
}

// gatherIDs adds the ids in a JSON text to those that are known.
func gatherIDs(t *testing.T, text string, known []string) []string {
	t.Helper()
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return known // it is no JSON, such as the description of the API
	}
	var in func(v any)
	in = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				in(one)
			}
		case map[string]any:
			for name, one := range v {
				if id, ok := one.(string); ok && (name == "id" || name == "support_code") && id != "" && !strings.ContainsAny(id, "/?# ") && !slices.Contains(known, id) && len(known) < 40 {
					known = append(known, id)
				}
				in(one)
			}
		}
	}
	in(v)
	return known
}
