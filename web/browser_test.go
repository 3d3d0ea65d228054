package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"dex/internal/base/httpx"
)

// browser starts a headless Chromium, and returns the context to drive it with
// and what it has to complain about.
func browser(t *testing.T) (context.Context, func() []string) {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	switch {
	case path == "" && testing.Short():
		t.Skip("there is no Chromium on this machine")
	case path == "":
		t.Fatal("there is no Chromium on this machine; test/setup installs it, and -short does without")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	var mu sync.Mutex
	var complaints []string
	ctx, closeTab := chromedp.NewContext(allocator, chromedp.WithListener(func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok {
			mu.Lock()
			defer mu.Unlock()
			complaints = append(complaints, e.Entry.Text)
		}
	}))
	t.Cleanup(func() {
		// Closes the browser and waits for it, so that its folder can be removed.
		_ = chromedp.Cancel(ctx)
		closeTab()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		heard := complaints
		complaints = nil
		return heard
	}
}

// serve serves a view at /, our static files, and what else a test needs.
func serve(t *testing.T, r *Renderer, view func(*http.Request) View, more map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/static/", r.Static())
	mux.HandleFunc("GET /page/{name}", func(w http.ResponseWriter, req *http.Request) {
		if err := r.Render(w, req, view(req)); err != nil {
			t.Error(err)
		}
	})
	for pattern, h := range more {
		mux.HandleFunc(pattern, h)
	}
	server := httptest.NewServer(httpx.Headers(mux, false))
	t.Cleanup(server.Close)
	return server
}

// measure finds what reaches over the edge of the window, and what is too small
// for a finger.
const measure = `(() => {
	const wrong = [];
	const width = document.documentElement.clientWidth;
	if (document.scrollingElement.scrollWidth > width) wrong.push('scrolls sideways to ' + document.scrollingElement.scrollWidth);
	for (const e of document.querySelectorAll('body *')) {
		const box = e.getBoundingClientRect();
		if (box.right > width + 0.5 || box.left < -0.5) wrong.push(e.tagName + '#' + e.id + ' reaches to ' + box.right);
	}
	for (const e of document.querySelectorAll('a, button, input:not([type=hidden]):not([type=checkbox]), label.check')) {
		const box = e.getBoundingClientRect();
		if (box.height < 44) wrong.push(e.tagName + '#' + e.id + ' is ' + box.height + ' high');
	}
	if (getComputedStyle(document.body).display !== 'grid') wrong.push('the style is missing');
	return wrong;
})()`

func TestEveryPageFitsASmallScreenAndAFinger(t *testing.T) {
	r := newRenderer(t, Options{Service: "The Identity Service of the Example Corporation"})
	pages := map[string]Page{}
	logo := icon(t, body(t, render(t, r, View{Page: homePage{}}, "en")))
	for _, s := range samples() {
		if p, ok := s.page.(leavingPage); ok {
			p.Frames = nil // nobody is to be asked for what is in them
			s.page = p
		}
		pages[s.name] = withLogo(s.page, logo)
		// Names as long as they may be, and without a place to break.
		pages[s.name+"-long"] = withLogo(with(s.page, "https://"+strings.Repeat("Donaudampfschifffahrt", 4)), logo)
	}
	server := serve(t, r, func(req *http.Request) View {
		return View{Page: pages[req.PathValue("name")], Locales: []string{"de"}}
	}, nil)
	ctx, complaints := browser(t)
	// Without scripts a page that would leave at once stays to be looked at.
	_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range pages {
		for _, width := range []int64{320, 1280} {
			err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 640), chromedp.Navigate(server.URL+"/page/"+name))
			if err != nil {
				t.Fatal(err)
			}
			wrong, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](measure))
			if err != nil {
				t.Fatal(err)
			}
			// The text alone at twice its size (WCAG 2.2, 1.4.4).
			large, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`document.documentElement.style.fontSize = '200%'; `+measure))
			if err != nil {
				t.Fatal(err)
			}
			if len(wrong) > 0 {
				t.Errorf("%s at %d: %q", name, width, wrong)
			}
			if len(large) > 0 {
				t.Errorf("%s at %d with large text: %q", name, width, large)
			}
			if heard := complaints(); len(heard) > 0 && !posting[page.Template()] {
				t.Errorf("%s at %d: the browser complains: %q", name, width, heard)
			}
		}
	}
}

