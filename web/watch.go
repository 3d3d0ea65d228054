package web

import (
	"crypto/sha256"
	_ "embed" // of the script
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
)

//go:embed watch.js
var watchScript string

// Watch returns the page of the frame in which applications watch whether somebody is
// signed in still, OpenID Connect Session Management 1.0 section 3.3. It reads the
// cookie of the given name, and tells any site around it nothing but whether that has
// changed since we last sent somebody there. Nobody sees it, and there is nothing on it
// to be clicked at, so that every site may have it in a frame. Its script is in it, for
// browsers that would look at the cookie before another file has come, and the policy
// names that very script.
func Watch(cookie string) http.Handler {
	page := fmt.Appendf(nil, "<!doctype html>\n<html lang=\"en\" data-cookie=\"%s\">\n<head><meta charset=\"utf-8\"><title>dex</title></head>\n<body><script>%s</script></body>\n</html>\n",
		html.EscapeString(cookie), watchScript)
	sum := sha256.Sum256([]byte(watchScript))
	policy := "default-src 'none'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Del("X-Frame-Options")
		// The person has gone away if this fails: there is nobody to tell.
		_, _ = w.Write(page)
	})
}
