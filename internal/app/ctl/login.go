package ctl

import (
	"context"
	"errors"
	"slices"

	"dex/internal/base/fault"
	"dex/internal/protocol/oauth"
)

// LoginOptions say how somebody wants to log in.
type LoginOptions struct {
	Device    bool // by a code that is typed elsewhere
	NoBrowser bool // only print the address
}

// Login lets the person log in, keeps what comes of it, and makes the target's context
// the current one. It returns the token as it is kept.
func (w World) Login(ctx context.Context, t Target, o LoginOptions) (Token, error) {
	if t.ClientSecretFile != "" {
		return Token{}, errors.New("a client with a secret logs in by itself with each command: nothing is to be done")
	}
	v, err := w.vault(t.Name)
	if err != nil {
		return Token{}, err
	}
	a, err := t.authority(ctx)
	if err != nil {
		return Token{}, err
	}
	way, err := w.way(a, o)
	if err != nil {
		return Token{}, err
	}
	token, err := way(ctx, a, t)
	if refused, ok := errors.AsType[*answerError](err); ok {
		return Token{}, fault.Wrap(fault.Denied, refused, "The login was refused")
	}
	if err != nil {
		return Token{}, err
	}
	unlock, err := v.lock(ctx, w.Wait)
	if err != nil {
		return Token{}, err
	}
	defer unlock()
	if err := v.write(token); err != nil {
		return Token{}, err
	}
	return token, w.remember(t)
}

// way picks how the person proves who they are: in a browser on this machine, or by a
// code on another.
func (w World) way(a authority, o LoginOptions) (func(context.Context, authority, Target) (Token, error), error) {
	switch {
	case o.Device && a.Device == "":
		return nil, errors.New("the issuer does not know the device flow. Run dexctl login --no-browser, and open the address in a browser on this machine or through a forwarded port")
	case o.Device, w.Browse == nil && !o.NoBrowser && a.Device != "":
		return w.byDevice, nil
	case a.Authorization == "" || !slices.Contains(a.Challenges, oauth.MethodS256):
		return nil, errors.New("the issuer does not know the authorization code flow with PKCE S256, and dexctl uses no weaker one")
	case o.NoBrowser:
		w.Browse = nil
	}
	return w.byBrowser, nil
}

// remember writes down where the person has logged in.
func (w World) remember(t Target) error {
	all, err := w.Contexts()
	if err != nil {
		return err
	}
	if t.ClientID == DefaultClient {
		t.ClientID = ""
	}
	all.Set(t.Context)
	all.Current = t.Name
	return w.SaveContexts(all)
}
