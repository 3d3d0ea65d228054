package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"

	"dex/internal/base/clock"
	"dex/internal/connector"
	"dex/internal/connector/oidc"
)

// Where our relying party is. Nobody listens there: its browser stops when it is sent
// to one of these, and takes back what it was sent with.
const (
	RedirectURI           = "https://dex.example.com/callback/suite"
	PostLogoutRedirectURI = "https://dex.example.com/logout/done"
)

// Party is the oidc connector as a relying party of the suite: it logs in, refreshes
// and logs out as dex would have it do. Each module has a connector of its own, which
// knows nothing of the one before: the suite has other keys each time.
type Party struct {
	Client  *http.Client      // by which the connector asks
	Browser http.RoundTripper // by which its browser goes
	Clock   clock.Clock
	Key     string // private, in PEM, for private_key_jwt and request objects
}

// LogIn goes through what a module wants to see of a relying party. An error is what
// the connector says: that of a module which wants it to refuse is as it should be.
func (h Party) LogIn(ctx context.Context, v Visit) error {
	id, secret := v.Plan.client(v.Config)
	if v.Plan.Name == "oidcc-client-dynamic-certification-test-plan" {
		var err error
		if id, secret, err = h.register(ctx, v); err != nil {
			return err
		}
	}
	settings, err := json.Marshal(h.settings(v, id, secret))
	if err != nil {
		return err
	}
	c, err := oidc.Kind.New(settings, connector.Env{ID: "suite", Client: h.Client, Clock: h.Clock, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	times := 1
	if v.Module.Name == "oidcc-client-test-signing-key-rotation" {
		times = 2 // the keys are other ones when it comes again
	}
	var step connector.Step
	for range times {
		if step, err = h.conversation(ctx, c, v); err != nil {
			return err
		}
	}
	if r, ok := c.(connector.Refresher); ok {
		if _, err := r.Refresh(ctx, *step.Identity); err != nil {
			return err
		}
	}
	if strings.Contains(v.Plan.Name, "logout") {
		return h.logOut(ctx, c.(connector.Ender), step)
	}
	return nil
}

// client is how the suite knows us.
func (p Plan) client(config map[string]any) (id, secret string) {
	c, _ := config["client"].(object)
	id, _ = c["client_id"].(string)
	secret, _ = c["client_secret"].(string)
	return id, secret
}

// settings are those of the connector for a module.
func (h Party) settings(v Visit, id, secret string) map[string]any {
	auth := v.Plan.auth()
	if v.Module.Variant["client_auth_type"] != "" {
		auth = v.Module.Variant["client_auth_type"]
	}
	s := map[string]any{
		"issuer": v.Issuer, "client_id": id, "client_secret": secret, "auth_method": auth,
		"scopes": []string{"profile", "email", "address", "phone"}, "keys_min_refresh": "0s",
		// The suite's providers of OpenID Connect are of the age in which an assertion was
		// for the token endpoint.
		"assertion_audience": "token_endpoint",
	}
	switch auth {
	case "private_key_jwt":
		s["client_secret"], s["signing_key"] = "", h.Key
	case "none":
		s["client_secret"] = ""
	}
	if v.Module.Variant["request_type"] == "request_object" || v.Plan.Variant["request_type"] == "request_object" {
		s["request_object"], s["signing_key"] = true, h.Key
	}
	if strings.Contains(v.Plan.Name, "formpost") || v.Module.Variant["response_mode"] == "form_post" {
		s["response_mode"] = "form_post"
	}
	switch name := v.Module.Name; {
	case strings.HasPrefix(name, "oidcc-client-test-refresh-token"):
		s["refresh"] = true
	case name == "oidcc-client-test-userinfo-bearer-body":
		s["userinfo_token"] = "body"
	case name == "oidcc-client-test-userinfo-signed":
		s["signed_userinfo"] = true
	}
	return s
}

// conversation is a login from its beginning to its end.
func (h Party) conversation(ctx context.Context, c connector.Connector, v Visit) (connector.Step, error) {
	l := connector.Login{ID: "attempt-of-" + v.Module.Name, CallbackURL: RedirectURI}
	if v.Module.Name == "oidcc-client-test-formpost-error" {
		none := time.Duration(0)
		l.Silent, l.MaxAge = true, &none // nobody is logged in there, and nobody may be asked
	}
	step, err := c.Begin(ctx, l)
	if err != nil {
		return step, err
	}
	back, err := h.browse(ctx, step.Prompt.Redirect, RedirectURI)
	if err != nil {
		return step, err
	}
	if step, err = c.Continue(ctx, l, connector.Answer{Form: back, State: step.Prompt.State}); err != nil {
		return step, err
	}
	if step.Identity == nil {
		return step, errors.New("the login has no end")
	}
	return step, nil
}

// logOut ends the session at the suite, and comes back.
func (h Party) logOut(ctx context.Context, e connector.Ender, step connector.Step) error {
	const state = "parting"
	to, err := e.EndURL(ctx, step.Upstream, PostLogoutRedirectURI, state)
	if err != nil || to == "" {
		return err
	}
	back, err := h.browse(ctx, to, PostLogoutRedirectURI)
	if err == nil && back.Get("state") != state {
		err = errors.New("the logout came back with another state")
	}
	return err
}

// register makes us a client of the suite's. OpenID Connect Dynamic Client
// Registration, section 3.
func (h Party) register(ctx context.Context, v Visit) (id, secret string, err error) {
	var m struct {
		RegistrationEndpoint string `json:"registration_endpoint"`
	}
	if err := h.json(ctx, http.MethodGet, strings.TrimSuffix(v.Issuer, "/")+"/.well-known/openid-configuration", nil, &m); err != nil {
		return "", "", err
	}
	var made struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	err = h.json(ctx, http.MethodPost, m.RegistrationEndpoint, v.Config["client"], &made)
	return made.ClientID, made.ClientSecret, err
}

func (h Party) json(ctx context.Context, method, address string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.Client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers with %d", address, resp.StatusCode)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}

// browse goes to an address as a browser would, until it is sent to the one that it is
// to stop at, and returns what it was sent there with: by a redirect, or by a form that
// sends itself.
func (h Party) browse(ctx context.Context, address, stop string) (url.Values, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{
		Transport: h.Browser, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for range 20 {
		if u, err := url.Parse(address); err != nil {
			return nil, err
		} else if strings.HasPrefix(address, stop) {
			return u.Query(), nil
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return nil, err
		}
		next, form, err := step(browser, req, stop)
		if err != nil {
			return nil, err
		}
		if form != nil {
			return form, nil
		}
		address = next
	}
	return nil, errors.New("the browser is sent around in circles")
}

// step makes one request of the browser.
func step(browser *http.Client, req *http.Request, stop string) (next string, form url.Values, err error) {
	resp, err := browser.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	if to, err := resp.Location(); err == nil {
		return to.String(), nil, nil
	}
	page, err := html.Parse(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", nil, err
	}
	if form := formTo(page, stop); form != nil {
		return "", form, nil
	}
	return "", nil, fmt.Errorf("the browser stays at %s, with status %d", req.URL.Redacted(), resp.StatusCode)
}

// formTo returns the fields of the form of a page that is sent to an address.
func formTo(page *html.Node, address string) url.Values {
	for n := range page.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || attribute(n, "action") != address {
			continue
		}
		fields := url.Values{}
		for in := range n.Descendants() {
			if in.Type == html.ElementNode && in.Data == "input" && attribute(in, "name") != "" {
				fields.Add(attribute(in, "name"), attribute(in, "value"))
			}
		}
		return fields
	}
	return nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
