// Package token is where clients come by themselves, without a browser: the token
// endpoint with one file for each grant type, introspection and revocation.
//
// A grant only proves; the endpoint does the rest. It authenticates the client,
// asks the gate, and mints, so that no grant can forget to.
package token

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/route"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Handler serves the token, introspection and revocation endpoints.
type Handler struct {
	Issuer      string
	Lifetimes   tenant.Lifetimes
	Clients     client.Store
	Documents   *client.Documents // where clients publish their keys
	Grants      grant.Store
	Desk        grant.Desk
	Proofs      *proof.Desk
	Authorities *x509.CertPool // who vouch for the certificates of clients; nil for nobody
	Mint        *mint.Mint
	Refresh     mint.RefreshTokens
	Access      mint.Reader
	Clock       clock.Clock
	Types       []Grant  // the grant types that are served
	Details     []string // the types of authorization details that there are
	Devices     grant.DeviceStore
	Users       user.Store
	// Subject returns the account that an ID token of ours was about which the client was
	// given, expired or not.
	Subject   func(idToken string, c client.Client) (subject string, ok bool)
	UserCodes *seal.MACKey // what people type is kept as a MAC
	Meter     measure.Meter
}

// Grant turns one kind of proof into what the client is entitled to.
type Grant interface {
	// Type is the grant_type that it answers to.
	Type() string
	// Redeem checks the proof in req and returns what it entitles the client to,
	// with the gate's permit. It returns an [oauth.Error] if the proof does not hold,
	// or the gate's [grant.Denial].
	Redeem(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error)
}

// Entitlement is what a proof entitles a client to.
type Entitlement struct {
	Permit  grant.Permit
	Profile *user.Profile     // of the person; nil if the client acts for itself
	Refresh mint.RefreshToken // the refresh token that goes with it; its zero value is none
	Device  secret.Value      // the device secret that goes with it, if one does
	Issued  string            // the type of the token that is given, where the client has to be told
}

// Routes adds the flow to a mux.
func (h *Handler) Routes(mux *http.ServeMux) {
	mux.Handle("POST "+route.Token, h.endpoint(h.serve))
	mux.Handle("POST "+route.DeviceRequest, h.endpoint(h.device))
	mux.Handle("POST "+route.Backchannel, h.endpoint(h.backchannel))
	mux.Handle("POST "+route.Introspect, h.endpoint(h.introspect))
	mux.Handle("POST "+route.Revoke, h.endpoint(h.revoke))
	for _, path := range []string{route.Token, route.Revoke, route.PushRequest} {
		mux.Handle("OPTIONS "+path, httpx.Handle(h.preflight, writeError))
	}
}

// endpoint serves what no cache may keep. All answers say so already, in the way of
// HTTP/1.1; RFC 6749 section 5.1 asks for the older one beside it.
func (h *Handler) endpoint(f httpx.HandlerFunc) http.Handler {
	return httpx.Handle(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Pragma", "no-cache")
		return f(w, r)
	}, writeError)
}

// Serve serves another flow's route to which clients come by themselves. Whoever asks has
// proven who they are when it is called, and which keys are theirs; errors are answered
// as here.
func (h *Handler) Serve(path string, serve func(http.ResponseWriter, *http.Request, client.Client, url.Values, oauth.Binding) error) http.Handler {
	return h.endpoint(func(w http.ResponseWriter, r *http.Request) error {
		form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
		if err != nil {
			return err
		}
		c, err := h.authenticate(w, r, form)
		if err != nil {
			return err
		}
		proven, use, err := h.prove(w, r, path)
		if err != nil {
			return err
		}
		// A public client has proven nothing, so that nothing is kept for it: what it gets
		// here it has to redeem by another proof.
		if !c.Public {
			if err := use(r.Context()); err != nil {
				return err
			}
		}
		return serve(w, r, c, form, proven)
	})
}

// preflight answers a browser that asks whether a page may send a request. Which
// client it is for is not known yet; some client must have registered the origin.
func (h *Handler) preflight(w http.ResponseWriter, r *http.Request) error {
	return httpx.Preflight(w, r, "POST", h.Clients.AllowsOrigin)
}

