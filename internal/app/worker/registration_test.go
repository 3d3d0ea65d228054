package worker_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/protocol/oauth"
)

// open is a tenant where anybody may register a client.
const open = "registration: {admission: open, profile: openid}\n"

// say sends JSON to a path.
func say(t testing.TB, s *workertest.Server, method, path, body string, headers ...[2]string) *workertest.Answer {
	t.Helper()
	return call{method: method, path: path, body: body, bare: true, headers: append(headers, [2]string{"Content-Type", "application/json"})}.send(t, s)
}

// registered is what a client hears of its registration.
type registered struct {
	ID        string `json:"client_id"`
	IssuedAt  int64  `json:"client_id_issued_at"`
	Secret    string `json:"client_secret"`
	ExpiresAt *int   `json:"client_secret_expires_at"`
	URI       string `json:"registration_client_uri"`
	Token     string `json:"registration_access_token"`
}

func registeredOf(t testing.TB, a *workertest.Answer, status int) registered {
	t.Helper()
	var r registered
	if err := json.Unmarshal([]byte(a.Body), &r); a.Status != status || err != nil {
		t.Fatalf("got %d %s, want %d", a.Status, a.Body, status)
	}
	return r
}

const simple = `{"client_name": "Simple", "redirect_uris": ["https://simple.example.com/cb"], "grant_types": ["authorization_code", "refresh_token"], "initiate_login_uri": "https://simple.example.com/login", "unknown": {"x": 1}}`

// oidcc-dynamic: registration, GET and DELETE of the registration.
func TestAClientRegistersItself(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: open})
	if got := jsonOf(t, get(t, s, route.Discovery))["registration_endpoint"]; got != s.URL+route.Register {
		t.Errorf("the registration endpoint is %v", got)
	}
	a := say(t, s, http.MethodPost, route.Register, simple)
	r := registeredOf(t, a, http.StatusCreated)
	if r.ID == "" || r.Secret == "" || r.ExpiresAt == nil || *r.ExpiresAt != 0 || r.IssuedAt != s.Clock.Now().Unix() ||
		r.URI != s.URL+"/register/"+r.ID || r.Token == "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s, %v", a.Body, a.Header)
	}
	told := jsonOf(t, a)
	if told["token_endpoint_auth_method"] != "client_secret_basic" || told["application_type"] != "web" || told["id_token_signed_response_alg"] != "RS256" {
		t.Errorf("the defaults are %s", a.Body)
	}
	t.Run("and logs people in, who are asked", func(t *testing.T) {
		c := s.Client(t, "app")
		c.ID, c.Secret, c.RedirectURI = r.ID, r.Secret, "https://simple.example.com/cb"
		page := s.Browser(t).Get(c.Authorize())
		if page.Status != http.StatusOK && page.Status != http.StatusSeeOther {
			t.Errorf("%d %s", page.Status, page.Body)
		}
	})
	path := strings.TrimPrefix(r.URI, s.URL)
	t.Run("it reads what is registered", func(t *testing.T) {
		again := say(t, s, http.MethodGet, path, "", bearer(r.Token))
		next := registeredOf(t, again, http.StatusOK)
		if next.Token == r.Token || next.Secret != "" || jsonOf(t, again)["client_name"] != "Simple" ||
			jsonOf(t, again)["initiate_login_uri"] != told["initiate_login_uri"] || told["initiate_login_uri"] != "https://simple.example.com/login" {
			t.Errorf("%s", again.Body)
		}
		// The one before counts until the next is used, so that a lost answer locks nobody out.
		third := registeredOf(t, say(t, s, http.MethodGet, path, "", bearer(r.Token)), http.StatusOK)
		registeredOf(t, say(t, s, http.MethodGet, path, "", bearer(third.Token)), http.StatusOK)
		if a := say(t, s, http.MethodGet, path, "", bearer(next.Token)); a.Status != http.StatusUnauthorized {
			t.Errorf("a token that was replaced: %d", a.Status)
		}
		r = third
	})
	t.Run("it is gone", func(t *testing.T) {
		if a := say(t, s, http.MethodDelete, path, "", bearer(r.Token)); a.Status != http.StatusNoContent || a.Body != "" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		isError(t, say(t, s, http.MethodGet, path, "", bearer(r.Token)), 401, oauth.InvalidToken)
	})
}

