package oauth

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"dex/internal/protocol/jose"
)

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

// ParseClaims reads a claims parameter. Members that we do not know are ignored; nil
// is a request for nothing.
func ParseClaims(text string) (*ClaimsRequest, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > MaxClaims {
		return nil, Errorf(InvalidRequest, "The parameter claims is longer than %d bytes.", MaxClaims)
	}
	var c ClaimsRequest
	if err := jose.Unmarshal([]byte(text), &c); err != nil {
		return nil, Wrap(InvalidRequest, err, "The parameter claims is not a JSON object of the form that it should have.")
	}
	for _, place := range []*map[string]*ClaimRequest{&c.IDToken, &c.Userinfo} {
		if len(*place) == 0 {
			*place = nil // as it comes back from where it is kept
		}
		if len(*place) > MaxClaimNames {
			return nil, Errorf(InvalidRequest, "The parameter claims asks for more than %d claims.", MaxClaimNames)
		}
		for name, asked := range *place {
			if name == "" || len(name) > MaxValue || !printable(name) {
				return nil, Errorf(InvalidRequest, "The parameter claims names something that is no claim.")
			}
			if asked.usual() {
				(*place)[name] = nil
			}
		}
	}
	if c.IDToken == nil && c.Userinfo == nil {
		return nil, nil
	}
	return &c, nil
}

// usual reports whether a claim is asked for in no special way.
func (c *ClaimRequest) usual() bool {
	return c == nil || !c.Essential && len(c.Value) == 0 && len(c.Values) == 0
}

// wanted returns the texts that a claim may have, if the client has said which.
func (c *ClaimRequest) wanted() []string {
	if c == nil {
		return nil
	}
	var texts []string
	for _, v := range append([]json.RawMessage{c.Value}, c.Values...) {
		var text string
		if json.Unmarshal(v, &text) == nil && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// Takes reports whether a value of a claim is one that was asked for.
func (c *ClaimRequest) Takes(value any) bool {
	if c == nil || len(c.Value) == 0 && len(c.Values) == 0 {
		return true
	}
	text, err := json.Marshal(value)
	if err != nil {
		return false
	}
	for _, v := range append([]json.RawMessage{c.Value}, c.Values...) {
		var compact bytes.Buffer
		if json.Compact(&compact, v) == nil && bytes.Equal(compact.Bytes(), text) {
			return true
		}
	}
	return false
}

// claimScopes are the scopes that claims about a person come with, if it is not the
// scope profile: OpenID Connect Core section 5.4.
var claimScopes = map[string]string{
	"email": ScopeEmail, "email_verified": ScopeEmail, "address": ScopeAddress,
	"phone_number": ScopePhone, "phone_number_verified": ScopePhone, "groups": ScopeGroups,
}

// ClaimScope returns the scope that a claim about a person comes with.
func ClaimScope(name string) string {
	if scope, ok := claimScopes[name]; ok {
		return scope
	}
	return ScopeProfile
}

// aboutTheLogin are claims that every client has, and that tell nothing of a person.
var aboutTheLogin = []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid", "at_hash", "c_hash", "s_hash"}

// Scopes returns the scopes whose claims are asked for one by one: what a person has to
// allow, although the client has not asked for all that the scope stands for.
func (c *ClaimsRequest) Scopes() Scopes {
	if c == nil {
		return nil
	}
	var scopes Scopes
	for _, place := range []map[string]*ClaimRequest{c.IDToken, c.Userinfo} {
		for _, name := range slices.Sorted(maps.Keys(place)) {
			if scope := ClaimScope(name); !slices.Contains(aboutTheLogin, name) && !scopes.Contains(scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	return scopes
}

// ACR returns the authentication context classes that the ID token shall have one of,
// the dearest first, and whether nothing else will do: OpenID Connect Core section
// 5.5.1.1.
func (c *ClaimsRequest) ACR() (classes []string, essential bool) {
	if c == nil {
		return nil, false
	}
	asked := c.IDToken["acr"]
	classes = asked.wanted()
	return classes, len(classes) > 0 && asked.Essential
}

// Subject returns whom the tokens must be about, if the client has said so: OpenID
// Connect Core section 5.5.1.
func (c *ClaimsRequest) Subject() string {
	if c == nil {
		return ""
	}
	for _, place := range []map[string]*ClaimRequest{c.IDToken, c.Userinfo} {
		if subjects := place["sub"].wanted(); len(subjects) > 0 {
			return subjects[0]
		}
	}
	return ""
}