// serve answers a token request, RFC 6749 section 3.2.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	var asked asked
	err := h.exchange(w, r, &asked)
	code := ""
	switch {
	case httpx.HungUp(r.Context(), err):
		code = string(measure.HungUp)
	case err != nil:
		code = string(translate(err).Code)
	}
	measure.Token(h.Meter, asked.grantType, asked.client, code)
	return err
}

// asked is what is known of a request: only what is configured.
type asked struct{ client, grantType string }

// exchange answers a token request, and notes what becomes known of it.
func (h *Handler) exchange(w http.ResponseWriter, r *http.Request, a *asked) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	c, err := h.authenticate(w, r, form)
	if err != nil {
		return err
	}
	a.client = c.ID
	req, err := oauth.ParseTokenRequest(form)
	if err != nil {
		return err
	}
	httpx.Annotate(r.Context(), slog.String("grant_type", clip(req.GrantType)))
	g, err := h.grantFor(c, req.GrantType)
	if err != nil {
		return err
	}
	a.grantType = g.Type()
	var use proof.Use
	if req.Binding, use, err = h.bind(w, r, c); err != nil {
		return err
	}
	req.From = httpx.Addr(r)
	// Whoever has proven nothing else shows a grant first, and has nothing kept without one.
	if !c.Public {
		if err := use(r.Context()); err != nil {
			return err
		}
	}
	for _, resource := range req.Resources { // before anything is spent
		if !c.MayReach(resource, h.Issuer) {
			return oauth.Errorf(oauth.InvalidTarget, "The client may not ask for tokens for this resource.")
		}
	}
	if err := c.CheckDetails(req.Details, h.Details); err != nil {
		return err
	}
	e, err := g.Redeem(r.Context(), c, req)
	if err != nil {
		return err
	}
	if c.Public {
		if err := use(r.Context()); err != nil {
			return err
		}
	}
	if c, err = h.Documents.ToEncrypt(r.Context(), c, c.IDTokenEncryption); err != nil {
		return err
	}
	permit, err := e.Permit.Toward(c, h.Issuer, req.Resources)
	if err != nil {
		return err
	}
	if permit, err = permit.InDetail(req.Details); err != nil {
		return err
	}
	permit, now := permit.BoundTo(req.Binding), h.Clock.Now()
	var answer oauth.TokenResponse
	if e.Issued == oauth.TokenTypeIDJAG {
		answer, err = h.Mint.Assertion(permit, c, now)
	} else {
		answer, err = h.Mint.Tokens(permit, c, e.Profile, now)
	}
	if err != nil {
		return err
	}
	answer.IssuedType, answer.DeviceSecret = e.Issued, string(e.Device)
	if e.Refresh.Generation > 0 {
		answer.RefreshToken = string(h.Refresh.Token(e.Refresh))
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// bind returns the keys that what comes of a token request is bound to. No grant is
// asked, so that none can forget to.
func (h *Handler) bind(w http.ResponseWriter, r *http.Request, c client.Client) (oauth.Binding, proof.Use, error) {
	proven, use, err := h.prove(w, r, route.Token)
	if err != nil {
		return proven, nil, err
	}
	bound, err := proof.Bind(c, proven)
	return bound, use, err
}

// prove returns the keys that the sender of a request to one of our routes holds.
func (h *Handler) prove(w http.ResponseWriter, r *http.Request, path string) (oauth.Binding, proof.Use, error) {
	shown := proof.Shown{DPoP: r.Header.Values("DPoP"), Certificates: httpx.Certificates(r), Method: r.Method, Path: path}
	if nonce := h.Proofs.Nonce(shown); nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	return h.Proofs.Look(shown)
}

func (h *Handler) grantFor(c client.Client, grantType string) (Grant, error) {
	for _, g := range h.Types {
		if g.Type() != grantType {
			continue
		}
		if !c.May(grantType) {
			return nil, oauth.Errorf(oauth.UnauthorizedClient, "This client may not use this grant type.")
		}
		return g, nil
	}
	return nil, oauth.Errorf(oauth.UnsupportedGrantType, "There is no such grant type here.")
}

// authenticate finds out which client asks, RFC 6749 section 2.3. All that can be
// wrong looks the same from outside.
func (h *Handler) authenticate(w http.ResponseWriter, r *http.Request, form url.Values) (client.Client, error) {
	ctx := r.Context()
	if r.URL.RawQuery != "" {
		return client.Client{}, oauth.Errorf(oauth.InvalidRequest, "Parameters belong in the body.")
	}
	cred, err := oauth.ParseCredentials(r.Header.Values("Authorization"), form)
	if err != nil {
		return client.Client{}, err
	}
	httpx.Annotate(ctx, slog.String("client", clip(cred.ClientID)))
	c, err := h.Clients.Client(ctx, cred.ClientID)
	if fault.Is(err, fault.NotFound) {
		return client.Client{}, refused(err)
	}
	if err != nil {
		return client.Client{}, err
	}
	if cred.Assertion != "" || c.AuthMethod == oauth.AuthSelfSignedTLS {
		if c, err = h.Documents.WithKeys(ctx, c, jose.NamedKey(cred.Assertion)); err != nil {
			return client.Client{}, refused(err)
		}
	}
	now := h.Clock.Now()
	used, err := client.Authenticate(c, cred, client.Endpoint{
		Issuer: h.Issuer, Bases: h.Proofs.Bases, Path: r.URL.Path, Certificates: httpx.Certificates(r), Authorities: h.Authorities,
	}, now)
	if err != nil {
		return client.Client{}, refused(err)
	}
	if !used.Expires.IsZero() {
		err := h.Clients.ConsumeAssertion(ctx, c.ID, used.JTI, used.Expires, now)
		if fault.Is(err, fault.Conflict) {
			return client.Client{}, refused(err)
		}
		if err != nil {
			return client.Client{}, err
		}
	}
	httpx.AllowOrigin(w, r, c.AllowedOrigins)
	return c, nil
}

func refused(cause error) error {
	return oauth.Wrap(oauth.InvalidClient, cause, "Client authentication failed.")
}

// writeError answers a client whose request failed, RFC 6749 section 5.2. Every
// error of this flow leaves through here.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	told := translate(err)
	status := told.Status()
	switch {
	case told.Code == oauth.InvalidClient:
		w.Header().Set("WWW-Authenticate", `Basic realm="dex"`)
	case told.Code == oauth.TemporarilyUnavailable:
		w.Header().Set("Retry-After", "1")
	case told.Code == oauth.AccessDenied && strings.HasSuffix(r.URL.Path, route.Backchannel):
		status = http.StatusForbidden // CIBA section 13; where a token is asked for it is not
	case errors.Is(err, httpx.ErrTooLarge), errors.Is(err, httpx.ErrContentType):
		status = httpx.Status(err)
	}
	if err := httpx.WriteJSON(w, status, told); err != nil {
		httpx.LogError(r.Context(), err)
	}
}

