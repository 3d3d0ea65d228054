package worker_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"dex/internal/app/workertest"
	"dex/internal/connector"
	"dex/internal/connector/connectortest"
	"dex/internal/connector/local"
	"dex/internal/connector/mock"
)

// byPost sends people to their provider by a form, as SAML does.
type byPost struct{}

func (byPost) Begin(_ context.Context, l connector.Login) (connector.Step, error) {
	return connector.Step{Prompt: &connector.Prompt{Post: &connector.Post{
		URL: "https://idp.example.com/sso", Fields: url.Values{"RelayState": {l.ID}, "SAMLRequest": {`"><b>`}},
	}}}, nil
}

func (byPost) Continue(context.Context, connector.Login, connector.Answer) (connector.Step, error) {
	return connector.Step{}, connector.ErrRefused
}

// look looks at a page as a reader of its language would, and returns what it says.
func look(t *testing.T, a *workertest.Answer, status int, lang string, ids ...string) string {
	t.Helper()
	if a.Status != status || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%.80s: %d %s, want %d\n%s", a.URL, a.Status, a.Header.Get("Content-Type"), status, a.Body)
	}
	if a.Header.Get("Content-Language") != lang || !strings.Contains(a.Body, `<html lang="`+lang+`"`) {
		t.Errorf("%.80s is in %q, want %q", a.URL, a.Header.Get("Content-Language"), lang)
	}
	for _, id := range ids {
		if !a.Has(id) {
			t.Errorf("%.80s has no element %q", a.URL, id)
		}
	}
	doc, err := html.Parse(strings.NewReader(a.Body))
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	unlabelled := map[string]bool{}
	var labels []string
	for n := range doc.Descendants() {
		switch {
		case n.Type == html.TextNode:
			said.WriteString(n.Data + " ")
		case n.Data == "label":
			labels = append(labels, attribute(n, "for"))
		case n.Data == "input" && attribute(n, "type") != "hidden":
			unlabelled[attribute(n, "id")] = true
		}
		for _, at := range n.Attr {
			if at.Key == "style" || at.Key == "srcdoc" || strings.HasPrefix(at.Key, "on") {
				t.Errorf("%.80s: the policy forbids %s=%q", a.URL, at.Key, at.Val)
			}
		}
	}
	for _, id := range labels {
		delete(unlabelled, id)
	}
	if len(unlabelled) > 0 {
		t.Errorf("%.80s: no label for %v", a.URL, unlabelled)
	}
	for _, word := range []string{"<no value>", "{{", "}}", "%!", "{client}", "{scope}", "{host}", "{duration}", "{connector}", "{n}"} {
		if strings.Contains(said.String(), word) {
			t.Errorf("%.80s shows %q", a.URL, word)
		}
	}
	return said.String()
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestEveryPageOfEveryFlowIsThereInEveryLanguage goes to each page as people do, so
// that a flow that fills in another field than its template reads is found.
func TestEveryPageOfEveryFlowIsThereInEveryLanguage(t *testing.T) {
	const connectors = `
connectors:
- {id: local, kind: local, name: Password}
- {id: guests, kind: mock, name: Guests, config: {users: [{login: guest, name: Guest}]}}
- {id: broken, kind: mock, name: Broken, config: {fail: error}}
- {id: saml, kind: oidc, name: Company}
`
	kinds := []connector.Kind{local.Kind, mock.Kind, {Name: "oidc", New: func(json.RawMessage, connector.Env) (connector.Connector, error) { return byPost{}, nil }}}
	words := map[string]map[string]string{
		"en": {"choose": "how you would like to sign in", "wrong": "password", "consent": "your account", "done": "signed out", "again": "Start again"},
		"de": {"choose": "Wie möchten Sie sich anmelden?", "wrong": "Passwort", "consent": "Ihr Konto", "done": "abgemeldet", "again": "Neu beginnen"},
	}
	for lang, word := range words {
		t.Run(lang, func(t *testing.T) {
			s := workertest.Start(t, workertest.Options{Config: connectors, Kinds: kinds})
			asks, b := s.Client(t, "asks"), s.Browser(t)
			b.Header.Set("Accept-Language", lang)
			says := func(text, want string) {
				t.Helper()
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q: %s", want, strings.Join(strings.Fields(text), " "))
				}
			}
			look(t, b.Get("/"), http.StatusOK, lang, "issuer")
			chooser := b.Follow(b.Get(asks.Authorize()))
			says(look(t, chooser, http.StatusOK, lang, "connector-local", "connector-guests", "connector-broken", "connector-saml", "cancel"), word["choose"])
			attempt := chooser.Form(t, "cancel").Values.Get("attempt")
			look(t, b.Get("/login/saml?attempt="+attempt), http.StatusOK, lang, "post", "continue")
			look(t, b.Get("/login/broken?attempt="+attempt), http.StatusServiceUnavailable, lang, "support-code", "start-again")
			look(t, b.Get("/login/guests?attempt="+attempt), http.StatusOK, lang, "login", "submit", "cancel", "choose")
			form := b.Get("/login/local?attempt=" + attempt)
			look(t, form, http.StatusOK, lang, "login", "password", "submit", "cancel", "choose")
			wrong := b.Submit(form.Form(t, "password"), "login", "ann", "password", "wrong")
			says(look(t, wrong, http.StatusUnprocessableEntity, lang, "problem", "password"), word["wrong"])
			for range 6 {
				wrong = b.Submit(form.Form(t, "password"), "login", "ann", "password", "wrong")
			}
			look(t, wrong, http.StatusTooManyRequests, lang, "problem")
			s.Advance(t, 2*60*1e9)
			consent := b.SignIn(wrong, "ann", workertest.Password)
			says(look(t, consent, http.StatusOK, lang, "allow", "deny", "switch", "remember", "user"), word["consent"])
			b.Follow(b.Submit(consent.Form(t, "allow"), "answer", "allow", "remember", "1"))
			look(t, b.Get(asks.Authorize("response_mode", "form_post", "connector_id", "local")), http.StatusOK, lang, "post", "continue")
			look(t, b.Get("/"), http.StatusOK, lang, "issuer", "user", "logout")
			leave := b.Get("/logout")
			look(t, leave, http.StatusOK, lang, "confirm-logout", "user", "home")
			says(look(t, b.Submit(leave.Form(t, "confirm-logout")), http.StatusOK, lang), word["done"])

			look(t, b.Get("/nowhere"), http.StatusNotFound, lang, "support-code")
			look(t, b.Get("/authorize?client_id=unknown"), http.StatusBadRequest, lang, "support-code", "detail")
			look(t, s.Browser(t).Get("/login?attempt="+attempt), http.StatusNotFound, "en", "support-code")
			look(t, b.CrossPost("/consent", nil), http.StatusForbidden, lang, "support-code")
			old := b.Follow(b.Get(asks.Authorize("connector_id", "local"))).Form(t, "password")
			s.Advance(t, 31*60*1e9)
			expired := b.Submit(old, "login", "ann", "password", workertest.Password)
			says(look(t, expired, http.StatusNotFound, lang, "support-code", "start-again"), word["again"])
			if again := b.Follow(b.Get("/authorize?again=" + old.Values.Get("attempt"))); !again.Has("password") {
				t.Errorf("and starting again leads nowhere: %d", again.Status)
			}
		})
	}
	t.Run("the application knows the person's language better than the browser", func(t *testing.T) {
		s := workertest.Start(t, workertest.Options{Config: connectors, Kinds: kinds})
		b := s.Browser(t)
		b.Header.Set("Accept-Language", "en")
		a := b.Follow(b.Get(s.Client(t, "asks").Authorize("ui_locales", "xx de-AT en")))
		look(t, a, http.StatusOK, "de", "connector-local")
		look(t, b.SignIn(b.Get("/login/local?attempt="+a.Form(t, "cancel").Values.Get("attempt")), "ann", workertest.Password), http.StatusOK, "de", "allow")
		look(t, leave(b, "ui_locales", "de"), http.StatusOK, "de", "confirm-logout")
	})
}

