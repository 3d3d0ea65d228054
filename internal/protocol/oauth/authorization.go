package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"dex/internal/base/fault"
)

// Authorization is what a client asks of the authorization endpoint. It travels
// sealed in a cookie while the person is away, and so its names are short.
type Authorization struct {
	ClientID      string         `json:"c,omitempty"`
	RedirectURI   string         `json:"r,omitempty"` // empty if the client left it to its registration
	ResponseType  ResponseType   `json:"t,omitempty"`
	ResponseMode  ResponseMode   `json:"m,omitempty"`
	Scopes        Scopes         `json:"s,omitempty"`
	State         string         `json:"st,omitempty"`
	Nonce         string         `json:"n,omitempty"`
	Challenge     Challenge      `json:"ch,omitempty"`
	Prompt        Prompt         `json:"p,omitzero"`
	MaxAge        *Seconds       `json:"a,omitempty"` // nil if the client does not care; zero is like a prompt for login
	LoginHint     string         `json:"lh,omitempty"`
	IDTokenHint   string         `json:"ih,omitempty"`
	UILocales     []string       `json:"l,omitempty"`
	ACRValues     []string       `json:"ac,omitempty"`
	Claims        *ClaimsRequest `json:"cl,omitempty"`
	ClaimsLocales []string       `json:"ll,omitempty"`
	Display       string         `json:"d,omitempty"`
	ConnectorID   string         `json:"co,omitempty"`
	Resources     []string       `json:"rs,omitempty"` // that access tokens shall be for
	Details       Details        `json:"ad,omitempty"` // authorization details, RFC 9396
	JKT           string         `json:"j,omitempty"`  // thumbprint of the key that the code will be bound to, RFC 9449 section 10
}

// Seconds is a span of time as parameters have it.
type Seconds int64

// Duration returns s as a duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// ParseAuthorization reads an authorization request (RFC 6749, section 4.1.1;
// OpenID Connect Core, section 3.1.2.1; RFC 7636, section 4.3). Parameters that
// we do not know are ignored.
//
// An error is of one of two types, by who must hear of it:
//
//   - A [*fault.Error] is for the person. The client_id or the redirect_uri cannot
//     be relied on, so there is nobody else to tell, and no redirect may follow.
//   - An [*Error] is for the client, once its redirect URI has been found to be
//     registered. For that the value that comes with it holds the client, the
//     redirect URI, the state and the response mode as far as they are clear.
func ParseAuthorization(values url.Values) (Authorization, error) {
	var a Authorization
	f := &form{values: values}
	clientID, noClient := single(values, "client_id", MaxClientID)
	redirectURI, noRedirect := single(values, "redirect_uri", MaxRedirectURI)
	a.ClientID, a.RedirectURI = clientID, redirectURI
	a.State = f.one("state", MaxState)
	a.ResponseMode = f.responseMode()
	responseType, wrongType := ParseResponseType(f.one("response_type", MaxValue))
	a.ResponseType = responseType // which says where the client looks for an error, too
	switch {
	case noClient != nil:
		return a, local("client_id", noClient)
	case clientID == "":
		return a, local("client_id", Errorf(InvalidRequest, "The parameter client_id is missing."))
	case noRedirect != nil:
		return a, local("redirect_uri", noRedirect)
	}
	f.unsupported("registration", RegistrationNotSupported, "Registration within a request is not supported.")
	if f.err != nil {
		return a, f.err
	}
	take(f, responseType, wrongType)
	if a.ResponseMode.shows(a.ResponseType) {
		f.fail(Errorf(InvalidRequest, "This response_type cannot be answered in a query."))
	}
	a.Scopes = f.scopes()
	a.Nonce = f.one("nonce", MaxNonce)
	a.Challenge = f.challenge()
	a.Prompt = f.prompt()
	a.MaxAge = f.maxAge()
	a.LoginHint = f.one("login_hint", MaxLoginHint)
	a.IDTokenHint = f.one("id_token_hint", MaxIDTokenHint)
	a.UILocales = keep(f.list("ui_locales", MaxUILocales), languageTag)
	a.ACRValues = f.list("acr_values", MaxACRValues)
	a.Claims = f.claims()
	a.ClaimsLocales = keep(f.list("claims_locales", MaxUILocales), languageTag)
	a.Display = f.display()
	a.ConnectorID = f.one("connector_id", MaxValue)
	a.JKT = f.thumbprint("dpop_jkt")
	a.Resources = f.resources()
	a.Details = f.details()
	return a, f.done()
}

