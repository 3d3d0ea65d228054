package worker_test

import (
	"net/http"
	"testing"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
)

// operated is a worker with clients for operators.
func operated(t *testing.T) *workertest.Server {
	return workertest.Start(t, workertest.Options{Clients: workertest.OperatorClients, Config: workertest.OperatorUsers})
}

func TestAnOperatorSeesAndEndsWhatSomebodyHas(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "support")
	app := s.Client(t, "app")
	b := s.Browser(t)
	tokens := app.Redeem(b.SignIn(b.Get(app.Authorize()), "ben", workertest.Password).Param("code"))
	userID := workertest.Claims(t, tokens.AccessToken)["sub"].(string)

	var sessions resource.List[resource.Session]
	ann.Call(http.MethodGet, "/users/"+userID+"/sessions", nil).Into(t, &sessions)
	if len(sessions.Items) != 1 || sessions.Items[0].UserID != userID || sessions.Next != "" {
		t.Fatalf("the sessions of somebody with one: %+v", sessions)
	}
	var grants resource.List[resource.Grant]
	ann.Call(http.MethodGet, "/users/"+userID+"/grants", nil).Into(t, &grants)
	if len(grants.Items) != 1 || grants.Items[0].ClientID != "app" || !grants.Items[0].Offline {
		t.Fatalf("the grants of somebody with one: %+v", grants)
	}
	if got := ann.Call(http.MethodDelete, "/sessions/"+sessions.Items[0].ID, nil); got.Status != http.StatusNoContent {
		t.Fatalf("ending a session: %d %s", got.Status, got.Body)
	}
	if a := b.Follow(b.Get(app.Authorize("prompt", "none"))); a.Param("error") != "login_required" {
		t.Errorf("the session that was ended answers: %d %s", a.Status, a.Param("error"))
	}
	if got := app.Userinfo(tokens.AccessToken).Status; got != http.StatusOK {
		t.Errorf("what outlives its session has ended with it: %d", got)
	}
	if got := ann.Call(http.MethodDelete, "/users/"+userID+"/grants", nil); got.Status != http.StatusNoContent {
		t.Fatalf("revoking all grants: %d %s", got.Status, got.Body)
	}
	if got := app.Userinfo(tokens.AccessToken).Status; got != http.StatusUnauthorized {
		t.Errorf("a token of a grant that was revoked: %d", got)
	}
	for _, kind := range []string{"session.terminated", "grant.revoked"} {
		var actor string
		must(t, rowOf(s, `SELECT actor FROM audit_events WHERE kind = $1 AND user_id = $2`, kind, userID).Scan(&actor))
		if actor != subject(t, ann) {
			t.Errorf("%s says that %q did it", kind, actor)
		}
	}
}

func TestWhoAsksWithoutATokenIsToldWhereToGetOne(t *testing.T) {
	t.Parallel()
	s := operated(t)
	nobody := s.Bearer(t, "")
	got := nobody.Call(http.MethodGet, "/users/usr_x/sessions", nil)
	want := `Bearer realm="dex", resource_metadata="` + s.Admin + resource.Metadata + `"`
	if got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") != want || got.Problem.Code != resource.Unauthenticated {
		t.Errorf("got %d %q %s", got.Status, got.Header.Get("WWW-Authenticate"), got.Body)
	}
	var told resource.Protected
	nobody.Call(http.MethodGet, resource.Metadata, nil).Into(t, &told)
	if told.Resource != s.Admin || len(told.Issuers) != 1 || told.Issuers[0] != s.URL {
		t.Errorf("the metadata: %+v", told)
	}
}

func TestATokenIsWorthItsRoleAtOnce(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ann := s.Operator(t, "ann", "support")
	path := "/users/" + subject(t, ann) + "/sessions"
	if got := ann.Call(http.MethodGet, path, nil); got.Status != http.StatusOK {
		t.Fatalf("with the role: %d %s", got.Status, got.Body)
	}
	s.SetRole(t, "ann", "")
	if got := ann.Call(http.MethodGet, path, nil); got.Status != http.StatusUnauthorized {
		t.Errorf("the role was taken away: %d", got.Status)
	}
	s.SetRole(t, "ann", "owner")
	s.Clock.Advance(time.Hour)
	if got := ann.Call(http.MethodGet, path, nil); got.Status != http.StatusUnauthorized {
		t.Errorf("the token has expired: %d", got.Status)
	}
}
