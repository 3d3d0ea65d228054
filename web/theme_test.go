package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestAThemeStandsInForOurFiles(t *testing.T) {
	r := newRenderer(t, Options{Service: "Example & Sons", Path: "/tenants/blue/", Theme: fstest.MapFS{
		"templates/logout/done.html": file(`{{define "title"}}Bye{{end}}{{define "main"}}<h1>Goodbye, {{.ClientName}}</h1><img src="{{asset "fonts/own.png"}}" alt="">{{end}}`),
		"static/dex.css":             file("body { color: #123456 }"),
		"static/fonts/own.png":       file("png"),
		"messages/en.json":           file(`{"login.title.client": "Welcome to {client}"}`),
		"messages/ar.json":           file(`{"language.direction": "rtl", "login.submit": "تسجيل الدخول", "duration.minutes.few": "{n} دقائق"}`),
		"icons/ldap.svg":             file(`<svg class="own" aria-hidden="true"></svg>`),
		"icons/.DS_Store":            file("left behind"),
	}})
	done := body(t, render(t, r, View{Page: donePage{ClientName: "<Grafana>"}}, "en"))
	form := body(t, render(t, r, View{Page: samples()[1].page}, "en"))
	arabic := body(t, render(t, r, View{Page: samples()[1].page}, "ar"))
	choose := body(t, render(t, r, View{Page: samples()[0].page}, "en"))
	confirm := body(t, render(t, r, View{Page: logoutPage{}}, "en"))
	for _, c := range []struct{ name, page, want string }{
		{"a template", done, "<h1>Goodbye, &lt;Grafana&gt;</h1>"},
		{"a file of its own", done, `<img src="/tenants/blue/static/fonts/own.`},
		{"our layout around it", done, `<footer>`},
		{"its style", form, `<link rel="stylesheet" href="/tenants/blue/static/dex.`},
		{"a sentence", form, "<h1>Welcome to Grafana</h1>"},
		{"our sentence where it has none", form, "Another way to sign in"},
		{"a language", arabic, `<html lang="ar" dir="rtl">`},
		{"that language's sentence", arabic, "تسجيل الدخول"},
		{"English where that language has none", arabic, "Another way to sign in"},
		{"an icon", choose, `<svg class="own"`},
		{"the service's name", form, "<bdi>Example &amp; Sons</bdi>"},
		{"links below the issuer's path", confirm, `href="/tenants/blue/"`},
	} {
		if !strings.Contains(c.page, c.want) {
			t.Errorf("%s: no %q in\n%s", c.name, c.want, c.page)
		}
	}
	if got := r.look.choose(nil, "ar").duration(5 * 60); got != "5 دقائق" {
		t.Errorf("five minutes in Arabic, which has a form for few, is %q", got)
	}
	css := strings.TrimPrefix(styleOf(t, form), "/tenants/blue")
	w := httptest.NewRecorder()
	r.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, css, nil))
	if !strings.Contains(w.Body.String(), "#123456") {
		t.Errorf("%s is %d %q", css, w.Code, w.Body)
	}
}

// styleOf returns the address of a page's style sheet.
func styleOf(t testing.TB, page string) string {
	t.Helper()
	for _, n := range elements(t, page) {
		if value(n, "rel") == "stylesheet" {
			return value(n, "href")
		}
	}
	t.Fatal("the page has no style sheet")
	return ""
}

