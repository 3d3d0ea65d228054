// Package discovery publishes how we describe ourselves, and the keys by which our
// tokens are verified. Both are answered from memory, with or without a database.
package discovery

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/key"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Handler serves metadata and keys.
type Handler struct {
	Issuer    string
	Offer     client.Offer
	Documents bool                 // clients may be documents on hosts that the operator has named
	Known     func() tenant.Tenant // as it was seen last, whether there is a database or not
	Locales   []string
	Watched   bool // applications may watch in a frame whether somebody is signed in still
	Ring      *key.Ring
	MaxAge    time.Duration // of the key set, in caches
	// Certificates says that clients can show certificates, and Mutual where, if that is
	// elsewhere than below the issuer.
	Certificates bool
	Mutual       string

	keys atomic.Pointer[keySet]
}

// keySet is the key set as it was last written.
type keySet struct {
	ids []string
	doc httpx.Document
}

// metadataMaxAge is how long caches may keep the metadata.
const metadataMaxAge = 5 * time.Minute

// Routes adds the flow to a mux. The metadata is made once: it says what the program can
// do, and that does not change while it runs. Whether clients may register themselves
// does, and so it is made for both.
func (h *Handler) Routes(mux *http.ServeMux, onError httpx.ErrorFunc) error {
	docs := map[bool]httpx.Document{}
	for _, open := range []bool{false, true} {
		body, err := h.described(open)
		if err != nil {
			return err
		}
		docs[open] = httpx.NewDocument("application/json", body, metadataMaxAge)
	}
	serve := public(func(w http.ResponseWriter, r *http.Request) error {
		return httpx.ServeDocument(w, r, docs[h.Known().Registration.Opens()])
	})
	mux.Handle("GET "+route.Discovery, httpx.Handle(serve, onError))
	mux.Handle("GET "+route.OAuthMetadata, httpx.Handle(serve, onError))
	text, err := json.Marshal(h.protected())
	if err != nil {
		return err
	}
	userinfo := httpx.NewDocument("application/json", text, metadataMaxAge)
	mux.Handle("GET "+route.ProtectedUser, httpx.Handle(public(func(w http.ResponseWriter, r *http.Request) error {
		return httpx.ServeDocument(w, r, userinfo)
	}), onError))
	mux.Handle("GET "+route.WebFinger, httpx.Handle(public(h.webFinger), onError))
	mux.Handle("GET "+route.Keys, httpx.Handle(public(h.serveKeys), onError))
	return nil
}

// public lets pages of every origin read the answer: it is the same for everybody.
func public(f httpx.HandlerFunc) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		return f(w, r)
	}
}

// serveKeys answers with the key set. It is written anew only when it changes.
func (h *Handler) serveKeys(w http.ResponseWriter, r *http.Request) error {
	keys := h.Ring.Published()
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.KID
	}
	set := h.keys.Load()
	if set == nil || !slices.Equal(set.ids, ids) {
		body, err := jose.MarshalJWKS(keys)
		if err != nil {
			return err
		}
		set = &keySet{ids: ids, doc: httpx.NewDocument("application/json", body, h.MaxAge)}
		h.keys.Store(set)
	}
	return httpx.ServeDocument(w, r, set.doc)
}

// described is the metadata as it is published where clients may register themselves, or
// may not, with where each endpoint of clients is
// at which they show a certificate.
func (h *Handler) described(open bool) ([]byte, error) {
	m := h.metadata()
	if open {
		m.RegistrationEndpoint = h.Issuer + route.Register
	}
	text, err := json.Marshal(m)
	if err != nil || h.Mutual == "" {
		return text, err
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	m.MutualEndpoints = map[string]string{}
	for name, value := range members {
		address, _ := value.(string)
		if path, ok := strings.CutPrefix(address, h.Issuer); ok && strings.HasSuffix(name, "_endpoint") && route.IsForClients(path) {
			m.MutualEndpoints[name] = h.Mutual + path
		}
	}
	return json.Marshal(m)
}

// metadata describes what is there and nothing else: OpenID Connect Discovery
// section 3, RFC 8414 section 2.
func (h *Handler) metadata() oauth.Metadata {
	all := h.Offer.AuthMethods
	confidential := slices.DeleteFunc(slices.Clone(all), func(m oauth.AuthMethod) bool { return m == oauth.AuthNone })
	device := ""
	if slices.Contains(h.Offer.GrantTypes, client.DeviceCode) {
		device = h.Issuer + route.DeviceRequest
	}
	backchannel := ""
	if slices.Contains(h.Offer.GrantTypes, client.CIBA) {
		backchannel = h.Issuer + route.Backchannel
	}
	frame := ""
	if h.Watched {
		frame = h.Issuer + route.CheckSession
	}
	return oauth.Metadata{
		BackchannelEndpoint:       backchannel,
		DeviceEndpoint:            device,
		PushedRequestEndpoint:     h.Issuer + route.PushRequest,
		Issuer:                    h.Issuer,
		AuthorizationEndpoint:     h.Issuer + route.Authorize,
		TokenEndpoint:             h.Issuer + route.Token,
		UserinfoEndpoint:          h.Issuer + route.Userinfo,
		JWKSURI:                   h.Issuer + route.Keys,
		RevocationEndpoint:        h.Issuer + route.Revoke,
		IntrospectionEndpoint:     h.Issuer + route.Introspect,
		EndSessionEndpoint:        h.Issuer + route.Logout,
		ScopesSupported:           []string{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeAddress, oauth.ScopePhone, oauth.ScopeGroups, oauth.ScopeOffline},
		Supported:                 h.Offer.Supported(),
		ClientDocuments:           h.Documents,
		ResponseModesSupported:    h.Offer.Modes,
		CodeChallengeMethods:      []string{oauth.MethodS256},
		RevocationAuthMethods:     all,
		RevocationAuthAlgs:        client.AssertionAlgs(),
		IntrospectionAuthMethods:  confidential,
		IntrospectionAuthAlgs:     client.AssertionAlgs(),
		ClaimsSupported:           claims,
		ClaimsParameterSupported:  true,
		ClaimTypesSupported:       []string{"normal", "aggregated", "distributed"},
		ACRValuesSupported:        []string{credential.SingleFactor, credential.MultiFactor},
		PromptValuesSupported:     []string{"none", "login", "consent", "select_account"},
		DisplayValuesSupported:    []string{"page"},
		UILocalesSupported:        h.Locales,
		ResponseIssSupported:      true,
		RequestParameterSupported: true,
		FrontchannelLogout:        true, FrontchannelLogoutSession: true,
		BackchannelLogout: true, BackchannelLogoutSession: true,
		CheckSessionIframe:           frame,
		RequestURIParameterSupported: true,
		RegisteredRequestURIs:        true,
		DPoPSigningAlgs:              oauth.ProofAlgs(),
		CertificateBoundTokens:       h.Certificates,
	}
}

// claims are the claims that tokens and userinfo may hold.
var claims = []string{
	"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash", "c_hash", "s_hash",
	"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
	"website", "gender", "birthdate", "zoneinfo", "locale", "email", "email_verified",
	"address", "phone_number", "phone_number_verified", "updated_at", "groups",
}
