package oauth

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dex/internal/base/fault"
)

const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636, appendix B

// good is a request that has everything.
func good() url.Values {
	return url.Values{
		"client_id": {"app"}, "redirect_uri": {"https://app.example/callback"}, "response_type": {"code"}, "response_mode": {"query"},
		"scope": {"openid profile"}, "state": {"af0ifjsldkj"}, "nonce": {"n-0S6_WzA2Mj"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
		"prompt": {"login consent"}, "max_age": {"3600"}, "login_hint": {"ann@example.com"}, "id_token_hint": {"a.b.c"}, "ui_locales": {"de-AT de en"},
		"acr_values": {"1 2"}, "display": {"popup"}, "connector_id": {"corp"},
		"claims": {`{"userinfo":{"name":{"essential":true}}}`}, "claims_locales": {"de"}, "unknown": {"x", "y"},
	}
}

func TestParseAuthorization(t *testing.T) {
	hour := Seconds(3600)
	want := Authorization{
		ClientID: "app", RedirectURI: "https://app.example/callback", ResponseType: ResponseTypeCode, ResponseMode: ModeQuery,
		Scopes: Scopes{"openid", "profile"}, State: "af0ifjsldkj", Nonce: "n-0S6_WzA2Mj", Challenge: challenge,
		Prompt: Prompt{Login: true, Consent: true}, MaxAge: &hour, LoginHint: "ann@example.com", IDTokenHint: "a.b.c", UILocales: []string{"de-AT", "de", "en"},
		ACRValues: []string{"1", "2"}, Display: "popup", ConnectorID: "corp",
		Claims: &ClaimsRequest{Userinfo: map[string]*ClaimRequest{"name": {Essential: true}}}, ClaimsLocales: []string{"de"},
	}
	got, err := ParseAuthorization(good())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, error %v", got, err)
	}
	small, err := ParseAuthorization(url.Values{"client_id": {"app"}, "response_type": {"code"}})
	if want := (Authorization{ClientID: "app", ResponseType: ResponseTypeCode}); err != nil || !reflect.DeepEqual(small, want) {
		t.Errorf("%+v, error %v", small, err)
	}
	if small.Mode() != ModeQuery || got.Mode() != ModeQuery {
		t.Errorf("modes %q and %q", small.Mode(), got.Mode())
	}
}

func TestAnAuthorizationTravelsAsShortJSON(t *testing.T) {
	for name, change := range map[string]func(url.Values){
		"all of it":          func(url.Values) {},
		"without a prompt":   func(v url.Values) { v.Del("prompt") },
		"a max_age of zero":  func(v url.Values) { v.Set("max_age", "0") },
		"a prompt of none":   func(v url.Values) { v.Set("prompt", "none") },
		"a state in unicode": func(v url.Values) { v.Set("state", "grüße <&>") },
	} {
		values := good()
		change(values)
		a, err := ParseAuthorization(values)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Authorization
		if err := json.Unmarshal(data, &back); err != nil || !reflect.DeepEqual(a, back) {
			t.Errorf("%s: %s comes back as %+v, %v", name, data, back, err)
		}
	}
	if data, _ := json.Marshal(Authorization{ClientID: "app"}); string(data) != `{"c":"app"}` {
		t.Errorf("what is absent takes room: %s", data)
	}
}

