package web

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The structs below are what the flows fill in. They are written out here, so
// that a template which asks for another field fails in this package.

type choosePage struct {
	application

	Choices []choice
	Cancel  cancel
}

type application struct{ ClientName, ClientLogo, PolicyURL, TermsURL string }

type choice struct {
	ID, Name, Kind, URL string
	Out                 bool
}

type cancel struct{ Action, Attempt, CSRF string }

type formPage struct {
	application

	ConnectorName         string
	Action, Attempt, CSRF string
	Fields                []field
	Problem               string
	Wait                  int
	ChooseURL             string
}

type field struct {
	ID, Name, Label, Type, Value, Autocomplete string
	Focus                                      bool
}

type postPage struct {
	URL    string
	Fields []hidden
}

type formPostPage struct {
	URL    string
	Fields []hidden
}

type hidden struct{ Name, Value string }

type consentPage struct {
	ClientName, ClientHost, ClientLogo string
	PolicyURL, TermsURL                string
	UserName, UserEmail                string
	Scopes                             []scopeItem
	Resources                          []string
	Details                            []detail
	Action, Attempt, CSRF              string
	Remember                           bool
}

type detail struct {
	Type    string
	Members []struct{ Name, Value string }
}

type scopeItem struct{ Name, Client string }

type enterPage struct {
	Action, Code, Scan, Problem string
	Wait                        int
}

type confirmPage struct {
	consentPage
	UserCode, RemoteAddr, UserAgent string
	Age                             int
}

type answeredPage struct{ Denied bool }

type logoutPage struct {
	ClientName, UserName, UserEmail string
	Action, CSRF                    string
	Carry                           []hidden
}

type donePage struct {
	ClientName, ReturnURL string
	Frames                []string
}

type leavingPage struct {
	ReturnURL string
	Frames    []string
}

type errorPage struct {
	Title, Message, Detail     string
	SupportCode, StartAgainURL string
	RetryAfter                 int
}

type homePage struct {
	IssuerURL, UserName, UserEmail string
	LogoutURL, DemoURL             string
	Apps                           []homeApp
}

type homeApp struct{ ID, Name, URL string }

type accountPage struct {
	Action, Attempt, CSRF          string
	UserName, UserEmail, LoginName string
	First                          bool
	Problem                        string
	Minimum                        int
}

type (
	overPage    struct{ Shut bool }
	settledPage struct{}
)

func (accountPage) Template() string { return "account/password.html" }
func (overPage) Template() string    { return "account/over.html" }
func (settledPage) Template() string { return "account/done.html" }

type (
	approvalsPage struct {
		Action, UserName, UserEmail string
		SignedIn                    bool
		Requests                    []approvalLine
	}
	approvalLine struct {
		ID, ClientName, Message string
		Age                     int
	}
	calledPage struct {
		consentPage
		Message string
		Age     int
	}
	repliedPage struct{ Denied bool }
)

func (approvalsPage) Template() string { return "approvals/list.html" }
func (calledPage) Template() string    { return "approvals/confirm.html" }
func (repliedPage) Template() string   { return "approvals/done.html" }

func (choosePage) Template() string   { return "login/choose.html" }
func (formPage) Template() string     { return "login/form.html" }
func (postPage) Template() string     { return "login/post.html" }
func (consentPage) Template() string  { return "authorize/consent.html" }
func (formPostPage) Template() string { return "authorize/form_post.html" }
func (enterPage) Template() string    { return "device/enter.html" }
func (confirmPage) Template() string  { return "device/confirm.html" }
func (answeredPage) Template() string { return "device/done.html" }
func (logoutPage) Template() string   { return "logout/confirm.html" }
func (donePage) Template() string     { return "logout/done.html" }
func (leavingPage) Template() string  { return "logout/leaving.html" }
func (p leavingPage) Framed() bool    { return len(p.Frames) > 0 }
func (errorPage) Template() string    { return "error.html" }
func (homePage) Template() string     { return "home.html" }

// sample is a page as somebody would see it, and the ids that others rely on.
type sample struct {
	name string
	page Page
	ids  []string
}

const supportCode = "K7QM-2XWD-94"

func loginFields(login string) []field {
	return []field{
		{ID: "login", Name: "login", Label: "field.login", Type: "text", Value: login, Autocomplete: "username", Focus: login == ""},
		{ID: "password", Name: "password", Label: "field.password", Type: "password", Autocomplete: "current-password", Focus: login != ""},
	}
}

func failure(kind string) errorPage {
	return errorPage{Title: "error." + kind + ".title", Message: "error." + kind + ".message", SupportCode: supportCode}
}

