package client

import (
	"maps"
	"net/url"
	"slices"
	"time"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

const (
	// longestObject bounds how long a request object of the FAPI profiles may be good
	// for, and how long ago its time may have begun: FAPI 1.0 Advanced section 5.2.2,
	// FAPI 2.0 Message Signing section 5.3.1.
	longestObject = time.Hour
	objectSkew    = time.Minute
)

// objectTypes are the "typ" headers of a request object, RFC 9101 section 10.8.
var objectTypes = []string{"", "JWT", "oauth-authz-req+jwt"}

// ObjectAlgs returns what request objects may be signed with, for metadata: by nothing
// at all, in the profile that takes that.
func ObjectAlgs() []jose.Algorithm { return append([]jose.Algorithm{unsigned}, assertionAlgs...) }

// ObjectAlgs returns what a client of the profile may sign its request objects with.
func (p Profile) ObjectAlgs() []jose.Algorithm {
	if d := p.Demands(); d.Algorithms != nil {
		return slices.Clone(d.Algorithms)
	}
	return slices.Clone(assertionAlgs)
}

// ReadRequestObject reads what a client asks within an object, and reports whether
// the client has signed it. The outer parameters are those that came beside the object.
//
// Only the profile openid takes what stands beside the object too, where the object
// does not say otherwise, and takes an object that nobody has signed: OpenID Connect
// Core section 6. For all others what counts is what the client has signed, and that
// alone: RFC 9101 section 6.3. An error comes with the parameters by which the client
// can be told, if any; they are the client's own word for nothing else.
func ReadRequestObject(c Client, object string, outer url.Values, issuer string, now time.Time) (params url.Values, signed bool, err error) {
	payload, signed, err := c.openObject(object)
	if err != nil {
		return outer, false, err
	}
	o, err := oauth.ParseRequestObject(payload)
	if err != nil {
		return outer, false, err
	}
	params = within(c, outer, o)
	return params, signed, checkObject(c, outer, o, issuer, now)
}

// within returns the parameters that count.
func within(c Client, outer url.Values, o oauth.RequestObject) url.Values {
	if !c.Profile.Demands().Unsigned {
		return o.Params
	}
	params := maps.Clone(outer)
	maps.Copy(params, o.Params)
	delete(params, "request")
	delete(params, "request_uri")
	return params
}

// openObject returns what an object says.
func (c Client) openObject(object string) (payload []byte, signed bool, err error) {
	if jose.Unsigned(object) {
		if !c.Profile.Demands().Unsigned || c.RequestObjectAlg != "" && c.RequestObjectAlg != unsigned {
			return nil, false, oauth.Errorf(oauth.InvalidRequestObject, "The request object must be signed by the client.")
		}
		if payload, err = jose.ReadUnsigned(object, objectTypes); err != nil {
			return nil, false, oauth.Wrap(oauth.InvalidRequestObject, err, "The request object is malformed.")
		}
		return payload, false, nil
	}
	algs := c.Profile.ObjectAlgs()
	if c.RequestObjectAlg != "" {
		algs = slices.DeleteFunc(algs, func(alg jose.Algorithm) bool { return alg != c.RequestObjectAlg })
	}
	payload, _, err = jose.Verify(object, algs, objectTypes, c.keysFor)
	if err != nil {
		return nil, false, oauth.Wrap(oauth.InvalidRequestObject, err, "The request object is not one that this client has signed.")
	}
	return payload, true, nil
}

// checkObject says what is wrong with what an object says of itself.
func checkObject(c Client, outer url.Values, o oauth.RequestObject, issuer string, now time.Time) error {
	bad := func(format string, args ...any) error {
		return oauth.Errorf(oauth.InvalidRequestObject, format, args...)
	}
	d := c.Profile.Demands()
	lax := d.Unsigned
	inner := o.Params.Get("client_id")
	switch {
	case inner != c.ID && (inner != "" || !lax):
		return bad("The client_id of the request object is not the client's.")
	case o.Params.Has("response_type") && outer.Get("response_type") != "" && lax && outer.Get("response_type") != o.Params.Get("response_type"):
		return bad("The response_type is another one than in the request object.")
	case o.Issuer != c.ID && (o.Issuer != "" || !lax):
		return bad("The request object is not by the client: its iss must be the client_id.")
	case !slices.Contains(o.Audience, issuer) && (len(o.Audience) > 0 || !lax):
		return bad("The request object is for somebody else: its aud must be the issuer.")
	case o.Subject == c.ID:
		// It would pass for an assertion by which the client authenticates itself.
		return bad("The request object has the client as its sub.")
	case o.Expiry == 0 && d.Dated:
		return bad("The request object does not say until when it is good: exp is missing.")
	case o.NotBefore == 0 && d.Dated:
		return bad("The request object does not say from when on it is good: nbf is missing.")
	case o.Expiry != 0 && !now.Before(o.Expiry.Time().Add(objectSkew)):
		return bad("The request object has expired.")
	case now.Add(objectSkew).Before(o.NotBefore.Time()), now.Add(objectSkew).Before(o.IssuedAt.Time()):
		return bad("The request object is of the future.")
	case d.Dated && o.Expiry.Time().Sub(o.NotBefore.Time()) > longestObject:
		return bad("The request object is good for too long: exp may be an hour after nbf.")
	case d.Dated && now.Sub(o.NotBefore.Time()) > longestObject:
		return bad("The request object is too old: nbf may be an hour ago.")
	}
	return nil
}