func TestWhatIsWrongWithAnAuthorizationRequest(t *testing.T) {
	many := func(n int, s string) string { return strings.TrimSpace(strings.Repeat(s+" ", n)) }
	for _, test := range []struct {
		name  string
		param string
		value string
		code  Code // empty if nothing is
	}{
		{"no response_type", "response_type", "", InvalidRequest},
		{"an access token alone, which tells nobody whom it is of", "response_type", "token", UnsupportedResponseType},
		{"nothing at all", "response_type", "none", UnsupportedResponseType},
		{"a response type of more than there is", "response_type", "code id_token token device", UnsupportedResponseType},
		{"a token in a query", "response_type", "id_token token", InvalidRequest},
		{"a token beside a code in a query", "response_type", "code token", InvalidRequest},
		{"a code twice over", "response_type", "code code", UnsupportedResponseType},
		{"a code in other letters", "response_type", "Code", UnsupportedResponseType},
		{"a code and a space", "response_type", "code ", UnsupportedResponseType},
		{"a mode that we do not know", "response_mode", "web_message", InvalidRequest},
		{"a mode that is nearly one", "response_mode", "Query.jwt", InvalidRequest},
		{"a signed mode", "response_mode", "jwt", ""},
		{"a signed mode of a query", "response_mode", "query.jwt", ""},
		{"a mode of a fragment", "response_mode", "fragment", ""},
		{"a mode of a form", "response_mode", "form_post", ""},
		{"no mode", "response_mode", "", ""},
		{"a state of all that may be", "state", "\u00e9~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./ ", ""},
		{"a state of full length", "state", strings.Repeat("s", MaxState), ""},
		{"a state that is longer", "state", strings.Repeat("s", MaxState+1), InvalidRequest},
		{"a state with a line break", "state", "a\r\nSet-Cookie: b", InvalidRequest},
		{"a state with a zero byte", "state", "a\x00", InvalidRequest},
		{"a state with a tab", "state", "a\tb", InvalidRequest},
		{"a state with DEL", "state", "a\x7f", InvalidRequest},
		{"a state with a control of Latin-1", "state", "a\u0085", InvalidRequest},
		{"a state that is no UTF-8", "state", "a\xff", InvalidRequest},
		{"a nonce of full length", "nonce", strings.Repeat("n", MaxNonce), ""},
		{"a nonce that is longer", "nonce", strings.Repeat("n", MaxNonce+1), InvalidRequest},
		{"a nonce with a line break", "nonce", "a\nb", InvalidRequest},
		{"no scope", "scope", "", ""},
		{"a scope with quotes", "scope", `openid "x"`, InvalidScope},
		{"as many scopes as may be", "scope", many(MaxScopes, "a"), ""},
		{"more scopes", "scope", many(MaxScopes+1, "a"), InvalidScope},
		{"a scope of full length", "scope", strings.Repeat("a", MaxScope), ""},
		{"a scope that is longer", "scope", strings.Repeat("a", MaxScope+1), InvalidScope},
		{"a challenge that is too short", "code_challenge", challenge[:42], InvalidRequest},
		{"a challenge that is too long", "code_challenge", challenge + "A", InvalidRequest},
		{"a challenge in plain base64", "code_challenge", strings.Replace(challenge, "-", "+", 1), InvalidRequest},
		{"a challenge with padding", "code_challenge", challenge + "=", InvalidRequest},
		{"a challenge that nothing hashes to", "code_challenge", challenge[:42] + "N", InvalidRequest},
		{"a method without a challenge", "code_challenge", "", InvalidRequest},
		{"no method, which is plain", "code_challenge_method", "", InvalidRequest},
		{"plain", "code_challenge_method", "plain", InvalidRequest},
		{"S256 in other letters", "code_challenge_method", "s256", InvalidRequest},
		{"S512", "code_challenge_method", "S512", InvalidRequest},
		{"a prompt of none", "prompt", "none", ""},
		{"a prompt of none and more", "prompt", "none login", InvalidRequest},
		{"a prompt that we do not know", "prompt", "create", InvalidRequest},
		{"a max_age of zero", "max_age", "0", ""},
		{"a max_age of a thousand years", "max_age", "31536000000", ""},
		{"a negative max_age", "max_age", "-1", InvalidRequest},
		{"a max_age with a sign", "max_age", "+1", InvalidRequest},
		{"a max_age with a fraction", "max_age", "1.5", InvalidRequest},
		{"a max_age in words", "max_age", "soon", InvalidRequest},
		{"a max_age that overflows", "max_age", "99999999999999999999", InvalidRequest},
		{"a login_hint of full length", "login_hint", strings.Repeat("h", MaxLoginHint), ""},
		{"a login_hint that is longer", "login_hint", strings.Repeat("h", MaxLoginHint+1), InvalidRequest},
		{"a login_hint of a script", "login_hint", "<script>alert(1)</script>", ""},
		{"an id_token_hint of full length", "id_token_hint", strings.Repeat("h", MaxIDTokenHint), ""},
		{"an id_token_hint that is longer", "id_token_hint", strings.Repeat("h", MaxIDTokenHint+1), InvalidRequest},
		{"as many locales as may be", "ui_locales", many(MaxUILocales, "de"), ""},
		{"more locales", "ui_locales", many(MaxUILocales+1, "de"), InvalidRequest},
		{"a locale of a script", "ui_locales", "<script>", ""},
		{"as many acr_values as may be", "acr_values", many(MaxACRValues, "1"), ""},
		{"more acr_values", "acr_values", many(MaxACRValues+1, "1"), InvalidRequest},
		{"an acr value of full length", "acr_values", strings.Repeat("a", MaxValue), ""},
		{"an acr value that is longer", "acr_values", strings.Repeat("a", MaxValue+1), InvalidRequest},
		{"a display that we do not know", "display", "hologram", ""},
		{"a connector of a long name", "connector_id", strings.Repeat("c", MaxValue+1), InvalidRequest},
		{"a registration", "registration", "{}", RegistrationNotSupported},
		{"claims that are no JSON", "claims", "name", InvalidRequest},
		{"claims that are no object", "claims", `["name"]`, InvalidRequest},
		{"more claims than we read", "claims", `{"x":"` + strings.Repeat("x", MaxClaims) + `"}`, InvalidRequest},
		{"as many locales of claims as may be", "claims_locales", many(MaxUILocales, "de"), ""},
		{"more locales of claims", "claims_locales", many(MaxUILocales+1, "de"), InvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := good()
			values.Set(test.param, test.value)
			got, err := ParseAuthorization(values)
			if test.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != test.code || e.Description == "" {
				t.Fatalf("error %#v, want one for the client with the code %s", err, test.code)
			}
			// The client is told so in the way that it asked for.
			if got.ClientID != "app" || got.RedirectURI != "https://app.example/callback" {
				t.Errorf("client %q, redirect URI %q", got.ClientID, got.RedirectURI)
			}
			if test.param != "state" && got.State != "af0ifjsldkj" || test.param == "state" && got.State != "" {
				t.Errorf("state %q", got.State)
			}
			if test.param != "response_mode" && got.ResponseMode != ModeQuery || test.param == "response_mode" && got.ResponseMode != "" {
				t.Errorf("mode %q", got.ResponseMode)
			}
		})
	}
}

