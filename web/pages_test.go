package web

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// elements returns every element of a page, in order.
func elements(t testing.TB, page string) []*html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func value(n *html.Node, name string) string {
	v, _ := attr(n, name)
	return v
}

// visit runs check on every sample in every language.
func visit(t *testing.T, check func(t *testing.T, s sample, page string)) {
	r := newRenderer(t, Options{})
	for _, s := range samples() {
		for _, l := range r.look.tongues {
			t.Run(s.name+" in "+l.name, func(t *testing.T) {
				check(t, s, body(t, render(t, r, View{Page: s.page}, l.name)))
			})
		}
	}
}

func TestEveryPageHasTheIdsThatOthersRelyOnAndNoneTwice(t *testing.T) {
	visit(t, func(t *testing.T, s sample, page string) {
		seen := map[string]int{}
		for _, n := range elements(t, page) {
			if id, ok := attr(n, "id"); ok {
				seen[id]++
			}
		}
		for _, id := range s.ids {
			if seen[id] == 0 {
				t.Errorf("no element has the id %q", id)
			}
		}
		for id, n := range seen {
			if n > 1 {
				t.Errorf("%d elements have the id %q", n, id)
			}
		}
	})
}

func TestEveryPageCanBeReadByAScreenReader(t *testing.T) {
	visit(t, func(t *testing.T, s sample, page string) {
		labels, ids, headings := map[string]bool{}, map[string]bool{}, 0
		all := elements(t, page)
		for _, n := range all {
			ids[value(n, "id")] = true
			switch n.Data {
			case "h1":
				headings++
			case "label":
				labels[value(n, "for")] = true
			case "html":
				if value(n, "lang") == "" {
					t.Error("the page does not name its language")
				}
			}
		}
		if headings != 1 {
			t.Errorf("the page has %d main headings", headings)
		}
		for _, n := range all {
			switch {
			case n.Data == "input" && value(n, "type") != "hidden" && !labels[value(n, "id")]:
				t.Errorf("the input %q has no label", value(n, "id"))
			case n.Data == "button" && value(n, "type") != "submit":
				t.Errorf("the button %q does not say that it submits", value(n, "id"))
			case n.Data == "img" && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "alt" }):
				t.Error("a picture has no text in its place")
			case n.Data == "svg" && value(n, "aria-hidden") != "true":
				t.Error("an icon is read out")
			case n.Data == "form" && value(n, "method") != "post":
				t.Error("a form would put what it holds into the address")
			}
			for _, name := range []string{"aria-describedby", "aria-labelledby"} {
				if id, ok := attr(n, name); ok && !ids[id] {
					t.Errorf("%s leads to %q, which is not there", name, id)
				}
			}
		}
	})
}

func TestAWrongPasswordIsAnnounced(t *testing.T) {
	r := newRenderer(t, Options{})
	var alert, marked bool
	for _, s := range samples() {
		if s.name != "form-wrong" {
			continue
		}
		for _, n := range elements(t, body(t, render(t, r, View{Page: s.page}, "en"))) {
			alert = alert || value(n, "role") == "alert"
			marked = marked || value(n, "id") == "password" && value(n, "aria-invalid") == "true" && value(n, "aria-describedby") == "problem"
		}
	}
	if !alert || !marked {
		t.Errorf("alert %v, field marked %v, want both", alert, marked)
	}
}

func TestAPasswordIsNeverSentBack(t *testing.T) {
	r := newRenderer(t, Options{})
	page := formPage{Fields: []field{{ID: "p", Name: "p", Label: "x", Type: "password", Value: "hunter2"}}}
	if strings.Contains(body(t, render(t, r, View{Page: page}, "en")), "hunter2") {
		t.Error("the page holds the password that was typed")
	}
}

// unfilled finds what only a mistake leaves in a page: a slot without a value, or
// the escaper's mark for something that it refused.
var unfilled = regexp.MustCompile(`\{[a-z]*\}|ZgotmplZ|%!|<no value>|\[(login|error|consent|home|post)\.`)

func TestNothingIsLeftUnfilled(t *testing.T) {
	visit(t, func(t *testing.T, _ sample, page string) {
		if found := unfilled.FindString(page); found != "" {
			t.Errorf("the page holds %q", found)
		}
	})
}

func TestNoPageLoadsFromElsewhereOrRunsAnythingInline(t *testing.T) {
	visit(t, func(t *testing.T, s sample, page string) {
		for _, n := range elements(t, page) {
			switch n.Data {
			case "style", "object", "embed", "base":
				t.Errorf("the page has a <%s>", n.Data)
			case "iframe":
				if sandbox, _ := attr(n, "sandbox"); !frames(s.page) || sandbox != "allow-scripts allow-same-origin" {
					t.Errorf("the page has a frame, in the sandbox %q", sandbox)
				}
				continue // an application's own page is in it
			case "script":
				if n.FirstChild != nil || scripts[s.page.Template()] == "" {
					t.Error("the page has a script that the policy would stop")
				}
			case "meta":
				if _, ok := attr(n, "http-equiv"); ok {
					t.Error("the page has a <meta http-equiv>")
				}
			}
			for _, a := range n.Attr {
				switch {
				case a.Key == "style", strings.HasPrefix(a.Key, "on"):
					t.Errorf("<%s> has the attribute %s", n.Data, a.Key)
				case n.Data == "img" && strings.HasPrefix(a.Val, "https://"): // an application's logo
				case (a.Key == "src" || a.Key == "href" && n.Data == "link") && !strings.HasPrefix(a.Val, "/static/"):
					t.Errorf("<%s> loads %s", n.Data, a.Val)
				}
			}
		}
	})
}

