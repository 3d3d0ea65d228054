package oauth

import (
	"encoding/json"

	"dex/internal/protocol/jose"
)

// Metadata is how a provider describes itself (OpenID Connect Discovery, section
// 3; RFC 8414, section 2). The members are those that we fill in, and each is of
// the names that the certification suite knows: it warns of any other.
type Metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string `json:"token_endpoint,omitempty"`
	UserinfoEndpoint      string `json:"userinfo_endpoint,omitempty"`
	JWKSURI               string `json:"jwks_uri,omitempty"`
	RegistrationEndpoint  string `json:"registration_endpoint,omitempty"`
	RevocationEndpoint    string `json:"revocation_endpoint,omitempty"`
	IntrospectionEndpoint string `json:"introspection_endpoint,omitempty"`
	EndSessionEndpoint    string `json:"end_session_endpoint,omitempty"`
	BackchannelEndpoint   string `json:"backchannel_authentication_endpoint,omitempty"`   // CIBA, section 4
	DeviceEndpoint        string `json:"device_authorization_endpoint,omitempty"`         // RFC 8628, section 4
	PushedRequestEndpoint string `json:"pushed_authorization_request_endpoint,omitempty"` // RFC 9126, section 5

	// Supported are the members that list what clients may be registered for, by their
	// names: they follow from the table of what is known of clients.
	Supported map[string][]string `json:"-"`

	ScopesSupported        []string       `json:"scopes_supported,omitempty"`
	ResponseModesSupported []ResponseMode `json:"response_modes_supported,omitempty"`
	CodeChallengeMethods   []string       `json:"code_challenge_methods_supported,omitempty"`

	RevocationAuthMethods    []AuthMethod     `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevocationAuthAlgs       []jose.Algorithm `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionAuthMethods []AuthMethod     `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectionAuthAlgs    []jose.Algorithm `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`

	ClaimsSupported        []string `json:"claims_supported,omitempty"`
	ClaimTypesSupported    []string `json:"claim_types_supported,omitempty"`
	ACRValuesSupported     []string `json:"acr_values_supported,omitempty"`
	PromptValuesSupported  []string `json:"prompt_values_supported,omitempty"`
	DisplayValuesSupported []string `json:"display_values_supported,omitempty"`
	UILocalesSupported     []string `json:"ui_locales_supported,omitempty"`

	DPoPSigningAlgs        []jose.Algorithm  `json:"dpop_signing_alg_values_supported,omitempty"`          // RFC 9449, section 5.1
	CertificateBoundTokens bool              `json:"tls_client_certificate_bound_access_tokens,omitempty"` // RFC 8705, section 3.3
	MutualEndpoints        map[string]string `json:"mtls_endpoint_aliases,omitempty"`                      // RFC 8705, section 5
	// Clients may be named by the address of a document (OAuth Client ID Metadata Document).
	ClientDocuments bool `json:"client_id_metadata_document_supported,omitempty"`

	ServiceDocumentation string `json:"service_documentation,omitempty"`
	PolicyURI            string `json:"op_policy_uri,omitempty"`
	TermsURI             string `json:"op_tos_uri,omitempty"`

	// These are always said: the default of one of them is true, and a client
	// should not have to know which.
	ClaimsParameterSupported     bool `json:"claims_parameter_supported"`
	RequestParameterSupported    bool `json:"request_parameter_supported"`
	RequestURIParameterSupported bool `json:"request_uri_parameter_supported"`
	RegisteredRequestURIs        bool `json:"require_request_uri_registration,omitempty"`

	CheckSessionIframe string `json:"check_session_iframe,omitempty"` // OpenID Connect Session Management, section 3.3

	// OpenID Connect Front-Channel Logout and Back-Channel Logout, section 2 of each.
	FrontchannelLogout        bool `json:"frontchannel_logout_supported,omitempty"`
	FrontchannelLogoutSession bool `json:"frontchannel_logout_session_supported,omitempty"`
	BackchannelLogout         bool `json:"backchannel_logout_supported,omitempty"`
	BackchannelLogoutSession  bool `json:"backchannel_logout_session_supported,omitempty"`

	BackchannelUserCodeSupported bool `json:"backchannel_user_code_parameter_supported"` // CIBA, section 4

	ResponseIssSupported bool `json:"authorization_response_iss_parameter_supported"` // RFC 9207, section 3
}

// MarshalJSON writes the document, all its members as one object.
func (m Metadata) MarshalJSON() ([]byte, error) {
	type members Metadata
	text, err := json.Marshal(members(m))
	if err != nil || len(m.Supported) == 0 {
		return text, err
	}
	lists, err := json.Marshal(m.Supported)
	if err != nil {
		return nil, err
	}
	return append(append(text[:len(text)-1], ','), lists[1:]...), nil
}
