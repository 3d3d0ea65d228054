package worker_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"dex/internal/admin/api"
	"dex/internal/admin/resource"
	"dex/internal/app/workertest"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/key"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// routesOf are all that a worker's API does.
func routesOf(t *testing.T, s *workertest.Server) []api.Route {
	t.Helper()
	admin, err := s.Worker.Admin()
	must(t, err)
	if len(admin.Routes()) < 10 {
		t.Fatalf("only %d routes", len(admin.Routes()))
	}
	return admin.Routes()
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// rattle asks for a route about something that is not there, so that nothing happens
// even if it is let in.
func rattle(o *workertest.Operator, r api.Route, query string) workertest.Replied {
	var body any
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		body = "{}"
	}
	var headers []string
	if r.Guarded {
		headers = []string{"If-Match", "*"}
	}
	return o.Call(r.Method, placeholder.ReplaceAllString(r.Path, "nothing")+query, body, headers...)
}

// nowhere is a tenant that is not there.
const nowhere = "nowhere"

// in stands for every status of who was let in: what came of the request is not for
// this matrix to say.
const in = 0

// verdict is how the kernel answers a caller: in, or why not.
func verdict(got workertest.Replied) int {
	switch got.Problem.Code {
	case resource.Unauthenticated, resource.InsufficientScope, resource.Forbidden, resource.Throttled, resource.Internal, resource.Unavailable:
		return got.Status
	case resource.NotFound:
		if strings.Contains(got.Problem.Detail, nowhere) {
			return got.Status
		}
	}
	if got.Status >= 500 {
		return got.Status
	}
	return in
}

// caller is one column of the matrix.
type caller struct {
	name  string
	asks  *workertest.Operator
	query string
	want  func(r api.Route) int
}

// unlessPublic is the answer to whoever has nothing that counts.
func unlessPublic(status int) func(api.Route) int {
	return func(r api.Route) int {
		if r.Public {
			return in
		}
		return status
	}
}

func byRole(who role.Role) func(api.Route) int {
	return func(r api.Route) int {
		if r.Public || who.Scopes().Contains(r.Scope) {
			return in
		}
		return http.StatusForbidden
	}
}

// Every route, by every kind of caller: a route that is added has its rows without
// anybody writing them.
func TestEveryRouteLetsInWhomItDeclares(t *testing.T) {
	t.Parallel()
	s := operated(t)
	routes := routesOf(t, s)
	for _, c := range callers(t, s) {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range routes {
				answer, want := rattle(c.asks, r, c.query), c.want(r)
				got := verdict(answer)
				if want == http.StatusNotFound && got == in && answer.Status >= http.StatusBadRequest {
					continue // the request has a mistake of its own, which was found first
				}
				if got != want {
					t.Errorf("%s %s (%s): got %d, want %d", r.Method, r.Path, r.ID, got, want)
				}
			}
		})
	}
}

// Every route, with a request that is right: whom it lets in hears the one success that
// the document names for it, whatever their role is, and nothing of what one tenant has
// is found or changed in another. Who is refused, the matrix before tells.
func TestEveryRouteAnswersWhomItLetsInAsItIsDescribed(t *testing.T) {
	t.Parallel()
	f := newField(t)
	owner, told, elsewhere := f.owner, succeeding(t, f.s), newForeign(t, f.s).id
	f.make("/connectors?tenant="+elsewhere, map[string]any{"id": "passwords", "kind": "local"})
	operators := map[role.Role]*workertest.Operator{role.Owner: owner}
	for _, who := range role.Roles[1:] {
		operators[who] = f.s.OperatorWith(t, "ann", string(who), "openid "+who.Scopes().String())
	}
	// send has somebody of a role send the route's request, which an owner has prepared.
	send := func(r api.Route, by role.Role, tenant string) workertest.Replied {
		f.s.SetRole(t, "ann", string(role.Owner))
		a, _ := f.next(r, requests[r.ID])
		if tenant != "" {
			u, err := url.Parse(a.path)
			must(t, err)
			query := u.Query()
			query.Set("tenant", tenant)
			u.RawQuery = query.Encode()
			a.path = u.String()
		}
		f.s.SetRole(t, "ann", string(by))
		f.owner = operators[by]
		defer func() { f.owner = owner }()
		return f.send(t.Context(), r, a, f.fresh())
	}
	for _, r := range routesOf(t, f.s) {
		for _, who := range role.Roles {
			if !r.Public && !who.Scopes().Contains(r.Scope) {
				continue
			}
			if got := send(r, who, ""); got.Status != told[r.ID] {
				t.Errorf("%s by %s: %d, and the document says %d: %s", r.ID, who, got.Status, told[r.ID], got.Body)
			}
		}
		if r.Public || r.System {
			continue
		}
		got := send(r, role.Owner, elsewhere)
		happened := f.ear.heard()
		switch empty := got.Body == "" || strings.TrimSpace(got.Body) == `{"items":[]}`; {
		case r.ID == "apply" && got.Status == http.StatusConflict: // it was planned for the default tenant
		case !placeholder.MatchString(r.Path) && got.Status == told[r.ID]:
		case placeholder.MatchString(r.Path) && happened == "" && (got.Status == http.StatusNotFound || empty && got.Status == told[r.ID]):
		default:
			t.Errorf("%s in another tenant: %d, this has happened: %q: %s", r.ID, got.Status, happened, got.Body)
		}
	}
}

