package worker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/domain/audit"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
)

// receiver is an application that is sent its tokens.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	heard  []pushed
	status int // that it answers with; zero is 204
}

// pushed is what it is sent, and by which token it knows us.
type pushed struct {
	Bearer string `json:"-"`

	AuthReqID    string `json:"auth_req_id"`
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(r.hear))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) hear(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	body, _ := io.ReadAll(req.Body)
	p := pushed{Bearer: req.Header.Get("Authorization")}
	if req.Method == http.MethodPost && req.Header.Get("Content-Type") == "application/json" && json.Unmarshal(body, &p) == nil {
		r.heard = append(r.heard, p)
	}
	if r.status != 0 {
		w.WriteHeader(r.status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// sent returns what it has been sent since it was last asked.
func (r *receiver) sent() []pushed {
	r.mu.Lock()
	defer r.mu.Unlock()
	heard := r.heard
	r.heard = nil
	return heard
}

// startWithReceiver starts a server with an application that is sent its tokens.
func startWithReceiver(t *testing.T, more string) (*workertest.Server, *receiver) {
	t.Helper()
	r := newReceiver(t)
	return workertest.Start(t, workertest.Options{
		Config: "outbound_allow_private: [127.0.0.0/8]\n",
		Clients: workertest.OperatorClients + fmt.Sprintf(`
- {id: sent, name: Sent, secret: sent-secret, grant_types: ["%s", refresh_token], ciba_mode: push, ciba_notification_endpoint: "%s/here", scopes: [openid, email, offline_access]%s}
`, ciba, r.URL, more),
	}), r
}

// callToBeSent sends a request whose tokens are sent.
func callToBeSent(t *testing.T, s *workertest.Server, pairs ...string) *called {
	t.Helper()
	return callFor(t, s, "sent", append([]string{"login_hint", "ann", "client_notification_token", "theirs"}, pairs...)...)
}

func TestAClientThatIsSentItsTokensDoesNotAskForThem(t *testing.T) {
	s, r := startWithReceiver(t, "")
	c := callToBeSent(t, s, "scope", "openid email offline_access")
	if c.ID == "" || c.Interval != 0 || c.ExpiresIn != 300 {
		t.Errorf("the client is told %+v", c)
	}
	if got := c.poll(); got.Status != http.StatusBadRequest || got.Error != "unauthorized_client" {
		t.Errorf("it asks: %d %s", got.Status, got.Error)
	}
	allow(t, s, "usr_ann")
	s.Advance(t, 3*time.Second)
	sent := r.sent()
	if len(sent) != 1 {
		t.Fatalf("it is sent %d answers", len(sent))
	}
	got := sent[0]
	if got.Bearer != "Bearer theirs" || got.AuthReqID != c.ID || got.TokenType != "Bearer" || got.ExpiresIn <= 0 || got.Error != "" {
		t.Errorf("it is sent %+v", got)
	}
	claims := workertest.Claims(t, got.IDToken)
	for name, want := range map[string]any{
		"urn:openid:params:jwt:claim:auth_req_id": c.ID,
		"urn:openid:params:jwt:claim:rt_hash":     jose.HalfHash(jose.RS256, got.RefreshToken),
		"at_hash":                                 jose.HalfHash(jose.RS256, got.AccessToken),
		"sub":                                     "usr_ann",
		"aud":                                     "sent",
		"email":                                   "ann@example.com",
	} {
		if claims[name] != want {
			t.Errorf("the ID token says %s: %v, not %v", name, claims[name], want)
		}
	}
	if a := c.client.Userinfo(got.AccessToken); a.Status != http.StatusOK {
		t.Errorf("userinfo: %d", a.Status)
	}
	if again := c.client.Refresh(got.RefreshToken); again.Status != http.StatusOK || again.RefreshToken == "" {
		t.Errorf("its refresh token: %d %s", again.Status, again.Error)
	}
	if got := c.poll(); got.Error != "unauthorized_client" {
		t.Errorf("it asks afterwards: %d %s", got.Status, got.Error)
	}
	if a := c.client.Userinfo(got.AccessToken); a.Status != http.StatusOK {
		t.Errorf("and its tokens do not count any more: %d", a.Status)
	}
	// The time of the request is up: whoever has been answered hears no more.
	s.Advance(t, grant.BackchannelLife)
	if sent := r.sent(); len(sent) != 0 || len(letters(t, s)) != 0 {
		t.Errorf("it is sent %+v beside, and %d letters wait", sent, len(letters(t, s)))
	}

	brief := callToBeSent(t, s)
	allow(t, s, "usr_ann")
	s.Advance(t, 3*time.Second)
	sent = r.sent()
	if len(sent) != 1 || sent[0].AuthReqID != brief.ID || sent[0].RefreshToken != "" {
		t.Fatalf("without offline_access it is sent %+v", sent)
	}
	if _, ok := workertest.Claims(t, sent[0].IDToken)["urn:openid:params:jwt:claim:rt_hash"]; ok {
		t.Error("the ID token names a refresh token that there is not")
	}
}

// CIBA section 12.
func TestAClientThatIsSentItsTokensIsToldWhyItGetsNone(t *testing.T) {
	s, r := startWithReceiver(t, "")
	owner := s.Operator(t, "ben", "owner")
	one := func(what string, c *called, code string) {
		t.Helper()
		sent := r.sent()
		if len(sent) != 1 {
			t.Fatalf("%s: it is sent %d answers", what, len(sent))
		}
		if got := sent[0]; got.Bearer != "Bearer theirs" || got.AuthReqID != c.ID || got.Error != code || got.Description == "" || got.AccessToken+got.IDToken+got.RefreshToken != "" {
			t.Errorf("%s: it is sent %+v", what, got)
		}
	}

	c := callToBeSent(t, s)
	waiting, err := s.Tenant.RequestsFor(t.Context(), "usr_ann", "", 1, s.Clock.Now())
	must(t, err)
	if got := owner.Call(http.MethodPost, "/backchannel-requests/"+waiting[0].ID+"/deny", nil); got.Status != http.StatusNoContent {
		t.Fatalf("refuse: %d %s", got.Status, got.Body)
	}
	s.Advance(t, 3*time.Second)
	one("who refuses", c, "access_denied")
	s.Advance(t, grant.BackchannelLife)
	if sent := r.sent(); len(sent) != 0 {
		t.Errorf("when its time is up as well: %+v", sent)
	}

	b := s.Browser(t)
	signIn(t, s, b, "ann")
	c = callToBeSent(t, s)
	ask := b.Follow(b.Post("/approvals", url.Values{"request": {between(b.Get("/approvals").Body, `name="request" value="`, `"`)}}))
	b.Follow(b.Submit(ask.Form(t, "deny"), "answer", "deny"))
	s.Advance(t, 3*time.Second)
	one("who refuses on their page", c, "access_denied")

	c = callToBeSent(t, s, "requested_expiry", "30")
	s.Advance(t, 29*time.Second)
	if sent := r.sent(); len(sent) != 0 {
		t.Errorf("before its time is up: %+v", sent)
	}
	s.Advance(t, 5*time.Second)
	one("whom nobody answers", c, "expired_token")

	c = callToBeSent(t, s, "scope", "openid offline_access")
	allow(t, s, "usr_ann")
	must(t, s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}))
	s.Advance(t, 3*time.Second)
	one("whom the gate stops after they have allowed it", c, "access_denied")
	s.Advance(t, grant.BackchannelLife)
	if sent := r.sent(); len(sent) != 0 || len(letters(t, s)) != 0 {
		t.Errorf("when their time is up: %+v, and %d letters wait", sent, len(letters(t, s)))
	}
}

func TestWhatAnApplicationDoesNotTakeIsMadeAnewAndPassesTheGateAgain(t *testing.T) {
	s, r := startWithReceiver(t, "")
	r.answer(http.StatusServiceUnavailable)
	c := callToBeSent(t, s, "scope", "openid offline_access")
	allow(t, s, "usr_ann")
	s.Advance(t, 3*time.Second)
	first := r.sent()
	s.Advance(t, 5*time.Minute)
	second := r.sent()
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("it is tried %d and %d times", len(first), len(second))
	}
	if first[0].AccessToken == second[0].AccessToken || first[0].RefreshToken != second[0].RefreshToken {
		t.Error("a second try has the same access token, or another refresh token")
	}
	// It had taken what it was sent after all, and goes on with that.
	if again := c.client.Refresh(second[0].RefreshToken); again.Status != http.StatusOK {
		t.Fatalf("its refresh token: %d %s", again.Status, again.Error)
	}
	s.Advance(t, 10*time.Minute)
	if sent := r.sent(); len(sent) != 0 {
		t.Errorf("it is sent once more what it has used: %+v", sent)
	}

	c = callToBeSent(t, s, "scope", "openid offline_access")
	allow(t, s, "usr_ann")
	s.Advance(t, 3*time.Second)
	first = r.sent()
	if len(first) != 1 {
		t.Fatalf("it is tried %d times", len(first))
	}
	must(t, s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}))
	r.answer(0)
	s.Advance(t, 5*time.Minute)
	if sent := r.sent(); len(sent) != 1 || sent[0].Error != "access_denied" || sent[0].AccessToken != "" {
		t.Errorf("after the account is disabled it is sent %+v", sent)
	}
	if got := c.client.Refresh(first[0].RefreshToken); got.Error != "invalid_grant" {
		t.Errorf("what it was sent before: %d %s", got.Status, got.Error)
	}

	// Who refuses it, or has us look elsewhere, is not asked again.
	must(t, s.Tenant.EnableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}))
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusFound} {
		r.answer(status)
		callToBeSent(t, s)
		allow(t, s, "usr_ann")
		s.Advance(t, 3*time.Second)
		s.Advance(t, 30*time.Minute)
		if sent := r.sent(); len(sent) != 1 {
			t.Errorf("%d: it is tried %d times", status, len(sent))
		}
	}
}

func TestAClientThatIsSentItsTokensGetsThemAsItWants(t *testing.T) {
	s, r := startWithReceiver(t, ", access_token_format: opaque, subject_type: pairwise")
	c := callToBeSent(t, s)
	allow(t, s, "usr_ann")
	s.Advance(t, 3*time.Second)
	sent := r.sent()
	if len(sent) != 1 || sent[0].AccessToken[:4] != "dxa_" {
		t.Fatalf("it is sent %+v", sent)
	}
	if sub := workertest.Claims(t, sent[0].IDToken)["sub"]; sub == "usr_ann" || sub == nil {
		t.Errorf("whoever it is called %v", sub)
	}
	if a := c.client.Userinfo(sent[0].AccessToken); a.Status != http.StatusOK {
		t.Errorf("userinfo: %d", a.Status)
	}
	for name, form := range map[string]url.Values{
		"no token to know us by": callForm("login_hint", "ann"),
		"one that is none":       callForm("login_hint", "ann", "client_notification_token", "a b"),
	} {
		if a := c.client.Send("/backchannel_authentication", form); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "invalid_request") {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}