// icon returns where a page has its icon.
func icon(t *testing.T, page string) string {
	t.Helper()
	for _, n := range elements(t, page) {
		if value(n, "rel") == "icon" {
			return value(n, "href")
		}
	}
	t.Fatal("the page has no icon")
	return ""
}

// withLogo returns the page with a logo that is there, where it has one.
func withLogo(page Page, logo string) Page {
	v := reflect.New(reflect.TypeOf(page)).Elem()
	v.Set(reflect.ValueOf(page))
	if f := v.FieldByName("ClientLogo"); f.IsValid() && f.String() != "" {
		f.SetString(logo)
	}
	return v.Interface().(Page)
}

func TestAFormEndsWhereThePolicyLetsItAndNowhereElse(t *testing.T) {
	arrived := make(chan string, 1)
	receive := func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/callback" {
			arrived <- req.Method + " " + req.FormValue("code") + req.FormValue("submit")
		}
		fmt.Fprint(w, `<p id="arrived">arrived</p>`)
	}
	app := httptest.NewServer(http.HandlerFunc(receive))
	t.Cleanup(app.Close)
	// An application that sends people on to another host, as one does that is itself
	// a provider for others.
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, app.URL+"/callback?code="+req.FormValue("code")+"&submit="+req.FormValue("submit"), http.StatusSeeOther)
	}))
	t.Cleanup(hub.Close)
	r := newRenderer(t, Options{})
	login := func(to string) formPage {
		return formPage{Action: "/login", Fields: []field{{ID: "to", Name: "to", Label: "field.login", Type: "text", Value: to}}}
	}
	handOver := func(to string) formPostPage {
		return formPostPage{URL: to, Fields: []hidden{{"code", "1"}, {"submit", "2"}}}
	}
	views := map[string]View{
		"login":       {Page: login(app.URL + "/callback?code=1"), LeadsOut: true},
		"login-on":    {Page: login(hub.URL + "/?code=1"), LeadsOut: true},
		"login-held":  {Page: login(app.URL + "/callback?code=1")},
		"handover":    {Page: handOver(app.URL + "/callback")},
		"handover-on": {Page: handOver(hub.URL)},
		"not-from-us": {Page: formPage{Action: app.URL + "/callback", Fields: []field{{ID: "code", Name: "code", Label: "field.login", Type: "text", Value: "1"}}}},
	}
	server := serve(t, r, func(req *http.Request) View { return views[req.PathValue("name")] }, map[string]http.HandlerFunc{
		"POST /login": func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, req.FormValue("to"), http.StatusSeeOther)
		},
	})
	ctx, complaints := browser(t)
	click := chromedp.Click(chromedp.ID("submit"))
	for _, c := range []struct {
		name, page string
		do         chromedp.Action[chromedp.Void]
		want       string // "" if the browser must stop it
	}{
		{"a login leads on to the application", "login", click, "GET 1"},
		{"and to wherever that leads", "login-on", click, "GET 1"},
		{"a page that leads nowhere is held to that", "login-held", click, ""},
		{"a hand-over goes by itself, whatever its fields are called", "handover", chromedp.Steps(), "POST 12"},
		{"and to wherever that leads, too", "handover-on", chromedp.Steps(), "GET 12"},
		{"a form that was slipped in stays here", "not-from-us", click, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			complaints()
			if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/page/"+c.page), c.do); err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				stopped := func() bool {
					return strings.Contains(strings.Join(complaints(), " "), "form-action")
				}
				for !stopped() {
					select {
					case got := <-arrived:
						t.Fatalf("the form arrived: %s", got)
					case <-ctx.Done():
						t.Fatal("the browser stopped nothing")
					case <-time.After(20 * time.Millisecond):
					}
				}
				return
			}
			select {
			case got := <-arrived:
				if got != c.want {
					t.Errorf("the application got %q, want %q", got, c.want)
				}
				// The browser is done with this page before it is sent to the next.
				if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.ID("arrived"))); err != nil {
					t.Error(err)
				}
			case <-ctx.Done():
				t.Errorf("nothing arrived; the browser says %q", complaints())
			}
		})
	}
}
