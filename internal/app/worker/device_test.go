package worker_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
)

const deviceClients = `- {id: tv, name: Television, public: true, trusted: true, grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token], scopes: [openid, email, offline_access]}
- {id: radio, name: Radio, secret: radio-secret, grant_types: ["urn:ietf:params:oauth:grant-type:device_code"], scopes: [openid]}
`

// waiting is a device that waits to be let in.
type waiting struct {
	t      *testing.T
	s      *workertest.Server
	client *workertest.Client

	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"`
	Interval   int    `json:"interval"`
}

func askToBeLetIn(t *testing.T, s *workertest.Server, client, scope string) *waiting {
	t.Helper()
	w := &waiting{t: t, s: s, client: s.Client(t, client)}
	a := w.client.Send("/device_authorization", url.Values{"scope": {scope}})
	if err := json.Unmarshal([]byte(a.Body), w); err != nil || a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return w
}

func (w *waiting) poll() workertest.Tokens {
	w.t.Helper()
	return w.client.Token("grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", w.DeviceCode)
}

// enter types a code, and returns what the person is shown.
func enter(t *testing.T, b *workertest.Browser, page, code string) *workertest.Answer {
	t.Helper()
	return b.Follow(b.Submit(b.Get(page).Form(t, "submit"), "user_code", code))
}

// confirm types the device's code and logs in, up to the question.
func (w *waiting) confirm(b *workertest.Browser) *workertest.Answer {
	w.t.Helper()
	a := enter(w.t, b, w.Page, w.UserCode)
	if a.Has("password") {
		a = b.SignIn(a, "ann", workertest.Password)
	}
	if !a.Has("allow") {
		w.t.Fatalf("no question: %d %s", a.Status, a.Body)
	}
	return a
}

func (w *waiting) answer(b *workertest.Browser, answer string) *workertest.Answer {
	w.t.Helper()
	return b.Follow(b.Submit(w.confirm(b).Form(w.t, "allow"), "answer", answer))
}

func TestADeviceIsLetInFromAnotherScreen(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "tv", "openid email offline_access")
	if w.Page != s.URL+"/device" || w.Complete != w.Page+"?user_code="+w.UserCode || w.ExpiresIn != 600 || w.Interval != 5 {
		t.Errorf("the device is told %+v", w)
	}
	if got := w.poll(); got.Status != http.StatusBadRequest || got.Error != "authorization_pending" {
		t.Errorf("before anybody has answered: %d %s", got.Status, got.Error)
	}
	b := s.Browser(t)
	page := w.confirm(b)
	for _, want := range []string{"Television", w.UserCode, "127.0.0.1", "Did somebody send you this code", "Ann Example"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("1.G 86: the page does not say %q", want)
		}
	}
	if page.Has("remember") {
		t.Error("1.G 86: the answer could be remembered")
	}
	done := b.Follow(b.Submit(page.Form(t, "allow"), "answer", "allow"))
	if done.Status != http.StatusOK || !strings.Contains(done.Body, "The device is in") {
		t.Errorf("%d %s", done.Status, done.Body)
	}
	tokens := w.poll()
	if tokens.Status != http.StatusOK || tokens.RefreshToken == "" || workertest.Claims(t, tokens.IDToken)["email"] != "ann@example.com" {
		t.Fatalf("the device gets %d %s %s", tokens.Status, tokens.Error, tokens.Scope)
	}
	if again := w.client.Refresh(tokens.RefreshToken); again.Status != http.StatusOK {
		t.Errorf("its refresh token: %d %s", again.Status, again.Error)
	}
	if again := w.poll(); again.Error != "invalid_grant" {
		t.Errorf("1.G 87: a second time: %d %s", again.Status, again.Error)
	}
	if s.Browser(t); w.client.Userinfo(tokens.AccessToken).Status != http.StatusUnauthorized {
		t.Error("1.G 87: after a replay its tokens still count")
	}
}

func TestADeviceIsTurnedAway(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "radio", "openid")
	b := s.Browser(t)
	if done := w.answer(b, "deny"); !strings.Contains(done.Body, "turned away") {
		t.Errorf("%d %s", done.Status, done.Body)
	}
	if got := w.poll(); got.Error != "access_denied" {
		t.Errorf("the device is told %s", got.Error)
	}
	if a := enter(t, b, w.Page, w.UserCode); !a.Has("problem") {
		t.Errorf("its code is still good: %d", a.Status)
	}
}

