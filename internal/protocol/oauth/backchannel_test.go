package oauth

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestParseBackchannelRequest(t *testing.T) {
	with := func(pairs ...string) url.Values {
		v := url.Values{"scope": {"openid"}, "login_hint": {"zoe"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	twice := func(name string) url.Values {
		v := with()
		v[name] = []string{"a", "b"}
		return v
	}
	want := BackchannelRequest{Scopes: Scopes{"openid"}, LoginHint: "zoe"}
	changed := func(change func(r *BackchannelRequest)) BackchannelRequest {
		r := want
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name string
		form url.Values
		want BackchannelRequest
		code Code
	}{
		{name: "somebody by name", form: with(), want: want},
		{name: "by an ID token", form: with("login_hint", "", "id_token_hint", "x.y.z"), want: changed(func(r *BackchannelRequest) { r.LoginHint, r.IDTokenHint = "", "x.y.z" })},
		{name: "by a hint token", form: with("login_hint", "", "login_hint_token", "x.y.z"), want: changed(func(r *BackchannelRequest) { r.LoginHint, r.LoginHintToken = "", "x.y.z" })},
		{name: "by nothing", form: with("login_hint", ""), code: InvalidRequest},
		{name: "by two hints", form: with("id_token_hint", "x.y.z"), code: InvalidRequest},
		{name: "by two hints of other kinds", form: with("login_hint", "", "login_hint_token", "a", "id_token_hint", "b"), code: InvalidRequest},
		{name: "without openid", form: with("scope", "email"), code: InvalidScope},
		{name: "without a scope", form: with("scope", ""), code: InvalidScope},
		{name: "a token to be notified by", form: with("client_notification_token", "8d67dc78-7faa-4d41.aa=="), want: changed(func(r *BackchannelRequest) { r.NotificationToken = "8d67dc78-7faa-4d41.aa==" })},
		{name: "a token that fits no header", form: with("client_notification_token", "a b"), code: InvalidRequest},
		{name: "a token that is too long", form: with("client_notification_token", strings.Repeat("a", 1025)), code: InvalidRequest},
		{name: "what to compare", form: with("binding_message", "Überweisung 4711, 20 €"), want: changed(func(r *BackchannelRequest) { r.BindingMessage = "Überweisung 4711, 20 €" })},
		{name: "pictures nobody can compare", form: with("binding_message", "1234 👍🏿"), code: InvalidBindingMessage},
		{name: "what nobody can see", form: with("binding_message", "12\u200b34"), code: InvalidBindingMessage},
		{name: "what turns the line round", form: with("binding_message", "12\u202e34"), code: InvalidBindingMessage},
		{name: "two lines", form: with("binding_message", "12\n34"), code: InvalidBindingMessage},
		{name: "no UTF-8", form: with("binding_message", "12\xff"), code: InvalidBindingMessage},
		{name: "more than anybody compares", form: with("binding_message", strings.Repeat("1", MaxBindingMessage+1)), code: InvalidBindingMessage},
		{name: "two messages", form: twice("binding_message"), code: InvalidRequest},
		{name: "two minutes", form: with("requested_expiry", "120"), want: changed(func(r *BackchannelRequest) { r.RequestedExpiry = 120 })},
		{name: "no time at all", form: with("requested_expiry", "0"), code: InvalidRequest},
		{name: "less than none", form: with("requested_expiry", "-1"), code: InvalidRequest},
		{name: "a time that is none", form: with("requested_expiry", "soon"), code: InvalidRequest},
		{name: "two hints of one kind", form: twice("login_hint"), code: InvalidRequest},
		{name: "two scopes", form: twice("scope"), code: InvalidRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseBackchannelRequest(tt.form)
			if tt.code == "" {
				if err != nil || !reflect.DeepEqual(got, tt.want) {
					t.Errorf("%+v, error %v", got, err)
				}
				return
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != tt.code {
				t.Errorf("error %v, want %s", err, tt.code)
			}
		})
	}
}

func FuzzParseBackchannelRequest(f *testing.F) {
	f.Add("scope=openid&login_hint=zoe&binding_message=1234&requested_expiry=120")
	f.Add("scope=openid&id_token_hint=x.y.z&client_notification_token=abc")
	f.Fuzz(func(t *testing.T, query string) {
		if form, err := url.ParseQuery(query); err == nil {
			checkBackchannelRequest(t, form)
		}
	})
}

func checkBackchannelRequest(t *testing.T, form url.Values) {
	r, err := ParseBackchannelRequest(form)
	if err != nil {
		return
	}
	if len(r.LoginHint) > MaxLoginHint || len(r.BindingMessage) > 4*MaxBindingMessage || r.RequestedExpiry < 0 || !r.Scopes.Contains(ScopeOpenID) {
		t.Errorf("%+v", r)
	}
	if (r.LoginHint != "") == (r.IDTokenHint != "" || r.LoginHintToken != "") {
		t.Errorf("the hints are %+v", r)
	}
}