// samples returns every page in every state that looks different.
func samples() []sample {
	grafana := application{ClientName: "Grafana"}
	signIn := formPage{
		application: grafana, Action: "/login/local", Attempt: "a1", CSRF: "c1",
		Fields: loginFields(""), ChooseURL: "/login?attempt=a1",
	}
	wrong := signIn
	wrong.ConnectorName, wrong.Fields, wrong.Problem = "Example Directory", loginFields("jane"), "problem.credentials"
	slow := wrong
	slow.Problem, slow.Wait, slow.ChooseURL = "problem.throttled", 40, ""
	known := application{
		ClientName: "Grafana", ClientLogo: "https://grafana.example.com/logo.png",
		PolicyURL: "https://grafana.example.com/privacy", TermsURL: "https://grafana.example.com/terms",
	}
	introduced := signIn
	introduced.application = known
	again := failure("expired")
	again.StartAgainURL = "/"
	upstream := failure("upstream")
	upstream.Detail, upstream.StartAgainURL = "Example Directory did not answer within 8 seconds.", "/login?attempt=a1"
	throttled := failure("throttled")
	throttled.RetryAfter = 240
	choosing := accountPage{
		Action: "/account/password", Attempt: "a1", CSRF: "c1", UserName: "Jane Doe", UserEmail: "jane@example.com",
		LoginName: "jane", First: true, Minimum: 12,
	}
	weakly := choosing
	weakly.First, weakly.Problem = false, "account.problem.common"
	post := []hidden{{"SAMLRequest", "fVLLTsMwELzzFZbvi"}, {"RelayState", "a1"}}
	all := []sample{
		{"choose", choosePage{known, []choice{
			{ID: "local", Name: "Password", Kind: "local", URL: "/login/local?attempt=a1"},
			{ID: "corp", Name: "Example Corporation", Kind: "oidc", URL: "/login/corp?attempt=a1"},
			{ID: "ldap", Name: "Example Directory", Kind: "ldap", URL: "/login/ldap?attempt=a1", Out: true},
		}, cancel{"/login", "a1", "c1"}}, []string{"connector-local", "connector-corp", "connector-ldap", "cancel", "logo", "policy", "terms"}},
		{"form", signIn, []string{"login", "password", "submit", "cancel", "choose"}},
		{"form-known", introduced, []string{"login", "password", "submit", "logo", "policy", "terms"}},
		{"form-wrong", wrong, []string{"login", "password", "submit", "cancel", "problem"}},
		{"form-slow", slow, []string{"problem"}},
		{"post", postPage{"https://idp.example.com/saml/sso", post}, []string{"post", "continue"}},
		{"form-post", formPostPage{"https://app.example.com/callback", []hidden{{"code", "dxc_1"}, {"state", "s"}, {"iss", "https://dex.example.com"}}}, []string{"post", "continue"}},
		{"consent", consentPage{
			ClientName: "Grafana", ClientHost: "grafana.example.com", ClientLogo: known.ClientLogo,
			PolicyURL: "https://grafana.example.com/privacy", TermsURL: "https://grafana.example.com/terms",
			UserName: "Jane Doe", UserEmail: "jane@example.com",
			Scopes: []scopeItem{{"openid", ""}, {"profile", ""}, {"email", ""}, {"groups", ""}, {"offline_access", ""},
				{"audience:server:client_id:argo", "Argo CD"}, {"deploy:write", ""}},
			Resources: []string{"https://metrics.example.com/api/v1", "https://files.example.com"},
			Action:    "/consent", Attempt: "a1", CSRF: "c1", Remember: true,
		}, []string{"allow", "deny", "remember", "switch", "logo", "policy", "terms"}},
		{"device-enter", enterPage{Action: "/device"}, []string{"user_code", "submit"}},
		{"device-filled", enterPage{Action: "/device", Code: "BCDF-GHJK", Scan: "https://dex.example.com/device?user_code=BCDF-GHJK"}, []string{"user_code", "submit", "elsewhere"}},
		{"device-wrong", enterPage{Action: "/device", Code: "BCDF-GHJK", Problem: "device.problem.unknown"}, []string{"user_code", "problem"}},
		{"device-slow", enterPage{Action: "/device", Code: "BCDF-GHJK", Problem: "device.problem.wait", Wait: 40}, []string{"problem"}},
		{"device-confirm", confirmPage{
			consentPage: consentPage{
				ClientName: "Television", UserName: "Jane Doe", UserEmail: "jane@example.com",
				Scopes: []scopeItem{{"openid", ""}, {"dex:users:write", ""}, {"dex:audit:read", ""}}, Action: "/consent", Attempt: "a1", CSRF: "c1",
			},
			UserCode: "BCDF-GHJK", RemoteAddr: "192.0.2.9", UserAgent: "Television/1.0", Age: 20,
		}, []string{"code", "warning", "allow", "deny", "switch"}},
		{"device-approved", answeredPage{}, []string{"answered"}},
		{"device-denied", answeredPage{Denied: true}, []string{"answered"}},
		{"approvals-stranger", approvalsPage{Action: "/approvals"}, []string{"stranger"}},
		{"approvals-none", approvalsPage{Action: "/approvals", SignedIn: true, UserName: "Jane Doe"}, []string{"none"}},
		{"approvals", approvalsPage{
			Action: "/approvals", SignedIn: true, UserName: "Jane Doe", UserEmail: "jane@example.com",
			Requests: []approvalLine{{"cib_1", "Call Centre", "4711", 20}, {"cib_2", "Bank", "", 90}},
		}, nil},
		{"approvals-confirm", calledPage{
			consentPage: consentPage{
				ClientName: "Call Centre", UserName: "Jane Doe", UserEmail: "jane@example.com",
				Scopes: []scopeItem{{"openid", ""}, {"email", ""}}, Action: "/consent", Attempt: "a1", CSRF: "c1",
			},
			Message: "4711", Age: 20,
		}, []string{"message", "warning", "allow", "deny", "switch"}},
		{"approvals-approved", repliedPage{}, []string{"answered"}},
		{"approvals-denied", repliedPage{Denied: true}, []string{"answered"}},
		{"account-invite", choosing, []string{"login", "password", "again", "submit"}},
		{"account-reset", weakly, []string{"password", "again", "problem"}},
		{"account-over", overPage{}, []string{"home"}},
		{"account-shut", overPage{Shut: true}, []string{"home"}},
		{"account-done", settledPage{}, []string{"home"}},
		{"logout-confirm", logoutPage{"Grafana", "Jane Doe", "jane@example.com", "/logout", "c1",
			[]hidden{{"post_logout_redirect_uri", "https://grafana.example.com/"}, {"state", "s"}}}, []string{"confirm-logout", "home"}},
		{"logout-done", donePage{"Grafana", "https://grafana.example.com/", nil}, []string{"return"}},
		{"logout-leaving", leavingPage{"https://grafana.example.com/", []string{"https://wiki.example.com/logged-out?iss=https%3A%2F%2Fdex.example.com&sid=s"}}, []string{"return"}},
		{"home", homePage{IssuerURL: "https://dex.example.com", DemoURL: "http://127.0.0.1:5555/"}, []string{"demo", "issuer"}},
		{"home-signed-in", homePage{"https://dex.example.com", "Jane Doe", "jane@example.com", "/logout", "", []homeApp{
			{"grafana", "Grafana", "https://grafana.example.com/login?iss=https%3A%2F%2Fdex.example.com"},
		}}, []string{"logout", "user", "app-grafana"}},
		{"error-expired", again, []string{"start-again", "support-code"}},
		{"error-upstream", upstream, []string{"start-again", "support-code", "detail"}},
		{"error-throttled", throttled, []string{"retry-after", "support-code"}},
	}
	for _, kind := range []string{"request", "browser", "refused", "notfound", "address", "internal"} {
		all = append(all, sample{"error-" + kind, failure(kind), []string{"support-code"}})
	}
	return all
}