func TestOfManyPollsOneGetsTheTokens(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	for range 5 {
		w := askToBeLetIn(t, s, "radio", "openid")
		w.answer(s.Browser(t), "allow")
		var mu sync.Mutex
		statuses := map[int]int{}
		var all sync.WaitGroup
		for range 32 {
			c := s.Client(t, "radio")
			all.Go(func() {
				got := c.Token("grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", w.DeviceCode)
				mu.Lock()
				defer mu.Unlock()
				statuses[got.Status]++
			})
		}
		all.Wait()
		if statuses[http.StatusOK] != 1 || statuses[http.StatusBadRequest] != 31 {
			t.Fatalf("1.G 87: of 32 polls at once: %v", statuses)
		}
	}
}

func TestADeviceCodeIsOfItsClientAndOfItsTime(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "radio", "openid")
	w.answer(s.Browser(t), "allow")
	foreign := s.Client(t, "tv").Token("grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", w.DeviceCode)
	if foreign.Error != "invalid_grant" {
		t.Errorf("1.G 89: another client gets %s", foreign.Error)
	}
	if got := w.poll(); got.Status != http.StatusOK {
		t.Errorf("1.G 89: after that its own client gets %d %s", got.Status, got.Error)
	}
	if got := s.Client(t, "app").Send("/device_authorization", url.Values{"scope": {"openid"}}); got.Status != http.StatusBadRequest || !strings.Contains(got.Body, "unauthorized_client") {
		t.Errorf("a client without this grant type: %d %s", got.Status, got.Body)
	}
	if got := s.Client(t, "tv").Send("/device_authorization", url.Values{"scope": {"openid groups"}}); !strings.Contains(got.Body, "invalid_scope") {
		t.Errorf("a scope that is not the client's: %s", got.Body)
	}
	if got := s.Client(t, "tv").Send("/device_authorization", url.Values{}); !strings.Contains(got.Body, "invalid_scope") {
		t.Errorf("no scope at all: %s", got.Body)
	}
	late := askToBeLetIn(t, s, "radio", "openid")
	s.Advance(t, grant.DeviceLife)
	if got := late.poll(); got.Error != "expired_token" {
		t.Errorf("too late: %s", got.Error)
	}
}

func TestADeviceThatAsksTooOftenIsSlowedDown(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "tv", "openid")
	for i, want := range []string{"authorization_pending", "slow_down", "slow_down"} {
		if got := w.poll(); got.Error != want {
			t.Errorf("1.G 88: poll %d: %s, want %s", i, got.Error, want)
		}
	}
	s.Advance(t, 15*time.Second)
	if got := w.poll(); got.Error != "authorization_pending" {
		t.Errorf("1.G 88: after it has waited: %s", got.Error)
	}
}

func TestWhoeverGuessesUserCodesIsSlowedDown(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "tv", "openid")
	b := s.Browser(t)
	looked := 0
	for i := range 40 {
		guess := "BBBB-BBB" + string("BCDFGHJKLMNPQRSTVWXZ"[i%20])
		if a := enter(t, b, w.Page, guess); a.Status == http.StatusUnprocessableEntity {
			looked++
		} else if a.Status != http.StatusTooManyRequests || !strings.Contains(a.Body, "Please wait") {
			t.Fatalf("guess %d: %d", i, a.Status)
		}
	}
	if looked != 5 {
		t.Errorf("1.G 85: of 40 guesses at one moment %d were looked at", looked)
	}
	// The right code has to wait like every other from there.
	if a := enter(t, b, w.Page, w.UserCode); a.Status != http.StatusTooManyRequests {
		t.Errorf("1.G 85: the right code of a guesser: %d", a.Status)
	}
}

