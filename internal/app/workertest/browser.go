package workertest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Browser is somebody's browser, as far as HTTP goes: it keeps cookies as browsers
// do and says where its requests come from, and it follows a redirect only when it
// is told to, so that a test sees each step.
type Browser struct {
	t       testing.TB
	server  *Server
	client  *http.Client
	cookies map[string]*http.Cookie
	// Header is sent with every request.
	Header http.Header
}

// Browser returns a fresh browser.
func (s *Server) Browser(t testing.TB) *Browser {
	return &Browser{
		t: t, server: s, cookies: map[string]*http.Cookie{}, Header: http.Header{},
		client: &http.Client{
			Transport:     s.transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// At returns the same browser, with the same cookies, at another tenant's address.
func (b *Browser) At(s *Server) *Browser {
	other := *b
	other.server = s
	return &other
}

// Answer is a response, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	URL    *url.URL // that was asked for
}

// Location returns where a redirect leads, as an absolute address.
func (a *Answer) Location() *url.URL {
	to := a.Header.Get("Location")
	if to == "" {
		return nil
	}
	u, err := a.URL.Parse(to)
	if err != nil {
		return nil
	}
	return u
}

// Param returns a parameter of the address that a redirect leads to.
func (a *Answer) Param(name string) string {
	u := a.Location()
	if u == nil {
		return ""
	}
	return u.Query().Get(name)
}

// Fragment returns a parameter that a redirect brings in its fragment, which scripts of
// the page see and servers do not.
func (a *Answer) Fragment(name string) string {
	u := a.Location()
	if u == nil {
		return ""
	}
	values, err := url.ParseQuery(u.EscapedFragment())
	if err != nil {
		return ""
	}
	return values.Get(name)
}

// Get opens an address: one of the server's, as a path, or a whole one.
func (b *Browser) Get(address string) *Answer {
	b.t.Helper()
	req := b.request(http.MethodGet, address, "")
	req.Header.Set("Sec-Fetch-Site", "none")
	return b.Do(req)
}

// Post sends a form as a page of ours would.
func (b *Browser) Post(address string, form url.Values) *Answer {
	b.t.Helper()
	req := b.request(http.MethodPost, address, form.Encode())
	req.Header.Set("Origin", b.server.origin())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.Do(req)
}

// CrossPost sends a form as a page of another site would: without our cookies.
func (b *Browser) CrossPost(address string, form url.Values) *Answer {
	b.t.Helper()
	req := b.request(http.MethodPost, address, form.Encode())
	req.Header.Set("Origin", "https://elsewhere.example.com")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	req.Header.Del("Cookie")
	return b.Do(req)
}

func (b *Browser) request(method, address, body string) *http.Request {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.server.URL + address
	}
	req, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range b.Header {
		req.Header[name] = values
	}
	if body != "" || method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range b.cookies {
		req.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return req
}

// What browsers and the proxies in front of servers take at least: of a cookie, with
// its name and attributes (RFC 6265 section 6.1), and of all cookies in one line.
const (
	maxCookie  = 4096
	maxCookies = 8 << 10
)

// Do sends a request and keeps the cookies of its answer. It fails the test if they
// are more than a browser keeps, or the request brings more than a proxy lets pass.
func (b *Browser) Do(req *http.Request) *Answer {
	b.t.Helper()
	if n := len("Cookie: ") + len(req.Header.Get("Cookie")); n > maxCookies {
		b.t.Errorf("%s %s: %d bytes of cookies", req.Method, req.URL.Path, n)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		if len(c.Raw) > maxCookie {
			b.t.Errorf("%s %s: the cookie %s of %d bytes is dropped by browsers", req.Method, req.URL.Path, c.Name, len(c.Raw))
		}
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body), URL: req.URL}
}

// Cookies returns the cookies whose names hold a text.
func (b *Browser) Cookies(name string) []*http.Cookie {
	var found []*http.Cookie
	for _, c := range b.cookies {
		if strings.Contains(c.Name, name) {
			found = append(found, c)
		}
	}
	return found
}

// SetCookie puts a cookie into the browser.
func (b *Browser) SetCookie(c *http.Cookie) { b.cookies[c.Name] = c }

// Forget throws all cookies away.
func (b *Browser) Forget() { b.cookies = map[string]*http.Cookie{} }

// Follow goes where redirects lead, as long as they stay at the server. Its answer
// is the page that it ends at, or the redirect that leaves.
func (b *Browser) Follow(a *Answer) *Answer {
	b.t.Helper()
	for range 20 {
		to := a.Location()
		if a.Status < 300 || a.Status > 399 || to == nil || to.Scheme+"://"+to.Host != b.server.origin() {
			return a
		}
		a = b.Get(to.String())
	}
	b.t.Fatalf("redirects go round in circles: %s", a.Header.Get("Location"))
	return nil
}

// Form is a form of a page.
type Form struct {
	Action string
	Values url.Values // of its inputs, as they stand
	IDs    []string
}

// Form returns the form of a page that has an element with the id. It fails the
// test if there is none.
func (a *Answer) Form(t testing.TB, id string) Form {
	t.Helper()
	for _, f := range a.forms(t) {
		for _, have := range f.IDs {
			if have == id {
				return f
			}
		}
	}
	t.Fatalf("%s: status %d, and no form with an element %q:\n%s", a.URL, a.Status, id, a.Body)
	return Form{}
}

// Has reports whether the page has an element with the id.
func (a *Answer) Has(id string) bool { return strings.Contains(a.Body, `id="`+id+`"`) }

func (a *Answer) forms(t testing.TB) []Form {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(a.Body))
	if err != nil {
		t.Fatal(err)
	}
	var forms []Form
	var walk func(n *html.Node, in *Form)
	walk = func(n *html.Node, in *Form) {
		if n.Type == html.ElementNode {
			at := attributes(n)
			if n.Data == "form" {
				action := a.URL
				if at["action"] != "" {
					action, err = a.URL.Parse(at["action"])
					if err != nil {
						t.Fatal(err)
					}
				}
				forms = append(forms, Form{Action: action.String(), Values: url.Values{}})
				in = &forms[len(forms)-1]
			}
			if in != nil && at["id"] != "" {
				in.IDs = append(in.IDs, at["id"])
			}
			if in != nil && n.Data == "input" && at["type"] != "checkbox" {
				in.Values.Add(at["name"], at["value"])
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in)
		}
	}
	walk(doc, nil)
	return forms
}

func attributes(n *html.Node) map[string]string {
	at := map[string]string{}
	for _, a := range n.Attr {
		at[a.Key] = a.Val
	}
	return at
}

// Submit sends the form with some values set.
func (b *Browser) Submit(f Form, values ...string) *Answer {
	b.t.Helper()
	form := url.Values{}
	for name, all := range f.Values {
		form[name] = all
	}
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return b.Post(f.Action, form)
}