// succeeding is the status of success that the document names for each operation.
func succeeding(t *testing.T, s *workertest.Server) map[string]int {
	t.Helper()
	admin, err := s.Worker.Admin()
	must(t, err)
	text, err := admin.Document()
	must(t, err)
	var doc struct {
		Paths map[string]map[string]struct {
			ID        string         `yaml:"operationId"`
			Responses map[string]any `yaml:"responses"`
		} `yaml:"paths"`
	}
	must(t, yaml.Unmarshal(text, &doc))
	told := map[string]int{}
	for _, item := range doc.Paths {
		for _, op := range item {
			for status := range op.Responses {
				if n, err := strconv.Atoi(status); err == nil && n < http.StatusMultipleChoices {
					if told[op.ID] != 0 {
						t.Errorf("%s has two successes", op.ID)
					}
					told[op.ID] = n
				}
			}
		}
	}
	return told
}

// callers are the columns. Whoever is let in everywhere comes last.
func callers(t *testing.T, s *workertest.Server) []caller {
	t.Helper()
	ops := s.Client(t, "ops")
	own := func(scope string) *workertest.Operator {
		return s.Bearer(t, ops.Token("grant_type", "client_credentials", "scope", scope).AccessToken)
	}
	other := newForeign(t, s)
	expired := s.Operator(t, "ann", "owner")
	s.Advance(t, time.Hour)
	gone := s.Operator(t, "ben", "owner")
	s.SetRole(t, "ben", "")
	lesser := s.Operator(t, "fay", "owner")
	s.SetRole(t, "fay", "auditor") // the token says more than the role has
	tokens := func(scope string) workertest.Tokens {
		b := s.Browser(t)
		return ops.Redeem(b.SignIn(b.Get(ops.Authorize("scope", scope)), "ann", workertest.Password).Param("code"))
	}
	all := []caller{
		{"nobody", s.Bearer(t, ""), "", unlessPublic(401)},
		{"a token that is none", s.Bearer(t, "nonsense"), "", unlessPublic(401)},
		{"an ID token", s.Bearer(t, tokens("openid").IDToken), "", unlessPublic(401)},
		{"a refresh token", s.Bearer(t, tokens("openid offline_access").RefreshToken), "", unlessPublic(401)},
		{"a token whose signature is another's", s.Bearer(t, forged(gone.Token, lesser.Token)), "", unlessPublic(401)},
		{"an expired token", expired, "", unlessPublic(401)},
		{"somebody whose role was taken away", gone, "", unlessPublic(401)},
		{"somebody whose role has become less than their token", lesser, "", unlessPublic(401)},
		{"a token of an issuer that is not here", other.stranger, "", unlessPublic(401)},
		{"a token of another audience", other.misaddressed, "", unlessPublic(401)},
		{"a client of another tenant", other.client, "", func(r api.Route) int {
			if r.System {
				return 403
			}
			return in
		}},
		{"a client of another tenant that names this one", other.client, "?tenant=" + tenant.Default, func(r api.Route) int {
			if r.Public {
				return in
			}
			return 403
		}},
		{"a client that acts for itself, and may read people", own("dex:users:read"), "", func(r api.Route) int {
			if r.Public || r.Scope == "dex:users:read" {
				return in
			}
			return 403
		}},
		{"a client that acts for itself, and names a tenant", own("dex:users:read dex:sessions:read"), "?tenant=" + other.id, unlessPublic(403)},
	}
	ben := idOf(t, s, "ben")
	disabled := s.Operator(t, "ben", "admin")
	must(t, s.Tenant.DisableUser(t.Context(), ben, operatorNow(s)))
	all = append(all, caller{"somebody who is disabled", disabled, "", unlessPublic(401)})
	return append(all, thoseLetIn(t, s, other)...)
}

