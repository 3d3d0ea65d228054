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
	AuthSecretJWT     AuthMethod = "client_secret_jwt"   // a token that it signed with the secret
	AuthNone          AuthMethod = "none"                // a public client, which can prove nothing

	// By the certificate of the connection (RFC 8705, section 2): one that an authority has
	// signed, or the client itself.
	AuthTLS           AuthMethod = "tls_client_auth"
	AuthSelfSignedTLS AuthMethod = "self_signed_tls_client_auth"
)

// BySecret reports whether the method rests on a secret that both sides know.
func (m AuthMethod) BySecret() bool {
	return m == AuthSecretBasic || m == AuthSecretPost || m == AuthSecretJWT
}

// ByCertificate reports whether the method rests on the certificate of the connection.
func (m AuthMethod) ByCertificate() bool { return m == AuthTLS || m == AuthSelfSignedTLS }

// Presented returns how credentials look in a request that are of the method. What the
// parameters do not tell apart is one: an assertion is an assertion, whatever it was
// signed with, and of a certificate there is nothing among them.
func (m AuthMethod) Presented() AuthMethod {
	switch m {
	case AuthSecretJWT:
		return AuthPrivateKeyJWT
	case AuthTLS, AuthSelfSignedTLS:
		return AuthNone
	default:
		return m
	}
}

// AssertionTypeJWT is the client_assertion_type of [AuthPrivateKeyJWT] and
// [AuthSecretJWT] (RFC 7523, section 2.2).
const AssertionTypeJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Credentials are how a client presents itself. Nothing in them is proven yet, and the
// method is as it is presented: see [AuthMethod.Presented].
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
