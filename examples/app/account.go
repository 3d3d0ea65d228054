package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
)

// signedIn returns who is logged in, or sends the browser to the front page.
func (a *app) signedIn(w http.ResponseWriter, r *http.Request) (*session, bool) {
	s, ok := a.session(r)
	if !ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
	return s, ok
}

// userinfo asks the provider what it says about the person now (OpenID Connect
// Core, section 5.3).
func (a *app) userinfo(w http.ResponseWriter, r *http.Request) error {
	s, ok := a.signedIn(w, r)
	if !ok {
		return nil
	}
	p, err := a.provider(r.Context())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.token.Valid() && s.token.RefreshToken != "" {
		if err := a.renew(r.Context(), p, s); err != nil {
			return a.lost(w, r, err)
		}
	}
	info, err := p.UserInfo(r.Context(), oauth2.StaticTokenSource(s.token))
	if err != nil {
		return &failure{http.StatusBadGateway, "The login service does not tell more about you. You may have to log in again.", err}
	}
	// Section 5.3.2: an answer about anybody else is not to be used.
	if info.Subject != s.subject {
		return &failure{http.StatusBadGateway, "The login service told about somebody else.", fmt.Errorf("sub is %q, not %q", info.Subject, s.subject)}
	}
	var all map[string]any
	if err := info.Claims(&all); err != nil {
		return err
	}
	s.userinfo = table(all)
	http.Redirect(w, r, "/#userinfo-claims", http.StatusSeeOther)
	return nil
}

// refresh fetches fresh tokens with the refresh token.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) error {
	s, ok := a.signedIn(w, r)
	if !ok {
		return nil
	}
	p, err := a.provider(r.Context())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.RefreshToken == "" {
		return &failure{status: http.StatusBadRequest, message: "There is no refresh token; log in with offline_access to have one."}
	}
	if err := a.renew(r.Context(), p, s); err != nil {
		return a.lost(w, r, err)
	}
	http.Redirect(w, r, "/#tokens", http.StatusSeeOther)
	return nil
}

// renew replaces the session's tokens. The caller holds its lock, so that no two
// tabs present one refresh token.
func (a *app) renew(ctx context.Context, p *provider, s *session) error {
	// A token without an access token is taken for one that has expired.
	fresh, err := a.oauth(p).TokenSource(ctx, &oauth2.Token{RefreshToken: s.token.RefreshToken}).Token()
	if err != nil {
		return err
	}
	before := fingerprint(s.token.AccessToken)
	// Section 12.2: an ID token need not come. If one does, it has to be about
	// the same person.
	if fresh.Extra("id_token") != nil {
		id, raw, err := a.verify(ctx, p, fresh)
		if err != nil {
			return err
		}
		if id.Subject != s.subject {
			return fmt.Errorf("the fresh ID token is about %q, not %q", id.Subject, s.subject)
		}
		if err := s.identify(id, raw); err != nil {
			return err
		}
	}
	s.token, s.before = fresh, before
	return nil
}

// lost tells why there are no fresh tokens. If the provider has ended what the
// refresh token stands for, our session ends too.
func (a *app) lost(w http.ResponseWriter, r *http.Request, err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.ErrorCode == "invalid_grant" {
		a.signOut(w, r)
		return &failure{http.StatusUnauthorized, "Your login has ended. Please log in again.", err}
	}
	return &failure{http.StatusBadGateway, "There are no fresh tokens at the moment.", err}
}

// logout ends our session first and then asks the provider to end its own
// (OpenID Connect RP-Initiated Logout 1.0).
func (a *app) logout(w http.ResponseWriter, r *http.Request) error {
	s, ok := a.signedIn(w, r)
	if !ok {
		return nil
	}
	a.signOut(w, r)
	p, err := a.provider(r.Context())
	if err != nil || p.endSession == "" {
		http.Redirect(w, r, LoggedOutPath, http.StatusSeeOther)
		return nil //nolint:nilerr // who wants out is let out, whatever the provider says
	}
	state := rand.Text()
	a.attempts.put(state, attempt{browser: a.browser(w, r)})
	end, err := url.Parse(p.endSession)
	if err != nil {
		return err
	}
	s.mu.Lock()
	hint := s.idToken
	s.mu.Unlock()
	query := end.Query()
	query.Set("id_token_hint", hint)
	query.Set("client_id", a.ClientID)
	query.Set("post_logout_redirect_uri", a.BaseURL+LoggedOutPath)
	query.Set("state", state)
	end.RawQuery = query.Encode()
	http.Redirect(w, r, end.String(), http.StatusSeeOther)
	return nil
}

// loggedOut is where the provider sends the browser after a logout. Only with our
// state does it say that the provider took part.
func (a *app) loggedOut(w http.ResponseWriter, r *http.Request) error {
	_, err := a.finish(r, r.URL.Query())
	show(w, http.StatusOK, "logged-out", loggedOutPage{Everywhere: err == nil})
	return nil
}
