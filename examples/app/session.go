package app

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// memory keeps values under keys that nobody can guess: so many, and so long. When
// it is full the oldest goes, so a flood of logins costs no more than a few
// people's patience. A real application keeps them in its database.
type memory[T any] struct {
	size int
	life time.Duration

	mu     sync.Mutex
	values map[string]kept[T]
	order  []string // the oldest first; some may be gone already
}

type kept[T any] struct {
	value T
	until time.Time
}

func newMemory[T any](size int, life time.Duration) *memory[T] {
	return &memory[T]{size: size, life: life, values: map[string]kept[T]{}}
}

func (m *memory[T]) put(key string, value T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = kept[T]{value, time.Now().Add(m.life)}
	m.order = append(m.order, key)
	for len(m.order) > m.size {
		delete(m.values, m.order[0])
		m.order = m.order[1:]
	}
}

func (m *memory[T]) get(key string) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.values[key]
	if !ok || time.Now().After(k.until) {
		var none T
		return none, false
	}
	return k.value, true
}

// take removes a value. Of two who come at once, one is told that it was there.
func (m *memory[T]) take(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.values[key]
	delete(m.values, key)
	return ok
}

// session is somebody who is logged in.
type session struct {
	mu       sync.Mutex
	token    *oauth2.Token
	idToken  string // as it came, for the logout
	subject  string
	claims   []claim
	userinfo []claim
	before   string // the access token's fingerprint before the last refresh
}

// identify takes over what an ID token says.
func (s *session) identify(id *oidc.IDToken, raw string) error {
	var all map[string]any
	if err := id.Claims(&all); err != nil {
		return err
	}
	s.subject, s.idToken, s.claims = id.Subject, raw, table(all)
	return nil
}

// page returns what is shown of the session.
func (s *session) page() accountPage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return accountPage{
		Name:       s.name(),
		Claims:     s.claims,
		Userinfo:   s.userinfo,
		CanRefresh: s.token.RefreshToken != "",
		Token:      fingerprint(s.token.AccessToken),
		Before:     s.before,
		Expires:    s.token.Expiry.UTC().Format(time.RFC3339),
	}
}

// name is what we call the person. It is for greeting and nothing else: only iss
// and sub together say who somebody is.
func (s *session) name() string {
	for _, wanted := range []string{"name", "preferred_username", "email", "sub"} {
		for _, c := range s.claims {
			if c.Name == wanted && c.Value != "" {
				return c.Value
			}
		}
	}
	return ""
}

// fingerprint is enough of a token's hash to see whether it is another one. The
// token itself is shown to nobody.
func fingerprint(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:4])
}

// The names of our cookies; cookieName says the rest.
const (
	browserCookie = "app_browser" // which browser began a login
	sessionCookie = "app_session" // who is logged in
)

// cookieName returns the name under which a browser knows a cookie. With the
// prefix, no other host and no plain connection can have set it.
func (a *app) cookieName(name string) string {
	if a.base.Scheme == "https" {
		return "__Host-" + name
	}
	return name
}

// setCookie gives the browser a value that it brings back, and tells no script.
// Lax, because it has to come along when the provider sends the browser back.
func (a *app) setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{
		Name:     a.cookieName(name),
		Value:    value,
		Path:     "/",
		HttpOnly: true,
		Secure:   a.base.Scheme == "https",
		SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (a *app) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(a.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// browser returns the mark of this browser, making one if it has none. All its
// logins share it, so that two tabs do not get in each other's way.
func (a *app) browser(w http.ResponseWriter, r *http.Request) string {
	mark := a.cookie(r, browserCookie)
	if len(mark) < 26 {
		mark = rand.Text()
		a.setCookie(w, browserCookie, mark)
	}
	return mark
}

// sameBrowser reports whether it is this browser that began.
func (a *app) sameBrowser(r *http.Request, begun attempt) bool {
	return subtle.ConstantTimeCompare([]byte(a.cookie(r, browserCookie)), []byte(begun.browser)) == 1
}

// session returns who is logged in.
func (a *app) session(r *http.Request) (*session, bool) {
	return a.sessions.get(a.cookie(r, sessionCookie))
}

func (a *app) signIn(w http.ResponseWriter, s *session) {
	id := rand.Text()
	a.sessions.put(id, s)
	a.setCookie(w, sessionCookie, id)
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	a.sessions.take(a.cookie(r, sessionCookie))
	a.setCookie(w, sessionCookie, "")
}
