package httpx

import (
	"context"
	"net/http"
	"slices"
)

// Preflight answers a browser that asks whether a page of another origin may send
// a request (Fetch, section 4.8). It lets the origins through that allowed knows,
// never with credentials. Whether the page may read the answer is decided again
// when the request comes.
func Preflight(w http.ResponseWriter, r *http.Request, methods string, allowed func(ctx context.Context, origin string) (bool, error)) error {
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin != "" && origin != "null" && len(origin) <= 512 {
		ok, err := allowed(r.Context(), origin)
		if err != nil {
			return err
		}
		if ok {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Methods", methods)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
			h.Set("Access-Control-Max-Age", "600")
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// AllowOrigin lets the page that sent a request read the answer, if its origin is
// one of those allowed.
func AllowOrigin(w http.ResponseWriter, r *http.Request, allowed []string) {
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && slices.Contains(allowed, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		// What a page has to read to try again with the nonce that it lacked, RFC 9449
		// section 8.
		h.Set("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate")
	}
}
