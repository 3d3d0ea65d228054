// Package apiclient calls the administrators' API, for dexctl and whoever else is
// written in Go.
//
// A call that failed for a reason that passes is tried again, if it does no harm to
// ask twice: what creates something carries a key, by which the server knows that it
// is the same request. What the server has against a request comes back as a
// [resource.Problem].
package apiclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dex/internal/admin/resource"
)

// Tokens is where access tokens come from.
type Tokens interface {
	// Token returns an access token. The server has refused the one that is given; it
	// is empty at first.
	Token(ctx context.Context, refused string) (string, error)
}

// Options say where the API is and who calls.
type Options struct {
	URL    string       // of the server, without the path of the API
	HTTP   *http.Client // what leaves the house
	Tokens Tokens       // nil for what anybody may ask
	Tenant string       // instead of the token's own; empty for that
	Agent  string       // the name of the program
}

// Client calls the API.
type Client struct {
	o    Options
	base *url.URL
	wait func(ctx context.Context, d time.Duration) error
}

// New returns a client. It calls nobody yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(o.URL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the address of a server: it begins with https:// or http://", o.URL)
	}
	if o.HTTP == nil {
		return nil, errors.New("apiclient: there is no HTTP client")
	}
	return &Client{o: o, base: base, wait: pause}, nil
}

// Request is what to call.
type Request struct {
	Method  string
	Path    string // below the API, such as Path("users", id)
	Query   url.Values
	Body    any    // written as JSON; nil for none
	IfMatch string // the ETag that was seen, or "*"
	Once    bool   // it creates something: it gets a key, so that it can be sent again
}

// Path joins what comes from outside to a path.
func Path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}

// Meta is what an answer says beside its body.
type Meta struct {
	Status   int
	ETag     string
	Location string
}

const (
	// tries is how often a call is tried.
	tries = 4
	// longestWait is for how long the server may make us wait before the next try.
	longestWait = 30 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 32 << 20
)

// Do calls the API, and reads the answer into a value of the type; what has no body
// leaves it as it is.
func Do[T any](ctx context.Context, c *Client, r Request) (T, Meta, error) {
	var into T
	meta, body, err := c.call(ctx, r)
	if err != nil || len(body) == 0 {
		return into, meta, err
	}
	if err := json.Unmarshal(body, &into); err != nil {
		return into, meta, fmt.Errorf("the answer of %s cannot be read: %w", c.base.Host, err)
	}
	return into, meta, nil
}

// All goes through a list from its beginning to its end, part by part.
func All[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := url.Values{}
		for name, values := range query {
			q[name] = values
		}
		for {
			part, _, err := Do[resource.List[T]](ctx, c, Request{Method: http.MethodGet, Path: path, Query: q})
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range part.Items {
				if !yield(item, nil) {
					return
				}
			}
			if part.Next == "" {
				return
			}
			q.Set("cursor", part.Next)
		}
	}
}

// call sends a request until it is answered, or it is no use any more.
func (c *Client) call(ctx context.Context, r Request) (Meta, []byte, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = json.Marshal(r.Body); err != nil {
			return Meta{}, nil, err
		}
	}
	key := ""
	if r.Once {
		key = rand.Text()
	}
	token, err := c.token(ctx, "")
	if err != nil {
		return Meta{}, nil, err
	}
	refused := false
	for try := 1; ; try++ {
		meta, answer, after, err := c.send(ctx, r, body, key, token)
		problem, _ := errors.AsType[*resource.Problem](err)
		switch {
		case err == nil, ctx.Err() != nil, try == tries:
			return meta, answer, err
		case problem != nil && problem.Status == http.StatusUnauthorized && c.o.Tokens != nil && !refused:
			refused = true
			if token, err = c.token(ctx, token); err != nil {
				return meta, nil, err
			}
			continue
		case !passes(problem) || !again(r, problem):
			return meta, nil, err
		}
		if werr := c.wait(ctx, max(after, time.Duration(try*try)*200*time.Millisecond)); werr != nil {
			return meta, nil, err
		}
	}
}

func (c *Client) token(ctx context.Context, refused string) (string, error) {
	if c.o.Tokens == nil {
		return "", nil
	}
	return c.o.Tokens.Token(ctx, refused)
}

// passes reports whether what went wrong may be over in a moment: no answer at all,
// or one that says so.
func passes(p *resource.Problem) bool {
	return p == nil || p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable ||
		p.Status == http.StatusBadGateway || p.Status == http.StatusGatewayTimeout
}

// again reports whether a request does no harm if it was done and is sent again. One
// that was turned away was not done.
func again(r Request, p *resource.Problem) bool {
	return r.Method != http.MethodPost && r.Method != http.MethodPatch || r.Once ||
		p != nil && p.Status == http.StatusTooManyRequests
}

// send sends a request once.
func (c *Client) send(ctx context.Context, r Request, body []byte, key, token string) (meta Meta, answer []byte, after time.Duration, err error) {
	query := url.Values{}
	for name, values := range r.Query {
		query[name] = values
	}
	if c.o.Tenant != "" {
		query.Set("tenant", c.o.Tenant)
	}
	address := c.base.String() + resource.Prefix + r.Path
	if strings.HasPrefix(r.Path, "/.well-known/") {
		address = c.base.String() + r.Path
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, bytes.NewReader(body))
	if err != nil {
		return meta, nil, 0, err
	}
	for name, value := range map[string]string{
		"Authorization": bearer(token), "If-Match": r.IfMatch, "Idempotency-Key": key, "User-Agent": c.o.Agent,
		"Content-Type": typeOf(body), "Accept": "application/json",
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	got, err := c.o.HTTP.Do(req)
	if err != nil {
		return meta, nil, 0, fmt.Errorf("%s cannot be reached: %w", c.base.Host, err)
	}
	defer func() { _ = got.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	if err != nil {
		return meta, nil, 0, fmt.Errorf("the answer of %s broke off: %w", c.base.Host, err)
	}
	meta = Meta{Status: got.StatusCode, ETag: got.Header.Get("ETag"), Location: got.Header.Get("Location")}
	if got.StatusCode < http.StatusBadRequest {
		return meta, answer, 0, nil
	}
	if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err == nil && seconds > 0 {
		after = min(longestWait, time.Duration(seconds)*time.Second)
	}
	return meta, nil, after, problemOf(got, answer)
}

func bearer(token string) string {
	if token == "" {
		return ""
	}
	return "Bearer " + token
}

func typeOf(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	return "application/json"
}

// problemOf reads what the server has against the request. What is no problem of the
// API's came from something in between.
func problemOf(got *http.Response, body []byte) *resource.Problem {
	var p resource.Problem
	if got.Header.Get("Content-Type") == resource.ProblemType && json.Unmarshal(body, &p) == nil && p.Status != 0 {
		return &p
	}
	return resource.NewProblem(got.StatusCode, "", "The server, or something before it, answers %s, and not as the administrators' API does. Is the address right?", got.Status)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d) //nolint:forbidigo // It waits for a server, in real time, and decides nothing.
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Discover asks the server who issues the tokens that it takes.
func (c *Client) Discover(ctx context.Context) (resource.Protected, error) {
	p, _, err := Do[resource.Protected](ctx, c, Request{Method: http.MethodGet, Path: resource.Metadata})
	return p, err
}
