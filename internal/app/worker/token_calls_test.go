package worker_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"dex/internal/app/workertest"
	"dex/internal/protocol/oauth"
)

// call is a request to an endpoint for clients, as raw as a test wants it.
type call struct {
	method  string // POST if empty
	path    string
	query   string
	headers [][2]string // each is added, so that one may come twice
	form    url.Values
	body    string // instead of the form
	bare    bool   // without the Content-Type of a form
}

// send sends it with no cookies and no client's help.
func (c call) send(t testing.TB, s *workertest.Server) *workertest.Answer {
	t.Helper()
	method, body := c.method, c.body
	if method == "" {
		method = http.MethodPost
	}
	if body == "" {
		body = c.form.Encode()
	}
	address := s.URL + c.path
	if c.query != "" {
		address += "?" + c.query
	}
	req, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost && !c.bare {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range c.headers {
		req.Header.Add(h[0], h[1])
	}
	return s.Browser(t).Do(req)
}

// basic is the Authorization header of id and secret as RFC 6749 section 2.3.1 has
// it.
func basic(id, secret string) [2]string {
	return plainBasic(url.QueryEscape(id), url.QueryEscape(secret))
}

// plainBasic is the header of those who do not know that.
func plainBasic(id, secret string) [2]string {
	return [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
}

func bearer(token string) [2]string { return [2]string{"Authorization", "Bearer " + token} }

// values are pairs of names and values.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// forItself asks for a token that a client has for itself.
func forItself(more ...string) url.Values {
	return values(append([]string{"grant_type", "client_credentials"}, more...)...)
}

// asserting are the parameters of private_key_jwt.
func asserting(assertion string) []string {
	return []string{"client_assertion_type", oauth.AssertionTypeJWT, "client_assertion", assertion}
}

// isError holds an answer to a status and an error code of RFC 6749 section 5.2.
func isError(t testing.TB, a *workertest.Answer, status int, code oauth.Code) {
	t.Helper()
	if a.Status != status || !strings.Contains(a.Body, `"error":"`+string(code)+`"`) {
		t.Errorf("got %d %s, want %d %s", a.Status, a.Body, status, code)
	}
}

// isOK holds an answer to success.
func isOK(t testing.TB, a *workertest.Answer) {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
}
