package oauth

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestParseRequestObject(t *testing.T) {
	for _, test := range []struct {
		name, payload string
		want          url.Values
		refused       bool
	}{
		{name: "text as it is", payload: `{"scope":"openid email","state":"a b","nonce":""}`, want: url.Values{"scope": {"openid email"}, "state": {"a b"}, "nonce": {""}}},
		{name: "numbers and truth", payload: `{"max_age":300,"x":true}`, want: url.Values{"max_age": {"300"}, "x": {"true"}}},
		{name: "what is JSON itself", payload: `{"claims":{"id_token": {"acr": null}},"authorization_details":[ {"type":"a"} ]}`, want: url.Values{"claims": {`{"id_token":{"acr":null}}`}, "authorization_details": {`[{"type":"a"}]`}}},
		{name: "and the same as text", payload: `{"claims":"{}"}`, want: url.Values{"claims": {"{}"}}},
		{name: "a list comes more than once", payload: `{"resource":["https://a","https://b"]}`, want: url.Values{"resource": {"https://a", "https://b"}}},
		{name: "an empty list does not come", payload: `{"resource":[]}`, want: url.Values{}},
		{name: "null is absent", payload: `{"state":null}`, want: url.Values{}},
		{name: "what the token says of itself is no parameter", payload: `{"iss":"a","sub":"b","aud":"c","exp":1,"nbf":2,"iat":3,"jti":"d"}`, want: url.Values{}},
		{name: "an object that is no parameter", payload: `{"state":{"a":1}}`, refused: true},
		{name: "a list of something else", payload: `{"state":[1]}`, refused: true},
		{name: "a list with nothing in it", payload: `{"state":[null]}`, refused: true},
		{name: "another object within", payload: `{"request":"a.b.c"}`, refused: true},
		{name: "a reference within", payload: `{"request_uri":"https://a"}`, refused: true},
		{name: "a member twice", payload: `{"state":"a","state":"b"}`, refused: true},
		{name: "a list", payload: `[]`, refused: true},
		{name: "nothing", payload: ``, refused: true},
		{name: "a date that is none", payload: `{"exp":"soon"}`, refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseRequestObject([]byte(test.payload))
			if test.refused {
				if told, ok := errors.AsType[*Error](err); !ok || told.Code != InvalidRequestObject {
					t.Errorf("%v, %v", got.Params, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got.Params, test.want) {
				t.Errorf("%v, %v", got.Params, err)
			}
		})
	}
}

func TestParseReference(t *testing.T) {
	for _, test := range []struct {
		name   string
		params url.Values
		want   Reference
		code   Code
	}{
		{name: "plain parameters", params: url.Values{"client_id": {"app"}, "state": {"x"}}, want: Reference{ClientID: "app"}},
		{name: "an object", params: url.Values{"client_id": {"app"}, "request": {"a.b.c"}}, want: Reference{ClientID: "app", Object: "a.b.c"}},
		{name: "what was pushed", params: url.Values{"client_id": {"app"}, "request_uri": {RequestURIPrefix + "x"}}, want: Reference{ClientID: "app", Pushed: "x"}},
		{name: "a reference", params: url.Values{"client_id": {"app"}, "request_uri": {"https://a/b#c"}}, want: Reference{ClientID: "app", URI: "https://a/b#c"}},
		{name: "nothing that was pushed", params: url.Values{"request_uri": {RequestURIPrefix}}, code: InvalidRequestURI},
		{name: "both", params: url.Values{"request": {"a"}, "request_uri": {"b"}}, code: InvalidRequest},
		{name: "twice", params: url.Values{"request": {"a", "a"}}, code: InvalidRequest},
		{name: "too long", params: url.Values{"request": {strings.Repeat("a", MaxRequestObject+1)}}, code: InvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseReference(test.params)
			if told, _ := errors.AsType[*Error](err); test.code != "" {
				if told == nil || told.Code != test.code {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if err != nil || got != test.want || got.Plain() != (got.Object+got.Pushed+got.URI == "") {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func FuzzParseRequestObject(f *testing.F) {
	f.Add(`{"iss":"app","aud":"https://a","exp":1,"scope":"openid","max_age":300,"claims":{"userinfo":null}}`)
	f.Add(`{"resource":["a","b"],"registration":{},"x":[[]]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		o, err := ParseRequestObject([]byte(payload))
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("the error is %#v", err)
			}
			return
		}
		if o.Params.Has("request") || o.Params.Has("request_uri") || o.Params.Has("iss") {
			t.Fatalf("%v", o.Params)
		}
		if _, err := ParseAuthorization(o.Params); err == nil && o.Params.Get("client_id") == "" {
			t.Fatal("a request of nobody")
		}
	})
}
