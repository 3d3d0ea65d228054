package app

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// attempt is a login or logout under way. It is kept under its state.
type attempt struct {
	browser  string // the cookie of the browser that began
	nonce    string // comes back in the ID token
	verifier string // proves that who redeems the code is who asked for it
}

// scopeChoices are what the front page offers to ask for, beside openid.
var scopeChoices = []scopeChoice{
	{"profile", "your name", true},
	{"email", "your mail address", true},
	{"groups", "the groups you are in", true},
	{"offline_access", "a refresh token, to keep you logged in", true},
}

// login begins: it remembers the three secrets and sends the browser to the
// provider.
func (a *app) login(w http.ResponseWriter, r *http.Request) error {
	p, err := a.provider(r.Context())
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return &failure{http.StatusBadRequest, "The form could not be read.", err}
	}
	scopes := []string{oidc.ScopeOpenID}
	for _, c := range scopeChoices {
		if slices.Contains(r.PostForm["scope"], c.Name) {
			scopes = append(scopes, c.Name)
		}
	}
	state := rand.Text()
	begun := attempt{browser: a.browser(w, r), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	a.attempts.put(state, begun)
	http.Redirect(w, r, a.oauth(p, scopes...).AuthCodeURL(
		state,
		oidc.Nonce(begun.nonce),
		oauth2.S256ChallengeOption(begun.verifier),
	), http.StatusSeeOther)
	return nil
}

// callback is where the provider sends the browser back, with a code or with an
// error. Nothing of it is believed before it has been matched with an attempt of
// this browser.
func (a *app) callback(w http.ResponseWriter, r *http.Request) error {
	p, err := a.provider(r.Context())
	if err != nil {
		return err
	}
	answer := r.URL.Query()
	begun, err := a.finish(r, answer)
	if err != nil {
		return err
	}
	if err := checkIssuer(answer, a.Issuer, p.namesIss); err != nil {
		return &failure{http.StatusBadRequest, "This answer does not come from the login service that was asked.", err}
	}
	if code := answer.Get("error"); code != "" {
		return refused(code, answer.Get("error_description"))
	}
	token, err := a.oauth(p).Exchange(r.Context(), answer.Get("code"), oauth2.VerifierOption(begun.verifier))
	if err != nil {
		return &failure{http.StatusBadGateway, "The login service did not accept the code that it had given out.", err}
	}
	s, err := a.open(r.Context(), p, token, begun.nonce)
	if err != nil {
		return &failure{http.StatusBadGateway, "The login service's answer cannot be trusted.", err}
	}
	// A cookie that was there before the login is never the one after it, or
	// whoever planted it would be in, too.
	a.signOut(w, r)
	a.signIn(w, s)
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// finish returns the attempt that this answer belongs to, once. An answer that
// another browser brings is somebody's who wants to be logged in here as himself;
// it does not spend the attempt.
func (a *app) finish(r *http.Request, answer url.Values) (attempt, error) {
	state := answer.Get("state")
	begun, ok := a.attempts.get(state)
	if !ok || !a.sameBrowser(r, begun) {
		return attempt{}, &failure{status: http.StatusBadRequest, message: "This login was not begun in this browser, or it was too long ago."}
	}
	if !a.attempts.take(state) {
		return attempt{}, &failure{status: http.StatusBadRequest, message: "This login has been finished already."}
	}
	return begun, nil
}

// checkIssuer makes sure that the answer is from whom we asked and not from
// another provider that the browser was led through (RFC 9207, section 2.4).
func checkIssuer(answer url.Values, issuer string, promised bool) error {
	switch given := answer["iss"]; {
	case len(given) == 0 && !promised:
		return nil
	case len(given) == 0:
		return errors.New("the answer does not say who it is from, although the provider promises to")
	case len(given) > 1 || given[0] != issuer:
		return fmt.Errorf("the answer is from %q, and %q was asked", given, issuer)
	}
	return nil
}

// refused is an error that the provider told us (RFC 6749, section 4.1.2.1).
func refused(code, description string) error {
	f := &failure{status: http.StatusBadRequest, message: "The login service refused.", err: errors.New(code)}
	if description != "" {
		f.err = fmt.Errorf("%s: %s", code, description)
	}
	if code == "access_denied" {
		f.status, f.message = http.StatusForbidden, "You did not let this application in."
	}
	return f
}

// open makes a session out of tokens. The verifier has looked at signature,
// issuer, audience and expiry when it returns; what it cannot know is left to us.
func (a *app) open(ctx context.Context, p *provider, token *oauth2.Token, nonce string) (*session, error) {
	id, raw, err := a.verify(ctx, p, token)
	if err != nil {
		return nil, err
	}
	// A token with another nonce is a good one of another login.
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return nil, errors.New("the ID token's nonce is not the one that was sent")
	}
	s := &session{token: token}
	return s, s.identify(id, raw)
}

// verify returns the ID token that came with the others (OpenID Connect Core,
// section 3.1.3.7).
func (a *app) verify(ctx context.Context, p *provider, token *oauth2.Token) (id *oidc.IDToken, raw string, err error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, "", errors.New("no ID token came")
	}
	id, err = p.VerifierContext(ctx, &oidc.Config{ClientID: a.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, "", err
	}
	var more struct {
		AuthorizedParty *string `json:"azp"`
	}
	if err := id.Claims(&more); err != nil {
		return nil, "", err
	}
	if more.AuthorizedParty != nil && *more.AuthorizedParty != a.ClientID {
		return nil, "", fmt.Errorf("the ID token was made for %q", *more.AuthorizedParty)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, "", err
		}
	}
	return id, raw, nil
}