// local turns a mistake in what says where an answer goes into a fault, which is
// shown to the person and never sent on.
func local(field string, mistake *Error) *fault.Error {
	return &fault.Error{
		Kind:    fault.Invalid,
		Field:   field,
		Message: "The application's request is not valid. " + mistake.Description,
	}
}

func (f *form) unsupported(name string, code Code, description string) {
	switch v := f.values[name]; {
	case len(v) > 1:
		f.one(name, 0)
	case len(v) == 1 && v[0] != "":
		f.fail(Errorf(code, "%s", description))
	}
}

func (f *form) responseMode() ResponseMode {
	mode := ResponseMode(f.one("response_mode", MaxValue))
	if mode != "" && !slices.Contains(ResponseModes(), mode) {
		f.fail(Errorf(InvalidRequest, "The response_mode is not supported."))
		return ""
	}
	return mode
}

func (f *form) scopes() Scopes {
	scopes, err := ParseScopes(f.one("scope", math.MaxInt))
	return take(f, scopes, err)
}

func (f *form) details() Details {
	d, err := ParseDetails(f.one("authorization_details", MaxDetails))
	return take(f, d, err)
}

func (f *form) prompt() Prompt {
	p, err := ParsePrompt(f.one("prompt", MaxValue))
	return take(f, p, err)
}

func (f *form) claims() *ClaimsRequest {
	c, err := ParseClaims(f.one("claims", MaxClaims))
	return take(f, c, err)
}

func (f *form) challenge() Challenge {
	c, err := ParseChallenge(f.one("code_challenge", MaxValue), f.one("code_challenge_method", MaxValue))
	return take(f, c, err)
}

// take notes what a parser found wrong, and returns its value if that is nothing.
func take[T any](f *form, value T, err error) T {
	if err == nil {
		return value
	}
	mistake, ok := errors.AsType[*Error](err)
	if !ok {
		mistake = Wrap(InvalidRequest, err, "The request is malformed.")
	}
	f.fail(mistake)
	var nothing T
	return nothing
}

// thumbprint is the SHA-256 of a key, in base64url (RFC 9449, section 10).
func (f *form) thumbprint(name string) string {
	text := f.one(name, MaxValue)
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(text); text != "" && (err != nil || len(raw) != sha256.Size) {
		f.fail(Errorf(InvalidRequest, "The parameter %s is not the thumbprint of a key.", name))
		return ""
	}
	return text
}

func (f *form) maxAge() *Seconds {
	text := f.one("max_age", MaxValue)
	if text == "" {
		return nil
	}
	// A span that needs more than 31 bits is as good as any that has 31.
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		f.fail(Errorf(InvalidRequest, "The max_age must be a number of seconds."))
		return nil
	}
	age := Seconds(min(seconds, math.MaxInt32))
	return &age
}

// display is a wish that need not be met, so that one we do not know is dropped.
func (f *form) display() string {
	switch d := f.one("display", MaxValue); d {
	case "page", "popup", "touch", "wap":
		return d
	default:
		return ""
	}
}

// list returns the values of a parameter that has several, with spaces between.
func (f *form) list(name string, most int) []string {
	values := strings.Fields(f.one(name, most*(MaxValue+1)))
	if len(values) == 0 {
		return nil // as it comes back from a cookie
	}
	if len(values) > most {
		f.fail(Errorf(InvalidRequest, "The parameter %s has more than %d values.", name, most))
		return nil
	}
	for _, v := range values {
		if len(v) > MaxValue {
			f.fail(Errorf(InvalidRequest, "The parameter %s has a value of more than %d bytes.", name, MaxValue))
			return nil
		}
	}
	return values
}

func keep(values []string, good func(string) bool) []string {
	var out []string
	for _, v := range values {
		if good(v) {
			out = append(out, v)
		}
	}
	return out
}

// languageTag reports whether s could be a language (RFC 5646, section 2.1). A
// wish for any other is no mistake, and cannot be met.
func languageTag(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' {
			return false
		}
	}
	return len(s) <= 35
}