func TestTheChooserSaysWhichWayIsOutAndTheOthersWork(t *testing.T) {
	// 1.L 157: one provider that is down, and one that is not set up, hurt nobody.
	s, provider := startWithProvider(t, nil)
	provider.Set(connectortest.Knobs{Replace: map[string]http.Handler{connectortest.DiscoveryPath: http.NotFoundHandler()}})
	asks, b := s.Client(t, "asks"), s.Browser(t)
	chooser := b.Follow(b.Get(asks.Authorize()))
	attempt := chooser.Form(t, "cancel").Values.Get("attempt")
	if strings.Contains(chooser.Body, `choice out`) {
		t.Error("one is out before it was tried")
	}
	for range 3 {
		a := b.Get("/login/corp?attempt=" + attempt)
		if a.Status != http.StatusServiceUnavailable || !a.Has("support-code") || strings.Contains(a.Body, provider.Issuer) {
			t.Errorf("%d: %.300s", a.Status, a.Body)
		}
		s.Clock.Advance(61e9) // a provider that is down is left alone for a moment
	}
	a := b.Get("/login/corp?attempt=" + attempt)
	if a.Status != http.StatusServiceUnavailable {
		t.Errorf("%d", a.Status)
	}
	chooser = b.Get("/login?attempt=" + attempt)
	if strings.Count(chooser.Body, `choice out`) != 1 || !strings.Contains(chooser.Body, `choice out" id="connector-corp"`) {
		t.Errorf("the chooser does not say which one is out:\n%s", chooser.Body)
	}
	ready := b.Get("/readyz")
	if ready.Status != http.StatusOK || !strings.Contains(ready.Body, `"corp":false`) || !strings.Contains(ready.Body, `"local":true`) {
		t.Errorf("the probe: %d %s", ready.Status, ready.Body)
	}
	if a := b.SignIn(b.Get("/login/local?attempt="+attempt), "ann", workertest.Password); !a.Has("allow") {
		t.Errorf("its neighbour: %d", a.Status)
	}
	provider.Set(connectortest.Knobs{})
	s.Clock.Advance(61e9)
	comeBy(t, s, s.Browser(t), provider, s.Client(t, "app"))
	if ready := b.Get("/readyz"); !strings.Contains(ready.Body, `"corp":true`) {
		t.Errorf("it is well again, and the probe says %s", ready.Body)
	}
}

func TestAllLanguagesAreAnnounced(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	var m struct {
		Locales []string `json:"ui_locales_supported"`
	}
	if err := json.Unmarshal([]byte(s.Browser(t).Get("/.well-known/openid-configuration").Body), &m); err != nil {
		t.Fatal(err)
	}
	slices.Sort(m.Locales)
	if strings.Join(m.Locales, " ") != "de en" {
		t.Errorf("%q: the pages of another language are not looked at", m.Locales)
	}
}
