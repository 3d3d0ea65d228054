package jose

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) NumericDate { return DateOf(now.Add(d)) }
	good := Claims{Issuer: "https://id", Audience: Audience{"app", "api"}, Expiry: at(time.Minute), NotBefore: at(0), IssuedAt: at(0)}
	for _, test := range []struct {
		name   string
		change func(*Claims)
		skew   time.Duration
		want   error
	}{
		{name: "good", change: func(*Claims) {}},
		{name: "of another issuer", change: func(c *Claims) { c.Issuer = "https://id/" }, want: ErrIssuer},
		{name: "of nobody", change: func(c *Claims) { c.Issuer = "" }, want: ErrIssuer},
		{name: "for somebody else", change: func(c *Claims) { c.Audience = Audience{"other"} }, want: ErrAudience},
		{name: "for nobody", change: func(c *Claims) { c.Audience = nil }, want: ErrAudience},
		{name: "audiences are compared to the byte", change: func(c *Claims) { c.Audience = Audience{"App", "app "} }, want: ErrAudience},
		{name: "without an end", change: func(c *Claims) { c.Expiry = 0 }, want: ErrNoExpiry},
		{name: "expired this very second", change: func(c *Claims) { c.Expiry = at(0) }, want: ErrExpired},
		{name: "expired, within the skew", change: func(c *Claims) { c.Expiry = at(-59 * time.Second) }, skew: time.Minute},
		{name: "expired, by all of the skew", change: func(c *Claims) { c.Expiry = at(-60 * time.Second) }, skew: time.Minute, want: ErrExpired},
		{name: "not yet valid", change: func(c *Claims) { c.NotBefore = at(time.Second) }, want: ErrNotYetValid},
		{name: "not yet valid, within the skew", change: func(c *Claims) { c.NotBefore = at(time.Minute) }, skew: time.Minute},
		{name: "issued in the future", change: func(c *Claims) { c.IssuedAt = at(61 * time.Second) }, skew: time.Minute, want: ErrNotYetValid},
		{name: "without nbf and iat", change: func(c *Claims) { c.NotBefore, c.IssuedAt = 0, 0 }},
		{name: "expired and of another issuer is not merely expired", change: func(c *Claims) { c.Expiry, c.Issuer = at(-time.Hour), "x" }, want: ErrIssuer},
		{name: "expired and for somebody else is not merely expired", change: func(c *Claims) { c.Expiry, c.Audience = at(-time.Hour), nil }, want: ErrAudience},
		{name: "expired before it was valid is not merely expired", change: func(c *Claims) { c.Expiry, c.NotBefore = at(-time.Hour), at(time.Hour) }, want: ErrNotYetValid},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := good
			test.change(&c)
			if err := c.Validate(now, "https://id", "app", test.skew); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
	nobody := Claims{Audience: Audience{"", "app"}, Expiry: at(time.Minute)}
	if err := nobody.Validate(now, "", "app", 0); !errors.Is(err, ErrIssuer) {
		t.Errorf("claims of nobody, where no issuer is asked for: %v", err)
	}
	nobody.Issuer = "https://id"
	if err := nobody.Validate(now, "https://id", "", 0); !errors.Is(err, ErrAudience) {
		t.Errorf("claims for nobody, where no audience is asked for: %v", err)
	}
}

