package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"dex/internal/base/route"
)

// static is one file as it is served.
type static struct {
	body   []byte
	mime   string
	etag   string
	hashed string // its name with the hash of its content, which caches may keep for ever
}

// statics are the static files by name.
type statics struct {
	prefix string // of their addresses
	files  map[string]static
}

// hashDigits is how much of the hash is in a name. It is there to tell versions apart.
const hashDigits = 16

// mimes are the kinds of file that a page can use. We do not ask the operating
// system, since its answer differs from one machine to the next.
var mimes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".png":   "image/png",
	".jpg":   "image/jpeg",
	".jpeg":  "image/jpeg",
	".webp":  "image/webp",
	".ico":   "image/x-icon",
	".woff2": "font/woff2",
	".txt":   "text/plain; charset=utf-8",
}

// loadStatics reads the static files.
func loadStatics(files layers, issuerPath string) (statics, error) {
	s := statics{prefix: issuerPath + route.Static, files: map[string]static{}}
	names, err := files.list("static")
	if err != nil {
		return statics{}, err
	}
	for _, file := range names {
		body, err := files.read(file)
		if err != nil {
			return statics{}, err
		}
		mime, ok := mimes[path.Ext(file)]
		if !ok {
			return statics{}, fmt.Errorf("%s: a page has no use for a file of this kind", file)
		}
		name := strings.TrimPrefix(file, "static/")
		sum := sha256.Sum256(body)
		hash := hex.EncodeToString(sum[:])[:hashDigits]
		ext := path.Ext(name)
		s.files[name] = static{
			body:   body,
			mime:   mime,
			etag:   `"` + hash + `"`,
			hashed: strings.TrimSuffix(name, ext) + "." + hash + ext,
		}
	}
	return s, nil
}

// url returns the address of a static file. It is the template's asset.
func (s statics) url(name string) (string, error) {
	f, ok := s.files[name]
	if !ok {
		return "", fmt.Errorf("there is no static file %q", name)
	}
	return s.prefix + f.hashed, nil
}

// find returns the file that a name asks for, and whether the name is the one
// of its present content. A hash of another version finds the file as well:
// while a new version is rolled out, one worker may draw the page and another be
// asked for its style.
func (s statics) find(name string) (f static, exact bool) {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if hash := path.Ext(stem); len(hash) == 1+hashDigits {
		if f, ok := s.files[strings.TrimSuffix(stem, hash)+ext]; ok {
			return f, f.hashed == name
		}
	}
	return s.files[name], false
}

// Static serves the static files below [route.Static]. Like every handler it is
// asked by the path below the issuer's own.
func (r *Renderer) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		l, err := r.current()
		if err != nil {
			http.Error(w, "The theme cannot be read.", http.StatusInternalServerError)
			return
		}
		l.statics.serve(w, req)
	})
}

func (s statics) serve(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	// A picture that is opened by itself is a document, and could hold a script.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "This address can only be read.", http.StatusMethodNotAllowed)
		return
	}
	name, ok := strings.CutPrefix(req.URL.Path, route.Static)
	f, exact := s.find(name)
	if !ok || f.hashed == "" {
		h.Set("Cache-Control", "no-store")
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	h.Set("Content-Type", f.mime)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	if exact {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(f.body))
}
