package oidc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"dex/internal/connector/connectortest"
	"dex/internal/domain/user"
)

func mustCompile(t testing.TB, claims, extra map[string]string) mapping {
	t.Helper()
	m, err := compile(claims, extra)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestProfile(t *testing.T) {
	type texts = map[string]string
	tests := []struct {
		name          string
		claims        string
		mapped, extra texts
		want          user.Profile
	}{
		{name: "nobody says anything", claims: `{}`, want: user.Profile{Username: "1"}},
		{name: "the standard claims",
			claims: `{"name":"Ann Smith","given_name":"Ann","family_name":"Smith","middle_name":"B.","nickname":"annie","preferred_username":"ann",
				"profile":"https://a.example","picture":"https://a.example/p","website":"https://ann.example","gender":"f","birthdate":"1990-01-01",
				"zoneinfo":"Europe/Berlin","locale":"de","email":"ann@example.com","email_verified":true,"groups":["dev"],"shoe_size":38}`,
			want: user.Profile{Username: "ann", Name: "Ann Smith", GivenName: "Ann", FamilyName: "Smith", MiddleName: "B.", Nickname: "annie",
				PreferredUsername: "ann", ProfileURL: "https://a.example", Picture: "https://a.example/p", Website: "https://ann.example", Gender: "f",
				Birthdate: "1990-01-01", ZoneInfo: "Europe/Berlin", Locale: "de", Email: "ann@example.com", EmailVerified: true, Groups: []string{"dev"}}},
		{name: "the address is a name if there is no other", claims: `{"email":"ann@Example.com"}`, want: user.Profile{Username: "ann@example.com", Email: "ann@example.com"}},
		{name: "a claim called username is none", claims: `{"username":"root"}`, want: user.Profile{Username: "1"}},
		{name: "values of other types do not count", claims: `{"name":7,"email":["a@example.com"],"email_verified":true,"groups":"admin","locale":null}`, want: user.Profile{Username: "1"}},
		{name: "what is too long does not count", claims: `{"name":"` + strings.Repeat("x", maxText+1) + `"}`, want: user.Profile{Username: "1"}},
		{name: "verified is what is exactly true: a text is not", claims: `{"email":"a@example.com","email_verified":"true"}`, want: user.Profile{Username: "a@example.com", Email: "a@example.com"}},
		{name: "nor is a number", claims: `{"email":"a@example.com","email_verified":1}`, want: user.Profile{Username: "a@example.com", Email: "a@example.com"}},
		{name: "an address of two domains is none", claims: `{"email":"a@evil.example@corp.example","email_verified":true}`, want: user.Profile{Username: "1"}},
		{name: "nor is one with a name around it", claims: `{"email":"Ann <a@corp.example>","email_verified":true}`, want: user.Profile{Username: "1"}},
		{name: "each group counts once, and texts alone", claims: `{"groups":["dev","ops","dev","",7,{"a":1}]}`, want: user.Profile{Username: "1", Groups: []string{"dev", "ops"}}},
		{name: "groups filtered, and with a prefix", claims: `{"groups":["dev","ops"]}`,
			mapped: texts{"groups": `claims.groups.filter(g, g != "ops").map(g, "up:" + g)`}, want: user.Profile{Username: "1", Groups: []string{"up:dev"}}},
		{name: "a name of another claim", claims: `{"upn":"ann"}`, mapped: texts{"username": "claims.upn", "name": `claims.?cn.orValue("?")`}, want: user.Profile{Username: "ann", Name: "?"}},
		{name: "the subject can be used", claims: `{}`, mapped: texts{"username": `"u" + claims.sub`}, want: user.Profile{Username: "u1"}},
		{name: "an address of another claim is not verified by the word for the usual one", claims: `{"upn":"ceo@corp.example","email":"a@evil.example","email_verified":true}`,
			mapped: texts{"email": "claims.upn"}, want: user.Profile{Username: "ceo@corp.example", Email: "ceo@corp.example"}},
		{name: "but by an expression", claims: `{"upn":"a@corp.example"}`,
			mapped: texts{"email": "claims.upn", "email_verified": "true"}, want: user.Profile{Username: "a@corp.example", Email: "a@corp.example", EmailVerified: true}},
		{name: "or if it is the usual one", claims: `{"email":"a@corp.example","email_verified":true}`,
			mapped: texts{"email": "claims.email"}, want: user.Profile{Username: "a@corp.example", Email: "a@corp.example", EmailVerified: true}},
		{name: "other claims", claims: `{"department":{"name":"it"},"level":9007199254740993}`, extra: texts{"dep": "claims.department.name", "level": "claims.level", "none": "null"},
			want: user.Profile{Username: "1", Extra: map[string]any{"dep": "it", "level": "9007199254740993"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			claims, err := decode([]byte(tt.claims))
			if err != nil {
				t.Fatal(err)
			}
			p := &provider{settings: settings{Issuer: "https://up.example"}, mapping: mustCompile(t, tt.mapped, tt.extra)}
			p.env.Clock = newHouse(t, nil).clock
			got, err := p.identity(t.Context(), "1", claims)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Profile); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAProfileThatCannotBeMadeLetsNobodyIn(t *testing.T) {
	var many []string
	for i := range maxGroups + 1 {
		many = append(many, fmt.Sprint("g", i))
	}
	for name, tt := range map[string]struct {
		change map[string]any
		claims connectortest.Claims
	}{
		"a claim of an expression is missing": {map[string]any{"claims": map[string]string{"groups": "claims.roles"}}, nil},
		"it is of another type":               {map[string]any{"claims": map[string]string{"groups": "claims.roles"}}, connectortest.Claims{"roles": "admin"}},
		"too many groups":                     {nil, connectortest.Claims{"groups": many}},
		"an extra claim is missing":           {map[string]any{"extra": map[string]string{"x": "claims.x"}}, nil},
		"extra claims are too large":          {map[string]any{"extra": map[string]string{"x": "claims.x"}, "userinfo": true}, connectortest.Claims{"x": strings.Repeat("x", maxExtra)}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, tt.change)
			person := ann()
			h.provider.Set(connectortest.Knobs{Userinfo: func(c connectortest.Claims) {
				for name, value := range tt.claims {
					c[name] = value
				}
			}, IDToken: func(c connectortest.Claims) { delete(c, "groups") }})
			delete(person, "groups")
			h.failed(h.finish(login, person))
		})
	}
}

func TestMerge(t *testing.T) {
	tests := []struct{ name, claims, added, want string }{
		{"what is missing is added", `{"sub":"1"}`, `{"sub":"1","name":"Ann"}`, `{"sub":"1","name":"Ann"}`},
		{"the ID token counts more", `{"sub":"1","name":"Ann"}`, `{"sub":"1","name":"Bob"}`, `{"sub":"1","name":"Ann"}`},
		{"nothing about the token is added", `{"sub":"1"}`, `{"sub":"1","iss":"x","aud":"y","amr":["mfa"],"auth_time":1,"exp":2}`, `{"sub":"1"}`},
		{"an address is not verified by the word for another", `{"email":"ceo@corp.example"}`, `{"email":"a@evil.example","email_verified":true}`, `{"email":"ceo@corp.example"}`},
		{"nor by a word for none", `{"email":"ceo@corp.example"}`, `{"email_verified":true}`, `{"email":"ceo@corp.example"}`},
		{"nor the other way round", `{"email_verified":true}`, `{"email":"ceo@corp.example"}`, `{"email":"ceo@corp.example"}`},
		{"the same address is", `{"email":"a@b.example"}`, `{"email":"a@b.example","email_verified":true}`, `{"email":"a@b.example","email_verified":true}`},
		{"unless the ID token says no", `{"email":"a@b.example","email_verified":false}`, `{"email":"a@b.example","email_verified":true}`, `{"email":"a@b.example","email_verified":false}`},
		{"both from the added", `{}`, `{"email":"a@b.example","email_verified":true}`, `{"email":"a@b.example","email_verified":true}`},
		{"nothing to nothing", `null`, `null`, `{}`},
		{"two lists are no address", `{"email":[]}`, `{"email":[],"email_verified":true}`, `{"email":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var claims, added, want map[string]any
			for into, text := range map[*map[string]any]string{&claims: tt.claims, &added: tt.added, &want: tt.want} {
				if err := json.Unmarshal([]byte(text), into); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, merge(claims, added)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheSameSubjectAtAnotherProviderIsSomebodyElse(t *testing.T) {
	a, b := newHouse(t, nil), newHouse(t, nil)
	one, other := a.in(ann()).Identity, b.in(ann()).Identity
	if one.Subject == other.Subject || one.ConnectorID != other.ConnectorID {
		t.Errorf("%s and %s", one.Subject, other.Subject)
	}
}

func TestDecode(t *testing.T) {
	good, err := decode([]byte(`{"n":9007199254740993,"f":1.5,"l":[1,"a",null]}`))
	if diff := cmp.Diff(map[string]any{"n": int64(9007199254740993), "f": 1.5, "l": []any{int64(1), "a", nil}}, good); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{``, `null`, `[]`, `"a"`, `{}{}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, "{\"a\":\"\xff\"}", strings.Repeat(`{"a":`, 20_000)} {
		if got, err := decode([]byte(bad)); err == nil {
			t.Errorf("%.40q: %v", bad, got)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add(`{"email":"a@b.example","email_verified":true,"groups":["a","b"],"name":"x"}`, `{"email":[],"sub":1}`)
	f.Add(`{"a":{"b":[{"c":null}]}}`, `{"groups":[[]]}`)
	f.Add(`{"email":"ä@ö.example"}`, `{"n":1e400}`)
	m := mustCompile(f, map[string]string{"nickname": `string(size(claims))`, "groups": `claims.?roles.orValue([]).map(r, "r:" + string(r))`}, map[string]string{"all": "claims"})
	for _, mapped := range []mapping{m, {}} {
		if _, err := mapped.profile(f.Context(), "1", map[string]any{}); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, token, added string) {
		one, err := decode([]byte(token))
		if err != nil {
			return
		}
		if more, err := decode([]byte(added)); err == nil {
			one = merge(one, more)
		}
		for _, mapped := range []mapping{m, {}} {
			p, err := mapped.profile(t.Context(), "1", one)
			if err != nil {
				continue
			}
			if p.Username == "" || len(p.Groups) > maxGroups || p.EmailVerified && p.Email == "" || strings.Count(p.Email, "@") > 1 || !utf8.ValidString(p.Email) {
				t.Fatalf("%+v", p)
			}
			if _, err := json.Marshal(p); err != nil {
				t.Fatalf("it cannot be kept: %v", err)
			}
		}
	})
}
