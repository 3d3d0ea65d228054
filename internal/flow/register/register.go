// Package register is where clients register themselves, and manage their own
// registration: OpenID Connect Registration, RFC 7591 and RFC 7592.
//
// What a client says of itself is read by the same table as what operators declare, and
// is held to the same rules. Beside them it has no more than the tenant lets such clients
// have, at registration and at each change alike: each judges the whole client that would
// come of it.
package register

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Store is what is kept of clients, as they need it who register.
type Store interface {
	client.Enrolments
	client.Registry
	tenant.Store
	// Candidate and RecordFailure are those of [credential.Store].
	Candidate(ctx context.Context, name string, buckets []credential.Bucket) (credential.Candidate, error)
	RecordFailure(ctx context.Context, buckets []credential.Bucket, now time.Time) error
}

// Handler serves the registration endpoint, and that of each client's registration.
type Handler struct {
	Issuer    string
	Store     Store
	Documents *client.Documents
	Offer     client.Offer
	Clock     clock.Clock
}

// maxBody is how long what a client says of itself may be.
const maxBody = 64 << 10

// Routes adds the flow to a mux.
func (h *Handler) Routes(mux *http.ServeMux) {
	mux.Handle("POST "+route.Register, httpx.Handle(h.create, writeError))
	mux.Handle("GET "+route.RegisterClient, httpx.Handle(h.get, writeError))
	mux.Handle("PUT "+route.RegisterClient, httpx.Handle(h.replace, writeError))
	mux.Handle("DELETE "+route.RegisterClient, httpx.Handle(h.remove, writeError))
}

// create answers a registration request, RFC 7591 section 3.1.
func (h *Handler) create(w http.ResponseWriter, r *http.Request) error {
	self, err := h.Store.Self(r.Context())
	if err != nil {
		return err
	}
	if !self.Registration.Opens() {
		return oauth.Errorf(oauth.AccessDenied, "Clients do not register themselves here. Ask an administrator.")
	}
	policy := *self.Registration
	initial, err := h.invited(r, &policy)
	if err != nil {
		return err
	}
	now := h.Clock.Now()
	if initial == nil {
		if err := h.wait(r, now); err != nil {
			return err
		}
	}
	said, err := readBody(w, r)
	if err != nil {
		return err
	}
	c, err := h.read(r, said, policy)
	if err != nil {
		return err
	}
	c.ID = client.NewID()
	if c.Name == "" {
		c.Name = c.ID
	}
	made, token := client.Registered{Client: c}, secret.New(secret.EnrolPrefix)
	var shown secret.Value
	if c.AuthMethod.BySecret() {
		shown = secret.New(secret.ClientPrefix)
		made.AddSecret(shown)
		made.Notes = []client.SecretNote{client.NoteOf(shown, now)}
	}
	by := audit.By{Actor: c.ID, RemoteAddr: httpx.Addr(r).String(), At: now}
	made, err = h.Store.Enrol(r.Context(), made, token.Hash(), initial, most(policy), by)
	if err != nil {
		return err
	}
	if initial == nil {
		if err := h.Store.RecordFailure(r.Context(), newcomers(r), now); err != nil {
			httpx.LogError(r.Context(), err) // the client is there, and has to be told its secret
		}
	}
	return h.tell(w, http.StatusCreated, made, shown, token)
}

// newcomers is where the uninvited clients of a network are counted.
func newcomers(r *http.Request) []credential.Bucket {
	network := httpx.Network(httpx.Addr(r)).String()
	return []credential.Bucket{{Kind: credential.Newcomers, Key: secret.Value("newcomers\x00" + network).Hash()}}
}

// wait returns an error if a network has registered so many clients that it has to wait.
// One network shall not take all the places that there are.
func (h *Handler) wait(r *http.Request, now time.Time) error {
	buckets := newcomers(r)
	states, err := h.Store.Candidate(r.Context(), "", buckets) // nobody's, for the count alone
	if err != nil {
		return err
	}
	if wait := states.Throttle[0].Wait(credential.Newcomers, now); wait > 0 {
		return &fault.Error{Kind: fault.Throttled, Message: "Too many clients have been registered from here just now.", RetryAfter: wait}
	}
	return nil
}

func most(r tenant.Registration) int {
	if r.Most > 0 {
		return r.Most
	}
	return tenant.UsualMost
}

