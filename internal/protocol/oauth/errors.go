package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Code is what a protocol error is called on the wire.
type Code string

// The codes.
const (
	// RFC 6749, sections 4.1.2.1 and 5.2.
	InvalidRequest          Code = "invalid_request"
	UnauthorizedClient      Code = "unauthorized_client"
	AccessDenied            Code = "access_denied"
	UnsupportedResponseType Code = "unsupported_response_type"
	InvalidScope            Code = "invalid_scope"
	ServerError             Code = "server_error"
	TemporarilyUnavailable  Code = "temporarily_unavailable"
	InvalidClient           Code = "invalid_client"
	InvalidGrant            Code = "invalid_grant"
	UnsupportedGrantType    Code = "unsupported_grant_type"

	// OpenID Connect Core, section 3.1.2.6.
	LoginRequired            Code = "login_required"
	InteractionRequired      Code = "interaction_required"
	ConsentRequired          Code = "consent_required"
	AccountSelectionRequired Code = "account_selection_required"
	RequestNotSupported      Code = "request_not_supported"
	RequestURINotSupported   Code = "request_uri_not_supported"
	RegistrationNotSupported Code = "registration_not_supported"

	InvalidRequestURI    Code = "invalid_request_uri"
	InvalidRequestObject Code = "invalid_request_object"

	// OpenID Connect Core Error Code unmet_authentication_requirements 1.0.
	UnmetRequirements Code = "unmet_authentication_requirements"

	// RFC 8628, section 3.5.
	AuthorizationPending Code = "authorization_pending"
	SlowDown             Code = "slow_down"
	ExpiredToken         Code = "expired_token"

	// RFC 7591, section 3.2.2.
	InvalidRedirectURI          Code = "invalid_redirect_uri"
	InvalidClientMetadata       Code = "invalid_client_metadata"
	InvalidSoftwareStatement    Code = "invalid_software_statement"
	UnapprovedSoftwareStatement Code = "unapproved_software_statement"

	// CIBA, section 13.
	UnknownUserID         Code = "unknown_user_id"
	ExpiredLoginHintToken Code = "expired_login_hint_token"
	InvalidBindingMessage Code = "invalid_binding_message"

	InvalidTarget               Code = "invalid_target"                // RFC 8707, section 2
	InvalidAuthorizationDetails Code = "invalid_authorization_details" // RFC 9396, section 5
	InvalidToken                Code = "invalid_token"                 // RFC 6750, section 3.1
	InsufficientScope           Code = "insufficient_scope"            // RFC 6750, section 3.1
	UnsupportedTokenType        Code = "unsupported_token_type"        // RFC 7009, section 2.2.1
	InvalidDPoPProof            Code = "invalid_dpop_proof"            // RFC 9449, section 5
	UseDPoPNonce                Code = "use_dpop_nonce"                // RFC 9449, section 8
)

// Error is a protocol error: the code and description that the client is told,
// and the cause that only our log is.
type Error struct {
	Code        Code
	Description string
	Err         error
}

// Errorf returns an error that tells the client its code and description.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Description: describe(fmt.Sprintf(format, args...))}
}

// Wrap is [Errorf] with the cause for the log.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Description: describe(fmt.Sprintf(format, args...)), Err: cause}
}

// Error implements error. It is for the log: it holds the cause.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Status returns the HTTP status of an answer with the error that is not a
// redirect (RFC 6749, section 5.2; RFC 6750, section 3.1).
func (e *Error) Status() int {
	switch e.Code {
	case InvalidClient, InvalidToken:
		return http.StatusUnauthorized
	case InsufficientScope:
		return http.StatusForbidden
	case ServerError:
		return http.StatusInternalServerError
	case TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}

// ResourceStatus returns the HTTP status of an answer of a resource server, where a
// proof that does not hold is as good as no token (RFC 9449, section 7.1).
func (e *Error) ResourceStatus() int {
	if e.Code == InvalidDPoPProof || e.Code == UseDPoPNonce {
		return http.StatusUnauthorized
	}
	return e.Status()
}

// Params returns what the client is told in an authorization response
// (RFC 6749, section 4.1.2.1). State and issuer are the caller's to add.
func (e *Error) Params() url.Values {
	v := url.Values{"error": {string(e.Code)}}
	if d := describe(e.Description); d != "" {
		v.Set("error_description", d)
	}
	return v
}

// MarshalJSON returns what the client is told in the body of a response
// (RFC 6749, section 5.2). The cause is not in it.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Code        Code   `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, describe(e.Description)})
}

// maxDescription keeps an error that quotes its cause within what a redirect can
// hold.
const maxDescription = 300

// describe reduces a text to the characters that a description may have, which
// are %x20-21, %x23-5B and %x5D-7E (RFC 6749, section 5.2): it stands within
// quotes in a header, and where it was asked for, within a page.
func describe(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\\':
			return '/'
		case r == '\n', r == '\r', r == '\t':
			return ' '
		case r < 0x20, r > 0x7e:
			return '?'
		default:
			return r
		}
	}, text)
	return text[:min(len(text), maxDescription)]
}
