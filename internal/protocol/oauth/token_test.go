package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
)

func TestParseTokenRequest(t *testing.T) {
	code := url.Values{"grant_type": {"authorization_code"}, "code": {"dxc_x"}, "redirect_uri": {"https://app.example/callback"}, "code_verifier": {"v"}}
	with := func(name string, values ...string) url.Values {
		out := url.Values{"refresh_token": {"dxr_x"}, "scope": {"openid"}}
		for k, v := range code {
			out[k] = v
		}
		out[name] = values
		return out
	}
	for _, test := range []struct {
		name string
		body url.Values
		want TokenRequest
		code Code
	}{
		{name: "a code", body: code, want: TokenRequest{GrantType: "authorization_code", Code: "dxc_x", RedirectURI: "https://app.example/callback", Verifier: "v"}},
		{name: "a refresh", body: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"dxr_x"}}, want: TokenRequest{GrantType: "refresh_token", RefreshToken: "dxr_x"}},
		{name: "a refresh of less", body: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"dxr_x"}, "scope": {"openid"}},
			want: TokenRequest{GrantType: "refresh_token", RefreshToken: "dxr_x", Scopes: Scopes{"openid"}, ScopesGiven: true}},
		{name: "an empty scope is none", body: url.Values{"grant_type": {"client_credentials"}, "scope": {""}}, want: TokenRequest{GrantType: "client_credentials"}},
		{name: "a scope of spaces is none", body: url.Values{"grant_type": {"client_credentials"}, "scope": {"  "}}, want: TokenRequest{GrantType: "client_credentials"}},
		{name: "a grant of others", body: url.Values{"grant_type": {"urn:x"}, "unknown": {"a", "b"}}, want: TokenRequest{GrantType: "urn:x"}},
		{name: "no grant", body: url.Values{"code": {"x"}}, code: InvalidRequest},
		{name: "an empty grant", body: url.Values{"grant_type": {""}}, code: InvalidRequest},
		{name: "nothing", code: InvalidRequest},
		{name: "a code grant without a code", body: with("code"), code: InvalidRequest},
		{name: "a code grant with an empty code", body: with("code", ""), code: InvalidRequest},
		{name: "a refresh without a token", body: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {""}}, code: InvalidRequest},
		{name: "a bad scope", body: with("scope", `"`), code: InvalidScope},
		{name: "a grant twice", body: with("grant_type", "authorization_code", "authorization_code"), code: InvalidRequest},
		{name: "a code twice", body: with("code", "a", "a"), code: InvalidRequest},
		{name: "a redirect URI twice", body: with("redirect_uri", "a", ""), code: InvalidRequest},
		{name: "a verifier twice", body: with("code_verifier", "a", "b"), code: InvalidRequest},
		{name: "a refresh token twice", body: with("refresh_token", "a", "b"), code: InvalidRequest},
		{name: "a scope twice", body: with("scope", "a", "b"), code: InvalidRequest},
		{name: "a huge code", body: with("code", strings.Repeat("x", MaxValue+1)), code: InvalidRequest},
		{name: "a huge refresh token", body: with("refresh_token", strings.Repeat("x", MaxSecret+1)), code: InvalidRequest},
		{name: "a huge redirect URI", body: with("redirect_uri", strings.Repeat("x", MaxRedirectURI+1)), code: InvalidRequest},
		{name: "a huge verifier", body: with("code_verifier", strings.Repeat("x", MaxValue+1)), code: InvalidRequest},
		{name: "a code with a zero byte", body: with("code", "a\x00"), code: InvalidRequest},
		{name: "a code that is no UTF-8", body: with("code", "a\xff"), code: InvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseTokenRequest(test.body)
			if test.code == "" {
				if err != nil || !reflect.DeepEqual(got, test.want) {
					t.Errorf("%+v, error %v", got, err)
				}
				return
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != test.code {
				t.Errorf("error %v, want %s", err, test.code)
			}
		})
	}
}