func TestAThemeThatCannotWorkSaysWhereAtTheStart(t *testing.T) {
	const main = "{{define \"title\"}}x{{end}}\n{{define \"main\"}}\n"
	for _, c := range []struct{ name, path, text, want string }{
		{"a template that does not parse", "templates/home.html", main + "{{if}}", "templates/home.html:3"},
		{"a template that is left open", "templates/home.html", main + "{{if .UserName}}", "templates/home.html:3"},
		{"an unknown word", "templates/home.html", main + "{{shout .UserName}}{{end}}", `templates/home.html:3: function "shout" not defined`},
		{"a sentence that does not exist", "templates/home.html", main + "{{msg \"home.titel\"}}{{end}}", `templates/home.html:3:2: there is no message "home.titel"`},
		{"the same inside a condition", "templates/home.html", main + "{{if .UserName}}{{else}}\n{{range .X}}{{msg \"no\"}}{{end}}{{end}}{{end}}", `templates/home.html:4:14: there is no message "no"`},
		{"the same inside parentheses", "templates/home.html", main + "{{with (msg \"no\")}}{{.}}{{end}}{{end}}", `templates/home.html:3`},
		{"a file that does not exist", "templates/layout.html", "{{define \"layout\"}}\n{{asset \"own.css\"}}{{end}}", `templates/layout.html:2:2: there is no static file "own.css"`},
		{"text where no text is safe", "templates/home.html", main + "<a href={{.UserName}}{{if .UserEmail}}\">{{end}}x</a>{{end}}", "templates/home.html: html/template:"},
		{"a page without heading", "templates/home.html", "{{define \"main\"}}x{{end}}", `templates/home.html: the template "title" is not defined`},
		{"a page that we do not have", "templates/login/from.html", main + "{{end}}", "templates/login/from.html: no page has this template"},
		{"a file of sentences that does not parse", "messages/de.json", "{\n\"login.title\": \"Los\"\n\"x\"", "messages/de.json:3"},
		{"a slot that nobody fills", "messages/de.json", `{"login.title": "Zu {client}"}`, `messages/de.json: "login.title": there is no {client}`},
		{"a slot that nobody fills in English", "messages/en.json", `{"login.title": "To {client}"}`, `messages/en.json: "login.title": there is no {client}`},
		{"a language that is none", "messages/klingonisch.json", "{}", "messages/klingonisch.json"},
		{"a file that is no language", "messages/README", "x", "messages/README: the file must be named after a language"},
		{"a kind of file that no page uses", "static/admin.php", "<?php", "static/admin.php"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(Options{Theme: fstest.MapFS{c.path: file(c.text)}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestAThemeBeingEditedIsReadAnew(t *testing.T) {
	theme := fstest.MapFS{}
	fixed, live := newRenderer(t, Options{Theme: theme}), newRenderer(t, Options{Theme: theme, Reload: true})
	theme["messages/en.json"] = file(`{"login.submit": "Enter"}`)
	for _, c := range []struct {
		name string
		r    *Renderer
		want bool
	}{{"only where asked for", fixed, false}, {"at once", live, true}} {
		if got := strings.Contains(body(t, render(t, c.r, View{Page: formPage{}}, "en")), "Enter"); got != c.want {
			t.Errorf("%s: the new sentence is shown: %v", c.name, got)
		}
	}

	theme["messages/en.json"] = file(`{"login.submit": `)
	w := httptest.NewRecorder()
	if err := live.Render(w, httptest.NewRequest(http.MethodGet, "/", nil), View{Page: formPage{}}); err == nil || w.Body.Len() != 0 {
		t.Errorf("a theme that broke meanwhile: error %v, body %q", err, w.Body)
	}
	w = httptest.NewRecorder()
	live.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/static/dex.css", nil))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("a static file of a theme that broke meanwhile is answered with %d", w.Code)
	}
}

func TestPagesBelowAnotherPathAreTheSameButForTheirAddresses(t *testing.T) {
	for _, reload := range []bool{false, true} {
		r := newRenderer(t, Options{Service: "Example", Reload: reload, Theme: fstest.MapFS{
			"templates/home.html": file(`{{define "title"}}x{{end}}{{define "main"}}<a href="{{home}}">{{printf "to %s" home}}</a><img src="{{asset (printf "%s" "logo.svg")}}">{{end}}`),
		}})
		for _, path := range []string{"/acme", "/acme/eu/", "", "/a&b"} {
			other, err := r.Below(path)
			if err != nil {
				t.Fatal(err)
			}
			whole := newRenderer(t, Options{Service: "Example", Path: path, Theme: r.options.Theme})
			for _, s := range samples() {
				if got, want := body(t, render(t, other, View{Page: s.page}, "de")), body(t, render(t, whole, View{Page: s.page}, "de")); got != want {
					t.Errorf("%s below %q is\n%s\nwant\n%s", s.name, path, got, want)
				}
				if page := body(t, render(t, other, View{Page: s.page}, "en")); strings.Contains(page, nowhere) {
					t.Errorf("%s below %q leads nowhere: %s", s.name, path, page)
				}
			}
			further, err := other.Below("/further")
			if err != nil || !strings.HasPrefix(styleOf(t, body(t, render(t, further, View{Page: donePage{}}, "en"))), "/further/static/") {
				t.Errorf("from below %q one does not come further: %v", path, err)
			}
		}
	}
}
