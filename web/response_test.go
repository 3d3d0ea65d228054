package web

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

func TestAPageGoesOutWithItsHeaders(t *testing.T) {
	r := newRenderer(t, Options{})
	res := render(t, r, View{
		Status:  http.StatusBadRequest,
		Page:    samples()[1].page,
		Locales: []string{"de"},
	}, "en")
	for name, want := range map[string]string{
		"Content-Type":     "text/html; charset=utf-8",
		"Content-Language": "de",
		"Cache-Control":    "no-store",
		"Vary":             "Accept-Language",
		"Content-Length":   strconv.Itoa(len(body(t, res))),
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("the status is %d", res.StatusCode)
	}
}

func TestThePolicyAllowsNoMoreThanThePageNeeds(t *testing.T) {
	r := newRenderer(t, Options{})
	for _, s := range samples() {
		policy := render(t, r, View{Page: s.page}, "en").Header.Get("Content-Security-Policy")
		leadingOut := render(t, r, View{Page: s.page, LeadsOut: true}, "en").Header.Get("Content-Security-Policy")
		rules := map[string]string{}
		for rule := range strings.SplitSeq(policy, ";") {
			name, sources, _ := strings.Cut(strings.TrimSpace(rule), " ")
			rules[name] = sources
		}
		script, form := "", "'self'"
		if s.name == "post" || s.name == "form-post" {
			script, form = "'self'", "" // their one form leads to another site
		}
		frame := ""
		if s.name == "logout-leaving" {
			script, frame = "'self'", "https: http:" // applications' own pages, wherever these lead
		}
		for name, want := range map[string]string{
			"default-src": "'none'", "style-src": "'self'", "script-src": script, "base-uri": "'none'",
			"frame-ancestors": "'none'", "form-action": form, "frame-src": frame,
		} {
			if rules[name] != want {
				t.Errorf("%s: %s is %q, want %q", s.name, name, rules[name], want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %s", s.name, policy)
		}
		if want := strings.TrimSuffix(policy, "; form-action 'self'"); leadingOut != want {
			t.Errorf("%s: if it leads out, the policy is %s, want %s", s.name, leadingOut, want)
		}
	}
}

type unknownPage struct{}

func (unknownPage) Template() string { return "../web.go" }

// shortPage lacks a field that its template reads, after much of the page has
// been drawn.
type shortPage struct{ ClientName, ClientLogo string }

func (shortPage) Template() string { return "login/form.html" }

func TestAPageThatFailsHasWrittenNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		page Page
		want string
	}{
		{"a template that does not exist", unknownPage{}, `there is no template "../web.go"`},
		{"a field that does not exist", shortPage{}, "templates/login/form.html:6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRenderer(t, Options{})
			w := httptest.NewRecorder()
			err := r.Render(w, httptest.NewRequest(http.MethodGet, "/", nil), View{Page: c.page})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if w.Body.Len() != 0 || len(w.Header()) != 0 {
				t.Errorf("written: %v %q", w.Header(), w.Body)
			}
			// What was drawn before the failure is not in the next page either.
			if page := body(t, render(t, r, View{Page: donePage{}}, "en")); strings.Count(page, "<html") != 1 {
				t.Errorf("the next page is %s", page)
			}
		})
	}
}

func TestManyAreServedAtOnceAndEachGetsHisOwnPage(t *testing.T) {
	r := newRenderer(t, Options{})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			name := "client" + strconv.Itoa(i)
			lang, title := "en", "<h1>Sign in to "+name+"</h1>"
			if i%2 == 1 {
				lang, title = "de", "<h1>Bei "+name+" anmelden</h1>"
			}
			for range 50 {
				if page := body(t, render(t, r, View{Page: formPage{application: application{ClientName: name}}}, lang)); !strings.Contains(page, title) {
					t.Errorf("no %q in %s", title, page)
				}
			}
		})
	}
	group.Wait()
}

func TestAStaticFileMayBeKeptUnderTheNameOfItsContent(t *testing.T) {
	r := newRenderer(t, Options{Path: "/t"})
	address := styleOf(t, body(t, render(t, r, View{Page: donePage{}}, "en")))
	exact, below := strings.CutPrefix(address, "/t")
	if !below {
		t.Errorf("the page looks for its style at %s", address)
	}
	const (
		forever = "public, max-age=31536000, immutable"
		ask     = "no-cache"
	)
	for _, c := range []struct {
		name, method, path string
		status             int
		cache              string
	}{
		{"its name", "GET", exact, 200, forever},
		{"its name, without the body", "HEAD", exact, 200, forever},
		{"its plain name", "GET", "/static/dex.css", 200, ask},
		{"the name of another version, while workers differ", "GET", "/static/dex.0123456789abcdef.css", 200, ask},
		{"a name that we never had", "GET", "/static/no.css", 404, "no-store"},
		{"a name that we never had, with a hash", "GET", "/static/no.0123456789abcdef.css", 404, "no-store"},
		{"the folder", "GET", "/static/", 404, "no-store"},
		{"a way out of the folder", "GET", "/static/../templates/home.html", 404, "no-store"},
		{"a template", "GET", "/static/templates/home.html", 404, "no-store"},
		{"another path", "GET", "/t/static/dex.css", 404, "no-store"},
		{"another method", "POST", exact, 405, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			req := httptest.NewRequest(c.method, "/", nil)
			req.URL.Path = c.path
			r.Static().ServeHTTP(w, req)
			if w.Code != c.status || w.Header().Get("Cache-Control") != c.cache {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Header().Get("Cache-Control"), c.status, c.cache)
			}
			if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options is %q", got)
			}
			if c.status == 200 && w.Header().Get("Content-Type") != "text/css; charset=utf-8" {
				t.Errorf("Content-Type is %q", w.Header().Get("Content-Type"))
			}
		})
	}
}

func TestAStaticFileThatHasNotChangedIsNotSentAgain(t *testing.T) {
	r := newRenderer(t, Options{})
	w := httptest.NewRecorder()
	r.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/static/dex.css", nil))
	req := httptest.NewRequest(http.MethodGet, "/static/dex.css", nil)
	req.Header.Set("If-None-Match", w.Header().Get("ETag"))
	w = httptest.NewRecorder()
	r.Static().ServeHTTP(w, req)
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes", w.Code, w.Body.Len())
	}
}

func TestAPictureOpenedByItselfRunsNothing(t *testing.T) {
	r := newRenderer(t, Options{Theme: fstest.MapFS{"static/logo.svg": file(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)}})
	w := httptest.NewRecorder()
	r.Static().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/static/logo.svg", nil))
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.HasSuffix(policy, "; sandbox") {
		t.Errorf("the policy is %q", policy)
	}
}
