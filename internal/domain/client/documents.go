package client

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Fetch gets a document, and says for how long whoever publishes it says that it is good;
// zero if they say nothing.
type Fetch func(ctx context.Context, uri string) (doc []byte, fresh time.Duration, err error)

// Documents are what clients have written elsewhere: their key sets, the redirect URIs of
// their sectors, and whole clients. They are fetched when they are needed, and remembered.
//
// Where a document is, an operator has said who declared the client. What a client says
// of itself makes us call only the hosts that the operator has named.
type Documents struct {
	Fetch Fetch
	Hosts []string // that clients may name by themselves; "*.example.com" is every host below
	Clock clock.Clock

	mu     sync.Mutex
	kept   map[string]*list.Element
	recent *list.List // of *document, the most recently used first
}

// How long documents are good.
const (
	usuallyFresh = 10 * time.Minute
	leastFresh   = time.Minute
	mostFresh    = time.Hour
	// stale is how long the last one serves while a new one cannot be had.
	stale = time.Hour
	// again is after how long a document is asked for again that lacks something: a
	// client may have changed its keys, and whoever names keys that are not there shall
	// not make us call it each time.
	again = 5 * time.Second
	// maxDocuments is how many are remembered.
	maxDocuments = 1024
	// maxDocument is how long one may be.
	maxDocument = 256 << 10
)

// document is one that was fetched.
type document struct {
	uri string

	mu     sync.Mutex // held by whoever fetches it
	at     time.Time  // when it came
	until  time.Time  // until when it is good
	tried  time.Time  // when it was asked for last
	parsed any
}

// ErrDocument is what there is to say of a document that cannot be had. The reason is for
// the log alone: a client that could see it would see into our network.
var ErrDocument = errors.New("the document cannot be used")

// remembered returns the place of a document in memory.
func (d *Documents) remembered(uri string) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept == nil {
		d.kept, d.recent = map[string]*list.Element{}, list.New()
	}
	if e, ok := d.kept[uri]; ok {
		d.recent.MoveToFront(e)
		return e.Value.(*document)
	}
	one := &document{uri: uri}
	d.kept[uri] = d.recent.PushFront(one)
	if d.recent.Len() > maxDocuments {
		delete(d.kept, d.recent.Remove(d.recent.Back()).(*document).uri)
	}
	return one
}

// MayName reports whether a client that says so of itself can have a document at an
// address.
func (d *Documents) MayName(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc(d.Hosts, func(allowed string) bool {
		if below, ok := strings.CutPrefix(allowed, "*"); ok {
			return strings.HasSuffix(host, below)
		}
		return host == allowed
	})
}

// mayFetch says whether a document of a client may be fetched.
func (d *Documents) mayFetch(c Client, uri string) error {
	if c.SelfRegistered && !d.MayName(uri) {
		return fmt.Errorf("%w: the client has registered itself, and client_documents_allow does not name the host of %.200s", ErrDocument, uri)
	}
	return nil
}