func TestWishesThatNeedNotBeMetAreDropped(t *testing.T) {
	values := good()
	values.Set("display", "hologram")
	values.Set("ui_locales", "de <script> "+strings.Repeat("x", 36)+" en")
	values.Set("max_age", "31536000000")
	a, err := ParseAuthorization(values)
	if err != nil || a.Display != "" || !slices.Equal(a.UILocales, []string{"de", "en"}) || *a.MaxAge != 1<<31-1 || a.MaxAge.Duration() <= 0 {
		t.Errorf("%+v, error %v", a, err)
	}
}

func TestNoParameterMayComeTwice(t *testing.T) {
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(good())), []string{"registration", "dpop_jkt"}) {
		if name == "unknown" {
			continue
		}
		for _, second := range []string{good().Get(name), "x", ""} {
			for _, order := range [][]string{{good().Get(name), second}, {second, good().Get(name)}, {"", ""}, {"a", "b", "c"}} {
				values := good()
				values[name] = order
				got, err := ParseAuthorization(values)
				if name == "client_id" || name == "redirect_uri" {
					if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Invalid || e.Field != name {
						t.Errorf("%s %q: error %#v, want a fault for the person", name, order, err)
					}
					if name == "client_id" && got.ClientID != "" || name == "redirect_uri" && got.RedirectURI != "" {
						t.Errorf("%s %q: one of them is believed: %+v", name, order, got)
					}
					continue
				}
				if e, ok := errors.AsType[*Error](err); !ok || e.Code != InvalidRequest {
					t.Errorf("%s %q: error %#v, want %s", name, order, err, InvalidRequest)
				}
			}
		}
	}
}

