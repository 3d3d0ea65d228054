package load

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
)

// Browser is somebody's browser and, once it has been sent back with a code, the
// application too. It is for one goroutine.
type Browser struct {
	target *Target
	conn   *Conn
	jar    jar
	logins int
}

// NewBrowser returns a browser without cookies.
func NewBrowser(t *Target) *Browser {
	return &Browser{target: t, conn: NewConn(t.Issuer.Host)}
}

// Close closes the browser's connection.
func (b *Browser) Close() { b.conn.Close() }

// Forget throws all cookies away.
func (b *Browser) Forget() { b.jar = b.jar[:0] }

// Attempt is one authorization request with what the application remembers of it.
type Attempt struct {
	state, nonce, verifier string
	scope                  string
	code                   string
}

// The scopes that are asked for. Only with offline_access is there a refresh token.
const (
	ScopesOffline = "openid profile email offline_access"
	ScopesOnline  = "openid profile email"
)

func newAttempt(scope string) *Attempt {
	return &Attempt{state: rand.Text(), nonce: rand.Text(), verifier: rand.Text() + rand.Text(), scope: scope}
}

func (a *Attempt) url(t *Target) string {
	challenge := sha256.Sum256([]byte(a.verifier))
	return t.paths.authorization + "?response_type=code&client_id=" + url.QueryEscape(t.Client.ID) +
		"&redirect_uri=" + url.QueryEscape(t.Client.RedirectURI) +
		"&scope=" + url.QueryEscape(a.scope) +
		"&state=" + a.state + "&nonce=" + a.nonce +
		"&code_challenge_method=S256&code_challenge=" + base64.RawURLEncoding.EncodeToString(challenge[:])
}

// Login goes all the way from the authorization request through the login form
// to the tokens.
func (b *Browser) Login(user int, scope string) (Tokens, error) {
	a := newAttempt(scope)
	page, err := b.visit(a.url(b.target))
	if err != nil {
		return Tokens{}, err
	}
	if page.callback != nil {
		return Tokens{}, fmt.Errorf("nobody was asked for a password; the server answered %s", outline(page.callback))
	}
	f, err := findForm(page.body)
	if err != nil {
		return Tokens{}, err
	}
	body, err := f.fill("login", fmt.Sprintf("user%d@example.com", user), "password", Password)
	if err != nil {
		return Tokens{}, err
	}
	if page, err = b.submit(page, f.Action, body); err != nil {
		return Tokens{}, err
	}
	return b.finish(a, page)
}

// Resume does the same with a session: nobody is asked anything.
func (b *Browser) Resume(scope string) (Tokens, error) {
	a, err := b.Authorize(scope)
	if err != nil {
		return Tokens{}, err
	}
	return b.redeem(a)
}

// Authorize gets a code with a session and stops there.
func (b *Browser) Authorize(scope string) (*Attempt, error) {
	a := newAttempt(scope)
	page, err := b.visit(a.url(b.target))
	if err != nil {
		return nil, err
	}
	return a, a.take(page, b.target)
}

func (b *Browser) finish(a *Attempt, page page) (Tokens, error) {
	if err := a.take(page, b.target); err != nil {
		return Tokens{}, err
	}
	return b.redeem(a)
}

// redeem exchanges the code.
func (b *Browser) redeem(a *Attempt) (Tokens, error) {
	tokens, err := b.target.post(b.conn, a.redemption(b.target))
	if err != nil {
		return Tokens{}, err
	}
	b.logins++
	return tokens, b.target.check(tokens, a, b.logins)
}

// page is where a browser came to rest: a page of the server's, or the
// application's address with what it was given there.
type page struct {
	path     string
	body     []byte
	callback url.Values
}

const maxRedirects = 12

// visit opens an address and goes where it is sent.
func (b *Browser) visit(path string) (page, error) {
	return b.follow(Request{Method: "GET", Path: path, Header: b.headers("none")})
}

