package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"dex/internal/base/fault"
)

// Token is what a login has brought, as it is kept.
type Token struct {
	API          string    `json:"api"` // where it may be sent
	Issuer       string    `json:"issuer"`
	ClientID     string    `json:"client_id"`
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Scope        string    `json:"scope,omitempty"`
	ExpiresAt    time.Time `json:"expires_at"`
}

// early is how long before its end a token is not used any more, so that it does not
// end on its way.
const early = 30 * time.Second

// fresh reports whether the access token can still be used.
func (t Token) fresh(now time.Time) bool {
	return t.AccessToken != "" && now.Before(t.ExpiresAt.Add(-early))
}

// maxToken bounds a file that holds a token.
const maxToken = 64 << 10

// vault is the file that keeps the token of one context.
type vault struct{ file string }

// vault returns where the token of a context is kept.
func (w World) vault(name string) (vault, error) {
	if !contextName.MatchString(name) {
		return vault{}, fmt.Errorf("%q is no name of a context", name)
	}
	folder, err := w.Folder()
	return vault{filepath.Join(folder, "tokens", name+".json")}, err
}

// read returns the token that is kept.
func (v vault) read() (Token, error) {
	text, err := readPrivate(v.file, maxToken)
	if errors.Is(err, fs.ErrNotExist) {
		return Token{}, fault.New(fault.Denied, "You are not logged in. Run dexctl login.")
	}
	if err != nil {
		return Token{}, err
	}
	var t Token
	if err := json.Unmarshal(text, &t); err != nil {
		return Token{}, fmt.Errorf("%s is damaged: %w. Remove it, and log in again", v.file, err)
	}
	return t, nil
}

// write keeps a token.
func (v vault) write(t Token) error {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(v.file, append(text, '\n'))
}

// remove forgets the token.
func (v vault) remove() error {
	if err := os.Remove(v.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lockPause is how long a process waits before it looks at a lock again.
const lockPause = 20 * time.Millisecond

// lock takes the token for this process alone, so that of several that find it too
// old one refreshes it and the others take what it got. It returns what gives it back.
func (v vault) lock(ctx context.Context, wait func(context.Context, time.Duration) error) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(v.file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(v.file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		got, err := tryLock(f)
		if err == nil && !got {
			err = wait(ctx, lockPause)
		}
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if got {
			return func() { _ = f.Close() }, nil // which gives the lock back
		}
	}
}
