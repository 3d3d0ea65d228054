package worker_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
)

func keysOf(t *testing.T, o *workertest.Operator) (all []resource.Key) {
	t.Helper()
	var list resource.List[resource.Key]
	o.Call(http.MethodGet, "/keys", nil).Into(t, &list)
	return list.Items
}

func states(keys []resource.Key) (all []string) {
	for _, k := range keys {
		all = append(all, k.Algorithm+" "+k.State)
	}
	slices.Sort(all)
	return all
}

func TestAnOperatorRotatesKeysByOrderAndNoTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := operated(t)
	owner := s.Operator(t, "ann", "owner")
	before := keysOf(t, owner)
	if got := strings.Join(states(before), ", "); got != "ES256 signing, EdDSA signing, RS256 signing" {
		t.Fatalf("the keys are %s", got)
	}
	var list resource.List[resource.Key]
	owner.Call(http.MethodPost, "/keys/rotate", nil).Into(t, &list)
	if got := strings.Join(states(list.Items), ", "); got != "ES256 announced, ES256 signing, EdDSA announced, EdDSA signing, RS256 announced, RS256 signing" {
		t.Errorf("after the order they are %s", got)
	}
	if again := owner.Call(http.MethodPost, "/keys/rotate", nil); again.Status != http.StatusConflict || again.Problem.Code != resource.Conflict {
		t.Errorf("twice: %d %s", again.Status, again.Body)
	}
	if status := s.Client(t, "app").Userinfo(owner.Token).Status; status == http.StatusUnauthorized {
		t.Error("a token of the key that signs is refused")
	}
	if weak := s.Operator(t, "ben", "auditor").Call(http.MethodPost, "/keys/rotate", nil); weak.Status != http.StatusForbidden {
		t.Errorf("an auditor rotates keys: %d", weak.Status)
	}
}

func TestAKeyThatOthersKnowIsWorthNothingAtOnce(t *testing.T) {
	t.Parallel()
	s := operated(t)
	owner := s.Operator(t, "ann", "owner")
	app, b := s.Client(t, "app"), s.Browser(t)
	tokens := app.Redeem(b.SignIn(b.Get(app.Authorize()), "ben", workertest.Password).Param("code"))
	if app.Userinfo(tokens.AccessToken).Status != http.StatusOK {
		t.Fatal("the token does not count to begin with")
	}
	var lost string
	for _, k := range keysOf(t, owner) {
		if k.Algorithm == "ES256" { // which access tokens are signed in
			lost = k.ID
		}
	}
	var after resource.List[resource.Key]
	owner.Call(http.MethodPost, "/keys/"+url.PathEscape(lost)+"/compromise", nil).Into(t, &after)
	for _, k := range after.Items {
		if (k.ID == lost) != (k.State == "gone") {
			t.Errorf("the key %s is %s", k.ID, k.State)
		}
	}
	if got := app.Userinfo(tokens.AccessToken).Status; got != http.StatusUnauthorized {
		t.Errorf("what it has signed still counts: %d", got)
	}
	if got := owner.Call(http.MethodGet, "/keys", nil); got.Status != http.StatusUnauthorized {
		t.Errorf("and so does the operator's token: %d", got.Status)
	}
	fresh := app.Refresh(tokens.RefreshToken)
	if fresh.Status != http.StatusOK || app.Userinfo(fresh.AccessToken).Status != http.StatusOK {
		t.Errorf("nobody stays logged in: %d %s", fresh.Status, fresh.Error)
	}
	again := s.Operator(t, "ann", "owner")
	if got := again.Call(http.MethodPost, "/keys/"+url.PathEscape(lost)+"/compromise", nil); got.Status != http.StatusNotFound {
		t.Errorf("twice: %d %s", got.Status, got.Body)
	}
	var n int
	must(t, rowOf(s, `SELECT COUNT(*) FROM audit_events WHERE kind = $1`, "key.compromised").Scan(&n))
	if n != 1 {
		t.Errorf("it stands in the record %d times", n)
	}
}

