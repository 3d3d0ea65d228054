// Package app is a web application that people log in to with OpenID Connect. It
// is small, and it is complete: copy from it.
//
// What an application has to get right is in login.go: it makes three secrets for
// each login (state, nonce and PKCE verifier), keeps them where only the browser
// that began can reach them, and believes nothing that comes back without them.
// The tokens stay here, on the server; the browser has a cookie that means
// nothing to anybody else. The rest, in account.go, is what one does with them:
// ask for more about the person, fetch fresh tokens, log out.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Config says who the application is and whom it trusts.
type Config struct {
	Issuer       string // the provider, as its discovery document names it: https://dex.example.com
	ClientID     string
	ClientSecret string // empty for a public client

	// BaseURL is where browsers find the application: https://app.example.com.
	// The client is registered at the provider with two addresses below it,
	// [CallbackPath] as redirect URI and [LoggedOutPath] as post-logout one.
	BaseURL string

	HTTPClient *http.Client // asks the provider; one with a time limit if it is nil
	Logger     *slog.Logger // slog.Default if it is nil
}

// What the provider sends the browser back to, below [Config.BaseURL].
const (
	CallbackPath  = "/callback"
	LoggedOutPath = "/logged-out"
)

// app is the running application.
type app struct {
	Config
	base     *url.URL
	attempts *memory[attempt]  // by state: logins and logouts under way
	sessions *memory[*session] // by cookie: who is logged in

	mu    sync.Mutex
	known *provider // nil until it has answered
}

// provider is what the discovery document says.
type provider struct {
	*oidc.Provider
	endSession string // where to log out; empty if that is not supported
	namesIss   bool   // RFC 9207: each answer comes with iss
}

// New returns the application. It asks the provider nothing until somebody wants
// to log in, so the two may be started in any order.
func New(c Config) (http.Handler, error) {
	base, err := url.Parse(strings.TrimSuffix(c.BaseURL, "/"))
	if err != nil || base.Host == "" || base.Path != "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("app: the base URL %q is not of the form https://app.example.com", c.BaseURL)
	}
	if c.Issuer == "" || c.ClientID == "" {
		return nil, errors.New("app: the issuer and the client's id are needed")
	}
	c.BaseURL = base.String()
	if c.HTTPClient == nil {
		c.HTTPClient = &http.Client{Timeout: 10 * time.Second}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	a := &app{
		Config:   c,
		base:     base,
		attempts: newMemory[attempt](1000, 10*time.Minute),
		sessions: newMemory[*session](1000, 12*time.Hour),
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", a.handle(a.index))
	mux.Handle("POST /login", a.handle(a.login))
	mux.Handle("GET "+CallbackPath, a.handle(a.callback))
	mux.Handle("POST /userinfo", a.handle(a.userinfo))
	mux.Handle("POST /refresh", a.handle(a.refresh))
	mux.Handle("POST /logout", a.handle(a.logout))
	mux.Handle("GET "+LoggedOutPath, a.handle(a.loggedOut))
	mux.HandleFunc("GET /app.css", serveStyle)

	// A form of somebody else's page cannot log our people out, or in.
	return a.onlyHere(http.NewCrossOriginProtection().Handler(mux)), nil
}

// onlyHere sends whoever comes by another name to ours: localhost and 127.0.0.1
// are one machine but two places for cookies, and a login that begins in one
// would end in the other.
func (a *app) onlyHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// There is no form-action here: browsers apply it to every redirect that
		// follows a form, and ours lead to the provider and wherever it leads.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer") // the callback's URL holds a code
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if r.Host != a.base.Host {
			http.Redirect(w, r, a.BaseURL+"/", http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// handle joins a handler to the one place where its errors are logged and shown.
func (a *app) handle(h func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// go-oidc and oauth2 both find the client in the context.
		err := h(w, r.WithContext(oidc.ClientContext(r.Context(), a.HTTPClient)))
		if err == nil {
			return
		}
		f, ok := errors.AsType[*failure](err)
		if !ok {
			f = &failure{status: http.StatusInternalServerError, message: "Something went wrong here.", err: err}
		}
		a.Logger.WarnContext(r.Context(), "request failed", "path", r.URL.Path, "status", f.status, "error", err)
		show(w, f.status, "error", errorPage{Message: f.message, Detail: f.detail()})
	})
}

// failure is an error with a page of its own.
type failure struct {
	status  int
	message string // a sentence for the person
	err     error  // the cause, for whoever develops
}

// Error implements error.
func (f *failure) Error() string { return strings.TrimSuffix(f.message+" "+f.detail(), " ") }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

// detail is shown too: this is an example, and who runs it wants to know. An
// application for others keeps it in its log.
func (f *failure) detail() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

// index is the front page: the way in, or what we know of who is in.
func (a *app) index(w http.ResponseWriter, r *http.Request) error {
	s, ok := a.session(r)
	if !ok {
		show(w, http.StatusOK, "index", indexPage{Issuer: a.Issuer, ClientID: a.ClientID, Scopes: scopeChoices})
		return nil
	}
	show(w, http.StatusOK, "account", s.page())
	return nil
}

// provider returns what the discovery document says. It is fetched once; if that
// fails, whoever comes next tries again.
func (a *app) provider(ctx context.Context) (*provider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known != nil {
		return a.known, nil
	}
	found, err := oidc.NewProvider(ctx, a.Issuer)
	if err != nil {
		return nil, &failure{http.StatusBadGateway, "The login service cannot be reached at the moment.", err}
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
		NamesIss   bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, &failure{http.StatusBadGateway, "The login service describes itself in a way that we cannot read.", err}
	}
	a.known = &provider{found, more.EndSession, more.NamesIss}
	return a.known, nil
}

// oauth returns our side of the conversation with the provider.
func (a *app) oauth(p *provider, scopes ...string) *oauth2.Config {
	endpoint := p.Endpoint()
	// Left to itself, the library finds out by trying how the provider wants to
	// be shown the secret, and the trial spends the code.
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if a.ClientSecret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID:     a.ClientID,
		ClientSecret: a.ClientSecret,
		Endpoint:     endpoint,
		RedirectURL:  a.BaseURL + CallbackPath,
		Scopes:       scopes,
	}
}
