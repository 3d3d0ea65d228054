package ctl

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/protocol/oauth"
)

// loopbackPath is where the browser comes back to. The registered redirect URI of the
// client is http://127.0.0.1/callback; the port is free, RFC 8252 section 7.3.
const loopbackPath = "/callback"

// loginPatience is how long a login in a browser may take.
const loginPatience = 10 * time.Minute

// byBrowser lets the person log in with a browser on this machine.
func (w World) byBrowser(ctx context.Context, a authority, t Target) (Token, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return Token{}, err
	}
	r := &returning{
		world: w, authority: a, target: t, host: listener.Addr().String(),
		state: rand.Text(), verifier: rand.Text() + rand.Text(),
		outcome: make(chan outcome, 1),
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 2 * callTimeout, IdleTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	defer func() { // the browser gets its page to the end
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if server.Shutdown(end) != nil {
			_ = server.Close()
		}
	}()
	w.invite(ctx, r.question())
	ctx, cancel := context.WithTimeout(ctx, loginPatience)
	defer cancel()
	select {
	case o := <-r.outcome:
		return o.token, o.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return Token{}, fault.New(fault.Denied, "Nobody has logged in for %s. Run dexctl login again.", loginPatience)
		}
		return Token{}, ctx.Err()
	}
}

// invite opens the address in a browser where there is one, and always tells it.
func (w World) invite(ctx context.Context, address string) {
	if w.Browse != nil && w.Browse(ctx, address) == nil {
		w.say("Your browser opens to log you in. If it does not, open this address:\n\n    %s\n", address)
		return
	}
	w.say("To log in, open this address in a browser on this machine:\n\n    %s\n", address)
}

// returning is a login on its way through a browser, and the server that the browser
// comes back to.
type returning struct {
	world     World
	authority authority
	target    Target
	host      string // of this server
	state     string
	verifier  string
	outcome   chan outcome
}

type outcome struct {
	token Token
	err   error
}

func (r *returning) redirectURI() string { return "http://" + r.host + loopbackPath }

// question is the authorization request.
func (r *returning) question() string {
	u, err := url.Parse(r.authority.Authorization)
	if err != nil { // checkEndpoint has parsed it before
		return r.authority.Authorization
	}
	q := u.Query()
	for name, value := range map[string]string{
		"client_id": r.target.ClientID, "redirect_uri": r.redirectURI(), "response_type": "code",
		"scope": r.authority.wanted(true), "state": r.state,
		"code_challenge": string(oauth.ChallengeOf(r.verifier)), "code_challenge_method": oauth.MethodS256,
	} {
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// ServeHTTP answers the browser that comes back. What does not hold the state of this
// login is not from it, and changes nothing.
func (r *returning) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	switch {
	case req.Host != r.host || req.URL.Path != loopbackPath || req.Method != http.MethodGet:
		http.NotFound(w, req)
		return
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(r.state)) != 1:
		writePage(w, http.StatusBadRequest, page{Title: "This is not your login", Text: "This address belongs to no login that is under way. Go back to the terminal and open the address that it shows."})
		return
	}
	token, err := r.redeem(req.Context(), q)
	select {
	case r.outcome <- outcome{token, err}:
	default: // the browser has come twice; the first counts
	}
	if err != nil {
		writePage(w, http.StatusForbidden, page{Title: "You are not logged in", Text: sentence(err), After: "Go back to the terminal and run dexctl login again."})
		return
	}
	writePage(w, http.StatusOK, page{Done: true, Title: "You are logged in", Text: "dexctl may now act for you at " + r.target.API + ".", After: "Close this page and go back to the terminal."})
}

// redeem takes the answer of the issuer for what it is, and exchanges the code.
func (r *returning) redeem(ctx context.Context, q url.Values) (Token, error) {
	iss := q.Get("iss")
	if iss != r.authority.Issuer && (iss != "" || r.authority.SaysItsOwnName) { // RFC 9207 section 2.4
		return Token{}, fmt.Errorf("the answer comes from %q, but was asked of %s", iss, r.authority.Issuer)
	}
	if code := q.Get("error"); code != "" {
		return Token{}, &answerError{Code: code, Description: q.Get("error_description")}
	}
	if q.Get("code") == "" {
		return Token{}, errors.New("the issuer's answer holds no code")
	}
	return r.authority.obtain(ctx, r.target, applicant{id: r.target.ClientID}, url.Values{
		"grant_type": {oauth.GrantAuthorizationCode}, "code": {q.Get("code")}, "redirect_uri": {r.redirectURI()}, "code_verifier": {r.verifier},
	}, r.world.Clock.Now)
}

// page is what the browser shows at the end.
type page struct {
	Done  bool
	Title string
	Text  string
	After string
}

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
	pagePolicy   = "default-src 'none'; style-src 'sha256-" + styleHash() + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func writePage(w http.ResponseWriter, status int, p page) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		page
		Style template.CSS
	}{p, template.CSS(pageStyle)}) //nolint:gosec // the style is our own
	if err != nil {
		http.Error(w, p.Title, status)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// sentence makes an error one that stands by itself on a page.
func sentence(err error) string {
	s := Plain(err.Error())
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimRight(s[1:], ".") + "."
}
