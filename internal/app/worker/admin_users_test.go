package worker_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
)

// hired makes somebody over the API.
func hired(t *testing.T, by *workertest.Operator, form map[string]any) resource.User {
	t.Helper()
	var u resource.User
	by.Call(http.MethodPost, "/users", form).Into(t, &u)
	return u
}

func zoe(more ...any) map[string]any {
	form := map[string]any{"username": "zoe", "email": "zoe@example.com", "email_verified": true, "name": "Zoe New"}
	for i := 0; i+1 < len(more); i += 2 {
		form[more[i].(string)] = more[i+1]
	}
	return form
}

// locations are where a problem says that something is wrong.
func locations(p resource.Problem) string {
	var all []string
	for _, m := range p.Errors {
		all = append(all, m.Location)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestAnOperatorMakesSomebodyWhoThenLogsIn(t *testing.T) {
	t.Parallel()
	s := operated(t)
	admin := s.Operator(t, "ann", "admin")
	admin.Call(http.MethodPost, "/groups", map[string]any{"id": "crew", "description": "On board"}).Into(t, &resource.Group{})
	got := admin.Call(http.MethodPost, "/users", zoe("groups", []string{"crew"}, "password", chosen, "given_name", "Zoe"), "Idempotency-Key", "first")
	var u, again resource.User
	got.Into(t, &u)
	if got.Status != http.StatusCreated && got.Status != http.StatusOK || !strings.HasSuffix(got.Header.Get("Location"), "/users/"+u.ID) || got.Header.Get("ETag") != `"1"` {
		t.Errorf("%d, at %q, %q", got.Status, got.Header.Get("Location"), got.Header.Get("ETag"))
	}
	admin.Call(http.MethodPost, "/users", zoe("groups", []string{"crew"}, "password", chosen, "given_name", "Zoe"), "Idempotency-Key", "first").Into(t, &again)
	if again.ID != u.ID {
		t.Errorf("the same request made %s and %s", u.ID, again.ID)
	}
	if strings.Contains(got.Body, "argon2") || strings.Contains(got.Body, chosen) {
		t.Errorf("the answer holds the password: %s", got.Body)
	}
	var stored resource.User
	admin.Call(http.MethodGet, "/users/"+u.ID, nil).Into(t, &stored)
	if fmt.Sprintf("%+v", stored) != fmt.Sprintf("%+v", u) {
		t.Errorf("what was promised is not what there is:\n%+v\n%+v", u, stored)
	}
	app, b := s.Client(t, "app"), s.Browser(t)
	tokens := app.Redeem(b.SignIn(b.Get(app.Authorize("scope", "openid groups profile")), "Zoe@Example.com", chosen).Param("code"))
	claims := workertest.Claims(t, tokens.IDToken)
	if claims["sub"] != u.ID || fmt.Sprint(claims["groups"]) != "[crew]" || claims["given_name"] != "Zoe" {
		t.Errorf("claims: %v", claims)
	}
}

func TestWhatIsWrongWithAUserIsToldAtItsPlace(t *testing.T) {
	t.Parallel()
	s := operated(t)
	admin := s.Operator(t, "ann", "admin")
	hired(t, admin, zoe())
	for _, tt := range []struct {
		name   string
		form   any
		status int
		places string
	}{
		{"several things", map[string]any{"username": "a b\u200b", "email": "no", "role": "wizard", "password": "short"}, 422, "body.email body.password body.role body.username"},
		{"nothing to log in with", map[string]any{"name": "Nobody"}, 422, "body.username"},
		{"a member that nobody knows", zoe("username", "yan", "shoe_size", 43), 422, "body.shoe_size"},
		{"an id", zoe("username", "yan", "id", "usr_mine"), 422, "body.id"},
		{"a group that is not there", zoe("username", "yan", "email", "yan@example.com", "groups", []string{"nowhere"}), 422, "body.groups"},
		{"a login name that is taken", zoe("username", "yan"), 409, "body.login_names"},
		{"no object", `[]`, 422, ""},
		{"no JSON", `{"username":`, 400, "body"},
		{"a member twice", `{"username": "yan", "username": "ann"}`, 400, "body"},
		{"a hash that nobody can check", zoe("username", "yan", "email", "yan@example.com", "password_hash", "md5"), 422, "body.password_hash"},
	} {
		got := admin.Call(http.MethodPost, "/users", tt.form)
		if got.Status != tt.status || tt.places != "" && locations(got.Problem) != tt.places || got.Problem.Code == "" {
			t.Errorf("%s: %d at %q: %s", tt.name, got.Status, locations(got.Problem), got.Body)
		}
	}
	var all resource.List[resource.User]
	admin.Call(http.MethodGet, "/users?managed_by=api", nil).Into(t, &all)
	if len(all.Items) != 1 {
		t.Errorf("%d people are there", len(all.Items))
	}
}

func TestPeopleAreListedPartByPart(t *testing.T) {
	t.Parallel()
	s := operated(t)
	admin := s.Operator(t, "ann", "admin")
	for i := range 7 {
		hired(t, admin, map[string]any{"username": fmt.Sprint("crew", i), "name": "Crew Member", "disabled": i == 0})
	}
	must(t, s.Worker.CatchUp(t.Context()))
	list := func(query url.Values) (names []string) {
		for range 50 {
			var part resource.List[resource.User]
			admin.Call(http.MethodGet, "/users?"+query.Encode(), nil).Into(t, &part)
			for _, u := range part.Items {
				names = append(names, u.Username)
			}
			if part.Next == "" {
				return names
			}
			query.Set("cursor", part.Next)
		}
		t.Fatal("the list has no end")
		return nil
	}
	for _, tt := range []struct {
		query string
		want  int
	}{
		{"limit=2", 13}, {"text=crew&limit=3", 7}, {"text=mem+crew3&limit=3", 1}, {"state=disabled", 1}, {"text=crew&state=enabled&limit=1", 6},
		{"managed_by=file&limit=1", 6}, {"role=admin", 1}, {"connector=local&limit=4", 13}, {"group=none", 0}, {"text=%21%21", 0}, {"text=ben", 1},
	} {
		query, _ := url.ParseQuery(tt.query)
		if got := list(query); len(got) != tt.want {
			t.Errorf("%s: %q", tt.query, got)
		}
	}
	var part resource.List[resource.User]
	admin.Call(http.MethodGet, "/users?text=crew&limit=2", nil).Into(t, &part)
	for _, bad := range []string{"text=ann&cursor=" + part.Next, "cursor=made-up", "limit=0", "limit=501", "state=odd", "unknown=1"} {
		if got := admin.Call(http.MethodGet, "/users?"+bad, nil); got.Status != 422 {
			t.Errorf("%s: %d %s", bad, got.Status, got.Body)
		}
	}
}

func TestAUserIsChangedOnlyAsSomebodyHasSeenThem(t *testing.T) {
	t.Parallel()
	s := operated(t)
	admin := s.Operator(t, "ann", "admin")
	u := hired(t, admin, zoe("given_name", "Zoe", "locale", "de"))
	at := "/users/" + u.ID
	if got := admin.Call(http.MethodPatch, at, map[string]any{"name": "Z"}); got.Status != http.StatusPreconditionRequired {
		t.Errorf("without If-Match: %d", got.Status)
	}
	u = resource.User{}
	got := admin.Call(http.MethodPatch, at, map[string]any{"name": "Zoe Other", "locale": nil}, "If-Match", `"1"`)
	got.Into(t, &u)
	if u.Name != "Zoe Other" || u.Locale != "" || u.GivenName != "Zoe" || u.Email != "zoe@example.com" || got.Header.Get("ETag") != `"2"` {
		t.Errorf("after the patch: %+v, %s", u, got.Header.Get("ETag"))
	}
	if got := admin.Call(http.MethodPut, at, zoe(), "If-Match", `"1"`); got.Status != http.StatusPreconditionFailed || got.Problem.Code != resource.Changed {
		t.Errorf("by an old version: %d %s", got.Status, got.Body)
	}
	u = resource.User{}
	admin.Call(http.MethodPut, at, map[string]any{"username": "zora"}, "If-Match", "*").Into(t, &u)
	if u.Username != "zora" || u.Email != "" || u.GivenName != "" || fmt.Sprint(u.LoginNames) != "[zora]" {
		t.Errorf("after the replacement: %+v", u)
	}
	for name, form := range map[string]map[string]any{
		"body.role": {"role": "auditor"}, "body.groups": {"groups": []string{"crew"}}, "body.disabled": {"disabled": true},
		"body.password": {"password": chosen}, "body.id": {"id": "usr_other"}, "body.shoe_size": {"shoe_size": 43}, "body.email": {"email": "no"},
	} {
		if got := admin.Call(http.MethodPatch, at, form, "If-Match", "*"); got.Status != 422 || locations(got.Problem) != name {
			t.Errorf("%s: %d at %q %s", name, got.Status, locations(got.Problem), got.Body)
		}
	}
	for _, file := range []workertest.Replied{
		admin.Call(http.MethodPatch, "/users/usr_ben", map[string]any{"name": "B"}, "If-Match", "*"),
		admin.Call(http.MethodDelete, "/users/usr_ben", nil, "If-Match", "*"),
		admin.Call(http.MethodPut, "/users/usr_ben/role", map[string]any{"role": "auditor"}, "If-Match", "*"),
		admin.Call(http.MethodPost, "/users/usr_ben/password", map[string]any{"password": chosen}),
		admin.Call(http.MethodPost, "/users/usr_ben/invite", nil),
	} {
		if file.Status != http.StatusConflict || !strings.Contains(file.Problem.Detail, "configuration file") {
			t.Errorf("who stands in the file: %d %s", file.Status, file.Body)
		}
	}
	admin.Call(http.MethodPut, at+"/login-names", map[string]any{"login_names": []string{"Zora", "zz"}}, "If-Match", "*").Into(t, &u)
	if fmt.Sprint(u.LoginNames) != "[zora zz]" {
		t.Errorf("login names: %v", u.LoginNames)
	}
	admin.Call(http.MethodPatch, at, map[string]any{"username": "zorro"}, "If-Match", "*").Into(t, &u)
	if fmt.Sprint(u.LoginNames) != "[zorro zz]" {
		t.Errorf("login names after another user name: %v", u.LoginNames)
	}
	if got := admin.Call(http.MethodPut, at+"/login-names", map[string]any{"login_names": []string{"ann"}}, "If-Match", "*"); got.Status != http.StatusConflict {
		t.Errorf("another's login name: %d %s", got.Status, got.Body)
	}
}

func TestWhoIsDisabledOrDeletedIsOutAtOnce(t *testing.T) {
	t.Parallel()
	s := operated(t)
	admin := s.Operator(t, "ann", "admin")
	u := hired(t, admin, zoe("password", chosen))
	app := s.Client(t, "app")
	login := func() workertest.Tokens {
		b := s.Browser(t)
		a := b.SignIn(b.Get(app.Authorize("scope", "openid offline_access")), "zoe", chosen)
		if a.Param("code") == "" {
			return workertest.Tokens{}
		}
		return app.Redeem(a.Param("code"))
	}
	tokens := login()
	if got := admin.Call(http.MethodPost, "/users/"+u.ID+"/disable", nil); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if app.Active(tokens.AccessToken) || app.Refresh(tokens.RefreshToken).Status == http.StatusOK || login().AccessToken != "" {
		t.Error("somebody who is disabled is let in")
	}
	s.Clock.Advance(time.Second)
	admin.Call(http.MethodPost, "/users/"+u.ID+"/enable", nil)
	tokens = login()
	if !app.Active(tokens.AccessToken) {
		t.Fatal("somebody who is enabled is not let in")
	}
	if got := admin.Call(http.MethodDelete, "/users/"+u.ID, nil); got.Status != http.StatusPreconditionRequired {
		t.Errorf("deleted unseen: %d", got.Status)
	}
	if got := admin.Call(http.MethodDelete, "/users/"+u.ID, nil, "If-Match", "*"); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if app.Active(tokens.AccessToken) || app.Refresh(tokens.RefreshToken).Status == http.StatusOK || app.Userinfo(tokens.AccessToken).Status != http.StatusUnauthorized || login().AccessToken != "" {
		t.Error("somebody who is deleted is let in")
	}
	if got := admin.Call(http.MethodGet, "/users/"+u.ID, nil); got.Status != http.StatusNotFound {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if again := hired(t, admin, zoe()); again.ID == u.ID {
		t.Error("the subject came back")
	}
}

func TestNobodyGivesOrTouchesMoreThanTheyMayDo(t *testing.T) {
	t.Parallel()
	s := operated(t)
	owner := s.Operator(t, "ann", "owner")
	people := map[string]resource.User{}
	for _, name := range []string{"owner", "admin", "support", "auditor", "nobody"} {
		form := map[string]any{"username": name, "password": chosen}
		if name != "nobody" {
			form["role"] = name
		}
		people[name] = hired(t, owner, form)
	}
	admin, support := s.Operator(t, "ben", "admin"), func() *workertest.Operator { return s.Operator(t, "ben", "support") }
	try := func(by *workertest.Operator, who string) map[string]int {
		at := "/users/" + people[who].ID
		return map[string]int{
			"change":   by.Call(http.MethodPatch, at, map[string]any{"name": "X"}, "If-Match", "*").Status,
			"password": by.Call(http.MethodPost, at+"/password", map[string]any{"password": chosen}).Status,
			"reset":    by.Call(http.MethodPost, at+"/reset", nil).Status,
			"invite":   by.Call(http.MethodPost, at+"/invite", nil).Status,
			"role":     by.Call(http.MethodPut, at+"/role", map[string]any{"role": "auditor"}, "If-Match", "*").Status,
			"link":     by.Call(http.MethodPost, at+"/identities", map[string]any{"connector_id": "local", "subject": "x" + who}).Status,
			"unlink":   by.Call(http.MethodDelete, at+"/identities/local?subject="+people[who].ID, nil).Status,
			"disable":  by.Call(http.MethodPost, at+"/disable", nil).Status,
			"delete":   by.Call(http.MethodDelete, at, nil, "If-Match", "*").Status,
		}
	}
	for what, status := range try(admin, "owner") {
		if status != http.StatusForbidden {
			t.Errorf("an admin does to an owner: %s: %d", what, status)
		}
	}
	if got := admin.Call(http.MethodPut, "/users/"+people["nobody"].ID+"/role", map[string]any{"role": "owner"}, "If-Match", "*"); got.Status != http.StatusForbidden {
		t.Errorf("an admin makes an owner: %d", got.Status)
	}
	if got := admin.Call(http.MethodPost, "/users", zoe("role", "owner")); got.Status != http.StatusForbidden {
		t.Errorf("an admin makes another who is an owner: %d", got.Status)
	}
	helper := support()
	for _, who := range []string{"owner", "admin", "auditor"} {
		for what, status := range try(helper, who) {
			if status != http.StatusForbidden {
				t.Errorf("support does to the %s: %s: %d", who, what, status)
			}
		}
	}
	for what, status := range try(helper, "nobody") {
		if sends := what == "reset" || what == "invite"; sends != (status == http.StatusOK || status == http.StatusCreated) || !sends && status != http.StatusForbidden {
			t.Errorf("support does to somebody without a role: %s: %d", what, status)
		}
	}
}

func TestARoleCountsAtTheNextRequest(t *testing.T) {
	t.Parallel()
	s := operated(t)
	owner := s.Operator(t, "ann", "owner")
	var hash string // of the password that all have
	must(t, rowOf(s, `SELECT hash FROM passwords WHERE user_id = 'usr_ben'`).Scan(&hash))
	hired(t, owner, zoe("password_hash", hash, "role", "auditor"))
	helper := s.Operator(t, "zoe", "support")
	at := "/users/" + subject(t, helper)
	if got := helper.Call(http.MethodGet, at, nil); got.Status != http.StatusOK {
		t.Fatalf("with the role: %d %s", got.Status, got.Body)
	}
	var u resource.User
	owner.Call(http.MethodPut, at+"/role", map[string]any{"role": ""}, "If-Match", "*").Into(t, &u)
	if got := helper.Call(http.MethodGet, at, nil); got.Status != http.StatusUnauthorized || u.Role != "" {
		t.Errorf("without it: %d", got.Status)
	}
	if got := owner.Call(http.MethodPut, at+"/role", map[string]any{"role": "wizard"}, "If-Match", "*"); got.Status != 422 {
		t.Errorf("a role that is none: %d %s", got.Status, got.Body)
	}
	made := hired(t, owner, map[string]any{"username": "second", "role": "owner"})
	s.SetRole(t, "ann", "owner")
	if got := owner.Call(http.MethodPost, "/users/"+made.ID+"/disable", nil); got.Status != http.StatusNoContent {
		t.Fatalf("one of two owners: %d %s", got.Status, got.Body)
	}
	if got := owner.Call(http.MethodPost, "/users/usr_ann/disable", nil); got.Status != http.StatusConflict || !strings.Contains(got.Problem.Detail, "last owner") {
		t.Errorf("the last owner: %d %s", got.Status, got.Body)
	}
}

func TestALinkOfTheAPILetsSomebodyChooseTheirPassword(t *testing.T) {
	t.Parallel()
	s := operated(t)
	support := s.Operator(t, "ben", "support")
	u := hired(t, s.Operator(t, "ann", "admin"), zoe())
	var l, again resource.Link
	support.Call(http.MethodPost, "/users/"+u.ID+"/invite", nil, "Idempotency-Key", "k").Into(t, &l)
	support.Call(http.MethodPost, "/users/"+u.ID+"/invite", nil, "Idempotency-Key", "k").Into(t, &again)
	if l != again || !strings.HasPrefix(l.URL, s.URL+"/account/password?link=dxl_") || l.Purpose != "invite" || !l.ExpiresAt.Equal(s.Clock.Now().Add(7*24*time.Hour)) {
		t.Errorf("%+v, and once more %+v", l, again)
	}
	b := s.Browser(t)
	if a := choose(t, b, b.Follow(b.Get(l.URL)), chosen); a.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	app := s.Client(t, "app")
	if a := b.SignIn(b.Get(app.Authorize()), "zoe", chosen); a.Param("code") == "" {
		t.Error("the password does not let them in")
	}
	if got := support.Call(http.MethodPost, "/users/"+u.ID+"/reset", map[string]any{"mail": true}); got.Status != http.StatusConflict || !strings.Contains(got.Problem.Detail, "mail") {
		t.Errorf("without a mail server: %d %s", got.Status, got.Body)
	}
	var actor string
	must(t, rowOf(s, `SELECT actor FROM audit_events WHERE kind = 'link.created'`).Scan(&actor))
	if actor != subject(t, support) {
		t.Errorf("the record says that %q did it", actor)
	}
}

func TestALinkGoesByMail(t *testing.T) {
	t.Parallel()
	s := workertest.Start(t, workertest.Options{Clients: workertest.OperatorClients, Config: "mail: {from: dex@example.com, folder: " + t.TempDir() + "}\n"})
	admin := s.Operator(t, "ann", "admin")
	u := hired(t, admin, zoe())
	var l resource.Link
	admin.Call(http.MethodPost, "/users/"+u.ID+"/reset", map[string]any{"mail": true}).Into(t, &l)
	var waiting int
	must(t, rowOf(s, `SELECT COUNT(*) FROM outbox WHERE kind = 'mail'`).Scan(&waiting))
	if l.SentTo != "zoe@example.com" || waiting != 1 {
		t.Errorf("%+v, and %d mails", l, waiting)
	}
}

func TestGroupsAreKeptOverTheAPI(t *testing.T) {
	t.Parallel()
	s := operated(t)
	admin := s.Operator(t, "ann", "admin")
	for _, id := range []string{"crew", "a group: of ours", "deck"} {
		admin.Call(http.MethodPost, "/groups", map[string]any{"id": id}).Into(t, &resource.Group{})
	}
	for _, bad := range []struct {
		form   any
		status int
		places string
	}{
		{map[string]any{"id": "crew"}, 409, ""}, {map[string]any{"description": "x"}, 422, "body.id"}, {map[string]any{"id": "x", "color": "red"}, 422, "body.color"},
		{map[string]any{"id": "x", "members": []string{"usr_ben"}}, 422, "body.members"}, {map[string]any{"id": "a\u0000b"}, 422, "body.id"}, {map[string]any{"id": "a/b"}, 422, "body.id"},
	} {
		if got := admin.Call(http.MethodPost, "/groups", bad.form); got.Status != bad.status || locations(got.Problem) != bad.places {
			t.Errorf("%v: %d at %q %s", bad.form, got.Status, locations(got.Problem), got.Body)
		}
	}
	var g resource.Group
	if got := admin.Call(http.MethodPut, "/groups/crew", map[string]any{"id": "crew", "description": "On board"}, "If-Match", `"7"`); got.Status != http.StatusPreconditionFailed {
		t.Errorf("by a version that never was: %d", got.Status)
	}
	admin.Call(http.MethodPut, "/groups/crew", map[string]any{"id": "crew", "description": "On board"}, "If-Match", `"1"`).Into(t, &g)
	if g.Description != "On board" || g.Version != 2 {
		t.Errorf("%+v", g)
	}
	odd := "/groups/" + url.PathEscape("a group: of ours")
	if got := admin.Call(http.MethodPost, odd+"/members", map[string]any{"users": []string{"usr_ben", "usr_ann"}}); got.Status != http.StatusNoContent {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := admin.Call(http.MethodPost, odd+"/members", map[string]any{"users": []string{"usr_nobody"}}); got.Status != http.StatusNotFound {
		t.Errorf("somebody who is not there: %d %s", got.Status, got.Body)
	}
	var members resource.List[resource.User]
	admin.Call(http.MethodGet, odd+"/members?limit=1", nil).Into(t, &members)
	if len(members.Items) != 1 || members.Next == "" {
		t.Errorf("%+v", members)
	}
	app, b := s.Client(t, "app"), s.Browser(t)
	groups := func() string {
		tokens := app.Redeem(b.SignIn(b.Get(app.Authorize("scope", "openid groups", "prompt", "login")), "ben", workertest.Password).Param("code"))
		return fmt.Sprint(workertest.Claims(t, tokens.IDToken)["groups"])
	}
	if got := groups(); got != "[a group: of ours staff]" {
		t.Errorf("beside what the connector says: %s", got)
	}
	admin.Call(http.MethodDelete, odd+"/members/usr_ben", nil)
	if got := groups(); got != "[staff]" {
		t.Errorf("after they were taken out: %s", got)
	}
	if got := admin.Call(http.MethodDelete, odd, nil, "If-Match", "*"); got.Status != http.StatusNoContent {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	var all resource.List[resource.Group]
	admin.Call(http.MethodGet, "/groups?limit=1", nil).Into(t, &all)
	if len(all.Items) != 1 || all.Next == "" || all.Items[0].ID != "crew" {
		t.Errorf("%+v", all)
	}
}
