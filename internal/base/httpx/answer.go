package httpx

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// WriteJSON answers with v. Nothing is written if v cannot be encoded.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	return writeJSON(w, jsonType, status, v)
}

// WriteProblem is WriteJSON for problem details, RFC 9457.
func WriteProblem(w http.ResponseWriter, status int, v any) error {
	return writeJSON(w, problemType, status, v)
}

// WriteText answers with a text that is made already, such as a signed one.
func WriteText(w http.ResponseWriter, contentType, text string) error {
	return write(w, []string{contentType}, http.StatusOK, []byte(text))
}

func writeJSON(w http.ResponseWriter, contentType []string, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return write(w, contentType, status, body)
}

func write(w http.ResponseWriter, contentType []string, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// Header values that many answers share; net/http only reads them.
var (
	jsonType    = []string{"application/json"}
	problemType = []string{"application/problem+json"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
)

// Document is an answer that is the same for everybody and made beforehand, such
// as a key set. The value is for reading only, so that many may serve it at once.
type Document struct {
	body         []byte
	etag         string
	contentType  []string
	cacheControl []string
	etagHeader   []string
	length       []string
}

// NewDocument makes a document that caches may keep for maxAge.
func NewDocument(contentType string, body []byte, maxAge time.Duration) Document {
	sum := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return Document{
		body:         body,
		etag:         etag,
		contentType:  []string{contentType},
		cacheControl: []string{fmt.Sprintf("public, max-age=%d", max(0, int(maxAge/time.Second)))},
		etagHeader:   []string{etag},
		length:       []string{strconv.Itoa(len(body))},
	}
}

// ServeDocument answers GET and HEAD with the document, or says that the one the
// caller has is still good (RFC 9110, section 13.1.2).
func ServeDocument(w http.ResponseWriter, r *http.Request, doc Document) error {
	h := w.Header()
	h["Cache-Control"] = doc.cacheControl
	h["Etag"] = doc.etagHeader
	if matches(r.Header["If-None-Match"], doc.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Type"] = doc.contentType
	h["X-Content-Type-Options"] = noSniff
	h["Content-Length"] = doc.length
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(doc.body)
	return err
}

// matches reports whether an If-None-Match names the tag. The comparison is the
// weak one (RFC 9110, section 8.8.3.2). Our tags hold no comma, so splitting at
// commas can only miss what is not ours.
func matches(ifNoneMatch []string, etag string) bool {
	for _, line := range ifNoneMatch {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

// errAddress is what SeeOther says of an address that it will not put into a
// header. It does not repeat it, for it may hold a code.
var errAddress = errors.New("httpx: the address to redirect to is not a plain one")

// SeeOther sends the browser on to an address: one of ours, beginning with a
// single slash, or an absolute one. The status is always 303, since under 307 and
// 308 the browser would hand on the form, and with it the password, that it has
// just sent us (RFC 9700, section 4.12).
func SeeOther(w http.ResponseWriter, _ *http.Request, address string) error {
	if !isAddress(address) {
		return errAddress
	}
	h := w.Header()
	h["Location"] = []string{address}
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// isAddress reports whether s is what a Location may hold: printable ASCII, and
// not of the form //host, which browsers also read out of /\host.
func isAddress(s string) bool {
	if s == "" || strings.HasPrefix(s, "//") || strings.Contains(s, `\`) {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	if s[0] == '/' {
		return true
	}
	scheme, _, ok := strings.Cut(s, ":")
	return ok && isScheme(strings.ToLower(scheme))
}