// corpus is what somebody would write who wants to break out of the place his
// text is put in.
var corpus = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)`,
	`" autofocus onfocus="alert(1)`,
	`</title><script>alert(1)</script>`,
	`</textarea></form><form action=//evil.example>`,
	`javascript:alert(1)`,
	"java\tscript:alert(1)",
	" \x01javascript:alert(1)",
	`JaVaScRiPt:alert(1)//.example`,
	`vbscript:msgbox(1)`,
	`data:text/html,<script>alert(1)</script>`,
	`{{.Page}}`,
	`{client}`,
	`&lt;script&gt;`,
	"\x00<b>",
	"\u202etxt.exe\u2066",
	`--><svg/onload=alert(1)>`,
	"</b\x0cstyle=x>",
}

// skeleton is a page without its texts: the elements, and the names of their
// attributes.
func skeleton(t testing.TB, page string) string {
	var b strings.Builder
	for _, n := range elements(t, page) {
		b.WriteString(n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// eachString visits every string of a page, wherever it is.
func eachString(v reflect.Value, visit func(v reflect.Value)) {
	switch v.Kind() {
	case reflect.String:
		visit(v)
	case reflect.Struct:
		for i := range v.NumField() {
			eachString(v.Field(i), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachString(v.Index(i), visit)
		}
	}
}

// with returns a copy of a page in which every string has one value.
func with(page Page, s string) Page {
	v := reflect.New(reflect.TypeOf(page)).Elem()
	v.Set(reflect.ValueOf(page))
	// Slices are shared with the original, so they are copied before the change.
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice {
			own := reflect.MakeSlice(f.Type(), f.Len(), f.Len())
			reflect.Copy(own, f)
			f.Set(own)
		}
	}
	eachString(v, func(v reflect.Value) { v.SetString(s) })
	return v.Interface().(Page)
}

func TestNoTextBreaksOutOfItsPlace(t *testing.T) {
	r := newRenderer(t, Options{})
	for _, s := range samples() {
		harmless := skeleton(t, body(t, render(t, r, View{Page: with(s.page, "x")}, "en")))
		for _, evil := range corpus {
			page := body(t, render(t, r, View{Page: with(s.page, evil)}, "en"))
			if got := skeleton(t, page); got != harmless {
				t.Errorf("%s: %q changes the page to\n%s", s.name, evil, got)
			}
			for _, n := range elements(t, page) {
				for _, a := range n.Attr {
					if scheme, _, ok := strings.Cut(a.Val, ":"); ok && slices.Contains([]string{"href", "action", "src"}, a.Key) && runs(scheme) {
						t.Errorf("%s: %s is %q", s.name, a.Key, a.Val)
					}
				}
			}
		}
	}
}

// runs reports whether a browser runs what follows the scheme; it takes a scheme
// with spaces and controls in it for the same.
func runs(scheme string) bool {
	scheme = strings.ToLower(strings.Map(func(c rune) rune {
		if c <= ' ' {
			return -1
		}
		return c
	}, scheme))
	return slices.Contains([]string{"javascript", "vbscript", "data"}, scheme)
}

func TestALinkMayLeadIntoAnApplicationButNotIntoAScript(t *testing.T) {
	for address, want := range map[string]string{
		"https://app.example.com/?a=1&b=2":   "https://app.example.com/?a=1&b=2",
		"http://127.0.0.1:5555/":             "http://127.0.0.1:5555/",
		"com.example.app:/signed-out":        "com.example.app:/signed-out",
		"javascript:alert(1)":                "#",
		"javascript://example.com/%0aalert":  "#",
		"JAVASCRIPT:alert(1)":                "#",
		"data:text/html,x":                   "#",
		"vbscript:x":                         "#",
		"blob:https://app.example.com/1":     "#",
		"view-source:https://example.com":    "#",
		"//evil.example":                     "#",
		" javascript:alert(1)":               "#",
		"java\nscript:alert(1)":              "#",
		"intent://scan/#Intent;scheme=x;end": "#",
		"https://user@evil.example\x7f/":     "#",
		"":                                   "#",
	} {
		if got := string(appURL(address)); got != want {
			t.Errorf("appURL(%q) = %q, want %q", address, got, want)
		}
	}
}

func FuzzAppURL(f *testing.F) {
	for _, s := range corpus {
		f.Add(s)
	}
	f.Add("com.example.app:/signed-out")
	f.Fuzz(func(t *testing.T, address string) {
		got := string(appURL(address))
		if scheme, _, ok := strings.Cut(got, ":"); got != "#" && (!ok || runs(scheme)) {
			t.Errorf("appURL(%q) = %q", address, got)
		}
	})
}
