package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestParseExchange(t *testing.T) {
	with := func(pairs ...string) url.Values {
		v := url.Values{"subject_token": {"x.y.z"}, "subject_token_type": {TokenTypeAccessToken}}
		for i := 0; i < len(pairs); i += 2 {
			v.Add(pairs[i], pairs[i+1])
		}
		return v
	}
	without := func(name string) url.Values {
		v := with()
		delete(v, name)
		return v
	}
	plain := Exchange{Subject: "x.y.z", SubjectType: TokenTypeAccessToken}
	many := make([]string, 0, 2*maxAudiences+2)
	for range maxAudiences + 1 {
		many = append(many, "audience", "a")
	}
	for _, tt := range []struct {
		name string
		form url.Values
		want Exchange
		code Code
	}{
		{name: "a token", form: with(), want: plain},
		{name: "for several", form: with("audience", "a", "audience", "b"),
			want: Exchange{Subject: "x.y.z", SubjectType: TokenTypeAccessToken, Audiences: []string{"a", "b"}}},
		{name: "with an actor", form: with("actor_token", "a.b.c", "actor_token_type", TokenTypeJWT),
			want: Exchange{Subject: "x.y.z", SubjectType: TokenTypeAccessToken, Actor: "a.b.c", ActorType: TokenTypeJWT}},
		{name: "without a token", form: without("subject_token"), code: InvalidRequest},
		{name: "of no type", form: without("subject_token_type"), code: InvalidRequest},
		{name: "an actor of no type", form: with("actor_token", "a.b.c"), code: InvalidRequest},
		{name: "a type of no actor", form: with("actor_token_type", TokenTypeJWT), code: InvalidRequest},
		{name: "two tokens", form: with("subject_token", "again"), code: InvalidRequest},
		{name: "a huge token", form: with("actor_token", strings.Repeat("x", MaxToken+1)), code: InvalidRequest},
		{name: "for too many", form: with(many...), code: InvalidRequest},
		{name: "for what is none", form: with("audience", "a\x00"), code: InvalidTarget},
		{name: "for something endless", form: with("audience", strings.Repeat("x", MaxRedirectURI+1)), code: InvalidTarget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseExchange(tt.form)
			if tt.code == "" {
				if err != nil || !reflect.DeepEqual(got, tt.want) {
					t.Errorf("error %v", err)
				}
				return
			}
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != tt.code {
				t.Errorf("error %v, want %s", err, tt.code)
			}
		})
	}
	if text := fmt.Sprintf("%v %+v %#v %s", plain, plain, plain, plain.LogValue()); strings.Contains(text, "x.y.z") {
		t.Errorf("the token is printed: %s", text)
	}
}

func FuzzParseExchange(f *testing.F) {
	f.Add("subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:access_token&audience=a&audience=b")
	f.Add("subject_token=x&subject_token_type=y&actor_token=z&actor_token_type=w&requested_token_type=v")
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		e, err := ParseExchange(form)
		if err != nil {
			return
		}
		if e.Subject == "" || e.SubjectType == "" || (e.Actor == "") != (e.ActorType == "") || len(e.Audiences) > maxAudiences {
			t.Errorf("subject %d, actor %d, %d audiences", len(e.Subject), len(e.Actor), len(e.Audiences))
		}
	})
}
