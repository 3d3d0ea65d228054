package worker_test

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"dex/internal/admin/api"
	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
	"dex/internal/base/clock"
	"dex/internal/store"
	"dex/internal/store/storetest"
	"dex/test/fault/calls"
)

// TestEveryRouteHasARequestWhoseCallsFail holds the table of requests to the routes:
// what is added to the API has its calls failed, or this is red.
func TestEveryRouteHasARequestWhoseCallsFail(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, r := range routesOf(t, operated(t)) {
		there[r.ID] = true
		if requests[r.ID] == nil {
			t.Errorf("the route %s has no request in the table: add a valid one", r.ID)
		}
	}
	for id := range requests {
		if !there[id] {
			t.Errorf("there is a request for the route %s, which is not there", id)
		}
	}
}

// TestOfEachRouteEachCallFails lets each call of the database fail that a request of an
// operator leads to, for every route of the API: it is refused, it is done and its answer
// is lost, or the operator is gone. What was asked for is then done wholly or not at all,
// nobody hears of a success that is none, and who asks again gets there; with an
// Idempotency-Key, to the answer that was lost.
func TestOfEachRouteEachCallFails(t *testing.T) {
	t.Parallel()
	if os.Getenv("DEX_TEST_DB") == "postgres" {
		return // SQLite tells what is committed, so that it runs there; the run on Postgres would only do it twice
	}
	f := newField(t)
	for _, r := range routesOf(t, f.s) {
		if prepare := requests[r.ID]; prepare != nil {
			f.try(r, prepare)
		}
	}
}

// failures are the ways in which a call fails.
var failures = []failure{
	{name: "it does not get there", fate: calls.Refused},
	{name: "its answer is lost", fate: calls.After},
	{name: "whoever asked is gone", gone: true},
}

type failure struct {
	name string
	fate calls.Fate
	gone bool
}

// worth reports whether it is worth to let a call fail in this way. A lost answer is
// unlike a lost call where something was committed. Who is gone is so at every call
// alike, but where something is begun or committed.
func (w failure) worth(c made) bool {
	switch {
	case w.gone:
		return c.did || c.what == "begin"
	case w.fate == calls.After:
		return c.did
	default:
		return true
	}
}

// made is a call that a request leads to, and whether something was committed by it.
type made struct {
	what string
	did  bool
}

// asked is one valid request of a route.
type asked struct {
	path string // behind the prefix, with its query
	body any    // is written as JSON, unless it is a string
	// leaves is what is left behind by a request that fails, and is nothing of the deed.
	leaves string
	// steps says that it does several things, each by itself: between two of them less
	// is done than all, and asking again does the rest.
	steps bool
}

// field is a worker with an operator who may do everything, on a database whose calls
// fail.
type field struct {
	*testing.T
	s     *workertest.Server
	owner *workertest.Operator
	line  *calls.Line
	ear   *ear
	round int
	ben   string // the id of somebody with a session and a grant

	// admission is how many calls it takes to let a request in, once they have failed for
	// one route: it is the same for all.
	admission int
}

// fieldConfig is as little as a worker needs that all is asked of: keys of one kind,
// so that making one takes no time.
const fieldConfig = `
keys: {algorithms: [ES256]}
clients:
- {id: ops, name: Operations, secret: ops-secret, redirect_uris: ["https://ops.example.com/cb"], id_token_alg: ES256, trusted: true, grant_types: [authorization_code, refresh_token], scopes: [openid, offline_access, SCOPES]}
- {id: app, name: Application, secret: app-secret, redirect_uris: ["https://app.example.com/cb"], id_token_alg: ES256, trusted: true, grant_types: [authorization_code, refresh_token], scopes: [openid, offline_access]}
- {id: caller, name: Caller, secret: caller-secret, id_token_alg: ES256, grant_types: ["urn:openid:params:grant-type:ciba"], ciba_mode: poll, scopes: [openid]}
users:
- {id: ann, username: ann, password_hash: "HASH"}
- {id: ben, username: ben, email: ben@example.com, email_verified: true, password_hash: "HASH"}
`