// invited says whether the sender may register a client, and by which initial access
// token, which may stand for another profile than the tenant's.
func (h *Handler) invited(r *http.Request, policy *tenant.Registration) (*secret.Hash, error) {
	given, err := oauth.ParseBearer(r.Header.Values("Authorization"))
	switch {
	case errors.Is(err, oauth.ErrNoToken) && policy.Admission == tenant.AdmitAnybody:
		return nil, nil
	case errors.Is(err, oauth.ErrNoToken):
		return nil, oauth.Wrap(oauth.InvalidToken, err, "An initial access token is needed to register a client.")
	case err != nil:
		return nil, err
	}
	hash := secret.Value(given).Hash()
	token, err := h.Store.InitialToken(r.Context(), hash, h.Clock.Now())
	if fault.Is(err, fault.NotFound) {
		return nil, oauth.Wrap(oauth.InvalidToken, err, "The initial access token is not good, or not any more.")
	}
	if token.Profile != "" {
		policy.Profile = string(token.Profile)
	}
	return &hash, err
}

// readBody reads what a client says of itself.
func readBody(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, oauth.Errorf(oauth.InvalidClientMetadata, "The body must be application/json.")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, oauth.Wrap(oauth.InvalidClientMetadata, err, "The body cannot be read, or is longer than %d bytes.", maxBody)
	}
	return parse(text)
}

// parse reads a document as the members of its one object. None may come twice: whoever
// has looked through it before us may have seen the other one.
func parse(text []byte) (map[string]json.RawMessage, error) {
	var said map[string]json.RawMessage
	if err := jose.Unmarshal(text, &said); err != nil {
		return nil, oauth.Wrap(oauth.InvalidClientMetadata, err, "The body must be a JSON object.")
	}
	return said, nil
}

// read makes the client that is asked for, or says why there is none. What a trusted
// statement says of the software outweighs what the client says of itself.
func (h *Handler) read(r *http.Request, said map[string]json.RawMessage, policy tenant.Registration) (client.Client, error) {
	if err := vouch(said, policy.Statements, h.Issuer, h.Clock.Now()); err != nil {
		return client.Client{}, err
	}
	c, err := decide(said, policy, h.Offer)
	if err != nil {
		return client.Client{}, err
	}
	for _, one := range called(c) {
		if one.uri != "" && !h.Documents.MayName(one.uri) {
			return client.Client{}, oauth.Errorf(oauth.InvalidClientMetadata, "%s cannot be used here.", one.name)
		}
	}
	if err := h.Documents.CheckSector(r.Context(), c); err != nil {
		return client.Client{}, oauth.Wrap(oauth.InvalidClientMetadata, err, "sector_identifier_uri cannot be used, or does not list every redirect URI.")
	}
	return c, nil
}

// called are the addresses that we would call because a client says so.
func called(c client.Client) []struct{ name, uri string } {
	all := []struct{ name, uri string }{
		{"jwks_uri", c.JWKSURI}, {"backchannel_logout_uri", c.BackchannelLogoutURI},
		{"backchannel_client_notification_endpoint", c.Backchannel.Endpoint}, {"sector_identifier_uri", c.SectorURI},
	}
	for _, uri := range c.RequestURIs {
		all = append(all, struct{ name, uri string }{"request_uris", uri})
	}
	return all
}

// mine returns the client whose registration it is, with the token that comes next.
func (h *Handler) mine(r *http.Request) (client.Registered, secret.Value, error) {
	given, err := oauth.ParseBearer(r.Header.Values("Authorization"))
	if errors.Is(err, oauth.ErrNoToken) {
		return client.Registered{}, "", oauth.Wrap(oauth.InvalidToken, err, "The registration access token is missing.")
	}
	if err != nil {
		return client.Registered{}, "", err
	}
	next := secret.New(secret.EnrolPrefix)
	mine, err := h.Store.Enrolment(r.Context(), r.PathValue("client"), secret.Value(given).Hash(), next.Hash())
	if fault.Is(err, fault.NotFound) {
		return mine, "", oauth.Wrap(oauth.InvalidToken, err, "The registration access token is not good, or not any more.")
	}
	return mine, next, err
}

// get answers with what is registered, RFC 7592 section 2.1.
func (h *Handler) get(w http.ResponseWriter, r *http.Request) error {
	mine, next, err := h.mine(r)
	if err != nil {
		return err
	}
	return h.tell(w, http.StatusOK, mine, "", next)
}