// 1.I 102: registration is closed unless an operator opens it.
func TestNobodyRegistersWhereNobodyMay(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	if a := say(t, s, http.MethodPost, route.Register, simple); a.Status != http.StatusForbidden || !strings.Contains(a.Body, `"access_denied"`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if got := jsonOf(t, get(t, s, route.Discovery))["registration_endpoint"]; got != nil {
		t.Errorf("the registration endpoint is %v", got)
	}
}

func TestAnInitialAccessTokenIsGoodForAsManyAsItSays(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: "registration: {admission: token}\n"})
	token, now := secret.New(secret.InitialPrefix), s.Clock.Now()
	err := s.Tenant.AddInitialToken(t.Context(), client.InitialToken{
		ID: client.NewInitialTokenID(), UsesLeft: 1, Profile: client.OpenID, ExpiresAt: now.Add(3600e9),
	}, token.Hash(), audit.By{Actor: "test", At: now})
	if err != nil {
		t.Fatal(err)
	}
	isError(t, say(t, s, http.MethodPost, route.Register, simple), 401, oauth.InvalidToken)
	isError(t, say(t, s, http.MethodPost, route.Register, simple, bearer("dxi_nothing")), 401, oauth.InvalidToken)
	isError(t, say(t, s, http.MethodPost, route.Register, `{"redirect_uris": ["x"]}`, bearer(string(token))), 400, oauth.InvalidRedirectURI)
	r := registeredOf(t, say(t, s, http.MethodPost, route.Register, simple, bearer(string(token))), http.StatusCreated)
	isError(t, say(t, s, http.MethodPost, route.Register, simple, bearer(string(token))), 401, oauth.InvalidToken)
	kept, err := s.Tenant.Client(t.Context(), r.ID)
	if err != nil || kept.Profile != client.OpenID || !kept.SelfRegistered || kept.Trusted {
		t.Errorf("%+v, %v", kept, err)
	}
}

// Each refusal with its exact code. 1.I 103, 104 and 107: at registration and at each
// change alike, and the whole client is judged.
func TestWhatCannotBeRegistered(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: open})
	base := map[string]any{"redirect_uris": []string{"https://x.example.com/cb"}}
	r := registeredOf(t, say(t, s, http.MethodPost, route.Register, simple), http.StatusCreated)
	path := strings.TrimPrefix(r.URI, s.URL)
	for _, test := range []struct {
		name string
		with map[string]any
		code oauth.Code
	}{
		{"a redirect URI with a fragment", map[string]any{"redirect_uris": []string{"https://x.example.com/cb#f"}}, oauth.InvalidRedirectURI},
		{"no redirect URI", map[string]any{"redirect_uris": []string{}}, oauth.InvalidRedirectURI},
		{"redirect URIs that are none", map[string]any{"redirect_uris": "https://x.example.com/cb"}, oauth.InvalidRedirectURI},
		{"a script as a redirect URI", map[string]any{"redirect_uris": []string{"javascript:alert(1)"}}, oauth.InvalidRedirectURI},
		{"a login begun without TLS", map[string]any{"initiate_login_uri": "http://x.example.com/login"}, oauth.InvalidClientMetadata},
		{"keys at an address that nobody has allowed", map[string]any{"jwks_uri": "https://x.example.com/jwks"}, oauth.InvalidClientMetadata},
		{"keys in the cloud's metadata", map[string]any{"jwks_uri": "http://169.254.169.254/"}, oauth.InvalidClientMetadata},
		{"a sector that nobody has allowed", map[string]any{"sector_identifier_uri": "https://x.example.com/s"}, oauth.InvalidClientMetadata},
		{"request objects that nobody has allowed", map[string]any{"request_uris": []string{"https://x.example.com/r#h"}}, oauth.InvalidClientMetadata},
		{"a logout that nobody has allowed", map[string]any{"backchannel_logout_uri": "https://x.example.com/l"}, oauth.InvalidClientMetadata},
		{"a logo that is a script", map[string]any{"logo_uri": "javascript:alert(1)"}, oauth.InvalidClientMetadata},
		{"an algorithm that there is not", map[string]any{"id_token_signed_response_alg": "none"}, oauth.InvalidClientMetadata},
		{"a grant type that such clients have not", map[string]any{"grant_types": []string{"client_credentials"}}, oauth.InvalidClientMetadata},
		{"a way to authenticate that there is not", map[string]any{"token_endpoint_auth_method": "magic"}, oauth.InvalidClientMetadata},
		{"keys that are nowhere", map[string]any{"token_endpoint_auth_method": "private_key_jwt"}, oauth.InvalidClientMetadata},
		{"private keys", map[string]any{"jwks": map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "AAAA"}}}}, oauth.InvalidClientMetadata},
		{"only scopes of administrators", map[string]any{"scope": "dex:users:write"}, oauth.InvalidClientMetadata},
		{"a name that turns around", map[string]any{"client_name": "moc.knab\u202e"}, oauth.InvalidClientMetadata},
		{"a name with nothing between", map[string]any{"client_name": "Ba\u200bnk"}, oauth.InvalidClientMetadata},
		{"a name of lines", map[string]any{"client_name": "Bank\nof"}, oauth.InvalidClientMetadata},
		{"a name without an end", map[string]any{"client_name": strings.Repeat("x", 65)}, oauth.InvalidClientMetadata},
		{"a software statement", map[string]any{"software_statement": "a.b.c"}, oauth.InvalidSoftwareStatement},
		{"a software statement of a stranger", map[string]any{"software_statement": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSJ9.AAAA"}, oauth.UnapprovedSoftwareStatement},
	} {
		said := map[string]any{}
		for _, all := range []map[string]any{base, test.with} {
			for name, value := range all {
				said[name] = value
			}
		}
		text, _ := json.Marshal(said)
		a := say(t, s, http.MethodPost, route.Register, string(text))
		if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, fmt.Sprintf(`"error":%q`, test.code)) {
			t.Errorf("%s: %d %s", test.name, a.Status, a.Body)
		}
		said["client_id"] = r.ID
		text, _ = json.Marshal(said)
		a = say(t, s, http.MethodPut, path, string(text), bearer(r.Token))
		if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, fmt.Sprintf(`"error":%q`, test.code)) {
			t.Errorf("%s, as a change: %d %s", test.name, a.Status, a.Body)
		}
	}
	for name, body := range map[string]string{"nothing": "", "a list": "[]", "no JSON": "{", "null": "null", "too much": `{"client_name": "` + strings.Repeat("x", 70<<10) + `"}`} {
		isError(t, say(t, s, http.MethodPost, route.Register, body), 400, oauth.InvalidClientMetadata)
		_ = name
	}
	isError(t, call{path: route.Register, form: values("redirect_uris", "x")}.send(t, s), 400, oauth.InvalidClientMetadata)
}