func newField(t *testing.T) *field {
	c, line, ear := &clock.Fake{}, &calls.Line{}, &ear{}
	// Nothing is answered from memory, so that each request asks for all it needs.
	db := storetest.OpenSQLite(t, storetest.WithClock(c), storetest.WithLease(1), func(o *store.Options) {
		o.Between = func(d driver.Connector) driver.Connector { return line.Between(listening{d, ear}) }
	})
	line.Lost = storetest.Lost(t, db)
	config := strings.NewReplacer("SCOPES", `"`+strings.ReplaceAll(strings.TrimPrefix(workertest.AllScopes, "openid "), " ", `", "`)+`"`, "HASH", workertest.PasswordHash).Replace(fieldConfig)
	f := &field{T: t, line: line, ear: ear, s: workertest.Start(t, workertest.Options{Bare: true, Config: config, DB: db, Clock: c})}
	f.owner, f.ben = f.s.Operator(t, "ann", "owner"), idOf(t, f.s, "ben")
	f.signIn()
	return f
}

func (f *field) raw(query string, args ...any) {
	f.Helper()
	_, err := store.Raw(f.s.DB).ExecContext(f.Context(), query, args...)
	must(f, err)
}

// admitting counts the calls that it takes to let a request in, by one that is refused
// straight afterwards: it does not say which version it has seen.
func (f *field) admitting() (n int) {
	f.Helper()
	f.line.SetJudge(func(call string) calls.Fate {
		if call != "connect" {
			n++
		}
		return calls.Pass
	})
	defer f.line.SetJudge(nil)
	if got := f.owner.Call(http.MethodDelete, "/groups/none", nil); got.Status != http.StatusPreconditionRequired || n == 0 {
		f.Fatalf("after %d calls: %d %s", n, got.Status, got.Body)
	}
	return n
}

// fresh is a name that nobody had before.
func (f *field) fresh() string { return fmt.Sprint("name-", f.round) }

// make creates something over the API, and returns the id of it.
func (f *field) make(path string, body any) string {
	f.Helper()
	var made struct {
		ID string `json:"id"`
	}
	f.owner.Call(http.MethodPost, path, body).Into(f, &made)
	return made.ID
}

// next prepares one more request.
func (f *field) next(r api.Route, prepare func(*field) asked) (a asked, send func(context.Context) workertest.Replied) {
	f.Helper()
	f.round++
	a = prepare(f)
	key := f.fresh()
	f.ear.heard()
	return a, func(ctx context.Context) workertest.Replied { return f.send(ctx, r, a, key) }
}

