package oauth

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestParseBearer(t *testing.T) {
	for _, test := range []struct {
		name   string
		header []string
		want   string
		none   bool
	}{
		{name: "a token", header: []string{"Bearer abc.DEF-123_~+/=="}, want: "abc.DEF-123_~+/=="},
		{name: "the scheme is written in any case", header: []string{"bEARER x"}, want: "x"},
		{name: "the longest", header: []string{"Bearer " + strings.Repeat("x", MaxToken)}, want: strings.Repeat("x", MaxToken)},
		{name: "one that is longer", header: []string{"Bearer " + strings.Repeat("x", MaxToken+1)}},
		{name: "no header", none: true},
		{name: "another scheme", header: []string{"Basic YXBwOng="}, none: true},
		{name: "the scheme of tokens that are bound", header: []string{"DPoP abc"}, none: true},
		{name: "a scheme that begins alike", header: []string{"BearerX abc"}, none: true},
		{name: "an empty header", header: []string{""}, none: true},
		{name: "a token alone", header: []string{"abc"}, none: true},
		{name: "a tab", header: []string{"Bearer\tabc"}, none: true},
		{name: "a space before", header: []string{" Bearer abc"}, none: true},
		{name: "no token", header: []string{"Bearer"}},
		{name: "an empty token", header: []string{"Bearer "}},
		{name: "two spaces", header: []string{"Bearer  abc"}},
		{name: "a space behind", header: []string{"Bearer abc "}},
		{name: "two tokens", header: []string{"Bearer abc def"}},
		{name: "two with a comma", header: []string{"Bearer abc, Bearer def"}},
		{name: "a parameter", header: []string{`Bearer token="abc"`}},
		{name: "padding alone", header: []string{"Bearer =="}},
		{name: "padding within", header: []string{"Bearer a=b"}},
		{name: "a line break", header: []string{"Bearer abc\n"}},
		{name: "a zero byte", header: []string{"Bearer abc\x00"}},
		{name: "a letter beyond ASCII", header: []string{"Bearer ä"}},
		{name: "two headers", header: []string{"Bearer abc", "Bearer abc"}},
		{name: "two headers of two schemes", header: []string{"Bearer abc", "Basic YXBwOng="}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseBearer(test.header)
			if got != test.want || (err == nil) != (test.want != "") || errors.Is(err, ErrNoToken) != test.none {
				t.Errorf("%q, error %v", got, err)
			}
			if e, ok := errors.AsType[*Error](err); test.want == "" && !test.none && (!ok || e.Code != InvalidRequest) {
				t.Errorf("error %v, want %s", err, InvalidRequest)
			}
		})
	}
}

func TestATokenMayBeInTheBody(t *testing.T) {
	for _, test := range []struct {
		name   string
		header []string
		body   url.Values
		want   string
		dpop   bool
		none   bool
	}{
		{name: "in the header", header: []string{"Bearer abc"}, want: "abc"},
		{name: "bound to a key", header: []string{"DPoP abc"}, want: "abc", dpop: true},
		{name: "bound to a key, in other letters", header: []string{"dpop abc"}, want: "abc", dpop: true},
		{name: "bound to a key, malformed", header: []string{"DPoP a b"}},
		{name: "bound to a key and in the body", header: []string{"DPoP abc"}, body: url.Values{"access_token": {"abc"}}},
		{name: "in the body", body: url.Values{"access_token": {"abc"}}, want: "abc"},
		{name: "in neither", none: true},
		{name: "empty in the body", body: url.Values{"access_token": {""}}, none: true},
		{name: "in both", header: []string{"Bearer abc"}, body: url.Values{"access_token": {"abc"}}},
		{name: "in the body, beside another scheme", header: []string{"Basic YXBwOng="}, body: url.Values{"access_token": {"abc"}}},
		{name: "twice in the body", body: url.Values{"access_token": {"abc", "abc"}}},
		{name: "malformed in the body", body: url.Values{"access_token": {"a b"}}},
		{name: "too long in the body", body: url.Values{"access_token": {strings.Repeat("x", MaxToken+1)}}},
	} {
		got, err := ParseAccessTokenForm(test.header, test.body)
		if got != (Presented{Token: test.want, DPoP: test.dpop}) || (err == nil) != (test.want != "") || errors.Is(err, ErrNoToken) != test.none {
			t.Errorf("%s: %+v, error %v", test.name, got, err)
		}
	}
}

func FuzzParseBearer(f *testing.F) {
	f.Add("Bearer abc.def.ghi")
	f.Add("bearer  x")
	f.Add("Basic YXBwOng=")
	f.Fuzz(func(t *testing.T, header string) {
		token, err := ParseBearer([]string{header})
		if err != nil {
			if token != "" {
				t.Fatalf("%q is both refused and read", header)
			}
			return
		}
		if !strings.EqualFold(header, "bearer "+token) || strings.ContainsAny(token, " \t\r\n,;\"\x00") {
			t.Fatalf("%q is read as %q", header, token)
		}
	})
}