// replace makes of a client what it is said to be now, RFC 7592 section 2.2. What is left
// out is as if it had never been said.
func (h *Handler) replace(w http.ResponseWriter, r *http.Request) error {
	mine, next, err := h.mine(r)
	if err != nil {
		return err
	}
	said, err := readBody(w, r)
	if err != nil {
		return err
	}
	if err := ofItself(said, mine.ID); err != nil {
		return err
	}
	self, err := h.Store.Self(r.Context())
	if err != nil {
		return err
	}
	var policy tenant.Registration
	if self.Registration != nil {
		policy = *self.Registration
	}
	policy.Profile = string(mine.Profile)
	c, err := h.read(r, said, policy)
	if err != nil {
		return err
	}
	c.ID = mine.ID
	if c.Name == "" {
		c.Name = c.ID
	}
	now := h.Clock.Now()
	after := client.Registered{Client: c, Version: mine.Version}
	var shown secret.Value
	// A secret of which only the hash is kept signs nothing.
	if c.AuthMethod.BySecret() && (len(mine.Secrets) == 0 || c.AuthMethod == oauth.AuthSecretJWT && len(mine.Shared) == 0) {
		shown = secret.New(secret.ClientPrefix)
		after.AddSecret(shown)
		after.Notes = []client.SecretNote{client.NoteOf(shown, now)}
	}
	after, err = h.Store.ChangeClient(r.Context(), after, audit.By{Actor: c.ID, RemoteAddr: httpx.Addr(r).String(), At: now})
	if err != nil {
		return err
	}
	return h.tell(w, http.StatusOK, after, shown, next)
}

// notSaid are members that a client does not send back, RFC 7592 section 2.2.
var notSaid = []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"}

// ofItself says whether a change is of the client whose registration it is.
func ofItself(said map[string]json.RawMessage, id string) error {
	var named string
	if json.Unmarshal(said["client_id"], &named) != nil || named != id {
		return oauth.Errorf(oauth.InvalidClientMetadata, "client_id must be that of the client.")
	}
	for _, name := range notSaid {
		if _, ok := said[name]; ok {
			return oauth.Errorf(oauth.InvalidClientMetadata, "%s cannot be changed, and is not sent.", name)
		}
	}
	return nil
}

// remove ends a client, RFC 7592 section 2.3.
func (h *Handler) remove(w http.ResponseWriter, r *http.Request) error {
	mine, _, err := h.mine(r)
	if err != nil {
		return err
	}
	by := audit.By{Actor: mine.ID, RemoteAddr: httpx.Addr(r).String(), At: h.Clock.Now()}
	if err := h.Store.DeleteClient(r.Context(), mine.ID, 0, by); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tell answers with what is registered, RFC 7591 section 3.2.1. A secret is told once,
// when it is made: it is kept in no form that could be told again.
func (h *Handler) tell(w http.ResponseWriter, status int, r client.Registered, shown, token secret.Value) error {
	all, err := client.TellMetadata(r.Client)
	if err != nil {
		return err
	}
	more := map[string]any{
		"client_id":                 r.ID,
		"client_id_issued_at":       r.CreatedAt.Unix(),
		"registration_client_uri":   h.Issuer + route.Register + "/" + url.PathEscape(r.ID),
		"registration_access_token": string(token),
	}
	if shown != "" {
		more["client_secret"], more["client_secret_expires_at"] = string(shown), 0
	}
	for name, value := range more {
		if all[name], err = json.Marshal(value); err != nil {
			return err
		}
	}
	return httpx.WriteJSON(w, status, all)
}

// writeError answers a client that is not registered, RFC 7591 section 3.2.2.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	told := translate(err)
	status := told.Status()
	switch told.Code {
	case oauth.InvalidToken:
		challenge := "Bearer"
		if !errors.Is(err, oauth.ErrNoToken) {
			challenge = `Bearer error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	case oauth.AccessDenied:
		status = http.StatusForbidden
	case oauth.TemporarilyUnavailable:
		w.Header().Set("Retry-After", "1")
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
	switch fault.Of(err) {
	case fault.Denied:
		return oauth.Wrap(oauth.InvalidToken, err, "The initial access token is not good, or not any more.")
	case fault.Conflict:
		return oauth.Wrap(oauth.AccessDenied, err, "No more clients can be registered at the moment, or this one has just changed.")
	case fault.Invalid:
		f, _ := errors.AsType[*fault.Error](err)
		return oauth.Wrap(oauth.InvalidClientMetadata, err, "%s", f.Message)
	case fault.Unavailable, fault.Throttled:
		return oauth.Wrap(oauth.TemporarilyUnavailable, err, "Please try again in a moment.")
	default:
		return oauth.Wrap(oauth.ServerError, err, "Something went wrong on our side.")
	}
}

// plainly is a name of a setting as a client says it, for the reason of a conflict that
// names others by the words of operators.
func plainly(because string) string {
	for _, m := range client.Metadata {
		if m.Setting != m.Name && strings.Contains(m.Setting, "_") {
			because = strings.ReplaceAll(because, m.Setting, m.Name)
		}
	}
	return because
}
