package httpx

import (
	"net/http"
	"net/url"
	"strings"
)

// Policy says what a page may load and where its forms may end: its
// Content-Security-Policy. The zero value is that of a page with a style sheet,
// our own pictures and a form back to us.
type Policy struct {
	// LeadsOut is set if a form of the page leads to another site: at once, or by the
	// redirects that follow it. Where those end cannot be said beforehand, and Chromium
	// holds every one of them to form-action. An application may send people on to
	// another host of its own; one that is a provider for others sends them to those,
	// by whatever scheme they have. So such a page has no form-action at all.
	LeadsOut bool

	Script       bool // the page has a script file of ours
	Frames       bool // the page shows pages from elsewhere in frames, of which nobody knows where they lead
	RemoteImages bool // the page shows pictures from elsewhere, by https
}

// closed is the policy of every answer that is not a page.
const closed = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Header returns the value of the header.
func (p Policy) Header() string {
	var b strings.Builder
	b.Grow(256)
	b.WriteString("default-src 'none'; style-src 'self'; ")
	if p.Script {
		b.WriteString("script-src 'self'; ")
	}
	b.WriteString("img-src 'self' data:")
	if p.RemoteImages {
		b.WriteString(" https:")
	}
	if p.Frames {
		b.WriteString("; frame-src https: http:")
	}
	b.WriteString("; font-src 'self'; connect-src 'none'; frame-ancestors 'none'; base-uri 'none'")
	if !p.LeadsOut {
		b.WriteString("; form-action 'self'")
	}
	return b.String()
}

// TakesForm reports whether a form of ours may be sent to uri: whether that is a
// place, and not something that runs what it names.
func TakesForm(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || !isScheme(u.Scheme) {
		return false
	}
	return u.Host != "" || u.Scheme != "http" && u.Scheme != "https"
}

// isScheme reports whether s is the scheme of a place that a form may be sent
// to (RFC 3986, section 3.1, in lower case).
func isScheme(s string) bool {
	switch s {
	case "", "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem":
		return false
	}
	for i, c := range s {
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}

// headers are sent with everything. A handler may replace them, and the pages
// replace the policy. The Referrer-Policy is not no-referrer: under that a
// browser sends "Origin: null" with our own forms, which [SameOrigin] refuses.
var headers = map[string]string{
	"Cache-Control":                "no-store",
	"Content-Security-Policy":      closed,
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), " +
		"publickey-credentials-create=(self), publickey-credentials-get=(self)",
	"Referrer-Policy":        "same-origin",
	"X-Content-Type-Options": "nosniff",
	"X-Frame-Options":        "DENY",
}

// Headers gives every answer, also that to a wrong path or method, the headers
// that keep a browser on our side. With https set it tells the browser to stay
// with https for a year.
func Headers(next http.Handler, https bool) http.Handler {
	// The values are made once and shared by all answers: nobody writes into a
	// header's slice, Set and Add put another in its place.
	values := make(map[string][]string, len(headers)+1)
	for name, value := range headers {
		values[name] = []string{value}
	}
	if https {
		values[strictHeader] = aYear
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, value := range values {
			h[name] = value
		}
		next.ServeHTTP(w, r)
	})
}

// Strict tells the browser to stay with https for a year, or takes that back, where
// an answer differs in this from the server's others.
func Strict(w http.ResponseWriter, https bool) {
	if !https {
		delete(w.Header(), strictHeader)
		return
	}
	w.Header()[strictHeader] = aYear
}

const strictHeader = "Strict-Transport-Security"

var aYear = []string{"max-age=31536000"}
