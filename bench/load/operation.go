package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
)

// Operation is one thing that clients do again and again.
type Operation struct {
	Name string
	// Alg says that the operation yields ID tokens, so that their algorithm matters.
	Alg bool

	prepare func(*worker) error // once a client, and not measured
	do      func(*worker) error
}

// Operations are those of the budget table, in its order.
var Operations = []Operation{
	{Name: Discovery, do: get(func(*Target) string { return discoveryPath }, `"issuer"`)},
	{Name: Keys, do: get(func(t *Target) string { return t.paths.keys }, `"keys"`)},
	{Name: ClientCredentials, do: actForItself},
	{Name: SignedCredentials, do: actBySigning},
	{Name: BoundCredentials, do: actBound},
	{Name: PushedRequest, do: push},
	{Name: FirstLogin, Alg: true, do: firstLogin},
	{Name: SessionLogin, Alg: true, prepare: signIn, do: sessionLogin},
	{Name: Refresh, Alg: true, prepare: signIn, do: refresh},
	{Name: Userinfo, prepare: signIn, do: userinfo},
	{Name: Introspection, prepare: signIn, do: introspect},
}

// The names of the operations.
const (
	Discovery         = "discovery"
	Keys              = "keys"
	ClientCredentials = "client credentials"
	SignedCredentials = "client credentials, private_key_jwt"
	BoundCredentials  = "client credentials, DPoP"
	PushedRequest     = "pushed request"
	FirstLogin        = "first login"
	SessionLogin      = "login with a session"
	Refresh           = "refresh"
	Userinfo          = "userinfo"
	Introspection     = "introspection"
)

// Find returns the operation of a name.
func Find(name string) (Operation, bool) {
	for _, o := range Operations {
		if o.Name == name {
			return o, true
		}
	}
	return Operation{}, false
}

// worker is one of the clients that put the load on, with what it needs from one
// time to the next.
type worker struct {
	target  *Target
	browser *Browser
	number  int
	turn    int
	tokens  Tokens
	prover  *prover
}

func newWorker(t *Target, number int) *worker {
	return &worker{target: t, browser: NewBrowser(t), number: number, prover: newProver()}
}

// user is another one each time, and another one for each worker.
func (w *worker) user() int {
	w.turn++
	return (w.number*37+w.turn)%w.target.Users + 1
}

func (w *worker) conn() *Conn { return w.browser.conn }

// get fetches a document of the server's and looks whether it is the one.
func get(path func(*Target) string, part string) func(*worker) error {
	want := []byte(part)
	return func(w *worker) error {
		r := Request{Method: "GET", Path: path(w.target)}
		resp, err := w.conn().Do(r)
		if err != nil {
			return err
		}
		if resp.Status != 200 || !bytes.Contains(resp.Body, want) {
			return unexpected(r, resp)
		}
		return nil
	}
}

func actForItself(w *worker) error {
	_, err := w.target.post(w.conn(), "grant_type=client_credentials")
	return err
}

// firstLogin is that of a browser which has never been here.
func firstLogin(w *worker) error {
	w.browser.Forget()
	_, err := w.browser.Login(w.user(), ScopesOffline)
	return err
}

// signIn opens the session, and gets the tokens, that other operations begin with.
func signIn(w *worker) (err error) {
	w.browser.Forget()
	w.tokens, err = w.browser.Login(w.user(), ScopesOffline)
	return err
}

func sessionLogin(w *worker) error {
	_, err := w.browser.Resume(ScopesOnline)
	return err
}

func refresh(w *worker) error {
	tokens, err := w.target.post(w.conn(), refreshing(w.tokens.RefreshToken))
	if err != nil {
		return err
	}
	if tokens.RefreshToken == "" || tokens.RefreshToken == w.tokens.RefreshToken {
		return errors.New("the refresh token was not rotated")
	}
	w.tokens = tokens
	return nil
}

func userinfo(w *worker) error {
	r := Request{
		Method: "GET", Path: w.target.paths.userinfo,
		Header: []string{"Authorization", "Bearer " + w.tokens.AccessToken},
	}
	resp, err := w.conn().Do(r)
	if err != nil {
		return err
	}
	if resp.Status != 200 || !bytes.Contains(resp.Body, []byte(`"sub"`)) {
		return unexpected(r, resp)
	}
	return nil
}

func introspect(w *worker) error {
	r := Request{
		Method: "POST", Path: w.target.paths.introspection,
		Header: []string{"Authorization", w.target.basic()},
		Body:   "token_type_hint=access_token&token=" + url.QueryEscape(w.tokens.AccessToken),
	}
	resp, err := w.conn().Do(r)
	if err != nil {
		return err
	}
	if resp.Status != 200 {
		return unexpected(r, resp)
	}
	if !bytes.Contains(resp.Body, []byte(`"active":true`)) && !bytes.Contains(resp.Body, []byte(`"active": true`)) {
		return fmt.Errorf("the token is not active: %.200q", resp.Body)
	}
	return nil
}