func TestAClientChangesItsRegistration(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: open})
	first := registeredOf(t, say(t, s, http.MethodPost, route.Register, `{"redirect_uris": ["https://x.example.com/cb"], "policy_uri": "https://x.example.com/p", "scope": "openid groups email dex:users:write"}`), http.StatusCreated)
	other := registeredOf(t, say(t, s, http.MethodPost, route.Register, simple), http.StatusCreated)
	path := strings.TrimPrefix(first.URI, s.URL)
	change := fmt.Sprintf(`{"client_id": %q, "redirect_uris": ["https://x.example.com/other"]}`, first.ID)
	// 1.I 106: the token of one client is nothing to another.
	isError(t, say(t, s, http.MethodPut, path, change, bearer(other.Token)), 401, oauth.InvalidToken)
	isError(t, say(t, s, http.MethodGet, path, "", bearer(other.Token)), 401, oauth.InvalidToken)
	isError(t, say(t, s, http.MethodDelete, path, "", bearer(other.Token)), 401, oauth.InvalidToken)
	if a := say(t, s, http.MethodGet, path, ""); a.Status != 401 || a.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	isError(t, say(t, s, http.MethodPut, path, strings.Replace(change, first.ID, other.ID, 1), bearer(first.Token)), 400, oauth.InvalidClientMetadata)
	isError(t, say(t, s, http.MethodPut, path, strings.Replace(change, "{", `{"registration_access_token": "x", `, 1), bearer(first.Token)), 400, oauth.InvalidClientMetadata)
	a := say(t, s, http.MethodPut, path, change, bearer(first.Token))
	registeredOf(t, a, http.StatusOK)
	if told := jsonOf(t, a); told["policy_uri"] != nil || !slices.Equal(list(t, told, "redirect_uris"), []string{"https://x.example.com/other"}) {
		t.Errorf("what is left out stays: %s", a.Body)
	}
	kept, err := s.Tenant.Client(t.Context(), first.ID)
	if err != nil || kept.Scopes.Contains("dex:users:write") || kept.Scopes.Contains("groups") || len(kept.Secrets) != 1 || !kept.SelfRegistered {
		t.Errorf("%+v, %v", kept, err)
	}
	// 1.I 105: a client that is disabled has no registration.
	if err := s.Tenant.DisableClient(t.Context(), first.ID, audit.By{Actor: "test", At: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	isError(t, say(t, s, http.MethodGet, path, "", bearer(registeredOf(t, a, http.StatusOK).Token)), 401, oauth.InvalidToken)
	isError(t, say(t, s, http.MethodPut, path, change, bearer(registeredOf(t, a, http.StatusOK).Token)), 401, oauth.InvalidToken)
}

// An MCP client, say, is its own document.
func TestAClientIsTheDocumentThatItsIDNames(t *testing.T) {
	var doc atomic.Pointer[string]
	far := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(*doc.Load())) }))
	defer far.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: far.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := workertest.Start(t, workertest.Options{Config: "client_documents_allow: [127.0.0.1]\noutbound_allow_private: [127.0.0.0/8]\noutbound_ca_file: " + ca + "\n"})
	if jsonOf(t, get(t, s, route.Discovery))["client_id_metadata_document_supported"] != true {
		t.Error("the metadata does not say so")
	}
	id := far.URL + "/client.json"
	text := fmt.Sprintf(`{"client_id": %q, "client_name": "Far", "redirect_uris": ["http://127.0.0.1:7777/cb"]}`, id)
	doc.Store(&text)
	c := s.Client(t, "spa")
	c.ID, c.Secret, c.RedirectURI = id, "", "http://127.0.0.1:7777/cb"
	b := s.Browser(t)
	if a := b.Get(c.Authorize()); a.Status != http.StatusOK && a.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for name, other := range map[string]string{
		"another's":    strings.Replace(text, "client.json", "other.json", 1),
		"a secret":     strings.Replace(text, `"client_name"`, `"client_secret": "s", "client_name"`, 1),
		"proof by one": strings.Replace(text, `"client_name"`, `"token_endpoint_auth_method": "client_secret_basic", "client_name"`, 1),
		"no JSON":      "<html>",
	} {
		doc.Store(&other)
		c.ID = far.URL + "/" + strings.ReplaceAll(name, " ", "-")
		if a := b.Get(c.Authorize()); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
}

