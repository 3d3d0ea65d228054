package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

var (
	// ErrRedirect says that a server answered with a redirect. It is not
	// followed: the address that was configured is the one that is meant.
	ErrRedirect = errors.New("outbound: the server redirects, and redirects are not followed")

	// ErrTooLarge says that an answer was longer than it may be.
	ErrTooLarge = errors.New("outbound: the answer is too large")
)

// transport keeps the rules that concern a whole call.
type transport struct {
	timeout time.Duration
	maxBody int64
	https   *http.Transport
	http    *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	speaker, err := t.speaker(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // as the contract of RoundTripper has it
		}
		return nil, err
	}
	// The time runs until the body is closed, so the context is ended there.
	ctx, cancel := context.WithTimeout(r.Context(), t.timeout)
	answer, err := speaker.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	answer.Body = &body{ReadCloser: answer.Body, left: t.maxBody, end: cancel}
	if err := t.check(answer); err != nil {
		_ = answer.Body.Close()
		return nil, err
	}
	return answer, nil
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] through.
func (t *transport) CloseIdleConnections() {
	t.https.CloseIdleConnections()
	t.http.CloseIdleConnections()
}

func (t *transport) speaker(r *http.Request) (*http.Transport, error) {
	switch {
	case r.URL.User != nil:
		return nil, fmt.Errorf("%w: it has a name and password in it", ErrRefusedAddress)
	case r.URL.Scheme == "https":
		return t.https, nil
	case r.URL.Scheme == "http":
		return t.http, nil
	default:
		return nil, fmt.Errorf("%w: %q is not a scheme that we speak", ErrRefusedAddress, r.URL.Scheme)
	}
}

func (t *transport) check(answer *http.Response) error {
	switch {
	case answer.StatusCode == http.StatusSwitchingProtocols:
		return errors.New("outbound: the server wants to speak another protocol")
	case isRedirect(answer.StatusCode):
		return ErrRedirect
	case answer.ContentLength > t.maxBody:
		return fmt.Errorf("%w: it has %d bytes", ErrTooLarge, answer.ContentLength)
	default:
		return nil
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

// body is an answer's body that ends with an error when it gets too long.
type body struct {
	io.ReadCloser
	left int64
	end  context.CancelFunc
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	// One byte more than is allowed is asked for, for it tells whether there is one.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}

// Close implements [io.Closer].
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}
