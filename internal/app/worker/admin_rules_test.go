package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/admin/api"
	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
)

// newApp is the declaration of a client.
const newApp = `{"id":"%s","redirect_uris":["https://new.example.com/cb"]}`

func TestARequestThatComesAgainIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann, cleo := s.Operator(t, "ann", "owner"), s.Operator(t, "cleo", "owner")
	body := fmt.Sprintf(newApp, "new")
	first := ann.Call(http.MethodPost, "/clients", body, "Idempotency-Key", "key-1")
	if first.Status != http.StatusCreated || !strings.Contains(first.Body, `"secret":"dxk_`) {
		t.Fatalf("created: %d %s", first.Status, first.Body)
	}
	again := ann.Call(http.MethodPost, "/clients", body, "Idempotency-Key", "key-1")
	if again.Status != first.Status || again.Body != first.Body || again.Header.Get("ETag") != first.Header.Get("ETag") {
		t.Errorf("the second time it is another answer: %d\n%s\n%s", again.Status, first.Body, again.Body)
	}
	if got := ann.Call(http.MethodPost, "/clients", fmt.Sprintf(newApp, "other"), "Idempotency-Key", "key-1"); got.Problem.Code != resource.KeyReused {
		t.Errorf("another request under the same key: %d %s", got.Status, got.Body)
	}
	if got := cleo.Call(http.MethodPost, "/clients", body, "Idempotency-Key", "key-1"); got.Problem.Code != resource.Conflict {
		t.Errorf("somebody else under the same key: %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodPost, "/clients", body); got.Problem.Code != resource.Conflict {
		t.Errorf("without a key: %d %s", got.Status, got.Body)
	}
	// An application of another tenant that has the same id is somebody else, too.
	other := newForeign(t, s)
	s.Advance(t, time.Second)
	theirs := other.client.Call(http.MethodPost, "/clients", body, "Idempotency-Key", "key-1")
	var robot resource.Client
	ann.Call(http.MethodPost, "/clients", map[string]any{
		"id": "robot", "trusted": true, "grant_types": []string{"client_credentials"}, "scopes": []string{"dex:clients:write", "dex:tenants:write"},
	}).Into(t, &robot)
	ours := s.Client(t, "robot")
	ours.Secret = robot.Secret
	namesake := s.Bearer(t, ours.Token("grant_type", "client_credentials", "scope", "dex:clients:write dex:tenants:write").AccessToken)
	got := namesake.Call(http.MethodPost, "/clients?tenant="+other.id, body, "Idempotency-Key", "key-1")
	if theirs.Status != http.StatusCreated || got.Problem.Code != resource.Conflict || strings.Contains(got.Body, "dxk_") {
		t.Errorf("a namesake of another tenant, under the same key: %d, %d %s", theirs.Status, got.Status, got.Body)
	}
	namesake.Call(http.MethodPost, "/clients?tenant="+other.id, fmt.Sprintf(newApp, "by-the-namesake")).Into(t, &resource.Client{})
	var events resource.List[resource.Event]
	other.client.Call(http.MethodGet, "/audit?kind=client.created", nil).Into(t, &events)
	actors := map[string]string{}
	for _, e := range events.Items {
		actors[e.ClientID] = e.Actor
	}
	if actors["new"] != "robot" || actors["by-the-namesake"] != "default robot" {
		t.Errorf("the record does not tell the two apart: %v", actors)
	}
	for _, key := range []string{"with space", strings.Repeat("x", 256), "ümlaut"} {
		if got := ann.Call(http.MethodPost, "/clients", fmt.Sprintf(newApp, "third"), "Idempotency-Key", key); got.Problem.Code != resource.Malformed {
			t.Errorf("the key %q: %d %s", key, got.Status, got.Body)
		}
	}
}

func TestARequestThatComesManyTimesAtOnceIsDoneOnce(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	for round := range 5 {
		body := fmt.Sprintf(newApp, fmt.Sprintf("new-%d", round))
		answers := make([]workertest.Replied, 8)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				answers[i] = ann.Call(http.MethodPost, "/clients", body, "Idempotency-Key", fmt.Sprintf("round-%d", round))
			})
		}
		all.Wait()
		for _, a := range answers {
			if a.Status != http.StatusCreated || a.Body != answers[0].Body {
				t.Fatalf("the answers differ: %d %s\n%d %s", answers[0].Status, answers[0].Body, a.Status, a.Body)
			}
		}
	}
	var events int
	must(t, rowOf(s, `SELECT COUNT(*) FROM audit_events WHERE kind = 'client.created'`).Scan(&events))
	if events != 5 {
		t.Errorf("%d clients were created, want 5", events)
	}
}

