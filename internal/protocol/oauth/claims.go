package oauth

import "encoding/json"

// ClaimsRequest is the claims that a client asks for one by one, by where it wants
// them: OpenID Connect Core section 5.5.
type ClaimsRequest struct {
	IDToken  map[string]*ClaimRequest `json:"id_token,omitempty"`
	Userinfo map[string]*ClaimRequest `json:"userinfo,omitempty"`
}

// ClaimRequest is how one claim is asked for; nil is in the usual way, OpenID Connect
// Core section 5.5.1.
type ClaimRequest struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
}
