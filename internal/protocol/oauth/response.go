package oauth

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ResponseType is what a client wants an authorization to end in: a code, an ID
// token, an access token, or several of them in this order.
type ResponseType string

// The response types (RFC 6749, section 3.1.1; OAuth 2.0 Multiple Response Type
// Encoding Practices, sections 3 and 5). An access token alone is not among them:
// nothing would tell the client whom it is of.
const (
	ResponseTypeCode             ResponseType = "code"
	ResponseTypeIDToken          ResponseType = "id_token"
	ResponseTypeIDTokenToken     ResponseType = "id_token token"
	ResponseTypeCodeIDToken      ResponseType = "code id_token"
	ResponseTypeCodeToken        ResponseType = "code token"
	ResponseTypeCodeIDTokenToken ResponseType = "code id_token token"
)

// ResponseTypes are all that there are.
func ResponseTypes() []ResponseType {
	return []ResponseType{
		ResponseTypeCode, ResponseTypeIDToken, ResponseTypeIDTokenToken,
		ResponseTypeCodeIDToken, ResponseTypeCodeToken, ResponseTypeCodeIDTokenToken,
	}
}

// ParseResponseType reads a response_type. Its values may come in any order.
func ParseResponseType(text string) (ResponseType, error) {
	values := strings.Split(text, " ")
	slices.Sort(values) // which happens to be our order
	t := ResponseType(strings.Join(values, " "))
	switch {
	case text == "":
		return "", Errorf(InvalidRequest, "The parameter response_type is missing.")
	case !slices.Contains(ResponseTypes(), t):
		return "", Errorf(UnsupportedResponseType, "The response_type is not supported.")
	}
	return t, nil
}

// Code reports whether the client gets a code.
func (t ResponseType) Code() bool { return t.has("code") }

// IDToken reports whether the client gets an ID token by the browser.
func (t ResponseType) IDToken() bool { return t.has("id_token") }

// Token reports whether the client gets an access token by the browser.
func (t ResponseType) Token() bool { return t.has("token") }

// Front reports whether the client gets a token by the browser, of either kind.
func (t ResponseType) Front() bool { return t.IDToken() || t.Token() }

func (t ResponseType) has(value string) bool {
	return slices.Contains(strings.Split(string(t), " "), value)
}

// GrantTypes returns the grant types that a client needs to have for it (OpenID
// Connect Dynamic Client Registration, section 2).
func (t ResponseType) GrantTypes() []string {
	var types []string
	if t.Code() {
		types = append(types, GrantAuthorizationCode)
	}
	if t.Front() {
		types = append(types, GrantImplicit)
	}
	return types
}

// ResponseMode is how the answer gets to the client. The empty one is the default
// of the response type.
type ResponseMode string

// The response modes (OAuth 2.0 Multiple Response Type Encoding Practices,
// section 2.1; OAuth 2.0 Form Post Response Mode; JWT Secured Authorization
// Response Mode (JARM), section 2.3).
const (
	ModeQuery       ResponseMode = "query"
	ModeFragment    ResponseMode = "fragment"
	ModeFormPost    ResponseMode = "form_post"
	ModeJWT         ResponseMode = "jwt" // by the default way of the response type
	ModeQueryJWT    ResponseMode = "query.jwt"
	ModeFragmentJWT ResponseMode = "fragment.jwt"
	ModeFormPostJWT ResponseMode = "form_post.jwt"
)

// ResponseModes are all that there are.
func ResponseModes() []ResponseMode {
	return []ResponseMode{ModeQuery, ModeFragment, ModeFormPost, ModeJWT, ModeQueryJWT, ModeFragmentJWT, ModeFormPostJWT}
}

// Way returns the way by which an answer in this mode goes, signed or not.
func (m ResponseMode) Way() ResponseMode { return ResponseMode(strings.TrimSuffix(string(m), ".jwt")) }

// Signed reports whether all of the answer stands in a JWT.
func (m ResponseMode) Signed() bool { return m == ModeJWT || strings.HasSuffix(string(m), ".jwt") }

// Mode returns the mode in which the answer goes out. It is never one that shows a
// token to the servers and logs that a query passes through, whatever was asked.
func (a Authorization) Mode() ResponseMode {
	way := ModeQuery
	if a.ResponseType.Front() {
		way = ModeFragment
	}
	if asked := a.ResponseMode.Way(); asked == ModeFragment || asked == ModeFormPost {
		way = asked
	}
	if a.ResponseMode.Signed() {
		return way + ".jwt"
	}
	return way
}

// shows reports whether an answer in this mode would show a token of the response
// type in a query (OAuth 2.0 Multiple Response Type Encoding Practices, section 3;
// JARM, section 2.3.1).
func (m ResponseMode) shows(t ResponseType) bool { return m.Way() == ModeQuery && t.Front() }

// Params returns the tokens as they stand in an authorization response (RFC 6749,
// section 4.2.2; OpenID Connect Core, section 3.2.2.5).
func (r TokenResponse) Params() url.Values {
	v := url.Values{}
	if r.AccessToken != "" {
		v.Set("access_token", r.AccessToken)
		v.Set("token_type", r.TokenType)
		v.Set("expires_in", strconv.FormatInt(int64(r.ExpiresIn), 10))
		v.Set("scope", r.Scope)
	}
	if r.IDToken != "" {
		v.Set("id_token", r.IDToken)
	}
	return v
}
