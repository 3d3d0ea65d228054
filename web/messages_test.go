package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func ourTongue(t testing.TB, name string) *tongue {
	t.Helper()
	l, err := loadTongue(layers{embedded}, name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEveryLanguageSaysWhatEnglishSays(t *testing.T) {
	names, err := layers{embedded}.list("messages")
	if err != nil {
		t.Fatal(err)
	}
	en := ourTongue(t, english)
	for _, file := range names {
		other := ourTongue(t, strings.TrimSuffix(strings.TrimPrefix(file, "messages/"), ".json"))
		for key, m := range en.messages {
			theirs, ok := other.messages[key]
			switch {
			case !ok:
				t.Errorf("%s lacks %q", file, key)
			case !slices.Equal(theirs.slots(), m.slots()):
				t.Errorf("%s: %q has the slots %v, English has %v", file, key, theirs.slots(), m.slots())
			case theirs.text(nil) == "" && len(theirs.slots()) == 0:
				t.Errorf("%s: %q is empty", file, key)
			}
		}
		for key := range other.messages {
			if _, ok := en.messages[key]; !ok && !strings.HasPrefix(key, "duration.") {
				t.Errorf("%s: nobody reads %q", file, key)
			}
		}
	}
}

func TestASentence(t *testing.T) {
	for _, c := range []struct {
		name, sentence string
		pairs          []any
		want           string
	}{
		{name: "without slots stays as it is", sentence: "Sign in", want: "Sign in"},
		{name: "takes its value", sentence: "Sign in to {client}", pairs: []any{"client", "Grafana"}, want: "Sign in to Grafana"},
		{name: "takes a value twice", sentence: "{a} and {a}", pairs: []any{"a", 1}, want: "1 and 1"},
		{name: "takes values in any order", sentence: "{b}{a}", pairs: []any{"a", 1, "b", 2}, want: "21"},
		{name: "takes no value for a slot", sentence: "{a}", pairs: []any{"a", "{b}", "b", "x"}, want: "{b}"},
		{name: "leaves a slot without value empty", sentence: "to {a}.", want: "to ."},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := parseMessage(c.sentence)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.text(c.pairs); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAFileOfSentencesThatIsWrongSaysWhere(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"it is a list", "\n[]", "x.json:2: this is not an object"},
		{"it is empty", "", "x.json:1: unexpected EOF"},
		{"a comma is missing", "{\n\"a\": \"b\"\n\"c\": \"d\"}", "x.json:3: "},
		{"it breaks off", "{\n\"a\": \"b\"", "x.json:2: unexpected EOF"},
		{"a sentence is a number", "{\n\"a\": 1}", "x.json:2: 1: a sentence is a string"},
		{"a key appears twice", "{\"a\": \"b\",\n\"a\": \"c\"}", `x.json:2: "a" appears twice`},
		{"a slot is open", "{\"a\":\n\"{b\"}", `x.json:2: "a": a { must be followed by`},
		{"a slot has a capital", `{"a": "{Client}"}`, `"a": a { must be followed by`},
		{"a slot was never opened", `{"a": "b}"}`, `"a": a } without its {`},
		{"something follows", "{}\n{}", "x.json:2: there is something after the end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseMessages("x.json", []byte(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestTheLanguageIsTheOneAskedFor(t *testing.T) {
	r := newRenderer(t, Options{})
	for _, c := range []struct {
		name    string
		locales []string
		accept  string
		want    string
	}{
		{name: "nobody asks", want: "en"},
		{name: "the browser asks", accept: "de", want: "de"},
		{name: "a country's variety is close enough", accept: "de-AT,en;q=0.5", want: "de"},
		{name: "a dialect is close enough", accept: "gsw", want: "de"},
		{name: "weights count", accept: "en;q=0.4, de;q=0.9", want: "de"},
		{name: "the next best that we speak", accept: "fr, de;q=0.8, en;q=0.2", want: "de"},
		{name: "the application goes before the browser", locales: []string{"de"}, accept: "en", want: "de"},
		{name: "the browser is heard where the application asks for what we do not speak", locales: []string{"fr"}, accept: "de", want: "de"},
		{name: "a language that we do not speak", accept: "ja", want: "en"},
		{name: "one that is refused", accept: "de;q=0", want: "en"},
		{name: "nonsense", locales: []string{"%%", "", "\x00", "../de"}, accept: ";;;,,,q=", want: "en"},
		{name: "nonsense does not hide what follows", locales: []string{"%%", "de"}, want: "de"},
		{name: "only the first ten are read", accept: strings.Repeat("fr,", 10) + "de", want: "en"},
		{name: "only the first ten of the application are read", locales: append(slices.Repeat([]string{"fr"}, 10), "de"), want: "en"},
		{name: "an endless wish", locales: []string{strings.Repeat("de-", 1<<16)}, accept: strings.Repeat("-", 1<<20), want: "en"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := r.look.choose(c.locales, c.accept).name; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAKeyThatNobodyKnowsGivesASentenceNotItself(t *testing.T) {
	r := newRenderer(t, Options{})
	page := body(t, render(t, r, View{Page: formPage{Problem: "problem.of-another-version"}}, "en"))
	if strings.Contains(page, "another-version") || !strings.Contains(page, "That did not work.") {
		t.Errorf("the page is %s", page)
	}
	page = body(t, render(t, r, View{Status: http.StatusTeapot, Page: errorPage{Title: "no", Message: "no"}}, "de"))
	if !strings.Contains(page, "<h1>Bei uns ist etwas schiefgegangen</h1>") {
		t.Errorf("the page is %s", page)
	}
}

func TestAScopeIsSaidInPlainWords(t *testing.T) {
	en := ourTongue(t, english)
	for _, c := range []struct{ scope, client, want string }{
		{"email", "", "See your email address"},
		{"audience:server:client_id:argo", "Argo CD", "Act for you towards Argo CD"},
		{"deploy:write", "", "Use the permission “deploy:write”"},
		{"other", "", "Use the permission “other”"},
		{"audience", "", "Use the permission “audience”"},
		{"", "", "Use the permission “”"},
	} {
		if got := en.scope(c.scope, c.client); got != c.want {
			t.Errorf("%q: got %q, want %q", c.scope, got, c.want)
		}
	}
}

func TestAWaitIsNeverSaidTooShort(t *testing.T) {
	en, de := ourTongue(t, english), ourTongue(t, "de")
	for _, c := range []struct {
		seconds int
		en, de  string
	}{
		{-5, "1 second", "1 Sekunde"},
		{1, "1 second", "1 Sekunde"},
		{2, "2 seconds", "2 Sekunden"},
		{90, "90 seconds", "90 Sekunden"},
		{91, "2 minutes", "2 Minuten"},
		{121, "3 minutes", "3 Minuten"},
		{90 * 60, "90 minutes", "90 Minuten"},
		{90*60 + 1, "2 hours", "2 Stunden"},
		{7201, "3 hours", "3 Stunden"},
	} {
		if got := en.duration(c.seconds); got != c.en {
			t.Errorf("%d: got %q, want %q", c.seconds, got, c.en)
		}
		if got := de.duration(c.seconds); got != c.de {
			t.Errorf("%d: got %q, want %q", c.seconds, got, c.de)
		}
	}
}

func FuzzParseMessages(f *testing.F) {
	f.Add([]byte(`{"a": "Sign in to {client}", "b": "x"}`))
	f.Add([]byte(`{"a": {"b": "c"}}`))
	f.Add([]byte("{\"a\": \"{\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		messages, err := parseMessages("x.json", data)
		if err != nil {
			return
		}
		for key, m := range messages {
			var pairs []any
			for _, slot := range m.slots() {
				pairs = append(pairs, slot, "{"+slot+"}")
			}
			again, err := parseMessage(m.text(pairs))
			if err != nil || !slices.Equal(again, m) {
				t.Errorf("%q: %q came back as %q, %v", key, m, again, err)
			}
		}
	})
}

func FuzzWishes(f *testing.F) {
	f.Add("de fr", "de-AT,en;q=0.5")
	f.Add("%%", ";q=,,")
	f.Add(strings.Repeat("a-", 200), strings.Repeat(",", 600))
	l, err := load(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, locales, accept string) {
		if tags := wishes(strings.Split(locales, " "), accept); len(tags) > maxWishes {
			t.Errorf("%d wishes were read", len(tags))
		}
		if got := l.choose(strings.Split(locales, " "), accept).name; got != "en" && got != "de" {
			t.Errorf("the language is %q", got)
		}
	})
}
