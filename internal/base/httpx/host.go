package httpx

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"
)

// Origin returns the origin of an address as browsers write it: in lower case
// and without a default port (RFC 6454, section 6.1).
func Origin(u *url.URL) string {
	scheme := strings.ToLower(u.Scheme)
	return scheme + "://" + withoutDefaultPort(scheme, strings.ToLower(u.Host))
}

func withoutDefaultPort(scheme, host string) string {
	switch scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	default:
		return host
	}
}

// Names returns the ways in which a request may name the host of an issuer, in
// small letters: with the port that its scheme implies and without.
func Names(issuer *url.URL) []string {
	scheme, host := strings.ToLower(issuer.Scheme), strings.ToLower(issuer.Host)
	bare := withoutDefaultPort(scheme, host)
	if issuer.Port() != "" && bare == host {
		return []string{host} // it has a port of its own
	}
	switch scheme {
	case "https":
		return []string{bare, bare + ":443"}
	case "http":
		return []string{bare, bare + ":80"}
	default:
		return []string{host}
	}
}

// Misdirected answers a request for a host that is not ours. It tells ours, and
// nothing of what was asked for.
func Misdirected(w http.ResponseWriter, issuer string) {
	http.Error(w, "This server does not answer under the name that was asked for. Its address is "+
		issuer+".\n", http.StatusMisdirectedRequest)
}

// PlainPath answers only requests whose path is written the one plain way: no
// "//", no "/../", no escaped slash, no control characters. So no proxy can see
// another path than we do, and the mux has nothing to clean up and redirect.
func PlainPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPlain(r.URL) {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isPlain(u *url.URL) bool {
	p := u.Path
	if !strings.HasPrefix(p, "/") || hasEscapedSlash(u.RawPath) {
		return false
	}
	if strings.Contains(p, `\`) || !isText(p) || strings.ContainsFunc(p, isControl) {
		return false
	}
	clean := path.Clean(p)
	return p == clean || p == clean+"/" && clean != "/"
}

// hasEscapedSlash looks at the path as it was sent, which net/url keeps only if
// it is not the plain way to write the decoded one.
func hasEscapedSlash(raw string) bool {
	raw = strings.ToLower(raw)
	return strings.Contains(raw, "%2f") || strings.Contains(raw, "%5c")
}

// isText reports whether s is what both databases take for text.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func isControl(c rune) bool { return c < 0x20 || c == 0x7f }
