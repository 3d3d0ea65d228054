package fault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"

	"dex/internal/protocol/oauth"
)

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
	url    *url.URL
}

// errAway is whatever a client may meet while something is failing: no answer, half
// an answer, or the answer to try again later.
var errAway = errors.New("nobody can say at the moment")

// browser speaks HTTP as somebody's browser does, or an application. Each request is
// a connection of its own, so that each may meet another worker.
type browser struct {
	site *site
	jar  http.CookieJar
	http *http.Client
}

func (s *site) browser() *browser {
	jar, _ := cookiejar.New(nil) // it never fails
	return &browser{site: s, jar: jar, http: &http.Client{
		Jar: jar, Transport: s.transport, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do sends a request. Whatever is a server's own failure, and not announced as one that
// passes, is wrong.
func (b *browser) do(ctx context.Context, method, address string, form url.Values, header ...string) (*answer, error) {
	l := b.site.ledger
	l.count("requests")
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.http.Do(req)
	if err != nil {
		l.count(unanswered[0])
		return nil, errAway
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		l.count(unanswered[1])
		return nil, errAway
	}
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable:
		l.count(unanswered[2])
		if resp.Header.Get("Retry-After") == "" {
			l.wrongly("%s %s: 503 without Retry-After: %.200s", method, req.URL.Path, body)
		}
		return nil, errAway
	case resp.StatusCode >= 500:
		l.wrongly("%s %s: %d %.300s", method, req.URL.Path, resp.StatusCode, text(string(body)))
		return nil, errAway
	}
	return &answer{resp.StatusCode, resp.Header, string(body), req.URL}, nil
}

// text is what a page says.
func text(page string) string {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return page
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(strings.TrimSpace(n.Data) + " ")
		}
	}
	return b.String()
}

// follow goes where redirects lead, until a page or the application's address.
func (b *browser) follow(ctx context.Context, a *answer, err error) (*answer, error) {
	for range 12 {
		if err != nil || a.status < 300 || a.status > 399 {
			return a, err
		}
		to, bad := a.url.Parse(a.header.Get("Location"))
		if bad != nil {
			return nil, bad
		}
		if strings.HasPrefix(to.String(), callback) {
			a.url = to
			return a, nil
		}
		a, err = b.do(ctx, http.MethodGet, to.String(), nil, "Sec-Fetch-Site", "same-origin")
	}
	return nil, fmt.Errorf("redirects go round in circles at %s", a.url)
}

// form fills in the form of a page that has a field of the name.
func (a *answer) form(field string, set ...string) (action string, values url.Values, found bool) {
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		return "", nil, false
	}
	for f := range doc.Descendants() {
		if f.Type != html.ElementNode || f.Data != "form" {
			continue
		}
		values = url.Values{}
		for n := range f.Descendants() {
			if n.Type == html.ElementNode && n.Data == "input" && attribute(n, "type") != "checkbox" {
				values.Set(attribute(n, "name"), attribute(n, "value"))
			}
		}
		if !values.Has(field) {
			continue
		}
		for i := 0; i+1 < len(set); i += 2 {
			values.Set(set[i], set[i+1])
		}
		to, err := a.url.Parse(attribute(f, "action"))
		return to.String(), values, err == nil
	}
	return "", nil, false
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// request is an authorization request, and the proof that goes with its code.
type request struct{ address, state, verifier string }

func (s *site) request(more ...string) request {
	r := request{state: rand.Text(), verifier: rand.Text() + rand.Text()}
	v := url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid email offline_access"},
		"state": {r.state}, "nonce": {rand.Text()}, "code_challenge": {string(oauth.ChallengeOf(r.verifier))}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	r.address = s.url + "/authorize?" + v.Encode()
	return r
}

// code gets a code, by a password unless there is a session. An error says that it did
// not come to that.
func (b *browser) code(ctx context.Context, r request, person string) (code string, err error) {
	a, err := b.do(ctx, http.MethodGet, r.address, nil, "Sec-Fetch-Site", "none")
	if a, err = b.follow(ctx, a, err); err != nil {
		return "", err
	}
	if action, form, ok := a.form("password", "login", person, "password", password); ok {
		a, err = b.do(ctx, http.MethodPost, action, form, "Origin", b.site.url, "Sec-Fetch-Site", "same-origin")
		if a, err = b.follow(ctx, a, err); err != nil {
			return "", err
		}
		defer func() {
			if err == nil {
				b.site.ledger.loggedIn(person)
			}
		}()
	}
	back := a.url.Query()
	switch {
	case back.Get("error") == "temporarily_unavailable":
		b.site.ledger.count("errors told to the application")
		return "", errAway
	case !strings.HasPrefix(a.url.String(), callback):
		return "", fmt.Errorf("a login came to rest at %s: %d %.300s", a.url.Path, a.status, text(a.body))
	case back.Get("state") != r.state || back.Get("code") == "":
		return "", fmt.Errorf("a login was answered with %q %q", back.Get("error"), back.Get("error_description"))
	}
	return back.Get("code"), nil
}
