package httpx

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// hostPrefix makes a browser accept a cookie only from us: over https, without
// a domain, for all paths (RFC 6265bis, section 4.1.3.2). So no other host of the
// domain and nobody on the wire can plant one.
const hostPrefix = "__Host-"

// maxCookie is what browsers take at least, name and attributes included (RFC
// 6265, section 6.1). They drop a longer one without a word.
const maxCookie = 4096

// Cookies sets and reads our cookies. All of them are HttpOnly and SameSite=Lax, but for
// those that [Cookies.Show] sets.
type Cookies struct {
	// Secure is set if the issuer is https. A browser takes neither Secure nor the
	// prefix from http, so on a loopback address cookies go without.
	Secure bool
	// Space stands before every name, and keeps issuers apart that a browser takes
	// for one: it tells cookies apart by host, but not by port or, with the prefix, by
	// path.
	Space string
}

// Cookie is a cookie as a browser brought it. The name is ours, unprefixed.
type Cookie struct {
	Name, Value string
}

func (c Cookies) name(name string) string {
	if c.Secure {
		return hostPrefix + c.Space + name
	}
	return c.Space + name
}

// Set gives the browser a cookie, for maxAge or, if that is zero, until it is
// closed. In one answer the last call for a name counts (RFC 6265, section 4.1.1,
// forbids to send two).
func (c Cookies) Set(w http.ResponseWriter, name, value string, maxAge time.Duration) error {
	cookie := c.cookie(name, value)
	cookie.MaxAge = int(maxAge / time.Second)
	if maxAge < 0 || maxAge > 0 && cookie.MaxAge == 0 {
		return fmt.Errorf("cookie %s: a lifetime of %v cannot be said in seconds", name, maxAge)
	}
	return set(w, cookie)
}

// Show gives the browser a cookie that scripts of ours read in frames on other sites.
// It is the one that is not HttpOnly, and it must open nothing. Over http a browser
// takes no such cookie from a frame of another site, and gets one as all the others.
func (c Cookies) Show(w http.ResponseWriter, name, value string) error {
	cookie := c.cookie(name, value)
	cookie.HttpOnly = false
	if c.Secure {
		cookie.SameSite = http.SameSiteNoneMode
	}
	return set(w, cookie)
}

// Name returns what a browser calls a cookie.
func (c Cookies) Name(name string) string { return c.name(name) }

// Clear takes a cookie away from the browser.
func (c Cookies) Clear(w http.ResponseWriter, name string) {
	cookie := c.cookie(name, "")
	cookie.MaxAge = -1
	_ = set(w, cookie) // it fails for a name that is none, and such a cookie cannot be there
}

func (c Cookies) cookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: c.name(name), Value: value, Path: "/",
		HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteLaxMode,
	}
}

func set(w http.ResponseWriter, cookie *http.Cookie) error {
	if err := cookie.Valid(); err != nil {
		return fmt.Errorf("cookie %s: %w", cookie.Name, err)
	}
	line := cookie.String()
	if len(line) >= maxCookie {
		return fmt.Errorf("cookie %s: %d bytes are more than browsers keep", cookie.Name, len(line))
	}
	h := w.Header()
	lines := make([]string, 0, len(h["Set-Cookie"])+1)
	for _, earlier := range h["Set-Cookie"] {
		if !strings.HasPrefix(earlier, cookie.Name+"=") {
			lines = append(lines, earlier)
		}
	}
	h["Set-Cookie"] = append(lines, line)
	return nil
}

// Get returns the value of a cookie. One that came twice counts as absent: there
// is no telling which of the two is ours. Where the prefix is expected, a cookie
// of the bare name is somebody else's.
func (c Cookies) Get(r *http.Request, name string) (value string, ok bool) {
	if found := r.CookiesNamed(c.name(name)); len(found) == 1 {
		return found[0].Value, true
	}
	return "", false
}

// All returns the cookies whose names begin with prefix, less those that came
// twice.
func (c Cookies) All(r *http.Request, prefix string) []Cookie {
	single, _ := c.sort(r, prefix)
	return single
}

// maxTidied is how many cookies one answer clears: a sender who invents a thousand
// gets no long answer for it.
const maxTidied = 16

// Tidy clears cookies that came twice and whose name begins with prefix, so that the
// next attempt of the person finds the browser in order.
func (c Cookies) Tidy(next http.Handler, prefix string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, doubled := c.sort(r, prefix)
		for _, name := range doubled[:min(len(doubled), maxTidied)] {
			c.Clear(w, name)
		}
		next.ServeHTTP(w, r)
	})
}

// sort tells the cookies that came once from those that came more often.
func (c Cookies) sort(r *http.Request, prefix string) (single []Cookie, doubled []string) {
	if len(r.Header["Cookie"]) == 0 {
		return nil, nil
	}
	times := map[string]int{}
	full := c.name(prefix)
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, full) {
			name := prefix + cookie.Name[len(full):]
			times[name]++
			single = append(single, Cookie{Name: name, Value: cookie.Value})
		}
	}
	once := single[:0]
	for _, cookie := range single {
		switch times[cookie.Name] {
		case 1:
			once = append(once, cookie)
		case 0: // named already
		default:
			doubled = append(doubled, cookie.Name)
			times[cookie.Name] = 0
		}
	}
	return once, doubled
}
