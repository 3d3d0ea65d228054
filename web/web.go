// Package web draws the pages that people see: the chooser, the login form, the
// question for consent, the goodbye, the page for when something went wrong.
//
// A flow fills in a struct and names its template; how that becomes HTML, in
// whose language, and which headers protect it, is decided here and nowhere
// else. No page needs a script, holds one, or loads anything from another
// address but an application's logo, and the policy that goes out with it holds
// the browser to that.
//
// A [Page] is a plain struct. What a template reads of it, as {{.Field}}, is
// the contract between the two:
//
//	login/choose.html         ClientName, ClientLogo, PolicyURL, TermsURL;
//	                          Choices {ID, Name, Kind, URL, Out};
//	                          Cancel {Action, Attempt, CSRF}
//	login/form.html           ClientName, ClientLogo, PolicyURL, TermsURL,
//	                          ConnectorName, Action, Attempt, CSRF,
//	                          Problem, Wait, ChooseURL;
//	                          Fields {ID, Name, Label, Type, Value, Autocomplete, Focus}
//	login/post.html           URL; Fields {Name, Value}
//	authorize/consent.html    ClientName, ClientHost, ClientLogo, PolicyURL,
//	                          TermsURL, UserName, UserEmail, Action, Attempt, CSRF, Remember;
//	                          Scopes {Name, Client}
//	authorize/form_post.html  URL; Fields {Name, Value}
//	logout/confirm.html       ClientName, UserName, UserEmail, Action, CSRF;
//	                          Carry {Name, Value}
//	logout/done.html          ClientName, ReturnURL; Frames
//	logout/leaving.html       ReturnURL; Frames
//	error.html                Title, Message, Detail, SupportCode, StartAgainURL,
//	                          RetryAfter
//	home.html                 IssuerURL, UserName, UserEmail, LogoutURL, DemoURL;
//	                          Apps {ID, Name, URL}
//
// A mail is a [Letter], with two templates in the folder mail: as text, and as HTML.
// They read Name, URL, Service, Subject, Lang, Dir and Seconds, and a link in one is
// all that leads anywhere.
//
// Problem, Title and Message are keys of messages/en.json. An operator's theme
// is a folder of the same shape as this one: a file in it stands in for ours of
// the same path, a sentence in it for ours of the same key.
package web

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"dex/internal/base/httpx"
)

// Page is what a flow wants to show: a struct with the fields that its template
// reads.
type Page interface {
	// Template names the template, as in "login/form.html".
	Template() string
}

// Framing is implemented by a page that may show pages from elsewhere in frames.
type Framing interface {
	// Framed reports whether it does.
	Framed() bool
}

// View is a page on its way to one person.
type View struct {
	Status   int // 200 if it is 0
	Page     Page
	Locales  []string // the request's ui_locales; they go before Accept-Language
	LeadsOut bool     // a form of the page leads to another site: see [httpx.Policy]
	Logo     bool     // the page shows an application's logo, from wherever it is
}

// Options say how a renderer is set up.
type Options struct {
	// Theme holds the operator's own templates, styles, sentences and icons; nil
	// is none.
	Theme fs.FS
	// Reload reads all files again for each page, for whoever edits a theme.
	Reload bool
	// Service is the name that people know this place by. "" is "dex".
	Service string
	// Path is the path of the issuer, where it has one: the pages and the static
	// files stand below it.
	Path string
}

// Renderer turns pages into responses. Its zero value is of no use: see [New].
type Renderer struct {
	options Options
	look    *look // what was read at the start
	buffers sync.Pool
	// below is the look that all renderers below a path share; see [Renderer.Below].
	below func() (*look, error)
	// stands is what stands in the look for the path; "" if it is the path's own.
	stands string
	path   []byte // what takes its place
}

// New reads all templates, sentences and static files, ours and the theme's. A
// theme that cannot work is an error that names the file and the line.
func New(o Options) (*Renderer, error) {
	if o.Service == "" {
		o.Service = "dex"
	}
	o.Path = strings.TrimSuffix(o.Path, "/")
	l, err := load(o)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return rendererOf(o, l), nil
}

func rendererOf(o Options, l *look) *Renderer {
	r := &Renderer{options: o, look: l}
	r.buffers.New = func() any { return new(bytes.Buffer) }
	r.below = sync.OnceValues(func() (*look, error) {
		somewhere := o
		somewhere.Path = nowhere
		return load(somewhere)
	})
	return r
}

// nowhere stands in a look for the path of an issuer that is not known yet. Nobody
// can guess it, and it is in no answer, so that nobody can bring it.
var nowhere = "/" + rand.Text()

// Below returns a renderer for an issuer with another path. All of them share what
// has been read, so that a thousand cost little more than one.
func (r *Renderer) Below(path string) (*Renderer, error) {
	o := r.options
	o.Path = strings.TrimSuffix(path, "/")
	if o.Path == r.options.Path {
		return r, nil
	}
	l, err := r.below()
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	other := rendererOf(o, l)
	other.below, other.stands, other.path = r.below, nowhere, []byte(template.HTMLEscapeString(o.Path))
	return other, nil
}

// current returns the look to draw with.
func (r *Renderer) current() (*look, error) {
	if !r.options.Reload {
		return r.look, nil
	}
	o := r.options
	if r.stands != "" {
		o.Path = r.stands
	}
	l, err := load(o)
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return l, nil
}

// posting names the pages whose one form leads to another site.
var posting = map[string]bool{
	"login/post.html":          true,
	"authorize/form_post.html": true,
}

// scripts names the pages that go on by themselves, and the script of ours which does
// that. They alone may run one.
var scripts = map[string]string{
	"login/post.html":          "submit.js",
	"authorize/form_post.html": "submit.js",
	"logout/leaving.html":      "leave.js",
}

func frames(p Page) bool {
	f, ok := p.(Framing)
	return ok && f.Framed()
}

// document is what the layout reads.
type document struct {
	Page      Page
	Lang, Dir string
	Service   string
	Script    string // the name of its file; empty is none
}

// maxKept is the size up to which a buffer is used again.
const maxKept = 64 << 10

// Render writes the response. When it returns an error it has written nothing,
// so that the caller can answer with something else.
func (r *Renderer) Render(w http.ResponseWriter, req *http.Request, v View) error {
	l, err := r.current()
	if err != nil {
		return err
	}
	name := v.Page.Template()
	language := l.choose(v.Locales, req.Header.Get("Accept-Language"))
	page, ok := language.pages[name]
	if !ok {
		return fmt.Errorf("web: there is no template %q", name)
	}
	policy := httpx.Policy{LeadsOut: v.LeadsOut || posting[name], Script: scripts[name] != "", RemoteImages: v.Logo, Frames: frames(v.Page)}
	buf := r.buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= maxKept {
			buf.Reset()
			r.buffers.Put(buf)
		}
	}()
	err = page.Execute(buf, document{
		Page:    v.Page,
		Lang:    language.name,
		Dir:     language.direction,
		Service: r.options.Service,
		Script:  scripts[name],
	})
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}

	body := buf.Bytes()
	if r.stands != "" {
		body = bytes.ReplaceAll(body, []byte(r.stands), r.path)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", language.name)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Security-Policy", policy.Header())
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language")
	w.WriteHeader(max(v.Status, http.StatusOK))
	// The person has gone away if this fails: there is nobody to tell.
	_, _ = w.Write(body)
	return nil
}

// Languages returns the languages that pages can be in, English first.
func (r *Renderer) Languages() []string {
	names := make([]string, len(r.look.tongues))
	for i, t := range r.look.tongues {
		names[i] = t.name
	}
	return names
}