func TestNobodyOverwritesWhatTheyHaveNotSeen(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	body := fmt.Sprintf(newApp, "new")
	tag := ann.Call(http.MethodPost, "/clients", body).Header.Get("ETag")
	changed := strings.Replace(body, "{", `{"name":"Changed",`, 1)
	put := func(match ...string) workertest.Replied {
		return ann.Call(http.MethodPut, "/clients/new", changed, match...)
	}
	if got := put(); got.Status != http.StatusPreconditionRequired || got.Problem.Code != resource.PreconditionRequired {
		t.Errorf("without If-Match: %d %s", got.Status, got.Body)
	}
	for _, odd := range []string{"1", "W/" + tag, tag + ", " + tag, `"x"`, `"01"`} {
		if got := put("If-Match", odd); got.Status != http.StatusBadRequest {
			t.Errorf("If-Match: %s: %d %s", odd, got.Status, got.Body)
		}
	}
	got := put("If-Match", tag)
	if got.Status != http.StatusOK || got.Header.Get("ETag") == tag {
		t.Fatalf("with what was seen: %d %s", got.Status, got.Body)
	}
	if got := put("If-Match", tag); got.Status != http.StatusPreconditionFailed || got.Problem.Code != resource.Changed {
		t.Errorf("with what was seen before the last change: %d %s", got.Status, got.Body)
	}
	if got := put("If-Match", "*"); got.Status != http.StatusOK {
		t.Errorf("with whichever: %d %s", got.Status, got.Body)
	}
}

func TestARequestIsReadStrictly(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	good := fmt.Sprintf(newApp, "new")
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		says                     string
	}{
		{"another type", "POST", "/clients", good, []string{"Content-Type", "text/plain"}, 415, "application/json"},
		{"a form", "POST", "/clients", "id=new", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "application/json"},
		{"a compressed body", "POST", "/clients", good, []string{"Content-Encoding", "gzip"}, 415, "compressed"},
		{"a body that is too large", "POST", "/clients", `{"id":"` + strings.Repeat("x", api.DefaultBody) + `"}`, nil, 413, "larger"},
		{"no body", "POST", "/clients", "", nil, 400, "body"},
		{"no JSON", "POST", "/clients", "{", nil, 400, "ends too early"},
		{"a member that comes twice", "POST", "/clients", `{"id":"a","id":"b"}`, nil, 400, `"id" comes twice`},
		{"something after the end", "POST", "/clients", good + good, nil, 400, "after its end"},
		{"what is nested for its own sake", "POST", "/clients", strings.Repeat("[", 40) + strings.Repeat("]", 40), nil, 400, "nested"},
		{"a member that nobody knows", "POST", "/clients", `{"id":"new","redirect_uri":"https://a.example.com"}`, nil, 422, "redirect_uri"},
		{"a parameter that nobody knows", "GET", "/clients?colour=red", "", nil, 422, "colour"},
		{"a parameter that comes twice", "GET", "/clients?limit=1&limit=2", "", nil, 400, "more than once"},
		{"a parameter that cannot be read", "GET", "/clients?text=%zz", "", nil, 400, "encoded"},
		{"a limit of nothing", "GET", "/clients?limit=0", "", nil, 422, "limit"},
		{"a limit beyond measure", "GET", "/clients?limit=100000", "", nil, 422, "limit"},
		{"a time that is none", "GET", "/audit?since=yesterday", "", nil, 422, "since"},
		{"two tokens", "GET", "/clients", "", []string{"Authorization", "Bearer a b"}, 400, "malformed"},
		{"a method that is not there", "PUT", "/clients", good, nil, 405, "GET, HEAD, POST"},
		{"an address that is not there", "GET", "/unicorns", "", nil, 404, "nothing at this address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ann.Call(tt.method, tt.path, tt.body, tt.headers...)
			if got.Status != tt.status || !strings.Contains(got.Body, strings.ReplaceAll(tt.says, `"`, `\"`)) {
				t.Errorf("got %d %s, want %d and %q", got.Status, got.Body, tt.status, tt.says)
			}
			if got.Problem.Status != got.Status || got.Problem.Code == "" || got.Problem.Detail == "" || got.Problem.RequestID == "" {
				t.Errorf("it is not told as a problem: %s", got.Body)
			}
		})
	}
}