func TestUnmarshalClaims(t *testing.T) {
	for _, test := range []struct {
		name string
		json string
		want Claims
		bad  bool
	}{
		{name: "one audience", json: `{"aud":"a"}`, want: Claims{Audience: Audience{"a"}}},
		{name: "several audiences", json: `{"aud":["a","b"]}`, want: Claims{Audience: Audience{"a", "b"}}},
		{name: "no audience", json: `{"aud":[]}`, bad: true},
		{name: "an audience of null", json: `{"aud":null}`, bad: true},
		{name: "an audience of a number", json: `{"aud":1}`, bad: true},
		{name: "an audience of an object", json: `{"aud":{"a":"b"}}`, bad: true},
		{name: "audiences of numbers", json: `{"aud":["a",1]}`, bad: true},
		{name: "audiences with null", json: `{"aud":["a",null]}`, bad: true},
		{name: "audiences within audiences", json: `{"aud":[["a"]]}`, bad: true},
		{name: "all claims", json: `{"iss":"i","sub":"s","aud":"a","exp":3,"nbf":1,"iat":2,"jti":"j","more":{}}`,
			want: Claims{Issuer: "i", Subject: "s", Audience: Audience{"a"}, Expiry: 3, NotBefore: 1, IssuedAt: 2, ID: "j"}},
		{name: "a date with a fraction", json: `{"exp":1800000000.9}`, want: Claims{Expiry: 1800000000}},
		{name: "a date with an exponent", json: `{"exp":1.8e9}`, want: Claims{Expiry: 1800000000}},
		{name: "a date before 1970", json: `{"exp":-1}`, want: Claims{Expiry: -1}},
		{name: "a date as text", json: `{"exp":"1800000000"}`, bad: true},
		{name: "a date of null", json: `{"exp":null}`, bad: true},
		{name: "a date of true", json: `{"exp":true}`, bad: true},
		{name: "a date that overflows", json: `{"exp":9223372036854775808}`, bad: true},
		{name: "a date beyond the year 9999", json: `{"exp":253402300800}`, bad: true},
		{name: "a date of infinity", json: `{"exp":1e999}`, bad: true},
		{name: "a subject of a number", json: `{"sub":7}`, bad: true},
		{name: "a claim twice", json: `{"sub":"ann","sub":"bob"}`, bad: true},
		{name: "a claim twice by an escape", json: `{"sub":"ann","s\u0075b":"bob"}`, bad: true},
		{name: "an unknown claim twice", json: `{"x":1,"x":2}`, bad: true},
		{name: "names in other letters are other names", json: `{"sub":"ann","SUB":"bob","Sub":"eve"}`, want: Claims{Subject: "ann"}},
		{name: "space around", json: " \n{\"sub\":\"ann\"}\t ", want: Claims{Subject: "ann"}},
		{name: "something behind", json: `{"sub":"ann"}{}`, bad: true},
		{name: "a list", json: `[]`, bad: true},
		{name: "no text", json: "{\"sub\":\"\xff\"}", bad: true},
		{name: "half a surrogate", json: "{\"x\":\"\xed\xa0\x80\"}", bad: true},
		{name: "as deep as it goes", json: `{"sub":"ann","x":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, want: Claims{Subject: "ann"}},
		{name: "deeper", json: `{"sub":"ann","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, bad: true},
		{name: "depth within a text is none", json: `{"sub":"` + strings.Repeat(`[\"{\\`, 40) + `"}`, want: Claims{Subject: strings.Repeat(`["{\`, 40)}},
		{name: "null", json: `null`, bad: true},
		{name: "text", json: `"sub"`, bad: true},
		{name: "nothing", json: ``, bad: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got Claims
			err := Unmarshal([]byte(test.json), &got)
			if test.bad {
				if err == nil {
					t.Errorf("read as %+v", got)
				}
				return
			}
			if err != nil || !same(got, test.want) {
				t.Errorf("read as %+v, error %v", got, err)
			}
		})
	}
}

func TestClaimsAreFoundInATypeThatEmbedsThem(t *testing.T) {
	var c struct {
		Claims
		Nonce string `json:"nonce"`
	}
	if err := Unmarshal([]byte(`{"iss":"i","aud":"a","nonce":"n"}`), &c); err != nil {
		t.Fatal(err)
	}
	if c.Issuer != "i" || !slices.Equal(c.Audience, Audience{"a"}) || c.Nonce != "n" {
		t.Errorf("read as %+v", c)
	}
}

func TestClaimsAreWrittenShort(t *testing.T) {
	for want, c := range map[string]Claims{
		`{}`:          {},
		`{"aud":"a"}`: {Audience: Audience{"a"}},
		`{"iss":"i","aud":["a","b"],"exp":1800000000}`: {Issuer: "i", Audience: Audience{"a", "b"}, Expiry: 1800000000},
	} {
		if got, err := json.Marshal(c); err != nil || string(got) != want {
			t.Errorf("%s, error %v, want %s", got, err, want)
		}
	}
}

func TestSingleAudience(t *testing.T) {
	for payload, want := range map[string]string{
		`{"aud":"https://id"}`:                 "https://id",
		`{"aud":["https://id"]}`:               "",
		`{"aud":["https://id","https://bad"]}`: "",
		`{"aud":null}`:                         "",
		`{"aud":{"https://id":1}}`:             "",
		`{}`:                                   "",
		`{"aud":"https://id","aud":"x"}`:       "",
		`"https://id"`:                         "",
		``:                                     "",
	} {
		if got, ok := SingleAudience([]byte(payload)); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", payload, got, ok)
		}
	}
}

func TestDates(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 999, time.FixedZone("", 3600))
	if got := DateOf(now).Time(); !got.Equal(now.Truncate(time.Second)) || got.Location() != time.UTC {
		t.Errorf("%v comes back as %v", now, got)
	}
	if !NumericDate(0).Time().IsZero() {
		t.Error("an absent date is a time")
	}
}

func same(a, b Claims) bool {
	equal := slices.Equal(a.Audience, b.Audience)
	a.Audience, b.Audience = nil, nil
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return equal && string(x) == string(y)
}