// send sends a request to the worker's handler, without a network between.
func (f *field) send(ctx context.Context, r api.Route, a asked, key string) workertest.Replied {
	f.Helper()
	text, ok := a.body.(string)
	if !ok && a.body != nil {
		b, err := json.Marshal(a.body)
		must(f, err)
		text = string(b)
	}
	q := httptest.NewRequestWithContext(ctx, r.Method, resource.Prefix+a.path, strings.NewReader(text))
	q.Header.Set("Authorization", "Bearer "+f.owner.Token)
	if text != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	if r.Guarded {
		q.Header.Set("If-Match", "*")
	}
	if r.Creates {
		q.Header.Set("Idempotency-Key", key)
	}
	w := httptest.NewRecorder()
	f.s.Worker.AdminHandler().ServeHTTP(w, q)
	got := workertest.Replied{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
	if w.Header().Get("Content-Type") == resource.ProblemType {
		must(f, json.Unmarshal(w.Body.Bytes(), &got.Problem))
	}
	return got
}

// try lets each call of a route fail, in each way. As long as nothing is done by a
// request that fails, the next one is the same request again, and gets further: so the
// last, which nothing stands in the way of, shows that whoever keeps asking gets there.
func (f *field) try(r api.Route, prepare func(*field) asked) {
	f.Helper()
	tr := &trial{field: f, route: r}
	if !tr.watched(prepare) {
		return
	}
	first := 1
	if !r.Public {
		first += f.admission
		f.admission = f.admitting()
	}
	tr.asked, tr.send = f.next(r, prepare)
	for _, tr.failure = range failures {
		for n := first; n <= len(tr.calls) && !f.Failed(); n++ {
			if !tr.worth(tr.calls[n-1]) {
				continue
			}
			if hit := tr.fails(n); tr.happened != "" {
				if hit {
					tr.again()
				}
				tr.asked, tr.send = f.next(r, prepare)
			}
		}
	}
	tr.fails(len(tr.calls) + 1000) // of which there is none
}

// trial is one route whose calls fail.
type trial struct {
	*field
	asked
	failure
	route  api.Route
	wholly string // what happens when it is done
	calls  []made // that it takes
	send   func(context.Context) workertest.Replied

	where    string
	got      workertest.Replied
	happened string
}

// watched sends the request with nothing in its way, and notes what it does. It reports
// whether that is as it should be.
func (tr *trial) watched(prepare func(*field) asked) bool {
	tr.Helper()
	_, send := tr.next(tr.route, prepare)
	note := func(call string) calls.Fate {
		if call == "connect" {
			return calls.Pass
		}
		if n := len(tr.calls); n > 0 {
			tr.calls[n-1].did = tr.ear.heardMore()
		}
		tr.calls = append(tr.calls, made{what: call})
		return calls.Pass
	}
	tr.line.SetJudge(note)
	got := send(tr.Context())
	tr.line.SetJudge(nil)
	if n := len(tr.calls); n > 0 {
		tr.calls[n-1].did = tr.ear.heardMore()
	}
	tr.wholly = tr.ear.heard()
	switch {
	case got.Status >= http.StatusBadRequest:
		tr.Errorf("%s: the request in the table is refused: %d %s", tr.route.ID, got.Status, got.Body)
	case tr.route.Method == http.MethodGet && tr.wholly != "":
		tr.Errorf("%s changes something: %s", tr.route.ID, tr.wholly)
	case len(tr.calls) == 0:
		tr.Errorf("%s asks nothing of the database", tr.route.ID)
	default:
		return true
	}
	return false
}

// fails sends the request with a call that fails. It reports false if there is no such
// call.
func (tr *trial) fails(n int) bool {
	tr.Helper()
	ctx, cancel := context.WithCancel(tr.Context())
	defer cancel()
	nth := &calls.Nth{N: n, Fate: tr.fate}
	if tr.gone {
		nth.Leave = cancel
	}
	tr.line.SetJudge(nth.Judge)
	tr.got = tr.send(ctx)
	tr.line.SetJudge(nil)
	call, hit := nth.Hit()
	if tr.happened = tr.ear.heard(); tr.leaves != "" && strings.HasPrefix(tr.happened, tr.leaves) && !strings.Contains(tr.happened, ",") {
		tr.happened = ""
	}
	tr.where = fmt.Sprintf("%s, call %d (%s), %s: %d %.300s", tr.route.ID, n, call, tr.name, tr.got.Status, tr.got.Body)
	succeeded := tr.got.Status < http.StatusBadRequest
	switch {
	case succeeded && tr.happened != tr.wholly && !tr.steps:
		tr.Errorf("%s: this has happened: %q, and not %q", tr.where, tr.happened, tr.wholly)
	case succeeded:
	case !hit:
		tr.Errorf("%s, though nothing failed", tr.where)
	case tr.happened != "" && tr.happened != tr.wholly && !tr.steps:
		tr.Errorf("%s: it is half done: %q of %q", tr.where, tr.happened, tr.wholly)
	default:
		tr.honest()
	}
	if !hit && tr.route.Creates {
		tr.again()
	}
	return hit
}

// honest looks at how a failure was told: as one of ours that passes.
func (tr *trial) honest() {
	tr.Helper()
	if tr.got.Status != http.StatusServiceUnavailable || tr.got.Problem.Code != resource.Unavailable || tr.got.Problem.Detail == "" {
		tr.Errorf("%s: it is not told as what passes", tr.where)
	}
	if tr.got.Header.Get("Retry-After") == "" {
		tr.Errorf("%s: nobody is told when to try again", tr.where)
	}
	for _, internal := range []string{"sql", "SELECT", ".go:", "context"} {
		if strings.Contains(tr.got.Body, internal) {
			tr.Errorf("%s: it tells of our inside", tr.where)
		}
	}
}

// again sends a request once more that has done something, with nothing in its way.
func (tr *trial) again() {
	tr.Helper()
	got := tr.send(tr.Context())
	happened := tr.ear.heard()
	succeeded := got.Status < http.StatusBadRequest
	switch done := tr.happened == tr.wholly; {
	case done && tr.route.Creates && (!succeeded || happened != ""):
		tr.Errorf("%s: with the same key it does not get the first answer: %d %s, and this has happened: %q", tr.where, got.Status, got.Body, happened)
	case tr.route.Creates && tr.got.Status < http.StatusBadRequest && got.Body != tr.got.Body:
		tr.Errorf("%s: the second time it is another answer: %s", tr.where, got.Body)
	case succeeded:
	case done && (got.Status == http.StatusNotFound || got.Status == http.StatusConflict): // so it was done
	default:
		tr.Errorf("%s: asked again: %d %s", tr.where, got.Status, got.Body)
	}
}
