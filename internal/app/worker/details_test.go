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
	// RFC 9396 6: a token request asks for some of what was granted.
	narrowed := c.Refresh(tokens.RefreshToken, "authorization_details", ` [ {"to": {"iban":"DE02"}, "amount":"5 <b>EUR</b>", "type":"payment"} ]`)
	if narrowed.Status != http.StatusOK || len(narrowed.Details) != 1 || !in(workertest.Claims(t, narrowed.AccessToken)) {
		t.Errorf("what was granted, in other words: %d %s", narrowed.Status, narrowed.Description)
	}
	for _, more := range []string{
		`[{"type":"payment","amount":"500"}]`, `[{"type":"payment"}]`, `[{"type":"account"}]`, `[{"type":"unheard-of"}]`, `[`, `{}`, `[]`,
		`[{"type":"payment","amount":"5 <b>EUR</b>","to":{"iban":"DE02"}},{"type":"payment"}]`,
	} {
		if got := c.Refresh(tokens.RefreshToken, "authorization_details", more); got.Status != http.StatusBadRequest || got.Error != "invalid_authorization_details" {
			t.Errorf("%s: %d %s", more, got.Status, got.Error)
		}
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

// RFC 9396 section 6: each token request may name details. A client that acts for itself
// has those of its own types; where a person has to allow them, none that they have not.
func TestATokenRequestNamesAuthorizationDetails(t *testing.T) {
	s := workertest.Start(t, workertest.Options{
		Config: "authorization_details_types: [payment, account]\n",
		Clients: `
- {id: pays, secret: pays-secret, trusted: true, redirect_uris: ["https://pays.example.com/cb"], grant_types: [authorization_code, client_credentials], authorization_details_types: [payment, account, unheard-of]}
`,
	})
	c := s.Client(t, "pays")
	b := s.Browser(t)
	s.Client(t, "app").Code(b)
	const both = `[{"type":"payment","amount":5},{"type":"account"}]`
	for _, test := range []struct{ name, granted, asked, want, error string }{
		{"for itself", "", both, "payment account", ""},
		{"for itself, a type that is not served", "", `[{"type":"unheard-of"}]`, "", "invalid_authorization_details"},
		{"for itself, nothing", "", "", "", ""},
		{"all of a code", both, "", "payment account", ""},
		{"some of a code", both, `[{"type":"account"}]`, "account", ""},
		{"the same twice", both, `[{"type":"account"},{"type":"account"}]`, "account account", ""},
		{"another number", both, `[{"type":"payment","amount":"5"}]`, "", "invalid_authorization_details"},
		{"more than a code has", `[{"type":"account"}]`, both, "", "invalid_authorization_details"},
		{"of a code that has none", "none", `[{"type":"account"}]`, "", "invalid_authorization_details"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got workertest.Tokens
			if test.granted == "" {
				got = c.Token("grant_type", "client_credentials", "authorization_details", test.asked)
			} else {
				granted := strings.TrimPrefix(test.granted, "none")
				got = c.Redeem(b.Get(c.Authorize("authorization_details", granted)).Param("code"), "authorization_details", test.asked)
			}
			var types []string
			for _, one := range got.Details {
				types = append(types, one["type"].(string))
			}
			if got.Error != test.error || strings.Join(types, " ") != test.want {
				t.Fatalf("%d %s: %v", got.Status, got.Error, got.Details)
			}
			if test.error != "" {
				return
			}
			said, _ := workertest.Claims(t, got.AccessToken)["authorization_details"].([]any)
			told, _ := c.Introspect(got.AccessToken)["authorization_details"].([]any)
			if len(said) != len(types) || len(told) != len(types) {
				t.Errorf("the token says %v, and introspection %v", said, told)
			}
		})
	}
}
