package authorize

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"dex/internal/domain/role"
	"dex/web"
)

// show renders a page with our own templates. A field that a template names and
// the page does not have is an error.
func show(t *testing.T, page web.Page) (text string, hidden map[string]string) {
	t.Helper()
	pages, err := web.New(web.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := pages.Render(w, httptest.NewRequest("GET", "/", nil), web.View{Page: page}); err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(w.Result().Body)
	doc, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	hidden = map[string]string{}
	for n := range doc.Descendants() {
		at := map[string]string{}
		for _, a := range n.Attr {
			at[a.Key] = a.Val
		}
		switch {
		case n.Type == html.ElementNode && n.Data == "form":
			hidden["form action"] = at["action"]
		case n.Type == html.ElementNode && n.Data == "input" && at["type"] == "hidden":
			hidden[at["name"]] = at["value"]
		case at["id"] != "":
			hidden["#"+at["id"]] = at["href"]
			if _, checked := at["checked"]; checked {
				hidden["#"+at["id"]] = "checked"
			}
		}
	}
	return string(body), hidden
}

func TestTheConsentPageShowsAllThatItIsGiven(t *testing.T) {
	page := consentPage{
		ClientName: "The Application", ClientHost: "app.example.com:8443",
		PolicyURL: "https://app.example.com/policy", TermsURL: "https://app.example.com/terms",
		UserName: "Ann Example", UserEmail: "ann@example.com",
		Scopes:    []scopeLine{{Name: "openid"}, {Name: "email"}, {Name: "audience", Client: "The Other"}, {Name: "unicorns"}},
		Resources: []string{"https://api.example.com/v1"},
		Action:    "/base/consent", Attempt: "the-attempt", CSRF: "the-token", Remember: true,
	}
	text, parts := show(t, page)
	for _, want := range []string{"The Application", "app.example.com:8443", "Ann Example", "ann@example.com", "The Other", "unicorns", "https://api.example.com/v1"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	for name, want := range map[string]string{
		"form action": "/base/consent", "attempt": "the-attempt", "csrf": "the-token", "#remember": "checked",
		"#policy": "https://app.example.com/policy", "#terms": "https://app.example.com/terms",
	} {
		if parts[name] != want {
			t.Errorf("%s is %q, want %q", name, parts[name], want)
		}
	}
	for _, id := range []string{"#allow", "#deny", "#switch"} {
		if _, ok := parts[id]; !ok {
			t.Errorf("there is no %s", id)
		}
	}
	if got := strings.Count(text, "<li>"); got != len(page.Scopes)+len(page.Resources) {
		t.Errorf("%d scopes and resources are shown, not %d", got, len(page.Scopes)+len(page.Resources))
	}
}

func TestTheFormPostPageCarriesTheAnswer(t *testing.T) {
	const nasty = `"><script>alert(1)</script>`
	text, parts := show(t, formPostPage{URL: "https://app.example.com/cb", Fields: []formField{
		{Name: "code", Value: "the-code"}, {Name: "state", Value: nasty}, {Name: "iss", Value: "https://dex.example.com"},
	}})
	for name, want := range map[string]string{
		"form action": "https://app.example.com/cb", "code": "the-code", "state": nasty, "iss": "https://dex.example.com",
	} {
		if parts[name] != want {
			t.Errorf("%s is %q, want %q", name, parts[name], want)
		}
	}
	if strings.Contains(text, "<script>alert") {
		t.Error("a value breaks out of its place")
	}
	if strings.Contains(text, "onload=") || strings.Contains(text, "<script>") {
		t.Error("the page runs something inline")
	}
	if !strings.Contains(text, `id="continue"`) {
		t.Error("without script there is no way on")
	}
}

func TestEveryAdministrativeScopeIsSaidInWords(t *testing.T) {
	var page consentPage
	for _, s := range role.All() {
		page.Scopes = append(page.Scopes, scopeLine{Name: s})
	}
	if text, _ := show(t, page); strings.Contains(text, "dex:") {
		t.Errorf("a scope has no words: %s", text)
	}
}
