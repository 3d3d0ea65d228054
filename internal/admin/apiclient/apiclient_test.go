package apiclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"dex/internal/admin/resource"
)

// server answers each request by the next of the functions, and the last one from
// then on.
func server(t *testing.T, answers ...http.HandlerFunc) (c *Client, seen func() []*http.Request) {
	t.Helper()
	var mu sync.Mutex
	var all []*http.Request
	seen = func() []*http.Request {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		all = append(all, r.Clone(context.Background()))
		n := len(all)
		mu.Unlock()
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	c, err := New(Options{URL: s.URL + "/", HTTP: s.Client(), Tokens: &tokens{}, Tenant: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	c.wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return c, seen
}

type tokens struct{ n int }

func (s *tokens) Token(context.Context, string) (string, error) {
	s.n++
	return fmt.Sprintf("token-%d", s.n), nil
}

func problem(status int, code resource.Code) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", resource.ProblemType)
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"No."}`, status, code)
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"7"`)
		_, _ = io.WriteString(w, text)
	}
}

type thing struct {
	Name string `json:"name"`
}

func TestACallIsTriedAgainWhereItDoesNoHarm(t *testing.T) {
	broken := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	away, busy, no := problem(503, resource.Unavailable), problem(429, resource.Throttled), problem(404, resource.NotFound)
	for _, tt := range []struct {
		name    string
		request Request
		first   http.HandlerFunc
		calls   int
	}{
		{"a look at a server that is away", Request{Method: "GET"}, away, 2},
		{"a look that is cut off", Request{Method: "GET"}, broken, 2},
		{"a look at what is not there", Request{Method: "GET"}, no, 1},
		{"what creates with a key", Request{Method: "POST", Once: true}, broken, 2},
		{"what creates without one", Request{Method: "POST"}, broken, 1},
		{"what creates without one, and was turned away", Request{Method: "POST"}, busy, 2},
		{"what replaces", Request{Method: "PUT"}, away, 2},
		{"what deletes", Request{Method: "DELETE"}, broken, 2},
		{"what changes a part", Request{Method: "PATCH"}, broken, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, seen := server(t, tt.first, body(`{"name":"it"}`))
			tt.request.Path = "/things"
			got, meta, err := Do[thing](t.Context(), c, tt.request)
			if len(seen()) != tt.calls {
				t.Fatalf("%d calls, want %d (%v)", len(seen()), tt.calls, err)
			}
			if (tt.calls == 2) != (err == nil && got.Name == "it" && meta.ETag == `"7"`) {
				t.Errorf("got %v, %+v, %v", got, meta, err)
			}
			keys := map[string]bool{}
			for _, r := range seen() {
				keys[r.Header.Get("Idempotency-Key")] = true
				if r.URL.Query().Get("tenant") != "acme" {
					t.Errorf("the tenant is missing: %s", r.URL)
				}
			}
			if len(keys) != 1 || keys[""] == tt.request.Once {
				t.Errorf("the keys of the tries: %v", keys)
			}
		})
	}
}

func TestACallGivesUp(t *testing.T) {
	c, seen := server(t, problem(503, resource.Unavailable))
	_, _, err := Do[thing](t.Context(), c, Request{Method: "GET", Path: "/things"})
	if p, ok := errors.AsType[*resource.Problem](err); !ok || p.Code != resource.Unavailable || len(seen()) != tries {
		t.Errorf("after %d calls: %v", len(seen()), err)
	}
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	c, seen := server(t, problem(401, resource.Unauthenticated))
	_, _, err := Do[thing](t.Context(), c, Request{Method: "GET", Path: "/things"})
	var used []string
	for _, r := range seen() {
		used = append(used, r.Header.Get("Authorization"))
	}
	if p, ok := errors.AsType[*resource.Problem](err); !ok || p.Status != 401 || !slices.Equal(used, []string{"Bearer token-1", "Bearer token-2"}) {
		t.Errorf("%v after %q", err, used)
	}
}

func TestAListIsReadToItsEnd(t *testing.T) {
	c, seen := server(t, body(`{"items":[{"name":"a"},{"name":"b"}],"next":"more"}`), body(`{"items":[{"name":"c"}]}`))
	var names []string
	for item, err := range All[thing](t.Context(), c, "/things", url.Values{"role": {"admin"}}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, item.Name)
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("got %q", names)
	}
	if q := seen()[1].URL.Query(); q.Get("cursor") != "more" || q.Get("role") != "admin" {
		t.Errorf("the second part was asked for by %s", q.Encode())
	}
}

func TestWhatIsNoAnswerOfTheAPIIsCalledThat(t *testing.T) {
	c, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusNotFound) })
	_, _, err := Do[thing](t.Context(), c, Request{Method: "GET", Path: "/things"})
	if p, ok := errors.AsType[*resource.Problem](err); !ok || p.Status != 404 || p.Code != "" {
		t.Errorf("got %v", err)
	}
	c, _ = server(t, body("<html>"))
	if _, _, err := Do[thing](t.Context(), c, Request{Method: "GET", Path: "/things"}); err == nil {
		t.Error("a page was taken for an answer")
	}
}

func TestAnAddressMustBeOne(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:5558", "ftp://x", "https://"} {
		if _, err := New(Options{URL: address, HTTP: &http.Client{}}); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
}

func TestWhatComesFromOutsideDoesNotLeaveItsPlaceInAPath(t *testing.T) {
	if got := Path("users", "../keys?x", "sessions"); got != "/users/..%2Fkeys%3Fx/sessions" {
		t.Errorf("got %s", got)
	}
}
