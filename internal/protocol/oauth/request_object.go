package oauth

import (
	"bytes"
	stdjson "encoding/json"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4/json"

	"dex/internal/protocol/jose"
)

// RequestObject is an authorization request as the claims of a token (OpenID Connect
// Core, section 6.1; RFC 9101, section 4): the parameters, and what the token says of
// itself.
type RequestObject struct {
	jose.Claims
	Params url.Values
}

// ofTheToken are the claims that are no parameters.
var ofTheToken = map[string]bool{"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true}

// maxMembers is how many parameters a request object may have.
const maxMembers = 100

// ParseRequestObject reads the payload of a request object. Its members become the
// parameters that they stand for, to be read by [ParseAuthorization] as if they had
// come in an address: text as it is, numbers and truth in digits and words, and those
// that are JSON themselves as JSON. A list of texts is a parameter that comes more
// than once.
func ParseRequestObject(payload []byte) (RequestObject, error) {
	o := RequestObject{Params: url.Values{}}
	if err := jose.Unmarshal(payload, &o.Claims); err != nil {
		return RequestObject{}, Wrap(InvalidRequestObject, err, "The request object is malformed.")
	}
	var members map[string]json.RawMessage
	if err := jose.Unmarshal(payload, &members); err != nil {
		return RequestObject{}, Wrap(InvalidRequestObject, err, "The request object is malformed.")
	}
	if len(members) > maxMembers {
		return RequestObject{}, Errorf(InvalidRequestObject, "The request object has more than %d members.", maxMembers)
	}
	for name, value := range members {
		if ofTheToken[name] {
			continue
		}
		texts, ok := parameter(name, value)
		if !ok {
			return RequestObject{}, Errorf(InvalidRequestObject, "The member %.40s of the request object is no parameter.", name)
		}
		if texts != nil {
			o.Params[name] = texts
		}
	}
	// RFC 9101, section 4: neither may be inside.
	if o.Params.Has("request") || o.Params.Has("request_uri") {
		return RequestObject{}, Errorf(InvalidRequestObject, "A request object cannot hold another one.")
	}
	return o, nil
}

// inJSON are the parameters whose text is JSON, wherever they stand.
var inJSON = map[string]bool{"claims": true, "authorization_details": true, "registration": true}

// parameter returns the values of a parameter that stands as JSON in an object; none
// if it is null.
func parameter(name string, value json.RawMessage) (texts []string, ok bool) {
	value = bytes.TrimSpace(value)
	switch {
	case len(value) == 0 || bytes.Equal(value, []byte("null")):
		return nil, true
	case value[0] == '"':
		var text string
		if json.Unmarshal(value, &text) != nil {
			return nil, false
		}
		return []string{text}, true
	case inJSON[name]:
		var small bytes.Buffer
		if stdjson.Compact(&small, value) != nil {
			return nil, false
		}
		return []string{small.String()}, true
	case value[0] == '{':
		return nil, false
	case value[0] == '[':
		var many []*string
		if json.Unmarshal(value, &many) != nil {
			return nil, false
		}
		for _, text := range many {
			if text == nil {
				return nil, false
			}
			texts = append(texts, *text)
		}
		return texts, true
	default: // a number, true or false
		return []string{string(value)}, true
	}
}

// RequestURIPrefix begins the references to requests that were pushed to us (RFC 9126,
// section 2.2).
const RequestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// Reference says how a request brings what it asks for, if not in parameters of its
// own: no more than one of its fields has a value.
type Reference struct {
	ClientID string
	Object   string // the request object itself
	Pushed   string // the handle of a request that was pushed
	URI      string // where the request object can be fetched
}

// Plain reports whether the request brings its parameters itself.
func (r Reference) Plain() bool { return r.Object == "" && r.Pushed == "" && r.URI == "" }

// ParseReference reads where the parameters of an authorization request stand
// (OpenID Connect Core, section 6; RFC 9101, section 5; RFC 9126, section 4).
func ParseReference(values url.Values) (Reference, error) {
	f := &form{values: values}
	r := Reference{ClientID: f.one("client_id", MaxClientID), Object: f.one("request", MaxRequestObject)}
	uri := f.one("request_uri", MaxRequestURI)
	if handle, ok := strings.CutPrefix(uri, RequestURIPrefix); ok {
		r.Pushed = handle
	} else {
		r.URI = uri
	}
	if r.Object != "" && uri != "" {
		f.fail(Errorf(InvalidRequest, "The parameters request and request_uri exclude each other."))
	}
	if uri == RequestURIPrefix {
		f.fail(Errorf(InvalidRequestURI, "The request_uri names no request."))
	}
	return r, f.done()
}
