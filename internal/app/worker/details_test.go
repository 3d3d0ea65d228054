package worker_test

import (
	"net/http"
	"strings"
	"testing"

	"dex/internal/app/workertest"
)

// Mirrors fapi2-security-profile-final-happy-flow with authorization_request_type=rar.
func TestAuthorizationDetailsAreShownAllowedAndHandedOn(t *testing.T) {
	s := workertest.Start(t, workertest.Options{
		Config: "authorization_details_types: [payment, account]\n",
		Clients: `
- {id: pays, secret: pays-secret, redirect_uris: ["https://pays.example.com/cb"], authorization_details_types: [payment, unheard-of]}
`,
	})
	c := s.Client(t, "pays")
	const asked = `[{"type":"payment","amount":"5 <b>EUR</b>","to":{"iban":"DE02"}}]`
	b := s.Browser(t)
	page := b.SignIn(b.Get(c.AuthorizePushed(c.Push("authorization_details", asked))), "ann", workertest.Password)
	for _, want := range []string{"payment", "5 &lt;b&gt;EUR&lt;/b&gt;", "DE02"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	allow := func(page *workertest.Answer) *workertest.Answer {
		return b.Follow(b.Submit(page.Form(t, "allow"), "answer", "allow", "remember", "1"))
	}
	tokens := c.Redeem(allow(page).Param("code"))
	if tokens.Status != http.StatusOK || len(tokens.Details) != 1 || tokens.Details[0]["amount"] != "5 <b>EUR</b>" {
		t.Fatalf("RFC 9396 7: %d %s %v", tokens.Status, tokens.Description, tokens.Details)
	}
	in := func(claims map[string]any) bool {
		all, _ := claims["authorization_details"].([]any)
		return len(all) == 1 && all[0].(map[string]any)["type"] == "payment"
	}
	if !in(workertest.Claims(t, tokens.AccessToken)) || !in(c.Introspect(tokens.AccessToken)) {
		t.Error("RFC 9396 9: access token or introspection do not have them")
	}
	if again := c.Refresh(tokens.RefreshToken); !in(workertest.Claims(t, again.AccessToken)) {
		t.Error("refreshing loses them")
	}
	// What was remembered are scopes: details are asked about each time.
	if again := b.Follow(b.Get(c.Authorize("authorization_details", asked))); !again.Has("allow") {
		t.Errorf("nobody is asked: %d %s", again.Status, again.Header.Get("Location"))
	}
	isTold(t, s, b.Get(c.Authorize("authorization_details", asked, "prompt", "none")), c.RedirectURI+"?", "consent_required", "details without a question")
	if again := b.Get(c.Authorize()); again.Param("code") == "" {
		t.Errorf("without details somebody is asked: %d", again.Status)
	}
	for _, wrong := range []string{`[{"type":"account"}]`, `[{"type":"unheard-of"}]`, `[{"type":"nothing"}]`, `[{}]`, `{}`, `[`, `[{"type":"payment"},{"type":"account"}]`} {
		isTold(t, s, b.Get(c.Authorize("authorization_details", wrong)), c.RedirectURI+"?", "invalid_authorization_details", wrong)
		if _, answer := c.Pushed(c.AuthorizeParams("authorization_details", wrong)); answer.Error != "invalid_authorization_details" {
			t.Errorf("%s, pushed: %s", wrong, answer.Error)
		}
	}
	if listed := jsonOf(t, get(t, s, "/.well-known/openid-configuration"))["authorization_details_types_supported"]; len(listed.([]any)) != 2 {
		t.Errorf("the metadata lists %v", listed)
	}
}
