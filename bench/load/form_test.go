package load

import (
	"errors"
	"net/url"
	"testing"
)

func TestTheFormThatAsksForAPasswordIsFilledIn(t *testing.T) {
	const dex = `<!doctype html><html><body><form action="/theme"><input name="x" value="y"></form>
		<!-- a < b --><form method="post" action="/login/local?a=1&amp;b=2">
		<input type="hidden" name="attempt" value="a&#34;t&gt;t">
		<input type='hidden' name='csrf' value='c>s'>
		<input id="login" name="login" type="text" value="" required autofocus>
		<INPUT name="password" type="password" required>
		<input type="checkbox" name="remember" value="1"><input type="submit" name="go" value="1">
		<button id="cancel" name="cancel" value="1">No</button></form>
		<form><input name="password" type="password"></form>`
	f, err := findForm([]byte(dex))
	if err != nil {
		t.Fatal(err)
	}
	if want := "/login/local?a=1&b=2"; f.Action != want {
		t.Errorf("the action is %q, want %q", f.Action, want)
	}
	body, err := f.fill("login", "ann & co", "password", "p=w")
	if err != nil {
		t.Fatal(err)
	}
	got, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"attempt": {`a"t>t`}, "csrf": {"c>s"}, "login": {"ann & co"}, "password": {"p=w"}}
	if got.Encode() != want.Encode() {
		t.Errorf("sent %v, want %v", got, want)
	}
}

func TestAPageWithoutAPasswordIsNoLogin(t *testing.T) {
	for _, page := range []string{
		"", "<form", `<form action="x">`, `<form><input name="login"></form>`, `<p>type="password"</p>`,
		`<formula><input name="p" type="password"></formula>`, `<input name="p" type="password">`,
		`<form></form><input name="p" type="password">`, `<form ><input name="p" type="password`,
	} {
		if f, err := findForm([]byte(page)); !errors.Is(err, errNoForm) {
			t.Errorf("%q: found %+v, %v", page, f, err)
		}
	}
}

func TestAFieldThatTheFormHasNotIsAnError(t *testing.T) {
	f := form{Fields: []field{{Name: "password", Type: "password"}}}
	if body, err := f.fill("login", "ann", "password", "p"); err == nil {
		t.Errorf("sent %q", body)
	}
}

func FuzzFindForm(f *testing.F) {
	f.Add(`<form method="post" action="/login"><input type="hidden" name="a" value="b"><input name="p" type="password"></form>`)
	f.Add(`<form a b='c' / action=x><input name="p" type="password"`)
	f.Fuzz(func(t *testing.T, page string) {
		found, err := findForm([]byte(page))
		if err != nil {
			return
		}
		body, err := found.fill()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := url.ParseQuery(body); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	})
}

func TestTheJarKeepsWhatItIsGivenAndForgetsWhatItIsTold(t *testing.T) {
	var j jar
	j.keep([]string{"a=1; Path=/; HttpOnly", "b=2", " c = x=y ; Secure", "", "nonsense", "=nameless"})
	if got, want := j.header(), "a=1; b=2; c = x=y"; got != want {
		t.Errorf("has %q, want %q", got, want)
	}
	j.keep([]string{"a=3; Max-Age=600", "b=; Path=/; max-age=0", "c=; Max-Age=-1"})
	if got, want := j.header(), "c = x=y; a=3"; got != want {
		t.Errorf("has %q, want %q", got, want)
	}
}

func TestAnErrorPageIsToldByItsHeading(t *testing.T) {
	for body, want := range map[string]string{
		`<!doctype html><title>dex</title><h1 id="title"> That didn&#39;t work </h1><p>x</p>`: "That didn't work",
		`<h1>Busy</h1>`:             "Busy",
		`{"error":"invalid_grant"}`: `{"error":"invalid_grant"}`,
		`<h1>cut off`:               `<h1>cut off`,
	} {
		if got := gist([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