// thoseLetIn are those who are let in here and there, by role.
func thoseLetIn(t *testing.T, s *workertest.Server, other *foreign) []caller {
	t.Helper()
	ops := s.Client(t, "ops")
	var all []caller
	for i, who := range []role.Role{role.Owner, role.Admin, role.Support, role.Auditor} {
		name := []string{"ann", "cleo", "dan", "eve"}[i]
		o := s.Operator(t, name, string(who))
		all = append(all,
			caller{string(who), o, "", byRole(who)},
			caller{string(who) + " that names a tenant which is not there", o, "?tenant=" + nowhere, named(who, 404)},
			caller{string(who) + " that names another tenant", o, "?tenant=" + other.id, named(who, in)},
		)
	}
	b := s.Browser(t)
	bare := ops.Redeem(b.SignIn(b.Get(ops.Authorize("scope", "openid dex:audit:read")), "ann", workertest.Password).Param("code"))
	itself := s.Bearer(t, ops.Token("grant_type", "client_credentials", "scope", workertest.AllScopes).AccessToken)
	return append(all,
		caller{"an owner whose token has one scope", s.Bearer(t, bare.AccessToken), "", func(r api.Route) int {
			if r.Public || r.Scope == "dex:audit:read" {
				return in
			}
			return 403
		}},
		caller{"an owner, by an application that may do less, who names another tenant", s.OperatorWith(t, "ann", "owner", "openid "+role.Admin.Scopes().String()), "?tenant=" + other.id, func(r api.Route) int {
			if r.Public || r.System && role.Admin.Has(oauth.Scopes{r.Scope}) { // the whole installation is no tenant's
				return in
			}
			return 403
		}},
		caller{"a client that acts for itself, and may everything", itself, "", func(api.Route) int { return in }},
	)
}

// bodies are those of the routes that look at the form of a request before they look at
// whom it is about.
var bodies = map[string]any{
	"set-role":        map[string]any{"role": ""},
	"set-login-names": map[string]any{"login_names": []string{"other"}},
	"set-password":    map[string]any{"password": chosen},
	"link-identity":   map[string]any{"connector_id": "local", "subject": "other"},
}

// Every route that does something to somebody, by every role, to every role: a route that
// is added has its rows without anybody writing them. Support that ended an owner's
// sessions would keep the owner from mending what is being done.
func TestNobodyActsOnSomebodyWhoMayDoMore(t *testing.T) {
	t.Parallel()
	s := operated(t)
	ops := s.Client(t, "ops")
	routes := routesOf(t, s)
	type person struct{ user, session, grant string }
	actors, targets := map[role.Role]*workertest.Operator{}, map[role.Role]person{}
	for i, who := range role.Roles {
		actors[who] = s.Operator(t, []string{"ann", "cleo", "dan", "eve"}[i], string(who))
	}
	target := func(username string, who role.Role) person {
		s.SetRole(t, username, string(who))
		b := s.Browser(t)
		if got := ops.Redeem(b.SignIn(b.Get(ops.Authorize("scope", "openid")), username, workertest.Password).Param("code")); got.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", username, got.Status, got.Error)
		}
		p := person{user: idOf(t, s, username)}
		must(t, rowOf(s, `SELECT MAX(id) FROM sessions WHERE user_id = $1`, p.user).Scan(&p.session))
		must(t, rowOf(s, `SELECT MAX(id) FROM grants WHERE user_id = $1`, p.user).Scan(&p.grant))
		return p
	}
	for _, who := range role.Roles {
		targets[who] = target("fay", who)
		to := strings.NewReplacer("{user}", targets[who].user, "{session}", targets[who].session, "{grant}", targets[who].grant)
		tried := 0
		for _, r := range routes {
			at := to.Replace(r.Path)
			if at == r.Path || r.Method == http.MethodGet || r.ID == "remove-member" {
				continue // who is in a group is said by whoever writes groups: it is no power here
			}
			tried++
			body := bodies[r.ID]
			if body == nil && r.Method != http.MethodDelete {
				body = map[string]any{}
			}
			at = strings.NewReplacer("{connector}", "local", "{client}", "ops").Replace(at)
			if r.ID == "unlink-identity" {
				at += "?subject=" + targets[who].user
			}
			for by, actor := range actors {
				if by.Has(who.Scopes()) {
					continue
				}
				if got := actor.Call(r.Method, at, body, "If-Match", "*"); got.Status != http.StatusForbidden {
					t.Errorf("%s by %s to %s: %d %s", r.ID, by, who, got.Status, got.Body)
				}
			}
		}
		if tried < 15 {
			t.Errorf("only %d routes do something to somebody", tried)
		}
	}
	// But anybody ends what is their own, and support that of whoever may do less.
	mine := target("dan", role.Support)
	theirs := target("fay", "")
	helper := s.OperatorWith(t, "dan", "support", "openid dex:sessions:write")
	for _, path := range []string{
		"/sessions/" + theirs.session, "/grants/" + theirs.grant, "/users/" + theirs.user + "/consents/ops", "/sessions/nothing",
		"/sessions/" + mine.session, "/users/" + mine.user + "/grants", // the last, because the token is one
	} {
		if got := helper.Call(http.MethodDelete, path, nil); got.Status != http.StatusNoContent {
			t.Errorf("support ends %s: %d %s", path, got.Status, got.Body)
		}
	}
}

