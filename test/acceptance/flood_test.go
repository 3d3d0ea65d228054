package acceptance_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/store/storetest"
)

// stranger sends requests of somebody who has proven nothing.
type stranger struct {
	s       *workertest.Server
	app     *workertest.Client
	handler http.Handler
	host    string
	session string // the name of the session's cookie
}

func (g stranger) send(method, target, body string, cookies []*http.Cookie, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = g.host
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", g.s.URL)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w.Result()
}

// authorize is an authorization request with some of its parameters changed.
func (g stranger) authorize(pairs ...string) string { return g.app.Authorize(pairs...) }

// begin begins an attempt, and returns its address and the cookies it is kept in.
func (g stranger) begin(pairs ...string) (string, []*http.Cookie) {
	resp := g.send("GET", g.authorize(pairs...), "", nil)
	return resp.Header.Get("Location"), resp.Cookies()
}

// floods are all that a stranger can send. What each is answered with says that it
// got as far as it should.
var floods = []struct {
	name   string
	status int
	send   func(g stranger, i int) *http.Response
}{
	{"a fitting request", 303, func(g stranger, i int) *http.Response {
		return g.send("GET", g.authorize("state", fmt.Sprint(i)), "", nil)
	}},
	{"a request at its limits", 303, func(g stranger, i int) *http.Response {
		// What can be told apart does not shrink, so a part of each limit fills a cookie.
		long := strings.Repeat(string(secret.New(secret.CodePrefix)), 12)
		return g.send("GET", g.authorize("state", long, "nonce", long, "login_hint", long[:200], "max_age", fmt.Sprint(i), "ui_locales", "de en"), "", nil)
	}},
	{"a request as a form", 303, func(g stranger, i int) *http.Response {
		return g.send("POST", "/authorize", g.app.AuthorizeParams("state", fmt.Sprint(i)).Encode(), nil, "Origin", "https://elsewhere.example.com", "Sec-Fetch-Site", "cross-site")
	}},
	{"a request that nobody may be asked about", 303, func(g stranger, _ int) *http.Response {
		return g.send("GET", g.authorize("prompt", "none"), "", nil)
	}},
	{"an unknown client", 400, func(g stranger, i int) *http.Response {
		return g.send("GET", g.authorize("client_id", fmt.Sprintf("client-%d", i)), "", nil)
	}},
	{"a foreign redirect URI", 400, func(g stranger, i int) *http.Response {
		return g.send("GET", g.authorize("redirect_uri", fmt.Sprintf("https://%d.example.com/cb", i)), "", nil)
	}},
	{"a wrong response type", 303, func(g stranger, _ int) *http.Response {
		return g.send("GET", g.authorize("response_type", "token"), "", nil)
	}},
	{"a parameter twice", 303, func(g stranger, i int) *http.Response {
		return g.send("GET", g.authorize()+fmt.Sprintf("&nonce=%d", i), "", nil)
	}},
	{"the login page", 200, func(g stranger, _ int) *http.Response {
		at, cookies := g.begin("connector_id", "local")
		id := at[strings.Index(at, "?"):]
		return g.send("GET", "/login/local"+id, "", cookies)
	}},
	{"the way to another provider", 303, func(g stranger, _ int) *http.Response {
		at, cookies := g.begin("connector_id", "elsewhere")
		id := at[strings.Index(at, "?"):]
		return g.send("GET", "/login/elsewhere"+id, "", cookies)
	}},
	{"an answer of a provider to nothing", 404, func(g stranger, i int) *http.Response {
		return g.send("GET", fmt.Sprintf("/callback/elsewhere?code=%d&state=%s", i, secret.New("")), "", nil)
	}},
	{"an answer of a provider to another browser's attempt", 404, func(g stranger, _ int) *http.Response {
		at, _ := g.begin("connector_id", "elsewhere")
		u, _ := url.Parse(at)
		return g.send("GET", "/callback/elsewhere?code=1&state="+u.Query().Get("attempt")+".AAAA", "", nil)
	}},
	{"an answer of a provider as a form", 303, func(g stranger, i int) *http.Response {
		return g.send("POST", "/callback/elsewhere", fmt.Sprintf("code=%d&state=x", i), nil, "Origin", "https://elsewhere.example.com", "Sec-Fetch-Site", "cross-site")
	}},
	{"consent to nothing", 404, func(g stranger, i int) *http.Response {
		return g.send("POST", "/consent", fmt.Sprintf("attempt=%d&answer=allow&csrf=x", i), nil)
	}},
	{"a password for nothing", 404, func(g stranger, i int) *http.Response {
		return g.send("POST", "/login/local", fmt.Sprintf("attempt=%d&login=ann&password=x", i), nil)
	}},
	{"a session that is none", 303, func(g stranger, _ int) *http.Response {
		_, cookies := g.begin()
		cookies = append(cookies, &http.Cookie{Name: g.session, Value: string(secret.New(secret.SessionPrefix))})
		return g.send("GET", g.authorize("prompt", "none"), "", cookies)
	}},
	{"a code that is none", 400, func(g stranger, _ int) *http.Response {
		return g.token(url.Values{
			"grant_type": {"authorization_code"}, "code": {string(secret.New(secret.CodePrefix))}, "client_id": {"spa"},
			"redirect_uri": {"https://spa.example.com/cb"}, "code_verifier": {g.app.Verifier},
		})
	}},
	{"a refresh token that is none", 400, func(g stranger, i int) *http.Response {
		return g.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprintf("dxr_x.%d.%s", i+1, strings.Repeat("A", 43))}, "client_id": {"spa"}})
	}},
	{"a client that is none", 401, func(g stranger, i int) *http.Response {
		return g.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {fmt.Sprint(i)}, "client_secret": {"x"}})
	}},
	{"a wrong client secret", 401, func(g stranger, i int) *http.Response {
		return g.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {"post"}, "client_secret": {fmt.Sprint(i)}})
	}},
	{"an assertion that nobody signed", 401, func(g stranger, _ int) *http.Response {
		return g.token(url.Values{
			"grant_type": {"client_credentials"}, "client_assertion": {"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhcHAifQ.AAAA"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		})
	}},
	{"an access token that is none", 401, func(g stranger, i int) *http.Response {
		return g.send("GET", "/userinfo", "", nil, "Authorization", fmt.Sprintf("Bearer %d", i))
	}},
	{"revoking what is nothing", 200, func(g stranger, i int) *http.Response {
		return g.send("POST", "/revoke", fmt.Sprintf("client_id=spa&token=%d", i), nil)
	}},
	{"logging out of nothing", 200, func(g stranger, i int) *http.Response {
		return g.send("GET", fmt.Sprintf("/logout?id_token_hint=%d&state=x", i), "", nil)
	}},
	{"a path that leads nowhere", 404, func(g stranger, i int) *http.Response {
		return g.send("GET", fmt.Sprintf("/nothing/%d", i), "", nil)
	}},
}