func TestOthersWhoGuessUserCodesKeepNobodyOut(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "tv", "openid")
	now := s.Clock.Now()
	everywhere := credential.Bucket{
		Kind: credential.Everywhere,
		Key:  secret.Value("user code everywhere\x00" + now.UTC().Truncate(credential.EverywhereSpan).Format(time.RFC3339)).Hash(),
	}
	for range 220 { // from many networks
		must(t, s.Tenant.RecordFailure(t.Context(), []credential.Bucket{everywhere}, now))
	}
	b := s.Browser(t)
	if a := enter(t, b, w.Page, w.UserCode); !a.Has("password") {
		t.Errorf("who types the code right waits for those who guess: %d", a.Status)
	}
	if a := enter(t, b, w.Page, "BBBB-BBBB"); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("their first mistake: %d", a.Status)
	}
	if a := enter(t, b, w.Page, "BBBB-BBBC"); a.Status != http.StatusTooManyRequests {
		t.Errorf("their second, while all networks together have guessed too much: %d", a.Status)
	}
}

func TestOneNetworkDoesNotTakeThePlacesOfAllDevices(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	ask := func(client string) int {
		return s.Client(t, client).Send("/device_authorization", url.Values{"scope": {"openid"}}).Status
	}
	for i := range grant.MaxOfNetwork {
		if status := ask("tv"); status != http.StatusOK {
			t.Fatalf("device %d: %d", i, status)
		}
	}
	if status := ask("tv"); status != http.StatusServiceUnavailable {
		t.Errorf("more than the share of a network: %d", status)
	}
	elsewhere := grant.Device{
		ID: "dev_elsewhere", Code: secret.Value("elsewhere").Hash(), UserCode: secret.Value("shown elsewhere").Hash(), ClientID: "tv",
		CreatedAt: s.Clock.Now(), ExpiresAt: s.Clock.Now().Add(grant.DeviceLife), Network: "198.51.100.0/24",
	}
	must(t, s.Tenant.OpenDevice(t.Context(), elsewhere))
	if status := ask("radio"); status != http.StatusOK {
		t.Errorf("a client that has proven who it is: %d", status)
	}
}

func TestAnOldSessionDoesNotLetADeviceIn(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	b := s.Browser(t)
	signIn(t, s, b, "ann")
	s.Advance(t, grant.DeviceFresh-time.Minute)
	w := askToBeLetIn(t, s, "tv", "openid")
	if a := enter(t, b, w.Page, w.UserCode); !a.Has("allow") {
		t.Errorf("1.G 91: a fresh session: %d", a.Status)
	}
	s.Advance(t, 2*time.Minute)
	if a := enter(t, b, w.Page, w.UserCode); !a.Has("password") {
		t.Errorf("1.G 91: an old session is not asked who it is: %d", a.Status)
	}
}

func TestWhoIsStoppedBetweenApprovalAndRedemptionGetsNothing(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "tv", "openid offline_access")
	w.answer(s.Browser(t), "allow")
	if err := s.Tenant.DisableUser(t.Context(), "usr_ann", audit.By{At: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := w.poll(); got.Error != "invalid_grant" {
		t.Errorf("1.G 90: the device of a disabled account gets %d %s", got.Status, got.Error)
	}
}

func TestNoOtherSiteTypesACode(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "tv", "openid")
	b := s.Browser(t)
	if a := b.CrossPost(w.Page, url.Values{"user_code": {w.UserCode}}); a.Status != http.StatusForbidden {
		t.Errorf("a form of another site: %d", a.Status)
	}
	if a := b.Get(w.Complete); a.Status != http.StatusOK || !strings.Contains(a.Body, w.UserCode) || a.Has("allow") {
		t.Errorf("1.G 86: the address that holds the code: %d, and it asks for more than the code", a.Status)
	}
}

func TestADevicesAddressIsShownForAnotherScreen(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients})
	w := askToBeLetIn(t, s, "tv", "openid")
	b := s.Browser(t)
	for name, tt := range map[string]struct {
		address string
		shown   bool
	}{
		"with its code":                          {w.Complete, true},
		"with the code of nobody, no other than": {w.Page + "?user_code=BBBB-BBBB", true},
		"without a code":                         {w.Page, false},
		"with what is no code":                   {w.Page + "?user_code=https://evil.example.com", false},
	} {
		a := b.Get(tt.address)
		if a.Status != http.StatusOK || strings.Contains(a.Body, `<svg class="qr"`) != tt.shown {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if a := b.Submit(b.Get(w.Complete).Form(t, "submit"), "user_code", "BBBB-BBBB"); strings.Contains(a.Body, `<svg class="qr"`) {
		t.Error("a wrong code is shown for another screen")
	}
}