// get returns what was read of a document: what is remembered while it is good and has
// what is sought, and else what is fetched now.
func get[T any](ctx context.Context, d *Documents, uri string, read func(text []byte) (T, error), has func(T) bool) (T, error) {
	one := d.remembered(uri)
	one.mu.Lock()
	defer one.mu.Unlock()
	now := d.Clock.Now()
	known, ok := one.parsed.(T)
	switch {
	case ok && now.Before(one.until) && has(known):
		return known, nil
	case now.Before(one.tried.Add(again)):
		if ok && now.Before(one.at.Add(stale)) {
			return known, nil
		}
		return known, fmt.Errorf("%w: it was asked for a moment ago, in vain", ErrDocument)
	}
	one.tried = now
	text, fresh, err := d.Fetch(ctx, uri)
	if err == nil && len(text) > maxDocument {
		err = fmt.Errorf("it is longer than %d bytes", maxDocument)
	}
	var came T
	if err == nil {
		came, err = read(text)
	}
	switch {
	case err != nil && ok && now.Before(one.at.Add(stale)):
		return known, nil
	case err != nil:
		one.parsed = nil
		return came, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if fresh == 0 {
		fresh = usuallyFresh
	}
	one.parsed, one.at, one.until = came, now, now.Add(min(max(fresh, leastFresh), mostFresh))
	return came, nil
}

// keys are what is read of a key set.
type keys struct {
	verify  []jose.Key
	encrypt []jose.EncryptionKey
}

// WithKeys returns the client with the keys that it publishes, if it does so at its
// jwks_uri; else as it is. They are fetched anew if the one is not among them that a
// token names, because a client may replace its keys at any time.
func (d *Documents) WithKeys(ctx context.Context, c Client, kid string) (Client, error) {
	if c.JWKSURI == "" {
		return c, nil
	}
	if err := d.mayFetch(c, c.JWKSURI); err != nil {
		return c, err
	}
	published, err := get(ctx, d, c.JWKSURI, func(text []byte) (keys, error) {
		verify, encrypt, err := ParseKeys(text)
		if err == nil && len(verify)+len(encrypt) == 0 {
			err = errors.New("it holds no key that can be used")
		}
		return keys{verify, encrypt}, err
	}, func(k keys) bool {
		return kid == "" || slices.ContainsFunc(k.verify, func(k jose.Key) bool { return k.KID == kid || k.KID == "" })
	})
	if err != nil {
		return c, err
	}
	c.Keys, c.EncryptionKeys = published.verify, published.encrypt
	return c, nil
}

// RequestObject returns the request object at one of the addresses that the client has
// registered for that, OpenID Connect Core section 6.2. It is fetched each time: the
// client may have another request there the next time.
func (d *Documents) RequestObject(ctx context.Context, c Client, uri string) (string, error) {
	if !slices.Contains(c.RequestURIs, uri) {
		return "", fmt.Errorf("%w: request_uris does not name %.200s", ErrDocument, uri)
	}
	if err := d.mayFetch(c, uri); err != nil {
		return "", err
	}
	text, _, err := d.Fetch(ctx, uri)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if len(text) > oauth.MaxRequestObject {
		return "", fmt.Errorf("%w: it is longer than %d bytes", ErrDocument, oauth.MaxRequestObject)
	}
	return strings.TrimSpace(string(text)), nil
}

// ToEncrypt returns the client with the keys that things are encrypted to, if something
// is to be encrypted for it in this way; else as it is.
func (d *Documents) ToEncrypt(ctx context.Context, c Client, by Encryption) (Client, error) {
	if by.Alg == "" {
		return c, nil
	}
	c, err := d.WithKeys(ctx, c, "")
	if err != nil {
		return c, fault.Wrap(fault.Unavailable, err, "The keys of the application cannot be read at the moment.")
	}
	return c, nil
}

// CheckSector says whether the document at the client's sector_identifier_uri lists all
// its redirect URIs, OpenID Connect Registration section 5. A client that has no such
// document is in order.
func (d *Documents) CheckSector(ctx context.Context, c Client) error {
	if c.SectorURI == "" {
		return nil
	}
	if err := d.mayFetch(c, c.SectorURI); err != nil {
		return err
	}
	has := func(listed []string) bool {
		return !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return !slices.Contains(listed, uri) })
	}
	listed, err := get(ctx, d, c.SectorURI, func(text []byte) (listed []string, err error) {
		return listed, json.Unmarshal(text, &listed)
	}, has)
	if err != nil {
		return err
	}
	if !has(listed) {
		return fmt.Errorf("%w: it does not list every redirect URI", ErrDocument)
	}
	return nil
}

// Client returns the client that a document describes, as it is read.
func (d *Documents) Client(ctx context.Context, uri string, read func(text []byte) (Client, error)) (Client, error) {
	return get(ctx, d, uri, read, func(Client) bool { return true })
}