// translate says in the protocol's words what went wrong.
func translate(err error) *oauth.Error {
	if told, ok := errors.AsType[*oauth.Error](err); ok {
		return told
	}
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		return toldOf(denial)
	}
	switch fault.Of(err) {
	case fault.Invalid:
		f, _ := errors.AsType[*fault.Error](err)
		return oauth.Wrap(oauth.InvalidRequest, err, "%s", f.Message)
	case fault.Unavailable, fault.Throttled:
		return oauth.Wrap(oauth.TemporarilyUnavailable, err, "Please try again in a moment.")
	default:
		return oauth.Wrap(oauth.ServerError, err, "Something went wrong on our side.")
	}
}

// toldOf says what the client hears of a closed gate.
func toldOf(d *grant.Denial) *oauth.Error {
	switch d.Reason {
	case grant.ClientDisabled:
		return oauth.Wrap(oauth.InvalidClient, d, "Client authentication failed.")
	case grant.LoginNotShared:
		return oauth.Wrap(oauth.UnauthorizedClient, d, "This client may not take part in this login.")
	case grant.GrantTypeMissing:
		return oauth.Wrap(oauth.UnauthorizedClient, d, "This client may not use this grant type.")
	case grant.ScopeNotAllowed, grant.AudienceNotAllowed:
		return oauth.Wrap(oauth.InvalidScope, d, "This client may not have these scopes any more.")
	default:
		return invalidGrant(d)
	}
}

// invalidGrant is what a client hears of a proof that does not hold, whatever the
// reason.
func invalidGrant(cause error) *oauth.Error {
	return oauth.Wrap(oauth.InvalidGrant, cause, "The grant is not valid, or not valid any more.")
}

// clip bounds what a sender can write into the log.
func clip(s string) string { return s[:min(len(s), 64)] }
