package web

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"dex/internal/base/httpx"
)

// oidcc-session-management-rp-initiated-logout: what the frame answers.
func TestAFrameTellsApplicationsWhetherTheSameBrowserStateIsThere(t *testing.T) {
	provider := httptest.NewServer(httpx.Headers(Watch("dex_state"), false))
	t.Cleanup(provider.Close)
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><html><body><iframe id="op" src="%s/"></iframe></body></html>`, provider.URL)
	}))
	t.Cleanup(application.Close)
	// The second byte sequence of the client's id is there for the encoding; the long
	// one fills more than one block of the hash.
	state := func(client, browser string) string {
		sum := sha256.Sum256([]byte(client + " " + application.URL + " " + browser + " s4lt"))
		return base64.RawURLEncoding.EncodeToString(sum[:]) + ".s4lt"
	}
	long := strings.Repeat("a", 200)
	ctx, complaints := browser(t)
	ask := func(message string) string {
		t.Helper()
		script := fmt.Sprintf(`window.got = ''; window.onmessage = e => { window.got = e.data; };
			document.getElementById('op').contentWindow.postMessage(%q, %q); window.got`, message, provider.URL)
		for {
			got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
			if err != nil {
				t.Fatal(err)
			}
			if got != "" {
				return got
			}
			script = "window.got"
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(provider.URL+"/")); err != nil {
		t.Fatal(err)
	}
	cookie := func(value string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate(provider.URL+"/")); err != nil {
			t.Fatal(err)
		}
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.cookie = %q`, value))); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate(application.URL+"/")); err != nil {
			t.Fatal(err)
		}
	}
	cookie("dex_state=b1")
	for _, test := range []struct{ name, message, want string }{
		{"as it was", "app " + state("app", "b1"), "unchanged"},
		{"an id that is not of this alphabet", "äpp€ " + state("äpp€", "b1"), "unchanged"},
		{"a long id", long + " " + state(long, "b1"), "unchanged"},
		{"another state", "app " + state("app", "b0"), "changed"},
		{"another client's", "app " + state("other", "b1"), "changed"},
		{"nothing", "", "error"},
		{"no state", "app", "error"},
		{"no salt", "app " + strings.TrimSuffix(state("app", "b1"), ".s4lt"), "error"},
		{"three words", "app app " + state("app", "b1"), "error"},
	} {
		if got := ask(test.message); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	cookie("dex_state=; max-age=0")
	if got := ask("app " + state("app", "b1")); got != "changed" {
		t.Errorf("after the logout: %q", got)
	}
	if heard := complaints(); len(heard) > 0 && !strings.Contains(heard[0], "favicon") {
		t.Errorf("the browser complains: %q", heard)
	}
}

func TestTheFrameIsForEverySiteAndItsScriptForNobodyElse(t *testing.T) {
	w := httptest.NewRecorder()
	httpx.Headers(Watch(`"><x`), true).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/check_session", http.NoBody))
	sum := sha256.Sum256([]byte(watchScript))
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || strings.Contains(policy, "frame-ancestors") || w.Header().Get("X-Frame-Options") != "" {
		t.Errorf("%v", w.Header())
	}
	if !strings.Contains(w.Body.String(), `data-cookie="&#34;&gt;&lt;x"`) || strings.Count(w.Body.String(), "<script") != 1 {
		t.Errorf("the page is\n%s", w.Body)
	}
}