// oidcc-discovery by WebFinger, and RFC 9728 for userinfo.
func TestWhoTheProviderIsAndWhoseTokensUserinfoTakes(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	host := strings.TrimPrefix(s.URL, "http://")
	const rel = "&rel=http%3A%2F%2Fopenid.net%2Fspecs%2Fconnect%2F1.0%2Fissuer"
	for resource, want := range map[string]int{
		"acct:ann@" + host: 200, "acct:nobody@" + host: 200, s.URL + "/ann": 200, "acct:ann@elsewhere.example.com": 404,
		"https://elsewhere.example.com/ann": 404, "": 404, "mailto:ann@" + host: 404, "acct:@" + host: 404,
	} {
		a := get(t, s, route.WebFinger+"?resource="+url.QueryEscape(resource)+rel)
		if a.Status != want {
			t.Errorf("%s: %d %s", resource, a.Status, a.Body)
		}
		if want == 200 && (a.Header.Get("Content-Type") != "application/jrd+json" || !strings.Contains(a.Body, `"href":"`+s.URL+`"`)) {
			t.Errorf("%s: %s", resource, a.Body)
		}
	}
	if a := get(t, s, route.WebFinger); a.Status != http.StatusBadRequest {
		t.Errorf("without a resource: %d", a.Status)
	}
	doc := jsonOf(t, get(t, s, route.ProtectedUser))
	if doc["resource"] != s.URL+route.Userinfo || !slices.Equal(list(t, doc, "authorization_servers"), []string{s.URL}) {
		t.Errorf("%v", doc)
	}
}

// oidcc-registration-sector-uri, and its refusals.
func TestASectorThatDoesNotListTheRedirectURIIsRefused(t *testing.T) {
	var doc atomic.Pointer[string]
	far := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(*doc.Load())) }))
	defer far.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: far.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := workertest.Start(t, workertest.Options{Config: open + "client_documents_allow: [127.0.0.1]\noutbound_allow_private: [127.0.0.0/8]\noutbound_ca_file: " + ca + "\n"})
	for listed, want := range map[string]int{`["https://x.example.com/cb"]`: 201, `["https://y.example.com/cb"]`: 400, `{}`: 400} {
		doc.Store(&listed)
		a := say(t, s, http.MethodPost, route.Register, fmt.Sprintf(`{"redirect_uris": ["https://x.example.com/cb"], "sector_identifier_uri": %q}`, far.URL+"/"+url.PathEscape(listed)))
		if a.Status != want || want == 400 && !strings.Contains(a.Body, `"invalid_client_metadata"`) {
			t.Errorf("%s: %d %s", listed, a.Status, a.Body)
		}
	}
}

// One network does not take all the places that there are: it may register many clients,
// and then waits. Others do not wait for it, and who is invited waits for nobody.
func TestANetworkThatRegistersVeryManyClientsWaits(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Config: open})
	key := secret.Value("newcomers\x00" + "127.0.0.0/24").Hash()
	buckets := []credential.Bucket{{Kind: credential.Newcomers, Key: key}}
	registeredOf(t, say(t, s, http.MethodPost, route.Register, simple), http.StatusCreated)
	for range 200 {
		if err := s.Tenant.RecordFailure(t.Context(), buckets, s.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	a := say(t, s, http.MethodPost, route.Register, simple)
	isError(t, a, 503, oauth.TemporarilyUnavailable)
	if a.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	s.Clock.Advance(2 * time.Minute)
	registeredOf(t, say(t, s, http.MethodPost, route.Register, simple), http.StatusCreated)
}
