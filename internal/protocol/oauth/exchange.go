package oauth

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
)

// GrantTokenExchange is the grant type of a client that has a token and wants another
// (RFC 8693, section 2.1).
const GrantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

// The types of tokens that are exchanged (RFC 8693, section 3).
const (
	TokenTypeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	TokenTypeRefresh     = "urn:ietf:params:oauth:token-type:refresh_token"
	TokenTypeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
	TokenTypeJWT         = "urn:ietf:params:oauth:token-type:jwt"
	TokenTypeIDJAG       = "urn:ietf:params:oauth:token-type:id-jag" // draft-ietf-oauth-identity-assertion-authz-grant

	// OpenID Connect Native SSO, section 4.1
	TokenTypeDeviceSecret = "urn:openid:params:token-type:device-secret"
)

// maxAudiences is how many audiences one request may name.
const maxAudiences = 10

// Exchange is what a client asks that exchanges a token (RFC 8693, section 2.1). Its
// scopes and resources stand in the [TokenRequest].
type Exchange struct {
	Subject, SubjectType string
	Actor, ActorType     string // empty if nobody acts but the client
	Requested            string
	Audiences            []string
}

// Format keeps the tokens out of everything that is printed.
func (Exchange) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[tokens]") }

// LogValue keeps the tokens out of the log.
func (Exchange) LogValue() slog.Value { return slog.StringValue("[tokens]") }

// ParseExchange reads what a token request says of an exchange. The form is that of the
// body alone.
func ParseExchange(body url.Values) (Exchange, error) {
	f := &form{values: body}
	e := Exchange{
		Subject:     f.one("subject_token", MaxToken),
		SubjectType: f.one("subject_token_type", MaxValue),
		Actor:       f.one("actor_token", MaxToken),
		ActorType:   f.one("actor_token_type", MaxValue),
		Requested:   f.one("requested_token_type", MaxValue),
		Audiences:   f.audiences(),
	}
	switch {
	case e.Subject == "":
		f.missing("subject_token")
	case e.SubjectType == "":
		f.missing("subject_token_type")
	case e.Actor != "" && e.ActorType == "":
		f.missing("actor_token_type")
	case e.Actor == "" && e.ActorType != "":
		f.fail(Errorf(InvalidRequest, "There is an actor_token_type, and no actor_token."))
	}
	return e, f.done()
}

// audiences reads whom the token shall be for. The parameter may come more than once.
func (f *form) audiences() []string {
	values := f.values["audience"]
	if len(values) > maxAudiences {
		f.fail(Errorf(InvalidRequest, "The parameter audience is given more than %d times.", maxAudiences))
		return nil
	}
	var all []string
	for _, v := range values {
		switch {
		case len(v) > MaxClientID || !printable(v):
			f.fail(Errorf(InvalidTarget, "A value of the parameter audience is not one."))
			return nil
		case v != "":
			all = append(all, v)
		}
	}
	return all
}
