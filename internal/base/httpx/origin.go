package httpx

import (
	"net/http"

	"dex/internal/base/fault"
)

// SameOrigin lets a request that may change something through to next only if
// the browser says that a page of ours sent it. It is for the routes on which a
// cookie counts; the token endpoint, where none does, and a callback that is
// meant to come from elsewhere are simply not wrapped.
//
// The browser's word is Sec-Fetch-Site (Fetch Metadata, section 2.4) or, from one
// that does not know it yet, Origin (RFC 6454, section 7). Whichever is there must
// be right, and one must be: http.CrossOriginProtection lets a request pass that
// has neither, we do not. Origin is given as [Origin] writes it.
func SameOrigin(origin string, next HandlerFunc) HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !fromUs(r, origin) {
			return fault.New(fault.Denied, "This request did not come from one of our own pages. Go back, reload the page and try again.")
		}
		return next(w, r)
	}
}

func fromUs(r *http.Request, origin string) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true // these change nothing, and every application sends people here by them
	}
	site, from := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	if len(site) == 0 && len(from) == 0 {
		return false
	}
	return isOnly(site, "same-origin") && isOnly(from, origin)
}

// isOnly reports whether a header is absent, or there once with the value.
func isOnly(header []string, want string) bool {
	return len(header) == 0 || len(header) == 1 && header[0] == want
}
