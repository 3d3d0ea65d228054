package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// visitor is somebody's browser as far as HTTP goes: it keeps cookies, follows
// redirects and fills in forms. Like real ones it tells cookies apart by host and
// not by port.
type visitor struct {
	t      testing.TB
	client *http.Client
	stop   string // a redirect that begins so is not followed
}

// newVisitor returns a fresh browser.
func newVisitor(t testing.TB) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, client: &http.Client{Jar: jar, Transport: &http.Transport{}}}
	v.client.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		if v.stop != "" && strings.HasPrefix(next.URL.String(), v.stop) || len(before) > 20 {
			return http.ErrUseLastResponse
		}
		return nil
	}
	t.Cleanup(v.client.CloseIdleConnections)
	return v
}

// page is where a visitor has arrived.
type page struct {
	t        testing.TB
	url      *url.URL
	status   int
	body     string
	leadsOut *url.URL // where a redirect leads that was not followed
}

// open opens an address.
func (v *visitor) open(address string) *page {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "none")
	return v.do(req)
}

func (v *visitor) do(req *http.Request) *page {
	v.t.Helper()
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	p := &page{t: v.t, url: resp.Request.URL, status: resp.StatusCode, body: string(body)}
	if to, err := resp.Location(); err == nil {
		p.leadsOut = to
	}
	return p
}

// press presses the button with this id, after it has set some fields of its form.
func (v *visitor) press(p *page, button string, fields ...string) *page {
	v.t.Helper()
	f := p.form(button)
	for i := 0; i+1 < len(fields); i += 2 {
		f.values.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, f.action, strings.NewReader(f.values.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.url.Scheme+"://"+p.url.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(req)
}

// form is a form as a button sends it.
type form struct {
	action string
	values url.Values
}

// form returns the form with the button of this id.
func (p *page) form(button string) form {
	p.t.Helper()
	doc, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		p.t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data != "form" {
			continue
		}
		if f, ok := p.read(n, button); ok {
			return f
		}
	}
	p.t.Fatalf("%s (status %d) has no form with a button %q:\n%s", p.url, p.status, button, p.body)
	return form{}
}

func (p *page) read(n *html.Node, button string) (f form, has bool) {
	p.t.Helper()
	action, err := p.url.Parse(attribute(n, "action"))
	if err != nil {
		p.t.Fatal(err)
	}
	f = form{action: action.String(), values: url.Values{}}
	for in := range n.Descendants() {
		name, value := attribute(in, "name"), attribute(in, "value")
		switch {
		case in.Data == "button" && attribute(in, "id") == button:
			has = true
			if name != "" {
				f.values.Set(name, value)
			}
		case in.Data == "input" && (attribute(in, "type") != "checkbox" || hasAttribute(in, "checked")) && name != "":
			f.values.Add(name, value)
		}
	}
	return f, has
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// find returns the element whose attribute has this value.
func (p *page) find(key, value string) *html.Node {
	p.t.Helper()
	doc, err := html.Parse(strings.NewReader(p.body))
	if err != nil {
		p.t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && attribute(n, key) == value {
			return n
		}
	}
	return nil
}

// has reports whether the page has an element with the id.
func (p *page) has(id string) bool { p.t.Helper(); return p.find("id", id) != nil }

// link returns where the link with the id leads.
func (p *page) link(id string) string {
	p.t.Helper()
	n := p.find("id", id)
	if n == nil {
		p.t.Fatalf("%s (status %d) has no link %q:\n%s", p.url, p.status, id, p.body)
	}
	to, err := p.url.Parse(attribute(n, "href"))
	if err != nil {
		p.t.Fatal(err)
	}
	return to.String()
}

// claim returns what the demo application shows of a claim: the one in the section
// with this id.
func (p *page) claim(section, name string) string {
	p.t.Helper()
	n := p.find("id", section)
	if n == nil {
		p.t.Fatalf("%s (status %d) shows no %s:\n%s", p.url, p.status, section, p.body)
	}
	for cell := range n.Descendants() {
		if attribute(cell, "data-claim") == name {
			return text(cell)
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

// signIn fills in the login form.
func (v *visitor) signIn(p *page, login, password string) *page {
	v.t.Helper()
	return v.press(p, "submit", "login", login, "password", password)
}