// Whatever else is wrong, an error that the person must see is not one that a
// client could be told.
func TestAnErrorForThePersonIsNoneForTheClient(t *testing.T) {
	for name, bad := range map[string]url.Values{
		"no client":                         {"client_id": nil},
		"an empty client":                   {"client_id": {""}},
		"a client twice":                    {"client_id": {"app", "app"}},
		"a client of a long name":           {"client_id": {strings.Repeat("c", MaxClientID+1)}},
		"a client with a line break":        {"client_id": {"app\r\n"}},
		"a redirect URI twice":              {"redirect_uri": {"https://app.example/callback", "https://evil.example"}},
		"a redirect URI that is longer":     {"redirect_uri": {"https://app.example/" + strings.Repeat("x", MaxRedirectURI)}},
		"a redirect URI with a line break":  {"redirect_uri": {"https://app.example/\r\nLocation: https://evil.example"}},
		"a redirect URI that is no UTF-8":   {"redirect_uri": {"https://app.example/\xff"}},
		"a redirect URI with a zero byte":   {"redirect_uri": {"https://app.example/\x00"}},
		"both":                              {"client_id": {"a", "b"}, "redirect_uri": {"a", "b"}},
		"a client twice, and a bad scope":   {"client_id": {"a", "b"}, "scope": {`"`}},
		"a client twice, and no type":       {"client_id": {"a", "b"}, "response_type": nil},
		"a client twice, and a bad PKCE":    {"client_id": {"a", "b"}, "code_challenge_method": {"plain"}},
		"a client twice, and a state twice": {"client_id": {"a", "b"}, "state": {"a", "b"}},
		"a redirect twice, and a request":   {"redirect_uri": {"a", "b"}, "registration": {"x"}},
	} {
		values := good()
		maps.Copy(values, bad)
		_, err := ParseAuthorization(values)
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: error %#v, want a fault", name, err)
		}
		if _, ok := errors.AsType[*Error](err); ok {
			t.Errorf("%s: a client could be told %v", name, err)
		}
	}
}

func FuzzParseAuthorization(f *testing.F) {
	f.Add(good().Encode())
	f.Add("client_id=app&response_type=code")
	f.Add("client_id=app&client_id=b&redirect_uri=https://x&state=%00")
	f.Add("client_id=app&response_type=token+code+id_token&response_mode=form_post.jwt&claims=%7B%22id_token%22:%7B%22acr%22:null%7D%7D")
	f.Add("client_id=a&response_type=code&prompt=none+login&max_age=-1&scope=%22&ui_locales=%3C&request=x")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Skip()
		}
		a, err := ParseAuthorization(values)
		for _, s := range slices.Concat([]string{a.ClientID, a.RedirectURI, a.State, a.Nonce, a.LoginHint, a.IDTokenHint, a.ConnectorID}, a.Scopes, a.UILocales, a.ACRValues) {
			if !printable(s) || len(s) > MaxIDTokenHint {
				t.Fatalf("%q passed", s)
			}
		}
		if err != nil {
			_, forPerson := errors.AsType[*fault.Error](err)
			_, forClient := errors.AsType[*Error](err)
			if forPerson == forClient {
				t.Fatalf("whose error is %#v?", err)
			}
			return
		}
		if a.ClientID == "" || !slices.Contains(ResponseTypes(), a.ResponseType) || a.Mode().shows(a.ResponseType) || len(values["state"]) > 1 || a.State != values.Get("state") {
			t.Fatalf("%q is read as %+v", query, a)
		}
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Authorization
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatalf("%s does not come back: %v", data, err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != string(data) { // the spaces within a claim's value may go
			t.Fatalf("%s comes back as %s, %v", data, again, err)
		}
	})
}
