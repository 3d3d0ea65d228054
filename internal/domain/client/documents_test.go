package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/protocol/jose"
)

// library is where documents are, for tests.
type library struct {
	texts map[string]string
	fresh time.Duration
	calls []string
}

func (l *library) fetch(_ context.Context, uri string) ([]byte, time.Duration, error) {
	l.calls = append(l.calls, uri)
	text, ok := l.texts[uri]
	if !ok {
		return nil, 0, errors.New("nobody is there")
	}
	return []byte(text), l.fresh, nil
}

func keySetOf(t *testing.T, kids ...string) string {
	t.Helper()
	var all []jose.Key
	for i, kid := range kids {
		seed := make([]byte, ed25519.SeedSize)
		seed[0] = byte(i + 1)
		all = append(all, jose.Key{KID: kid, Alg: jose.EdDSA, Public: ed25519.NewKeyFromSeed(seed).Public()})
	}
	text, err := jose.MarshalForeignJWKS(all, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const keysAt = "https://app.example/jwks"

func TestKeysAreFetchedWhenTheyAreNeeded(t *testing.T) {
	clk := &clock.Fake{}
	l := &library{texts: map[string]string{keysAt: keySetOf(t, "one")}}
	d := &Documents{Fetch: l.fetch, Clock: clk}
	c := Client{ID: "app", JWKSURI: keysAt}
	try := func(kid string) (string, error) {
		got, err := d.WithKeys(t.Context(), c, kid)
		if err != nil {
			return "", err
		}
		return got.Keys[0].KID, nil
	}
	step := func(name, kid, want string, calls int) {
		t.Helper()
		l.calls = nil
		got, err := try(kid)
		if got != want || err != nil && want != "" || len(l.calls) != calls {
			t.Errorf("%s: got %q, %v after %d calls, want %q after %d", name, got, err, len(l.calls), want, calls)
		}
	}
	step("the first time", "one", "one", 1)
	step("known", "one", "one", 0)
	step("a key that was just looked for", "two", "one", 0)
	clk.Advance(again)
	step("a key that is not there yet", "two", "one", 1)
	l.texts[keysAt] = keySetOf(t, "two")
	clk.Advance(again)
	step("the client has changed its keys", "two", "two", 1)
	step("and the old one is gone", "one", "two", 0)
	clk.Advance(usuallyFresh)
	delete(l.texts, keysAt)
	step("nobody is there, and the last are remembered", "two", "two", 1)
	clk.Advance(stale)
	step("but not for ever", "two", "", 1)
	if c.Keys != nil {
		t.Error("the client itself has changed")
	}
}

func TestAClientThatRegisteredItselfIsFollowedOnlyWhereTheOperatorAllows(t *testing.T) {
	l := &library{texts: map[string]string{}}
	d := &Documents{Fetch: l.fetch, Clock: &clock.Fake{}, Hosts: []string{"good.example", "*.apps.example"}}
	for uri, want := range map[string]bool{
		"https://good.example/k": true, "https://GOOD.example:8443/k": true, "https://a.apps.example/k": true, "https://a.b.apps.example/k": true,
		"http://good.example/k": false, "https://apps.example/k": false, "https://evilapps.example/k": false, "https://good.example.evil.example/k": false,
		"https://good.example@evil.example/k": false, "https://evil.example/?good.example": false, "https://evil.example/k#good.example": false,
		"https://127.0.0.1/k": false, "https://[::1]/k": false, "file:///etc/passwd": false, "": false, "https://": false, "https://good.example.": false,
	} {
		l.texts[uri] = keySetOf(t, "k")
		l.calls = nil
		_, err := d.WithKeys(t.Context(), Client{ID: "x", JWKSURI: uri, SelfRegistered: true}, "k")
		if uri == "" {
			continue // then there is nothing to fetch
		}
		if (err == nil) != want || (len(l.calls) > 0) != want {
			t.Errorf("%s: %v, called %q", uri, err, l.calls)
		}
	}
	if _, err := d.WithKeys(t.Context(), Client{ID: "x", JWKSURI: "https://127.0.0.1/k"}, "k"); err != nil {
		t.Errorf("what the operator has written: %v", err)
	}
}

func TestASectorListsAllRedirectURIs(t *testing.T) {
	l := &library{texts: map[string]string{
		"https://s.example/all": `["https://a.example/cb","https://b.example/cb"]`, "https://s.example/one": `["https://a.example/cb"]`,
		"https://s.example/none": `[]`, "https://s.example/page": `<html>`, "https://s.example/object": `{"a":1}`,
		"https://s.example/long": "[" + strings.Repeat(`"https://a.example/cb",`, 20000) + `"https://b.example/cb"]`,
	}}
	for uri, want := range map[string]bool{"all": true, "one": false, "none": false, "page": false, "object": false, "long": false, "missing": false} {
		d := &Documents{Fetch: l.fetch, Clock: &clock.Fake{}}
		c := Client{SectorURI: "https://s.example/" + uri, RedirectURIs: []string{"https://a.example/cb", "https://b.example/cb"}}
		if err := d.CheckSector(t.Context(), c); (err == nil) != want || err != nil && !errors.Is(err, ErrDocument) {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	l := &library{texts: map[string]string{}}
	d := &Documents{Fetch: l.fetch, Clock: &clock.Fake{}}
	for i := range maxDocuments + 10 {
		_, _ = d.WithKeys(t.Context(), Client{JWKSURI: fmt.Sprintf("https://a.example/%d", i)}, "")
	}
	if len(d.kept) != maxDocuments || d.recent.Len() != maxDocuments {
		t.Errorf("%d and %d are remembered", len(d.kept), d.recent.Len())
	}
}
