package oauth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
)

func basic(text string) []string {
	return []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(text))}
}

// assertion returns a token with the claims, signed by a key that nobody knows.
func assertion(t testing.TB, claims any) string {
	t.Helper()
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.Sign(key, jose.EdDSA, "k1", jose.TypeJWT, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestParseCredentials(t *testing.T) {
	signed := assertion(t, jose.Claims{Issuer: "app", Subject: "app"})
	issuerOnly := assertion(t, jose.Claims{Issuer: "app"})
	nobody := assertion(t, jose.Claims{})
	jwt := func(more ...string) url.Values {
		v := url.Values{"client_assertion": {signed}, "client_assertion_type": {AssertionTypeJWT}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	for _, test := range []struct {
		name   string
		header []string
		body   url.Values
		want   Credentials
		code   Code
	}{
		// The header.
		{name: "a secret in a header", header: basic("app:s3cret"), want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "s3cret"}},
		{name: "the same client in the body", header: basic("app:s3cret"), body: url.Values{"client_id": {"app"}}, want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "s3cret"}},
		{name: "an empty secret in the body is none", header: basic("app:s3cret"), body: url.Values{"client_secret": {""}}, want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "s3cret"}},
		{name: "the scheme is written in any case", header: []string{strings.Replace(basic("app:s3cret")[0], "Basic", "bASIC", 1)}, want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "s3cret"}},
		{name: "a colon in the secret", header: basic("app:a:b:"), want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "a:b:"}},
		{name: "a colon in the id is escaped", header: basic("a%3Ab:c"), want: Credentials{Method: AuthSecretBasic, ClientID: "a:b", Secret: "c"}},
		{name: "a percent sign", header: basic("app:100%25"), want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "100%"}},
		{name: "a plus is a space", header: basic("app:a+b%2Bc"), want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "a b+c"}},
		{name: "letters beyond ASCII", header: basic("app:" + url.QueryEscape("grüße")), want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "grüße"}},
		{name: "letters beyond ASCII that are not escaped", header: basic("app:grüße"), want: Credentials{Method: AuthSecretBasic, ClientID: "app", Secret: "grüße"}},
		{name: "a URL as an id", header: basic("https%3A%2F%2Fapp.example:x"), want: Credentials{Method: AuthSecretBasic, ClientID: "https://app.example", Secret: "x"}},
		{name: "the longest of both", header: basic(strings.Repeat("%41", MaxClientID) + ":" + strings.Repeat("%42", MaxSecret)),
			want: Credentials{Method: AuthSecretBasic, ClientID: strings.Repeat("A", MaxClientID), Secret: secret.Value(strings.Repeat("B", MaxSecret))}},
		{name: "an id that is longer", header: basic(strings.Repeat("A", MaxClientID+1) + ":x"), code: InvalidClient},
		{name: "a secret that is longer", header: basic("app:" + strings.Repeat("B", MaxSecret+1)), code: InvalidClient},
		{name: "a huge header", header: []string{"Basic " + strings.Repeat("A", 1<<20)}, code: InvalidClient},
		{name: "a bad escape in the secret", header: basic("app:100%"), code: InvalidClient},
		{name: "a bad escape in the id", header: basic("%zz:x"), code: InvalidClient},
		{name: "no colon", header: basic("app"), code: InvalidClient},
		{name: "no id", header: basic(":s3cret"), code: InvalidClient},
		{name: "no secret", header: basic("app:"), code: InvalidClient},
		{name: "an escaped zero byte", header: basic("app%00:x"), code: InvalidClient},
		{name: "an escaped line break", header: basic("app:x%0d%0a"), code: InvalidClient},
		{name: "no UTF-8", header: basic("app:%ff"), code: InvalidClient},
		{name: "base64 without its padding", header: []string{"Basic " + strings.TrimRight(base64.StdEncoding.EncodeToString([]byte("app:s3cret1")), "=")}, code: InvalidClient},
		{name: "base64 for URLs", header: []string{"Basic " + base64.URLEncoding.EncodeToString([]byte("app:\xff\xfe\xfd???"))}, code: InvalidClient},
		{name: "a line break in base64", header: []string{"Basic YXBw\nOng="}, code: InvalidClient},
		{name: "two spaces", header: []string{"Basic  YXBwOng="}, code: InvalidClient},
		{name: "a tab", header: []string{"Basic\tYXBwOng="}, code: InvalidClient},
		{name: "something behind", header: []string{"Basic YXBwOng= x"}, code: InvalidClient},
		{name: "a scheme alone", header: []string{"Basic"}, code: InvalidClient},
		{name: "an empty header", header: []string{""}, code: InvalidClient},
		{name: "another scheme", header: []string{"Bearer YXBwOng="}, code: InvalidClient},
		{name: "two headers", header: append(basic("app:a"), basic("app:a")...), code: InvalidRequest},
		{name: "another client in the body", header: basic("app:s3cret"), body: url.Values{"client_id": {"bob"}}, code: InvalidRequest},

		// The body.
		{name: "a secret in the body", body: url.Values{"client_id": {"app"}, "client_secret": {"s3cret"}}, want: Credentials{Method: AuthSecretPost, ClientID: "app", Secret: "s3cret"}},
		{name: "a secret in the body is not decoded twice", body: url.Values{"client_id": {"app"}, "client_secret": {"100%25+"}}, want: Credentials{Method: AuthSecretPost, ClientID: "app", Secret: "100%25+"}},
		{name: "a secret without a client", body: url.Values{"client_secret": {"s3cret"}}, code: InvalidRequest},
		{name: "a secret twice", body: url.Values{"client_id": {"app"}, "client_secret": {"a", "a"}}, code: InvalidRequest},
		{name: "a client twice", body: url.Values{"client_id": {"app", "app"}}, code: InvalidRequest},
		{name: "a secret that is longer in the body", body: url.Values{"client_id": {"app"}, "client_secret": {strings.Repeat("x", MaxSecret+1)}}, code: InvalidRequest},
		{name: "a public client", body: url.Values{"client_id": {"app"}}, want: Credentials{Method: AuthNone, ClientID: "app"}},
		{name: "a public client with an empty secret", body: url.Values{"client_id": {"app"}, "client_secret": {""}}, want: Credentials{Method: AuthNone, ClientID: "app"}},
		{name: "nobody", code: InvalidClient},
		{name: "an empty client", body: url.Values{"client_id": {""}}, code: InvalidClient},

		// The assertion.
		{name: "an assertion", body: jwt(), want: Credentials{Method: AuthPrivateKeyJWT, ClientID: "app", Assertion: signed}},
		{name: "an assertion and its client", body: jwt("client_id", "app"), want: Credentials{Method: AuthPrivateKeyJWT, ClientID: "app", Assertion: signed}},
		{name: "a client counts more than what an assertion says unproven", body: jwt("client_id", "bob"), want: Credentials{Method: AuthPrivateKeyJWT, ClientID: "bob", Assertion: signed}},
		{name: "an assertion without a subject", body: jwt("client_assertion", issuerOnly), want: Credentials{Method: AuthPrivateKeyJWT, ClientID: "app", Assertion: issuerOnly}},
		{name: "an assertion of nobody", body: jwt("client_assertion", nobody), code: InvalidClient},
		{name: "an assertion of garbage", body: jwt("client_assertion", "garbage"), code: InvalidClient},
		{name: "an assertion of another type", body: jwt("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), code: InvalidClient},
		{name: "an assertion of no type", body: jwt("client_assertion_type", ""), code: InvalidRequest},
		{name: "a type of no assertion", body: jwt("client_assertion", ""), code: InvalidRequest},
		{name: "a type of no assertion beside a client", body: jwt("client_assertion", "", "client_id", "app"), code: InvalidRequest},
		{name: "an assertion that is too long", body: jwt("client_assertion", strings.Repeat("x", jose.MaxToken+1)), code: InvalidRequest},
		{name: "an assertion twice", body: url.Values{"client_assertion": {signed, signed}, "client_assertion_type": {AssertionTypeJWT}}, code: InvalidRequest},

		// More than one of them.
		{name: "header and body", header: basic("app:s3cret"), body: url.Values{"client_id": {"app"}, "client_secret": {"s3cret"}}, code: InvalidRequest},
		{name: "header and assertion", header: basic("app:s3cret"), body: jwt(), code: InvalidRequest},
		{name: "header and garbage for an assertion", header: basic("app:s3cret"), body: url.Values{"client_assertion": {"x"}}, code: InvalidRequest},
		{name: "header and a type of assertion", header: basic("app:s3cret"), body: url.Values{"client_assertion_type": {"x"}}, code: InvalidRequest},
		{name: "secret and assertion", body: jwt("client_id", "app", "client_secret", "s3cret"), code: InvalidRequest},
		{name: "secret and garbage for an assertion", body: url.Values{"client_id": {"app"}, "client_secret": {"s3cret"}, "client_assertion": {"x"}}, code: InvalidRequest},
		{name: "another scheme and a secret", header: []string{"Bearer x"}, body: url.Values{"client_id": {"app"}, "client_secret": {"s3cret"}}, code: InvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseCredentials(test.header, test.body)
			if test.code == "" {
				if err != nil || got != test.want {
					t.Errorf("method %s, client %q, secret %q, error %v", got.Method, got.ClientID, string(got.Secret), err)
				}
				return
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != test.code {
				t.Fatalf("error %v, want %s", err, test.code)
			}
			if got != (Credentials{}) {
				t.Errorf("and yet there are credentials of %q", got.ClientID)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

func TestCredentialsPrintNoSecret(t *testing.T) {
	c, err := ParseCredentials(basic("app:s3cret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, "s3cret") {
		t.Error(text)
	}
}

func FuzzParseCredentials(f *testing.F) {
	f.Add(basic("app:s3cret")[0], "client_id=app")
	f.Add("basic YXBwOg==", "")
	f.Add("Bearer x", "client_id=a&client_secret=b")
	f.Add("", "client_assertion=a.b.c&client_assertion_type="+url.QueryEscape(AssertionTypeJWT))
	f.Add("", "client_assertion="+assertion(f, jose.Claims{Subject: "app"})+"&client_assertion_type="+url.QueryEscape(AssertionTypeJWT))
	f.Fuzz(func(t *testing.T, header, body string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			t.Skip()
		}
		var headers []string
		if header != "" {
			headers = []string{header}
		}
		c, err := ParseCredentials(headers, values)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if c.ClientID == "" || len(c.ClientID) > MaxClientID || !printable(c.ClientID) || !printable(string(c.Secret)) {
			t.Fatalf("client %q", c.ClientID)
		}
		hasSecret := c.Method == AuthSecretBasic || c.Method == AuthSecretPost
		if hasSecret != (c.Secret != "") || (c.Method == AuthPrivateKeyJWT) != (c.Assertion != "") || (c.Method == AuthSecretBasic) != (header != "") {
			t.Fatalf("method %q does not fit what is there", c.Method)
		}
		if c.Method != AuthSecretBasic {
			return
		}
		// Written as the standard says, they are read as the same.
		again, err := ParseCredentials(basic(url.QueryEscape(c.ClientID)+":"+url.QueryEscape(string(c.Secret))), nil)
		if err != nil || again != c {
			t.Fatalf("client %q comes back as %q, %v", c.ClientID, again.ClientID, err)
		}
	})
}
