package oauth

import (
	"errors"
	"net/url"
	"slices"
	"testing"
)

func TestAResponseTypeIsASet(t *testing.T) {
	for text, want := range map[string]ResponseType{
		"code": ResponseTypeCode, "id_token": ResponseTypeIDToken,
		"id_token token": ResponseTypeIDTokenToken, "token id_token": ResponseTypeIDTokenToken,
		"code id_token": ResponseTypeCodeIDToken, "id_token code": ResponseTypeCodeIDToken,
		"code token": ResponseTypeCodeToken, "token code": ResponseTypeCodeToken,
		"code id_token token": ResponseTypeCodeIDTokenToken, "token id_token code": ResponseTypeCodeIDTokenToken, "id_token token code": ResponseTypeCodeIDTokenToken,
	} {
		if got, err := ParseResponseType(text); err != nil || got != want {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
	}
	for text, code := range map[string]Code{
		"": InvalidRequest, " ": UnsupportedResponseType, "token": UnsupportedResponseType, "none": UnsupportedResponseType,
		"code code": UnsupportedResponseType, "code  token": UnsupportedResponseType, "code ": UnsupportedResponseType,
		"CODE": UnsupportedResponseType, "code,token": UnsupportedResponseType, "code id_token token token": UnsupportedResponseType,
	} {
		if e, ok := errors.AsType[*Error](second(ParseResponseType(text))); !ok || e.Code != code {
			t.Errorf("%q: %v, want %s", text, e, code)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestWhatAResponseTypeTakes(t *testing.T) {
	for _, tt := range []struct {
		of                    ResponseType
		code, idToken, access bool
		grants                []string
	}{
		{ResponseTypeCode, true, false, false, []string{"authorization_code"}},
		{ResponseTypeIDToken, false, true, false, []string{"implicit"}},
		{ResponseTypeIDTokenToken, false, true, true, []string{"implicit"}},
		{ResponseTypeCodeIDToken, true, true, false, []string{"authorization_code", "implicit"}},
		{ResponseTypeCodeToken, true, false, true, []string{"authorization_code", "implicit"}},
		{ResponseTypeCodeIDTokenToken, true, true, true, []string{"authorization_code", "implicit"}},
		{"", false, false, false, nil},
	} {
		if tt.of.Code() != tt.code || tt.of.IDToken() != tt.idToken || tt.of.Token() != tt.access || tt.of.Front() != (tt.idToken || tt.access) || !slices.Equal(tt.of.GrantTypes(), tt.grants) {
			t.Errorf("%q: %v %v %v %v %q", tt.of, tt.of.Code(), tt.of.IDToken(), tt.of.Token(), tt.of.Front(), tt.of.GrantTypes())
		}
	}
}

func TestNoTokenStandsInAQuery(t *testing.T) {
	for _, tt := range []struct {
		of    ResponseType
		asked ResponseMode
		want  ResponseMode
	}{
		{ResponseTypeCode, "", ModeQuery},
		{"", "", ModeQuery}, // where the type is what is wrong
		{ResponseTypeCode, ModeFragment, ModeFragment},
		{ResponseTypeCode, ModeFormPost, ModeFormPost},
		{ResponseTypeCode, ModeJWT, ModeQueryJWT},
		{ResponseTypeCode, ModeQueryJWT, ModeQueryJWT},
		{ResponseTypeCode, ModeFragmentJWT, ModeFragmentJWT},
		{ResponseTypeCode, ModeFormPostJWT, ModeFormPostJWT},
		{ResponseTypeIDToken, "", ModeFragment},
		{ResponseTypeCodeToken, "", ModeFragment},
		{ResponseTypeCodeToken, ModeQuery, ModeFragment},
		{ResponseTypeCodeToken, ModeFormPost, ModeFormPost},
		{ResponseTypeCodeIDToken, ModeJWT, ModeFragmentJWT},
		{ResponseTypeCodeIDToken, ModeQueryJWT, ModeFragmentJWT},
		{ResponseTypeCodeIDToken, ModeFormPostJWT, ModeFormPostJWT},
	} {
		if got := (Authorization{ResponseType: tt.of, ResponseMode: tt.asked}).Mode(); got != tt.want {
			t.Errorf("%q by %q goes by %q, want %q", tt.of, tt.asked, got, tt.want)
		}
	}
	for _, mode := range []ResponseMode{ModeQuery, ModeQueryJWT} {
		values := good()
		values.Set("response_type", "code id_token")
		values.Set("response_mode", string(mode))
		a, err := ParseAuthorization(values)
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != InvalidRequest || a.Mode().Way() != ModeFragment {
			t.Errorf("%s: %v, told by %s", mode, err, a.Mode())
		}
	}
}

func TestTokensAsTheyStandInAnAnswer(t *testing.T) {
	all := TokenResponse{AccessToken: "a", TokenType: TokenTypeBearer, ExpiresIn: 600, Scope: "openid", IDToken: "i", RefreshToken: "never"}
	if got, want := all.Params().Encode(), "access_token=a&expires_in=600&id_token=i&scope=openid&token_type=Bearer"; got != want {
		t.Errorf("got %s", got)
	}
	if got := (TokenResponse{IDToken: "i", TokenType: TokenTypeBearer, Scope: "openid"}).Params().Encode(); got != (url.Values{"id_token": {"i"}}).Encode() {
		t.Errorf("an ID token alone: %s", got)
	}
}
