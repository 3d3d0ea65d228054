package httpx

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestACookieIsOursAlone(t *testing.T) {
	w := httptest.NewRecorder()
	if err := (Cookies{Secure: true}).Set(w, "dex_session", "dxs_x", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := (Cookies{}).Set(w, "dex_plain", "v", 0); err != nil {
		t.Fatal(err)
	}
	(Cookies{Secure: true}).Clear(w, "dex_old")
	want := []string{
		"__Host-dex_session=dxs_x; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax",
		"dex_plain=v; Path=/; HttpOnly; SameSite=Lax",
		"__Host-dex_old=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
	}
	if got := w.Header()["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheLastWordAboutACookieCounts(t *testing.T) {
	w, c := httptest.NewRecorder(), Cookies{}
	for _, value := range []string{"1", "2"} {
		if err := c.Set(w, "dex_a", value, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Set(w, "dex_ab", "3", 0); err != nil {
		t.Fatal(err)
	}
	c.Clear(w, "dex_b")
	if err := c.Set(w, "dex_b", "4", 0); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(w.Header()["Set-Cookie"], "\n")
	if want := "dex_a=2; Path=/; HttpOnly; SameSite=Lax\ndex_ab=3; Path=/; HttpOnly; SameSite=Lax\ndex_b=4; Path=/; HttpOnly; SameSite=Lax"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatABrowserWouldDropIsNotSet(t *testing.T) {
	for name, set := range map[string]struct {
		name, value string
		age         time.Duration
	}{
		"too long":                 {"dex_a", strings.Repeat("x", 4096), 0},
		"a line break":             {"dex_a", "x\r\nSet-Cookie: y=z", 0},
		"a semicolon":              {"dex_a", "x; Domain=evil.example", 0},
		"a quote":                  {"dex_a", `x"y`, 0},
		"beyond ASCII":             {"dex_a", "ä", 0},
		"no name":                  {"", "x", 0},
		"a name that is none":      {"dex a", "x", 0},
		"a lifetime in the past":   {"dex_a", "x", -time.Second},
		"a lifetime below seconds": {"dex_a", "x", time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if err := (Cookies{}).Set(w, set.name, set.value, set.age); err == nil || len(w.Header()["Set-Cookie"]) != 0 {
				t.Errorf("error %v, header %q", err, w.Header()["Set-Cookie"])
			}
		})
	}
	w := httptest.NewRecorder()
	if err := (Cookies{Secure: true}).Set(w, "dex_a", strings.Repeat("x", 4000), time.Hour); err != nil {
		t.Errorf("4000 bytes: %v", err)
	}
}

func TestACookieIsBelievedOnlyIfItCameOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		secure bool
		sent   []string
		value  string // of dex_a
		all    []Cookie
		clears []string
	}{
		{name: "none"},
		{name: "one", sent: []string{"dex_a=1; other=2"}, value: "1", all: []Cookie{{"dex_a", "1"}}},
		{name: "two of one name", sent: []string{"dex_a=1; dex_a=2; dex_b=3"}, all: []Cookie{{"dex_b", "3"}}, clears: []string{"dex_a"}},
		{name: "two of one name in two lines", sent: []string{"dex_a=1", "dex_a=2"}, clears: []string{"dex_a"}},
		{name: "three of one name, even if they agree", sent: []string{"dex_a=1; dex_a=1; dex_a=1"}, clears: []string{"dex_a"}},
		{name: "two of a name that is not ours", sent: []string{"x=1; x=2; dex_a=3"}, value: "3", all: []Cookie{{"dex_a", "3"}}},
		{name: "over https", secure: true, sent: []string{"__Host-dex_a=1"}, value: "1", all: []Cookie{{"dex_a", "1"}}},
		{name: "over https a twin without the prefix is nothing", secure: true, sent: []string{"dex_a=2; __Host-dex_a=1"}, value: "1", all: []Cookie{{"dex_a", "1"}}},
		{name: "over https the twin alone is nothing either", secure: true, sent: []string{"dex_a=2; __Secure-dex_a=3; __host-dex_a=4"}},
		{name: "over https two are cleared by their whole name", secure: true, sent: []string{"__Host-dex_a=1; __Host-dex_a=2"}, clears: []string{"__Host-dex_a"}},
		{name: "over http the prefix is part of another name", sent: []string{"__Host-dex_a=1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Cookies{Secure: test.secure}
			r := httptest.NewRequest("GET", "/", nil)
			if test.sent != nil {
				r.Header["Cookie"] = test.sent
			}
			value, found := c.Get(r, "dex_a")
			if value != test.value || found != (test.value != "") {
				t.Errorf("got %q, %v", value, found)
			}
			if all := c.All(r, "dex_"); !slices.Equal(all, test.all) {
				t.Errorf("all: %v, want %v", all, test.all)
			}
			var cleared []string
			for _, cookie := range do(c.Tidy(http.NotFoundHandler(), "dex_"), r).Cookies() {
				if cookie.MaxAge < 0 {
					cleared = append(cleared, cookie.Name)
				}
			}
			if !slices.Equal(cleared, test.clears) {
				t.Errorf("cleared %v, want %v", cleared, test.clears)
			}
		})
	}
}