func TestAnOperatorSeesHowTheWholeDoes(t *testing.T) {
	t.Parallel()
	s := operated(t)
	owner := s.Operator(t, "ann", "owner")
	var done resource.DutyDone
	owner.Call(http.MethodPost, "/duties/clear%20away/run", nil).Into(t, &done)
	var list resource.List[resource.Duty]
	owner.Call(http.MethodGet, "/duties", nil).Into(t, &list)
	i := slices.IndexFunc(list.Items, func(d resource.Duty) bool { return d.Name == "clear away" })
	if i < 0 || list.Items[i].State != "well" || list.Items[i].Runs == 0 || list.Items[i].DoneAt.IsZero() {
		t.Errorf("the duties: %+v", list.Items)
	}
	if got := owner.Call(http.MethodPost, "/duties/nothing/run", nil); got.Status != http.StatusNotFound {
		t.Errorf("a duty that nobody has: %d %s", got.Status, got.Body)
	}
	var h resource.Health
	owner.Call(http.MethodGet, "/health", nil).Into(t, &h)
	if !h.Well || len(h.Problems) != 0 {
		t.Errorf("it does %+v", h)
	}
	if !strings.Contains(h.Database.Version, "SQL") || h.Database.Standby || len(h.Keys.Algorithms) != 3 || h.Keys.Rotation != 30*24*60*60 || h.Keys.Lead != 25*60*60 || !h.At.Equal(s.Clock.Now()) {
		t.Errorf("of its database and its keys it says %+v", h)
	}
	now := s.Clock.Now()
	must(t, s.DB.DutyBegan(t.Context(), "a duty", "somebody", now))
	must(t, s.DB.DutyEnded(t.Context(), "a duty", "", "the disk is full", now.Add(time.Second)))
	owner.Call(http.MethodGet, "/health", nil).Into(t, &h)
	if h.Well || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "the disk is full") {
		t.Errorf("one duty fails, and it does %+v", h)
	}
	var state resource.State
	s.Bearer(t, "").Call(http.MethodGet, "/state", nil).Into(t, &state)
	if state.Bootstrapped || state.Schema == 0 || state.Schema != state.Needs {
		t.Errorf("the state is %+v", state)
	}
	var resealed resource.Resealed
	owner.Call(http.MethodPost, "/keys/reseal", nil).Into(t, &resealed)
	if resealed.Rows != 0 || resealed.More {
		t.Errorf("with one key secret there is nothing to seal anew: %+v", resealed)
	}
}

// An operator knows one address. Whether the worker behind it has the duties, nobody
// should have to know.
func TestAWorkerBesideAnOverlordServesWhatIsAboutTheWhole(t *testing.T) {
	t.Parallel()
	first := operated(t)
	s := workertest.Start(t, workertest.Options{DB: first.DB, Clock: first.Clock, Issuer: first.URL, Clients: workertest.OperatorClients, Config: workertest.OperatorUsers + "duties: false\n"})
	owner := s.Bearer(t, first.Operator(t, "ann", "owner").Token)
	var list resource.List[resource.Key]
	owner.Call(http.MethodPost, "/keys/rotate", nil).Into(t, &list)
	if len(list.Items) != 6 || len(keysOf(t, owner)) != 6 {
		t.Errorf("after the order to rotate there are %d keys", len(list.Items))
	}
	for _, path := range []string{"/state", "/health", "/duties", "/outbox", "/keys"} {
		if got := owner.Call(http.MethodGet, path, nil); got.Status != http.StatusOK {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	var done resource.DutyDone
	owner.Call(http.MethodPost, "/duties/clear%20away/run", nil).Into(t, &done)
	if got := owner.Call(http.MethodPost, "/duties/nothing/run", nil); got.Status != http.StatusNotFound {
		t.Errorf("a duty that nobody has: %d %s", got.Status, got.Body)
	}
	must(t, s.DB.DutyBegan(t.Context(), "deliver", "overlord-1/7 ABCDEF", s.Clock.Now()))
	got := owner.Call(http.MethodPost, "/duties/deliver/run", nil)
	if got.Status != http.StatusConflict || !strings.Contains(got.Problem.Detail, "overlord-1/7") {
		t.Errorf("a duty that needs the settings of another process: %d %s", got.Status, got.Body)
	}
}