func TestParseTokenQuery(t *testing.T) {
	for _, test := range []struct {
		name string
		body url.Values
		want TokenQuery
		bad  bool
	}{
		{name: "a token", body: url.Values{"token": {"t"}}, want: TokenQuery{Token: "t"}},
		{name: "a token and a hint", body: url.Values{"token": {"t"}, "token_type_hint": {"refresh_token"}}, want: TokenQuery{Token: "t", Hint: "refresh_token"}},
		{name: "a hint that nobody knows", body: url.Values{"token": {"t"}, "token_type_hint": {"x"}}, want: TokenQuery{Token: "t", Hint: "x"}},
		{name: "the longest", body: url.Values{"token": {strings.Repeat("t", MaxToken)}}, want: TokenQuery{Token: secret.Value(strings.Repeat("t", MaxToken))}},
		{name: "one that is longer", body: url.Values{"token": {strings.Repeat("t", MaxToken+1)}}, bad: true},
		{name: "none", bad: true},
		{name: "an empty one", body: url.Values{"token": {""}}, bad: true},
		{name: "two", body: url.Values{"token": {"a", "b"}}, bad: true},
		{name: "two hints", body: url.Values{"token": {"a"}, "token_type_hint": {"a", "b"}}, bad: true},
	} {
		got, err := ParseTokenQuery(test.body)
		if e, ok := errors.AsType[*Error](err); test.bad != (err != nil) || ok && e.Code != InvalidRequest || !test.bad && got != test.want {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
}

func TestTokensAreEncodedAndNotPrinted(t *testing.T) {
	r := TokenResponse{AccessToken: "SECRET1", TokenType: TokenTypeBearer, ExpiresIn: 600, RefreshToken: "SECRET2", Scope: "openid", IDToken: "SECRET3"}
	data, err := json.Marshal(r)
	if want := `{"access_token":"SECRET1","token_type":"Bearer","expires_in":600,"refresh_token":"SECRET2","scope":"openid","id_token":"SECRET3"}`; err != nil || string(data) != want {
		t.Errorf("%s, error %v, want %s", data, err, want)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("issued", "answer", r)
	if text := fmt.Sprintf("%v %+v %#v %s", r, &r, r, r) + log.String(); strings.Contains(text, "SECRET") || !strings.Contains(text, "[tokens]") {
		t.Error(text)
	}
}

func TestATokenThatIsWorthNothingSaysNothing(t *testing.T) {
	if data, err := json.Marshal(IntrospectionResponse{}); err != nil || string(data) != `{"active":false}` {
		t.Errorf("%s, error %v", data, err)
	}
	data, err := json.Marshal(IntrospectionResponse{Active: true, Scope: "openid", Expiry: 1800000000, Audience: jose.Audience{"api"}})
	if want := `{"active":true,"scope":"openid","exp":1800000000,"aud":"api"}`; err != nil || string(data) != want {
		t.Errorf("%s, error %v, want %s", data, err, want)
	}
}

func FuzzParseTokenRequest(f *testing.F) {
	f.Add("grant_type=authorization_code&code=dxc_x&redirect_uri=https%3A%2F%2Fapp%2Fcb&code_verifier=v")
	f.Add("grant_type=refresh_token&refresh_token=dxr_x&scope=openid+email")
	f.Add("grant_type=client_credentials&scope=a&token=x&token_type_hint=y")
	f.Add("grant_type=x&grant_type=y&scope=%22")
	f.Fuzz(func(t *testing.T, body string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			t.Skip()
		}
		if q, err := ParseTokenQuery(values); err == nil && (q.Token == "" || len(values["token"]) != 1) {
			t.Fatalf("%q asks about nothing", body)
		}
		r, err := ParseTokenRequest(values)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error %#v", err)
			}
			return
		}
		for _, name := range []string{"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope"} {
			if len(values[name]) > 1 {
				t.Fatalf("%s comes twice in %q", name, body)
			}
		}
		if r.GrantType == "" || r.ScopesGiven != (len(r.Scopes) > 0) || r.GrantType == GrantAuthorizationCode && r.Code == "" || r.GrantType == GrantRefreshToken && r.RefreshToken == "" {
			t.Fatalf("%q is read as %+v", body, r)
		}
	})
}
