package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
)

// AuthMethod is how a client proves who it is (OpenID Connect Core, section 9).
type AuthMethod string

// The methods.
const (
	AuthSecretBasic   AuthMethod = "client_secret_basic" // the secret in a header
	AuthSecretPost    AuthMethod = "client_secret_post"  // the secret in the body
	AuthPrivateKeyJWT AuthMethod = "private_key_jwt"     // a token that the client signed
	AuthNone          AuthMethod = "none"                // a public client, which can prove nothing
)

// BySecret reports whether the method rests on a secret that both sides know.
func (m AuthMethod) BySecret() bool { return m == AuthSecretBasic || m == AuthSecretPost }

// AssertionTypeJWT is the client_assertion_type of [AuthPrivateKeyJWT] (RFC 7523,
// section 2.2).
const AssertionTypeJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Credentials are how a client presents itself. Nothing in them is proven yet.
type Credentials struct {
	Method    AuthMethod
	ClientID  string
	Secret    secret.Value
	Assertion string
}

// maxBasic is the longest header with an id and a secret of full length, each
// byte of which may be escaped: (256 + 1024) × 3, in base64.
const maxBasic = 6 << 10

// ParseCredentials reads how a client presents itself, from a request's
// Authorization headers and the form in its body (RFC 6749, section 2.3). A
// client may use one method at a time (section 2.3), and whatever says who it is
// must say the same.
func ParseCredentials(authorization []string, body url.Values) (Credentials, error) {
	f := &form{values: body}
	id := f.one("client_id", MaxClientID)
	password := f.one("client_secret", MaxSecret)
	assertion := f.one("client_assertion", jose.MaxToken)
	assertionType := f.one("client_assertion_type", MaxValue)
	if f.err != nil {
		return Credentials{}, f.err
	}
	asserted := assertion != "" || assertionType != ""
	methods := len(authorization)
	for _, used := range []bool{password != "", asserted} {
		if used {
			methods++
		}
	}
	switch {
	case methods > 1:
		return Credentials{}, Errorf(InvalidRequest, "The client authenticates itself in more than one way.")
	case len(authorization) == 1:
		return parseBasic(authorization[0], id)
	case asserted:
		return parseAssertion(id, assertion, assertionType)
	case id == "" && password == "":
		return Credentials{}, Errorf(InvalidClient, "The client does not say who it is.")
	case id == "":
		return Credentials{}, Errorf(InvalidRequest, "The parameter client_id is missing.")
	case password != "":
		return Credentials{Method: AuthSecretPost, ClientID: id, Secret: secret.Value(password)}, nil
	default:
		return Credentials{Method: AuthNone, ClientID: id}, nil
	}
}

// parseBasic reads HTTP Basic authentication as RFC 6749, section 2.3.1 has it:
// id and secret are form-encoded first, which http.Request.BasicAuth knows
// nothing of.
func parseBasic(header, idInBody string) (Credentials, error) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Credentials{}, Errorf(InvalidClient, "Clients do not authenticate themselves with this scheme.")
	}
	malformed := Errorf(InvalidClient, "The Authorization header is malformed.")
	if len(header) > maxBasic || strings.ContainsAny(encoded, "\r\n") {
		return Credentials{}, malformed
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return Credentials{}, malformed
	}
	id, password, ok := strings.Cut(string(decoded), ":")
	if !ok {
		return Credentials{}, malformed
	}
	id, badID := url.QueryUnescape(id)
	password, badPassword := url.QueryUnescape(password)
	if badID != nil || badPassword != nil ||
		id == "" || len(id) > MaxClientID || !printable(id) ||
		password == "" || len(password) > MaxSecret || !printable(password) {
		return Credentials{}, malformed
	}
	if idInBody != "" && idInBody != id {
		return Credentials{}, Errorf(InvalidRequest, "The client_id is another one than in the Authorization header.")
	}
	return Credentials{Method: AuthSecretBasic, ClientID: id, Secret: secret.Value(password)}, nil
}

// parseAssertion reads a client assertion (RFC 7521, section 4.2). Without a
// client_id it says itself whose it is, and the signature will show whether that
// is so.
func parseAssertion(id, assertion, assertionType string) (Credentials, error) {
	if assertion == "" || assertionType == "" {
		return Credentials{}, Errorf(InvalidRequest, "A client_assertion and a client_assertion_type belong together.")
	}
	if assertionType != AssertionTypeJWT {
		return Credentials{}, Errorf(InvalidClient, "The client_assertion_type is not supported.")
	}
	claims, err := jose.UnverifiedClaims(assertion)
	if err != nil {
		return Credentials{}, Wrap(InvalidClient, err, "The client assertion is malformed.")
	}
	if id == "" {
		id = claims.Subject
	}
	if id == "" {
		id = claims.Issuer
	}
	if id == "" || len(id) > MaxClientID || !printable(id) {
		return Credentials{}, Errorf(InvalidClient, "The client does not say who it is.")
	}
	return Credentials{Method: AuthPrivateKeyJWT, ClientID: id, Assertion: assertion}, nil
}
