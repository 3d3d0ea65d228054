package e2e

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"dex/test/program"
)

// chromium is the one browser of these tests. It starts when it is first asked
// for; each test has a profile of its own in it.
var chromium struct {
	sync.Mutex
	ctx  context.Context
	stop func()
}

// startChromium returns the context of the browser, which it starts if need be. A
// test is skipped where there is none, but for in CI.
func startChromium(t testing.TB) context.Context {
	t.Helper()
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx != nil {
		return chromium.ctx
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("there is no Chromium on this machine; test/setup installs it")
	}
	dir, err := os.MkdirTemp("", "dex-e2e-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
		// A manager of passwords that warns of them would stand in the picture.
		chromedp.Flag("disable-features", "PasswordLeakDetection"))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, closeBrowser := chromedp.NewContext(allocator)
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	chromium.ctx, chromium.stop = browser, func() {
		_ = chromedp.Cancel(browser) // waits until it has gone, so that its folder can be removed
		closeBrowser()
		stopAllocator()
		_ = os.RemoveAll(dir)
	}
	return browser
}

func closeChromium() {
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.stop != nil {
		chromium.stop()
	}
}

// look is how somebody's browser is set up.
type look struct {
	width, height int64
	dark          bool
	language      string // English, if it is empty
	noScript      bool
}

var (
	desktop = look{width: 1280, height: 800}
	phone   = look{width: 360, height: 720}
)

// tab is a browser that somebody has opened: with cookies of its own.
type tab struct {
	t   testing.TB
	ctx context.Context
	app string // where the application is that it is about, for those tests that care

	mu         sync.Mutex
	complaints []string
}

// newTab opens a browser. What it complains about, a broken policy for one, fails
// the test.
func newTab(t testing.TB, l look) *tab {
	t.Helper()
	b := &tab{t: t}
	ctx, cancel := chromedp.NewContext(startChromium(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		for _, complaint := range b.complaints {
			t.Errorf("the browser complains: %s", complaint)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	var stop context.CancelFunc
	b.ctx, stop = context.WithTimeout(ctx, program.Patience)
	t.Cleanup(stop)
	b.do(chromedp.EmulateViewport(l.width, l.height))
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	call(b, func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	})
	language := l.language
	if language == "" {
		language = "en"
	}
	call(b, func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
			Headers: network.Headers{"Accept-Language": language},
		})
		return err
	})
	if l.noScript {
		call(b, func(ctx context.Context) error {
			_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			return err
		})
	}
	return b
}

func call(b *tab, f func(ctx context.Context) error) {
	b.t.Helper()
	if err := f(b.ctx); err != nil {
		b.t.Fatal(err)
	}
}

// hear keeps what the browser complains about. That a page was refused with 4xx is
// no complaint of its own: the test looks at the page.
func (b *tab) hear(event any) {
	e, ok := event.(*log.EventEntryAdded)
	if !ok || strings.Contains(e.Entry.Text, "the server responded with a status of 4") {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, e.Entry.Text)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatalf("%v\n%s", err, b.where())
	}
}

// where says what is to be seen, for the message of a failed test.
func (b *tab) where() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	seen, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	return at + "\n" + seen
}

// open goes to an address.
func (b *tab) open(address string) { b.t.Helper(); b.do(chromedp.Navigate(address)) }

// await waits until an element with the id is to be seen.
func (b *tab) await(id string) { b.t.Helper(); b.do(chromedp.WaitVisible(chromedp.ID(id))) }

// click clicks on the element with the id, and waits for one on the next page.
func (b *tab) click(id, next string) {
	b.t.Helper()
	// What is on both pages must not be taken for the next one's.
	ask[bool](b, "window.before = true")
	b.do(chromedp.Click(chromedp.ID(id)))
	for arrived := false; !arrived; {
		// It fails while the browser is between two pages.
		arrived, _ = chromedp.Run(b.ctx, chromedp.Evaluate[bool](`window.before !== true && document.readyState === "complete"`))
		select {
		case <-b.ctx.Done():
			b.t.Fatalf("a click on %s leads nowhere\n%s", id, b.where())
		case <-time.After(10 * time.Millisecond):
		}
	}
	b.await(next)
}

// reload opens the page anew by its address and waits for an element of it.
func (b *tab) reload(id string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.location()), chromedp.WaitVisible(chromedp.ID(id)))
}

// fill writes into fields, each named by its id.
func (b *tab) fill(fields ...string) {
	b.t.Helper()
	for i := 0; i+1 < len(fields); i += 2 {
		b.do(chromedp.Clear(chromedp.ID(fields[i])), chromedp.SendKeys(chromedp.ID(fields[i]), fields[i+1]))
	}
}

// signIn fills in the login form and waits for an element of the next page.
func (b *tab) signIn(login, password, next string) {
	b.t.Helper()
	b.await("password")
	b.fill("login", login, "password", password)
	b.click("submit", next)
}

// text returns what stands in the element that a CSS selector finds.
func (b *tab) text(selector string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.TextContent(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", selector, err, b.where())
	}
	return strings.TrimSpace(s)
}

// claim returns what the demo application shows of a claim.
func (b *tab) claim(section, name string) string {
	b.t.Helper()
	return b.text("#" + section + ` [data-claim="` + name + `"]`)
}

// ask evaluates an expression in the page.
func ask[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", expression, err, b.where())
	}
	return v
}

// location returns the address of the page.
func (b *tab) location() string { b.t.Helper(); return ask[string](b, "location.href") }