// named is what comes of naming another tenant: the whole installation has none, and
// says so after it has let in.
func named(who role.Role, there int) func(api.Route) int {
	return func(r api.Route) int {
		switch let := byRole(who)(r); {
		case let != in, r.Public, r.System:
			return let
		case who == role.Owner:
			return there
		default:
			return http.StatusForbidden
		}
	}
}

// forged is a token with the signature of another.
func forged(token, of string) string {
	parts, others := strings.Split(token, "."), strings.Split(of, ".")
	return parts[0] + "." + parts[1] + "." + others[2]
}

// foreign is another tenant, with a client of its own.
type foreign struct {
	id                             string
	client, stranger, misaddressed *workertest.Operator
}

func newForeign(t *testing.T, s *workertest.Server) *foreign {
	t.Helper()
	ctx, now := t.Context(), s.Clock.Now()
	const issuer = "https://acme.example.com"
	acme, err := s.DB.EnsureTenant(ctx, "acme", issuer)
	must(t, err)
	robot := secret.New(secret.ClientPrefix)
	_, err = acme.RegisterClient(ctx, client.Registered{ManagedBy: tenant.ManagedByHand, Notes: []client.SecretNote{client.NoteOf(robot, now)}, Client: client.Client{
		ID: "robot", Secrets: []secret.Hash{robot.Hash()}, Name: "Robot", Profile: client.Standard, AuthMethod: oauth.AuthSecretBasic, Trusted: true,
		GrantTypes: []string{client.ClientCredentials}, Scopes: role.All(),
	}}, operatorNow(s))
	must(t, err)
	ring := &key.Ring{Store: acme, Clock: s.Clock, Timing: key.DefaultTiming}
	_, err = ring.Turn(ctx, []jose.Algorithm{jose.ES256})
	must(t, err)
	must(t, ring.Refresh(ctx))
	sign := func(issuer, audience string) *workertest.Operator {
		token, err := ring.Sign(jose.ES256, jose.TypeAccessToken, map[string]any{
			"iss": issuer, "sub": "robot", "client_id": "robot", "aud": audience, "scope": role.All().String(), "jti": rand.Text(),
			"iat": now.Add(time.Second).Unix(), "exp": now.Add(24 * time.Hour).Unix(),
		})
		must(t, err)
		return s.Bearer(t, token)
	}
	return &foreign{
		id: "acme", client: sign(issuer, issuer), stranger: sign("https://nowhere.example.com", "https://nowhere.example.com"), misaddressed: sign(issuer, s.URL),
	}
}

// idOf returns somebody's id.
func idOf(t *testing.T, s *workertest.Server, username string) (id string) {
	t.Helper()
	must(t, rowOf(s, `SELECT id FROM users WHERE username = $1`, username).Scan(&id))
	return id
}

// The crawl: whoever has no token gets into nothing that does not say it is public,
// by whatever method.
func TestWithoutATokenNothingAnswersButWhatIsPublic(t *testing.T) {
	t.Parallel()
	s := operated(t)
	nobody := s.Bearer(t, "")
	public, known := map[string]bool{}, map[string]bool{}
	for _, r := range routesOf(t, s) {
		public[r.Method+" "+r.Path] = r.Public
		known[r.Path] = true
	}
	for path := range known {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			got := nobody.Call(method, placeholder.ReplaceAllString(path, "nothing"), nil)
			switch {
			case public[method+" "+path], method == "HEAD" && public["GET "+path]:
			case got.Status == http.StatusUnauthorized, got.Status == http.StatusMethodNotAllowed:
			default:
				t.Errorf("%s %s answers %d to nobody in particular", method, path, got.Status)
			}
			if got.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s lets other origins in", method, path)
			}
		}
	}
	for _, path := range []string{"/", "/nothing", "/users", "//users", "/../keys"} {
		if got := nobody.Call(http.MethodGet, path, nil); got.Status != http.StatusUnauthorized && got.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}
