package web

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"

	"dex/internal/base/mail"
)

// Letter is a mail to somebody: which one, and what its templates read as {{.Field}}.
// They stand in mail/NAME.txt and mail/NAME.html, which fills mail/frame.html, and its
// subject is the sentence mail.NAME.subject.
type Letter struct {
	Kind  LetterKind
	To    string // the address
	Name  string // of the person; "" if nobody knows it
	URL   string // what the letter is about
	Valid time.Duration
	Until time.Time // when the link expires: a letter that would come later is not sent

	Locales []string // the person's languages, best first
}

// LetterKind names a letter.
type LetterKind string

// The letters.
const (
	// Invite asks somebody who has an account, and no password yet, to choose one.
	Invite LetterKind = "invite"
	// Reset lets somebody choose another password.
	Reset LetterKind = "reset"
)

// letterKinds are all of them: each has its two templates.
var letterKinds = []LetterKind{Invite, Reset}

// written is what the templates of a letter read.
type written struct {
	Letter
	Service string
	Lang    string
	Dir     string
	Subject string
	Seconds int // that the link is good for
}

// letter is the two templates of one letter in one language.
type letter struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

// loadLetters reads the templates of all letters, for each language.
func loadLetters(files layers, l *look, o Options) error {
	known, err := layers{embedded}.list("mail")
	if err != nil {
		return err
	}
	all, err := files.list("mail")
	if err != nil {
		return err
	}
	for _, file := range all {
		if !slices.Contains(known, file) {
			return fmt.Errorf("%s: no letter has this template", file)
		}
	}
	for _, t := range l.tongues {
		t.letters = map[LetterKind]letter{}
		for _, kind := range letterKinds {
			if t.letters[kind], err = t.letter(files, kind, t.funcs(l, o)); err != nil {
				return err
			}
		}
	}
	return nil
}

// letter reads and tries the two templates of a letter.
func (t *tongue) letter(files layers, kind LetterKind, funcs map[string]any) (letter, error) {
	var w letter
	name := "mail/" + string(kind)
	text, err := files.read(name + ".txt")
	if err != nil {
		return w, err
	}
	frame, err := files.read("mail/frame.html")
	if err != nil {
		return w, err
	}
	html, err := files.read(name + ".html")
	if err != nil {
		return w, err
	}
	if w.text, err = texttemplate.New(name + ".txt").Funcs(funcs).Parse(string(text)); err != nil {
		return w, err
	}
	set, err := htmltemplate.New("mail/frame.html").Funcs(funcs).Parse(string(frame))
	if err != nil {
		return w, err
	}
	if w.html, err = set.New(name + ".html").Parse(string(html)); err != nil {
		return w, err
	}
	// A sentence that is missing is found now, and not by whoever waits for the mail.
	b := baker{messages: t.messages, asset: noAsset, plain: true}
	err = b.bake(w.text.Tree)
	for _, part := range set.Templates() {
		err = errors.Join(err, b.bake(part.Tree))
	}
	if err != nil {
		return w, err
	}
	return w, errors.Join(w.text.Execute(io.Discard, written{}), w.html.Execute(io.Discard, written{}))
}

func noAsset(name string) (string, error) {
	return "", fmt.Errorf("a letter has no files beside it, such as %s", name)
}

// Write makes the mail of a letter.
func (r *Renderer) Write(w Letter) (mail.Message, error) {
	l, err := r.current()
	if err != nil {
		return mail.Message{}, err
	}
	t := l.choose(w.Locales, "")
	templates, ok := t.letters[w.Kind]
	if !ok {
		return mail.Message{}, fmt.Errorf("web: there is no letter %q", w.Kind)
	}
	in := written{
		Letter: w, Service: r.options.Service, Lang: t.name, Dir: t.direction, Seconds: int(w.Valid / time.Second),
		Subject: oneLine(t.msg("mail."+string(w.Kind)+".subject", "service", r.options.Service)),
	}
	var text, html bytes.Buffer
	if err := templates.text.Execute(&text, in); err != nil {
		return mail.Message{}, fmt.Errorf("web: %w", err)
	}
	if err := templates.html.Execute(&html, in); err != nil {
		return mail.Message{}, fmt.Errorf("web: %w", err)
	}
	m := mail.Message{To: w.To, Subject: in.Subject, Text: text.String(), HTML: html.String(), Until: w.Until}
	return m, m.Check()
}

// oneLine returns a text without what would break the line of a header.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
