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
	// FormAction lists, besides ourselves, where a form of the page may end.
	// Chromium holds the redirects that follow a form to it as well, so a login
	// page names the application it will lead to. See [FormTarget].
	FormAction []string

	Script       bool // the page has a script file of ours
	RemoteImages bool // the page shows pictures from elsewhere, by https
}

// closed is the policy of every answer that is not a page.
const closed = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Header returns the value of the header. An entry of FormAction that is no
// plain source is left out, so that nothing can add a directive of its own.
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
	b.WriteString("; font-src 'self'; connect-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	for _, source := range p.FormAction {
		if isSource(source) {
			b.WriteByte(' ')
			b.WriteString(source)
		}
	}
	return b.String()
}

// FormTarget returns the source that lets a form end at uri: its origin, or its
// scheme alone if it has no origin that a policy could name. That is so with the
// private schemes of native applications (RFC 8252, section 7.1) and with an
// IPv6 literal, for which the policy's grammar has no room (CSP3, section 2.3.1).
func FormTarget(uri string) (source string, ok bool) {
	u, err := url.Parse(uri)
	if err != nil || !isScheme(u.Scheme) {
		return "", false
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https", strings.HasPrefix(u.Host, "["):
		source = u.Scheme + ":"
	default:
		source = u.Scheme + "://" + strings.ToLower(u.Host)
	}
	return source, isSource(source)
}

// isSource reports whether s is scheme: or scheme://host[:port] in plain ASCII.
// What could end a source, a directive or the header (space, ";", ",", quotes,
// controls) or widen it ("*") has no place in it.
func isSource(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !isScheme(scheme) {
		return false
	}
	if rest == "" {
		return true
	}
	authority, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return false
	}
	host, port, hasPort := strings.Cut(authority, ":")
	if host == "" || hasPort && (port == "" || len(port) > 5) {
		return false
	}
	return !strings.ContainsFunc(host, func(c rune) bool { return !isLetter(c) && !isDigit(c) && c != '-' && c != '.' }) &&
		!strings.ContainsFunc(port, func(c rune) bool { return !isDigit(c) })
}

// isScheme reports whether s is the scheme of a place that a form may be sent
// to (RFC 3986, section 3.1, in lower case), and not one that runs what it names.
func isScheme(s string) bool {
	switch s {
	case "", "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem":
		return false
	}
	for i, c := range s {
		switch {
		case 'a' <= c && c <= 'z':
		case i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}

func isLetter(c rune) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c rune) bool  { return '0' <= c && c <= '9' }

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
		values["Strict-Transport-Security"] = []string{"max-age=31536000"}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, value := range values {
			h[name] = value
		}
		next.ServeHTTP(w, r)
	})
}