func TestEveryMistakeIsToldAtOnceWithItsPlace(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	got := ann.Call(http.MethodPost, "/clients", `{"id":"new","redirect_uris":["nonsense"],"profile":"wizard"}`)
	places := map[string]bool{}
	for _, m := range got.Problem.Errors {
		places[m.Location] = true
	}
	if got.Status != http.StatusUnprocessableEntity || !places["body.redirect_uris[0]"] || !places["body.profile"] {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
	if got := ann.Call(http.MethodGet, "/clients?limit=x&colour=red&text="+strings.Repeat("x", 300), nil); len(got.Problem.Errors) < 1 {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
}

func TestACursorIsOfItsListAlone(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "owner")
	part := func(path string) (list resource.List[map[string]any]) {
		ann.Call(http.MethodGet, path, nil).Into(t, &list)
		return list
	}
	first := part("/clients?limit=2")
	if len(first.Items) != 2 || first.Next == "" {
		t.Fatalf("the first part: %+v", first)
	}
	seen := map[any]bool{}
	for list := first; ; list = part("/clients?limit=2&cursor=" + list.Next) {
		for _, item := range list.Items {
			if seen[item["id"]] {
				t.Errorf("%s comes twice", item["id"])
			}
			seen[item["id"]] = true
		}
		if list.Next == "" {
			break
		}
	}
	if len(seen) != 12 { // of the tests' configuration
		t.Errorf("%d clients were seen: %v", len(seen), seen)
	}
	for name, path := range map[string]string{
		"of another list":        "/connectors?cursor=" + first.Next,
		"with another filter":    "/clients?text=app&cursor=" + first.Next,
		"that somebody changed":  "/clients?cursor=" + changed(first.Next),
		"that somebody made up":  "/clients?cursor=app",
		"of a thousand letters":  "/clients?cursor=" + strings.Repeat("a", 3000),
		"of the record in front": "/audit?cursor=" + first.Next,
	} {
		if got := ann.Call(http.MethodGet, path, nil); got.Status != http.StatusUnprocessableEntity || got.Problem.Code != resource.Invalid || !strings.Contains(got.Body, "cursor") {
			t.Errorf("a cursor %s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := ann.Call(http.MethodGet, "/clients?limit=5&cursor="+first.Next, nil); got.Status != http.StatusOK {
		t.Errorf("another limit: %d %s", got.Status, got.Body)
	}
}

// changed returns a cursor with another letter at its end: another one, whichever
// letter was there.
func changed(cursor string) string {
	last := len(cursor) - 1
	if cursor[last] == 'A' {
		return cursor[:last] + "B"
	}
	return cursor[:last] + "A"
}

func TestWhoAsksForTooMuchWaits(t *testing.T) {
	t.Parallel()
	s := workertest.Start(t, workertest.Options{Clients: workertest.OperatorClients, Config: workertest.OperatorUsers, AdminRate: api.Rate{PerSecond: 1, Burst: 3}})
	ann, cleo := s.Operator(t, "ann", "owner"), s.Operator(t, "cleo", "owner")
	for range 3 {
		if got := ann.Call(http.MethodGet, "/clients", nil); got.Status != http.StatusOK {
			t.Fatalf("within the measure: %d %s", got.Status, got.Body)
		}
	}
	got := ann.Call(http.MethodGet, "/clients", nil)
	if got.Status != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "1" || got.Problem.Code != resource.Throttled {
		t.Errorf("beyond it: %d %s %v", got.Status, got.Body, got.Header)
	}
	if got := cleo.Call(http.MethodGet, "/clients", nil); got.Status != http.StatusOK {
		t.Errorf("somebody else: %d", got.Status)
	}
	for range 3 {
		s.Bearer(t, "nonsense").Call(http.MethodGet, "/clients", nil)
	}
	if got := s.Bearer(t, "nonsense").Call(http.MethodGet, "/clients", nil); got.Status != http.StatusTooManyRequests {
		t.Errorf("who guesses tokens: %d", got.Status)
	}
	dan := s.Operator(t, "dan", "owner")
	if got := dan.Call(http.MethodGet, "/clients", nil); got.Status != http.StatusOK {
		t.Errorf("an operator in the network of the guesser: %d", got.Status)
	}
}
