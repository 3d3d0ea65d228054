package worker_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/protocol/oauth"
)

// second starts another worker at the same database, under the same issuer.
func second(t testing.TB, s *workertest.Server) *workertest.Server {
	t.Helper()
	return workertest.Start(t, workertest.Options{DB: s.DB, Clock: s.Clock, Issuer: s.URL})
}

// 1.C 39.
func TestAnAssertionCountsOnce(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	other := second(t, s)
	jwt := s.Client(t, "jwt")
	use := func(at *workertest.Server, path, assertion string) *workertest.Answer {
		t.Helper()
		return call{path: path, form: forItself(append(asserting(assertion), "token", "x")...)}.send(t, at)
	}
	assertion := jwt.Assertion(nil)
	isOK(t, use(s, "/token", assertion))
	for _, at := range []*workertest.Server{s, other} {
		for _, path := range []string{"/token", "/introspect", "/revoke"} {
			isError(t, use(at, path, assertion), 401, oauth.InvalidClient)
		}
	}
	t.Run("one that was used to introspect gets no token", func(t *testing.T) {
		assertion := jwt.Assertion(nil)
		isOK(t, use(other, "/introspect", assertion))
		isError(t, use(s, "/token", assertion), 401, oauth.InvalidClient)
	})
	t.Run("another with the same identifier is the same", func(t *testing.T) {
		isOK(t, use(s, "/token", jwt.Assertion(map[string]any{"jti": "chosen"})))
		later := jwt.Assertion(map[string]any{"jti": "chosen", "exp": s.Clock.Now().Add(4 * time.Minute).Unix()})
		isError(t, use(other, "/token", later), 401, oauth.InvalidClient)
	})
	t.Run("one that is refused is not used up", func(t *testing.T) {
		good := map[string]any{"jti": "kept"}
		isError(t, use(s, "/token", jwt.Assertion(map[string]any{"jti": "kept", "aud": "https://elsewhere.example.com"})), 401, oauth.InvalidClient)
		isOK(t, use(s, "/token", jwt.Assertion(good)))
	})
	t.Run("it is remembered for as long as it is good", func(t *testing.T) {
		longest := jwt.Assertion(map[string]any{"exp": s.Clock.Now().Add(5 * time.Minute).Unix()})
		isOK(t, use(s, "/token", longest))
		s.Clock.Advance(6*time.Minute - time.Second) // with the tolerance for clocks, its last moment
		isError(t, use(other, "/token", longest), 401, oauth.InvalidClient)
		s.Clock.Advance(time.Minute)
		isError(t, use(other, "/token", longest), 401, oauth.InvalidClient)
	})
}

// 1.C 39.
func TestOfManyWhoPlayAnAssertionAtOnceOneIsBelieved(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	workers := []*workertest.Server{s, second(t, s)}
	for range 5 {
		assertion := s.Client(t, "jwt").Assertion(nil)
		statuses := make([]int, 24)
		var all sync.WaitGroup
		for i := range statuses {
			all.Go(func() {
				statuses[i] = call{path: "/token", form: forItself(asserting(assertion)...)}.send(t, workers[i%2]).Status
			})
		}
		all.Wait()
		believed := 0
		for _, status := range statuses {
			switch status {
			case http.StatusOK:
				believed++
			case http.StatusUnauthorized:
			default:
				t.Errorf("one is answered %d", status)
			}
		}
		if believed != 1 {
			t.Errorf("%d of %d are believed", believed, len(statuses))
		}
	}
}

func TestAClientThatSignsGoesTheWholeWay(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	c := s.Client(t, "jwt")
	tokens := c.Obtain()
	if again := c.Refresh(tokens.RefreshToken); again.Status != http.StatusOK {
		t.Errorf("refresh: %d %s", again.Status, again.Error)
	}
	if !c.Active(tokens.AccessToken) {
		t.Error("its token is not active")
	}
	isOK(t, c.Revoke(tokens.AccessToken))
	if c.Active(tokens.AccessToken) {
		t.Error("its token is active after it was revoked")
	}
	if a := c.Userinfo(c.Refresh(c.Obtain().RefreshToken).AccessToken); !strings.Contains(a.Body, "usr_ann") {
		t.Errorf("userinfo: %d %s", a.Status, a.Body)
	}
}

// 1.C 38 and 40, over the wire: the corpus itself is in package client.
func TestAnAssertionIsForUsAndByTheClientsKey(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	jwt := s.Client(t, "jwt")
	idToken := s.Client(t, "eddsa").Obtain().IDToken // typ JWT, in EdDSA, by one of our own keys
	parts := strings.Split(jwt.Assertion(nil), ".")
	for name, assertion := range map[string]string{
		"for the token endpoint":       jwt.Assertion(map[string]any{"aud": s.URL + "/token"}),
		"for us, in a list":            jwt.Assertion(map[string]any{"aud": []string{s.URL}}),
		"for the issuer with a slash":  jwt.Assertion(map[string]any{"aud": s.URL + "/"}),
		"without an identifier":        jwt.Assertion(map[string]any{"jti": nil}),
		"without an end":               jwt.Assertion(map[string]any{"exp": nil}),
		"for two days":                 jwt.Assertion(map[string]any{"exp": s.Clock.Now().Add(48 * time.Hour).Unix()}),
		"of another client":            jwt.Assertion(map[string]any{"iss": "app", "sub": "app"}),
		"that nobody signed":           "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"with a signature of its own":  parts[0] + "." + parts[1] + ".AAAA",
		"that is an ID token of ours":  idToken,
		"that is an ID token's claims": parts[0] + "." + strings.Split(idToken, ".")[1] + "." + parts[2],
	} {
		for _, path := range []string{"/token", "/introspect", "/revoke"} {
			a := call{path: path, form: forItself(append(asserting(assertion), "client_id", "jwt", "token", "x")...)}.send(t, s)
			if a.Status != http.StatusUnauthorized {
				t.Errorf("%s at %s: %d %s", name, path, a.Status, a.Body)
			}
		}
	}
}