func (g stranger) token(form url.Values) *http.Response {
	return g.send("POST", "/token", form.Encode(), nil)
}

// DESIGN 3: nothing is stored for somebody who has proven nothing. Ten thousand
// requests of the kind that matters most, and hundreds of every other.
func TestAFloodOfStrangersStoresNothing(t *testing.T) {
	up := &workertest.Upstream{}
	s := workertest.Start(t, workertest.Options{Kinds: up.Kinds(), Config: workertest.UpstreamConfig})
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	g := stranger{s: s, app: s.Client(t, "app"), handler: s.Worker.Handler(), host: u.Host}
	b := s.Browser(t)
	g.app.Redeem(g.app.CodeBy(b, "zoe")) // so that the tables are not just empty
	g.session = b.Cookies("session")[0].Name
	before := storetest.Counts(t, s.DB)
	for _, f := range floods {
		n, wrong, work := 400, atomic.Int64{}, s.DB.Work()
		if f.name == "a fitting request" {
			n = 10_000
		}
		const lanes = 4
		atOnce(lanes, func(lane int) {
			for i := lane; i < n; i += lanes {
				if resp := f.send(g, i); resp.StatusCode != f.status && wrong.Add(1) == 1 {
					t.Errorf("%s: status %d, want %d", f.name, resp.StatusCode, f.status)
				}
			}
		})
		// A code is looked for by the very statement that would redeem it.
		if done := s.DB.Work().Commits - work.Commits; done != 0 && f.name != "a code that is none" {
			t.Errorf("%s: %d statements that change something", f.name, done)
		}
	}
	if after := storetest.Counts(t, s.DB); !maps.Equal(after, before) {
		t.Errorf("rows before %v\nand after %v", before, after)
	}
}

func refuseAnswer(context.Context, string) (connector.Step, error) {
	return connector.Step{}, connector.ErrRefused
}

// Who acts leaves a trace, even if what they do is worth nothing: of those so many
// are kept and no more.
func TestWhatStrangersMakeUsKeepIsBounded(t *testing.T) {
	up := &workertest.Upstream{}
	up.Arrive = refuseAnswer
	db := storetest.Open(t, storetest.WithMaxTraces(10))
	s := workertest.Start(t, workertest.Options{Kinds: up.Kinds(), Config: workertest.UpstreamConfig, DB: db})
	app := s.Client(t, "app")
	if err := s.Worker.CatchUp(t.Context()); err != nil { // which leaves something of its own
		t.Fatal(err)
	}
	before := storetest.Counts(t, s.DB)
	for range 30 {
		app.LoginBy(s.Browser(t), "nobody")
	}
	if n := storetest.Counts(t, s.DB)["traces"]; n != 30 {
		t.Fatalf("%d traces of 30 attempts", n)
	}
	if err := s.Worker.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := storetest.Counts(t, s.DB)
	if after["traces"] != 10 {
		t.Errorf("%d traces are kept", after["traces"])
	}
	after["traces"] = before["traces"]
	if !maps.Equal(after, before) {
		t.Errorf("more than traces was kept: before %v, after %v", before, after)
	}
}