func newRenderer(t testing.TB, o Options) *Renderer {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// render returns the response to somebody who asks for a page in a language.
func render(t testing.TB, r *Renderer, v View, accept string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Accept-Language", accept)
	w := httptest.NewRecorder()
	if err := r.Render(w, req, v); err != nil {
		t.Fatal(err)
	}
	return w.Result()
}

func body(t testing.TB, res *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\r\n\r\n")
	return text
}

// hashes are in the names of static files. They would change every golden file
// with every change of the style.
var hashes = regexp.MustCompile(`\.[0-9a-f]{16}\.`)

func TestEveryPageLooksAsItDidWhenSomebodyLastLookedAtIt(t *testing.T) {
	r := newRenderer(t, Options{})
	for _, s := range samples() {
		for _, lang := range []string{"en", "de"} {
			t.Run(s.name+" in "+lang, func(t *testing.T) {
				got := hashes.ReplaceAllString(body(t, render(t, r, View{Page: s.page}, lang)), ".HASH.")
				file := filepath.Join("testdata", s.name+"."+lang+".golden")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got != string(want) {
					t.Errorf("%s differs; if it should, look at it and run go test ./web -update. It is now\n%s", file, got)
				}
			})
		}
	}
}

func BenchmarkLoginPage(b *testing.B) {
	r := newRenderer(b, Options{})
	req := httptest.NewRequest(http.MethodGet, "/", nil)
	req.Header.Set("Accept-Language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7")
	view := View{Page: samples()[1].page, LeadsOut: true}
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if err := r.Render(w, req, view); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newRenderer(b, Options{})
	}
}
