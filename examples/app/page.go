package app

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"time"
)

//go:embed pages/*.html pages/app.css
var files embed.FS

// pages are the layout with each page's own part in it.
var pages = func() map[string]*template.Template {
	layout := template.Must(template.ParseFS(files, "pages/layout.html"))
	all := map[string]*template.Template{}
	for _, name := range []string{"index", "account", "error", "logged-out"} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(files, "pages/"+name+".html"))
	}
	return all
}()

type scopeChoice struct {
	Name    string
	Meaning string
	Checked bool
}

type indexPage struct {
	Issuer   string
	ClientID string
	Scopes   []scopeChoice
}

type accountPage struct {
	Name       string
	Claims     []claim
	Userinfo   []claim // empty until it has been asked for
	CanRefresh bool
	Token      string // the access token's fingerprint …
	Before     string // … and that of the one before it, if there was one
	Expires    string
}

type errorPage struct {
	Message string
	Detail  string
}

type loggedOutPage struct{ Everywhere bool }

// show writes a page. It is rendered before anything is sent, so that a page
// comes whole or not at all.
func show(w http.ResponseWriter, status int, name string, page any) {
	var body bytes.Buffer
	if err := pages[name].ExecuteTemplate(&body, "layout", page); err != nil {
		http.Error(w, "The page could not be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // if the browser has gone there is nobody to tell
}

func serveStyle(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "pages/app.css")
}

// claim is one line of what a token says.
type claim struct {
	Name    string
	Value   string
	Meaning string
}

// meanings tells what the claims of an ID token are (OpenID Connect Core, sections
// 2 and 5.1; RFC 7519, section 4.1).
var meanings = map[string]string{
	"iss":                "who says so",
	"sub":                "who you are, for ever; names and addresses change",
	"aud":                "whom it is said to",
	"azp":                "who asked for it",
	"exp":                "until when it holds",
	"iat":                "when it was said",
	"nbf":                "from when it holds",
	"auth_time":          "when you last proved who you are",
	"nonce":              "ties it to this one login",
	"acr":                "how sure it is",
	"amr":                "how you proved it",
	"sid":                "your session at the login service",
	"jti":                "this token's own name",
	"at_hash":            "ties it to the access token",
	"c_hash":             "ties it to the code",
	"name":               "your name",
	"preferred_username": "what you like to be called",
	"email":              "your mail address",
	"email_verified":     "whether that is known to be yours",
	"groups":             "the groups you are in",
	"locale":             "your language",
	"updated_at":         "when this last changed",
}

// times are the claims that are seconds since 1970.
var times = []string{"exp", "iat", "nbf", "auth_time", "updated_at"}

// table makes claims readable: sorted, and times as times.
func table(claims map[string]any) []claim {
	var lines []claim
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		lines = append(lines, claim{Name: name, Value: readable(name, claims[name]), Meaning: meanings[name]})
	}
	return lines
}

func readable(name string, value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		if slices.Contains(times, name) {
			return time.Unix(int64(v), 0).UTC().Format(time.RFC3339)
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	return string(text)
}
