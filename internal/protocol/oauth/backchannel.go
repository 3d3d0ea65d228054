package oauth

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"dex/internal/base/secret"
)

// GrantCIBA is the grant type of a client that has asked for somebody who is elsewhere
// (OpenID Connect Client-Initiated Backchannel Authentication, CIBA, section 4).
const GrantCIBA = "urn:openid:params:grant-type:ciba"

// The ways in which a client hears that it has been answered (CIBA, section 5).
const (
	DeliveryPoll = "poll" // it asks
	DeliveryPing = "ping" // it is told when to ask
	DeliveryPush = "push" // it is sent the answer
)

// MaxBindingMessage is the length of what two screens show for a person to compare, in
// characters.
const MaxBindingMessage = 64

// maxNotificationToken is that of CIBA, section 7.1.
const maxNotificationToken = 1 << 10

// BackchannelRequest is what a client asks that wants somebody who is elsewhere to let
// it in (CIBA, section 7.1). Exactly one of the hints says whom.
type BackchannelRequest struct {
	Scopes            Scopes
	NotificationToken secret.Value // by which the client knows our notification
	ACRValues         []string
	LoginHint         string
	LoginHintToken    string
	IDTokenHint       string
	BindingMessage    string
	RequestedExpiry   Seconds // zero if the client leaves it to us
}

// ParseBackchannelRequest reads an authentication request, from the form of the body
// or from what a signed request has said in its place. Who asks is read by
// [ParseCredentials].
func ParseBackchannelRequest(params url.Values) (BackchannelRequest, error) {
	f := &form{values: params}
	r := BackchannelRequest{
		Scopes:            f.scopes(),
		NotificationToken: secret.Value(f.one("client_notification_token", maxNotificationToken)),
		ACRValues:         f.list("acr_values", MaxACRValues),
		LoginHint:         f.one("login_hint", MaxLoginHint),
		LoginHintToken:    f.one("login_hint_token", MaxToken),
		IDTokenHint:       f.one("id_token_hint", MaxIDTokenHint),
		BindingMessage:    f.bindingMessage(),
		RequestedExpiry:   f.requestedExpiry(),
	}
	hints := 0
	for _, hint := range []string{r.LoginHint, r.LoginHintToken, r.IDTokenHint} {
		if hint != "" {
			hints++
		}
	}
	switch {
	case hints != 1:
		f.fail(Errorf(InvalidRequest, "Exactly one of login_hint, login_hint_token and id_token_hint has to say whom the request is about."))
	case !r.Scopes.Contains(ScopeOpenID):
		f.fail(Errorf(InvalidScope, "The scope openid is missing."))
	case r.NotificationToken != "" && !b64token(string(r.NotificationToken)):
		f.fail(Errorf(InvalidRequest, "The client_notification_token cannot stand in an Authorization header."))
	}
	return r, f.done()
}

// UnsignedBackchannel reports whether a form says by itself what a signed request has to
// say: all of it stands within, or all of it without (CIBA, section 7.1.1).
func UnsignedBackchannel(form url.Values) bool {
	return slices.ContainsFunc([]string{
		"scope", "client_notification_token", "acr_values", "login_hint_token", "id_token_hint", "login_hint", "binding_message",
		"user_code", "requested_expiry",
	}, form.Has)
}

// bindingMessage reads what two screens show. Somebody compares it by eye, so that it
// is short, of one line, and of characters that every screen has (CIBA, section 7.1).
func (f *form) bindingMessage() string {
	values := f.values["binding_message"]
	switch {
	case len(values) == 0:
		return ""
	case len(values) > 1:
		return f.one("binding_message", 0)
	case !utf8.ValidString(values[0]), utf8.RuneCountInString(values[0]) > MaxBindingMessage, strings.ContainsFunc(values[0], notCompared):
		f.fail(Errorf(InvalidBindingMessage, "The binding_message has at most %d letters, digits, signs and spaces.", MaxBindingMessage))
		return ""
	}
	return values[0]
}

// notCompared reports whether a character is one that people cannot be asked to compare:
// it is invisible, or a picture that each screen draws in its own way.
func notCompared(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return !unicode.In(r, unicode.L, unicode.Mn, unicode.Mc, unicode.N, unicode.P, unicode.Sc) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// requestedExpiry reads for how long the client wants to wait. In a signed request it is
// a number or a text with one (CIBA, section 7.1.1), which is the same here.
func (f *form) requestedExpiry() Seconds {
	text := f.one("requested_expiry", MaxValue)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		f.fail(Errorf(InvalidRequest, "The requested_expiry is not a positive number of seconds."))
		return 0
	}
	return Seconds(min(n, math.MaxInt32))
}

// BackchannelResponse is what the client is told (CIBA, section 7.3). It can be encoded,
// but not printed. A client that is sent the tokens has no use for an interval.
type BackchannelResponse struct {
	AuthReqID string  `json:"auth_req_id"`
	ExpiresIn Seconds `json:"expires_in"`
	Interval  Seconds `json:"interval,omitempty"`
}

// authReqID is the identifier of a token request by which the client has asked.
func authReqID(f *form) secret.Value { return secret.Value(f.one("auth_req_id", MaxSecret)) }

// PushedTokens is what a client is sent whose person has let it in (CIBA, section
// 10.3.1). It can be encoded, but not printed.
type PushedTokens struct {
	AuthReqID string `json:"auth_req_id"`
	TokenResponse
}

// PushedError is what a client is sent instead (CIBA, section 12).
type PushedError struct {
	AuthReqID   string `json:"auth_req_id"`
	Code        Code   `json:"error"`
	Description string `json:"error_description"`
}

// PushError says in the words that the token endpoint would have used why nothing comes of
// a request.
func PushError(authReqID string, e *Error) PushedError {
	return PushedError{AuthReqID: authReqID, Code: e.Code, Description: e.Description}
}
