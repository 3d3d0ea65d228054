package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func theLetter(kind LetterKind) Letter {
	return Letter{
		Kind: kind, To: "zoe@example.com", Name: "Zoë O'Hara", URL: "https://login.example/password?link=dxl_ABC&x=1",
		Valid: 24 * time.Hour, Until: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
	}
}

func TestLettersLookAsTheyDid(t *testing.T) {
	r := newRenderer(t, Options{Service: "Example"})
	for _, kind := range letterKinds {
		for _, lang := range r.Languages() {
			t.Run(string(kind)+" in "+lang, func(t *testing.T) {
				l := theLetter(kind)
				l.Locales = []string{lang}
				m, err := r.Write(l)
				if err != nil {
					t.Fatal(err)
				}
				if m.To != l.To || !m.Until.Equal(l.Until) {
					t.Errorf("it goes to %s until %v", m.To, m.Until)
				}
				got := "Subject: " + m.Subject + "\n\n" + m.Text + "\n" + m.HTML
				file := filepath.Join("testdata", "mail-"+string(kind)+"."+lang+".golden")
				if *update {
					if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil || string(want) != got {
					t.Errorf("the letter differs from %s (go test ./web -update): %v\n%s", file, err, got)
				}
			})
		}
	}
}

func TestALetterIsTextInBothItsForms(t *testing.T) {
	r := newRenderer(t, Options{})
	for _, kind := range letterKinds {
		l := theLetter(kind)
		l.Name = "</p><script>alert(1)</script>\r\n\r\nhttps://evil.example {service}"
		m, err := r.Write(l)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.HTML, "<script") {
			t.Errorf("a name is obeyed: %s", m.HTML)
		}
		if !strings.Contains(m.Text, l.Name[:5]) || strings.Contains(m.Text, "\nhttps://evil.example") {
			t.Errorf("a name takes a line of its own: %s", m.Text)
		}
		if !strings.Contains(m.Text, "\n"+l.URL+"\n") || !strings.Contains(m.HTML, `href="https://login.example/password?link=dxl_ABC&amp;x=1"`) {
			t.Errorf("the link is not as it was given:\n%s\n%s", m.Text, m.HTML)
		}
		if l.Name = ""; true {
			if m, err = r.Write(l); err != nil || !strings.HasPrefix(m.Text, "Hello,\n") {
				t.Errorf("to nobody known: %v\n%s", err, m.Text)
			}
		}
		l.URL = "javascript:alert(1)"
		if m, err = r.Write(l); err != nil || strings.Contains(m.HTML, `href="javascript`) {
			t.Errorf("a link that runs something: %v\n%s", err, m.HTML)
		}
	}
}

func TestALetterThatCannotBeWrittenIsAnError(t *testing.T) {
	r := newRenderer(t, Options{})
	for name, l := range map[string]Letter{
		"nobody wrote it": {Kind: "love", To: "zoe@example.com"},
		"no address":      {Kind: Invite, To: "zoe"},
	} {
		if m, err := r.Write(l); err == nil {
			t.Errorf("%s: %v", name, m)
		}
	}
}

func TestAThemeHasItsOwnLetters(t *testing.T) {
	theme := fstest.MapFS{"mail/invite.txt": {Data: []byte("Welcome: {{.URL}}")}}
	m, err := newRenderer(t, Options{Theme: theme}).Write(theLetter(Invite))
	if err != nil || m.Text != "Welcome: "+theLetter(Invite).URL {
		t.Errorf("got %q, %v", m.Text, err)
	}
	for name, test := range map[string]struct{ file, text, want string }{
		"no letter has it":         {"mail/love.txt", "x", "no letter has this template"},
		"a sentence nobody has":    {"mail/reset.html", `<p>{{msg "mail.love"}}</p>`, `there is no message "mail.love"`},
		"a frame that says it":     {"mail/frame.html", `{{define "frame"}}{{msg "mail.love"}}{{end}}`, `there is no message "mail.love"`},
		"a field nobody has":       {"mail/reset.txt", `{{.Love}}`, "Love"},
		"it is no template":        {"mail/reset.txt", `{{`, "reset.txt"},
		"a picture":                {"mail/reset.html", `<img src="{{asset "logo.svg"}}">`, "no files beside it"},
		"a word that nobody knows": {"mail/reset.html", `{{love}}`, "love"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Theme: fstest.MapFS{test.file: {Data: []byte(test.text)}}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}