// submit sends a form as a browser does, and goes where it is sent.
func (b *Browser) submit(from page, action, body string) (page, error) {
	path, err := b.resolve(from.path, action)
	if err != nil {
		return page{}, err
	}
	header := append(b.headers("same-origin"), "Origin", b.target.origin())
	return b.follow(Request{Method: "POST", Path: path, Header: header, Body: body})
}

func (b *Browser) headers(site string) []string {
	header := []string{
		"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) dex-bench",
		"Accept", "text/html", "Accept-Language", "en", "Sec-Fetch-Site", site,
	}
	if cookies := b.jar.header(); cookies != "" {
		header = append(header, "Cookie", cookies)
	}
	return header
}

func (b *Browser) follow(r Request) (page, error) {
	for range maxRedirects {
		resp, err := b.conn.Do(r)
		if err != nil {
			return page{}, err
		}
		b.jar.keep(resp.SetCookies)
		switch resp.Status {
		case 200:
			return page{path: r.Path, body: resp.Body}, nil
		case 302, 303, 307:
		default:
			return page{}, unexpected(r, resp)
		}
		if back, ok := strings.CutPrefix(resp.Location, b.target.Client.RedirectURI+"?"); ok {
			values, err := url.ParseQuery(back)
			return page{callback: values}, err
		}
		path, err := b.resolve(r.Path, resp.Location)
		if err != nil {
			return page{}, err
		}
		r = Request{Method: "GET", Path: path, Header: b.headers("same-origin")}
	}
	return page{}, fmt.Errorf("the server sent the browser on %d times", maxRedirects)
}

// resolve returns the path that a reference on a page leads to (RFC 3986, section 5).
func (b *Browser) resolve(from, reference string) (string, error) {
	if strings.HasPrefix(reference, "/") && !strings.HasPrefix(reference, "//") {
		return reference, nil
	}
	base, err := url.Parse(b.target.origin() + from)
	if err != nil {
		return "", err
	}
	u, err := base.Parse(reference)
	if err != nil {
		return "", err
	}
	return b.target.path(u.String())
}

// take takes the code out of what the application was given, after the checks
// that every application must make: its own state, and the issuer (RFC 9207).
func (a *Attempt) take(p page, t *Target) error {
	v := p.callback
	switch {
	case v == nil:
		return fmt.Errorf("the browser came to rest at %s instead of the application's address", Request{Path: p.path}.path())
	case v.Get("code") == "":
		return fmt.Errorf("no code, but %s", outline(v))
	case v.Get("state") != a.state:
		return fmt.Errorf("the state came back changed")
	case v.Has("iss") && v.Get("iss") != t.Issuer.String():
		return fmt.Errorf("the answer is from %s", v.Get("iss"))
	}
	a.code = v.Get("code")
	return nil
}

// outline shows what an application was given without its secrets.
func outline(v url.Values) string {
	if v.Get("error") != "" {
		return v.Get("error") + ": " + v.Get("error_description")
	}
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// redemption is the token request for the code.
func (a *Attempt) redemption(t *Target) string {
	return "grant_type=authorization_code&code=" + url.QueryEscape(a.code) +
		"&redirect_uri=" + url.QueryEscape(t.Client.RedirectURI) + "&code_verifier=" + a.verifier
}

// statusError is an answer of another status than the one hoped for.
type statusError struct {
	request Request
	status  int
	says    string
}

// Error implements [error].
func (e *statusError) Error() string {
	return fmt.Sprintf("%s %s: %d %.200q", e.request.Method, e.request.path(), e.status, e.says)
}

func unexpected(r Request, resp *Response) error {
	return &statusError{request: r, status: resp.Status, says: gist(resp.Body)}
}

// gist is what an answer says: of a page its heading, for that is where an error
// page says what is wrong.
func gist(body []byte) string {
	_, rest, _ := bytes.Cut(body, []byte("<h1"))
	heading, _, ok := bytes.Cut(rest, []byte("</h1>"))
	if !ok {
		return string(body)
	}
	_, text, _ := bytes.Cut(heading, []byte(">"))
	return html.UnescapeString(strings.TrimSpace(string(text)))
}
