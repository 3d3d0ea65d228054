package ctl

import (
	"context"
	"errors"
	"net/url"
	"sync"

	"dex/internal/admin/apiclient"
	"dex/internal/base/fault"
)

// Source has an access token for whoever asks, as fresh as it needs to be.
type Source struct {
	world  World
	target Target

	mu    sync.Mutex
	token Token // the last that was handed out
}

// Source returns where the tokens for a target come from.
func (w World) Source(t Target) *Source { return &Source{world: w, target: t} }

// Token returns an access token: the environment's, a machine's own, or that of the
// person who has logged in. The server has refused the one that is given.
func (s *Source) Token(ctx context.Context, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.target.Token != "" && refused != "":
		return "", fault.New(fault.Denied, "The server does not take the token in %s: it has expired, or is for another issuer.", EnvToken)
	case s.target.Token != "":
		return string(s.target.Token), nil
	case s.usable(s.token, refused):
		return s.token.AccessToken, nil
	}
	next := s.ofPerson
	if s.target.ClientSecretFile != "" {
		next = s.ofMachine
	}
	t, err := next(ctx, refused)
	if err != nil {
		return "", err
	}
	s.token = t
	return t.AccessToken, nil
}

// usable reports whether a token can be sent.
func (s *Source) usable(t Token, refused string) bool {
	return t.fresh(s.world.Clock.Now()) && t.AccessToken != refused
}

// ofMachine gets a client's own token.
func (s *Source) ofMachine(ctx context.Context, _ string) (Token, error) {
	as, err := s.target.applicant()
	if err != nil {
		return Token{}, err
	}
	a, err := s.target.authority(ctx)
	if err != nil {
		return Token{}, err
	}
	t, err := a.obtain(ctx, s.target, as, url.Values{"grant_type": {"client_credentials"}, "scope": {a.wanted(false)}}, s.world.Clock.Now)
	if refused, ok := errors.AsType[*answerError](err); ok {
		return Token{}, fault.Wrap(fault.Denied, refused, "The client %s was not given a token", as.id)
	}
	return t, err
}

// ofPerson returns the token that is kept, refreshed if it is too old. Of several
// processes that find it so, one refreshes it.
func (s *Source) ofPerson(ctx context.Context, refused string) (Token, error) {
	v, err := s.world.vault(s.target.Name)
	if err != nil {
		return Token{}, err
	}
	if t, err := s.kept(v); err != nil || s.usable(t, refused) {
		return t, err
	}
	unlock, err := v.lock(ctx, s.world.Wait)
	if err != nil {
		return Token{}, err
	}
	defer unlock()
	t, err := s.kept(v)
	if err != nil || s.usable(t, refused) { // somebody was faster
		return t, err
	}
	return s.refresh(ctx, v, t)
}

// kept reads the token. It is never sent to another API than that which it was got for.
func (s *Source) kept(v vault) (Token, error) {
	t, err := v.read()
	if err == nil && t.API != s.target.API {
		return Token{}, fault.New(fault.Denied, "You are logged in to %s, not to %s. Run dexctl login --api %s.", t.API, s.target.API, s.target.API)
	}
	return t, err
}

// refresh gets the next token and keeps it, before anybody else may look.
func (s *Source) refresh(ctx context.Context, v vault, t Token) (Token, error) {
	if t.RefreshToken == "" {
		return Token{}, errEnded
	}
	client, err := s.target.HTTP()
	if err != nil {
		return Token{}, err
	}
	a, err := issuerAt(ctx, client, t.Issuer)
	if err != nil {
		return Token{}, err
	}
	next, err := a.obtain(ctx, s.target, applicant{id: t.ClientID}, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.RefreshToken}}, s.world.Clock.Now)
	if refused, ok := errors.AsType[*answerError](err); ok && refused.Code == "invalid_grant" {
		return Token{}, errors.Join(errEnded, v.remove())
	}
	if err != nil {
		return Token{}, err
	}
	if next.RefreshToken == "" { // RFC 6749 section 6: the old one stays good
		next.RefreshToken = t.RefreshToken
	}
	if next.Scope == "" {
		next.Scope = t.Scope
	}
	return next, v.write(next)
}

var errEnded = fault.New(fault.Denied, "Your login has ended. Run dexctl login.")

// Client returns what calls the API of a target, as whoever the target is to be there.
func (w World) Client(t Target) (*apiclient.Client, error) {
	http, err := t.HTTP()
	if err != nil {
		return nil, err
	}
	return apiclient.New(apiclient.Options{URL: t.API, HTTP: http, Tokens: w.Source(t), Tenant: t.Tenant, Agent: "dexctl"})
}

// Anybody returns what calls the API of a target for what needs no login.
func (w World) Anybody(t Target) (*apiclient.Client, error) {
	http, err := t.HTTP()
	if err != nil {
		return nil, err
	}
	return apiclient.New(apiclient.Options{URL: t.API, HTTP: http, Agent: "dexctl"})
}

// LoggedIn returns what is known of the login that a target has, without asking anybody.
func (w World) LoggedIn(t Target) (Token, error) {
	v, err := w.vault(t.Name)
	if err != nil {
		return Token{}, err
	}
	return (&Source{world: w, target: t}).kept(v)
}

// Logout revokes what a target was given, and forgets it. It is forgotten even if the
// issuer cannot be told.
func (w World) Logout(ctx context.Context, t Target) error {
	v, err := w.vault(t.Name)
	if err != nil {
		return err
	}
	unlock, err := v.lock(ctx, w.Wait)
	if err != nil {
		return err
	}
	defer unlock()
	kept, err := v.read()
	if err != nil {
		return err
	}
	return errors.Join(w.revoke(ctx, t, kept), v.remove())
}

// revoke tells the issuer that a token is not wanted any more, RFC 7009.
func (w World) revoke(ctx context.Context, t Target, kept Token) error {
	client, err := t.HTTP()
	if err != nil {
		return err
	}
	a, err := issuerAt(ctx, client, kept.Issuer)
	if err == nil && a.Revocation == "" {
		err = errors.New("the issuer has no endpoint to revoke a token at")
	}
	if err == nil {
		token, hint := kept.RefreshToken, "refresh_token"
		if token == "" {
			token, hint = kept.AccessToken, "access_token"
		}
		err = a.post(ctx, a.Revocation, applicant{id: kept.ClientID}, url.Values{"token": {token}, "token_type_hint": {hint}}, nil)
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "You are logged out here, but the issuer could not be told: what was granted lasts until it expires")
	}
	return nil
}
