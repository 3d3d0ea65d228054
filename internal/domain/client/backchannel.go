package client

import (
	"net/url"
	"slices"
	"time"

	"dex/internal/base/secret"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// SignsCalls reports whether the client has to sign its authentication requests: it says
// how, or its profile demands it (FAPI-CIBA section 5.2.2).
func (c Client) SignsCalls() bool { return c.Backchannel.RequestAlg != "" || c.Profile == FAPI1 }

// ReadBackchannelRequest returns the parameters of an authentication request: those of
// the form, or those that the client has signed in their place (CIBA section 7.1.1).
// What it has signed counts once.
func ReadBackchannelRequest(c Client, form url.Values, issuer string, now time.Time) (url.Values, Used, error) {
	bad := func(format string, args ...any) (url.Values, Used, error) {
		return nil, Used{}, oauth.Errorf(oauth.InvalidRequest, format, args...)
	}
	object := form.Get("request")
	switch {
	case len(form["request"]) > 1:
		return bad("The parameter request is given more than once.")
	case object == "" && c.SignsCalls():
		return bad("This client has to sign its request: the parameter request is missing.")
	case object == "":
		return form, Used{}, nil
	case oauth.UnsignedBackchannel(form):
		return bad("A signed request says everything, so that nothing may stand beside it.")
	}
	payload, _, err := jose.Verify(object, c.callAlgs(), objectTypes, c.keysFor)
	if err != nil {
		return nil, Used{}, oauth.Wrap(oauth.InvalidRequest, err, "The request is not one that this client has signed.")
	}
	o, err := oauth.ParseRequestObject(payload)
	if err != nil {
		return nil, Used{}, oauth.Wrap(oauth.InvalidRequest, err, "The request is malformed.")
	}
	switch {
	case o.Issuer != c.ID:
		return bad("The request is not by the client: its iss must be the client_id.")
	case !slices.Contains(o.Audience, issuer):
		return bad("The request is for somebody else: its aud must be the issuer.")
	case o.Subject == c.ID:
		// It would pass for an assertion by which the client authenticates itself.
		return bad("The request has the client as its sub.")
	case o.ID == "" || len(o.ID) > maxJTI:
		return bad("The request has no usable jti.")
	case o.IssuedAt == 0:
		return bad("The request does not say when it was made: iat is missing.")
	case o.Expiry == 0:
		return bad("The request does not say until when it is good: exp is missing.")
	case o.NotBefore == 0:
		return bad("The request does not say from when on it is good: nbf is missing.")
	case !now.Before(o.Expiry.Time().Add(objectSkew)):
		return bad("The request has expired.")
	case now.Add(objectSkew).Before(o.NotBefore.Time()), now.Add(objectSkew).Before(o.IssuedAt.Time()):
		return bad("The request is of the future.")
	case o.Expiry.Time().Sub(o.NotBefore.Time()) > longestObject:
		return bad("The request is good for too long: exp may be an hour after nbf.")
	case now.Sub(o.NotBefore.Time()) > longestObject:
		return bad("The request is too old: nbf may be an hour ago.")
	}
	// An assertion of the same jti is another thing.
	return o.Params, Used{JTI: secret.Value("call\x00" + o.ID).Hash(), Expires: o.Expiry.Time().Add(objectSkew)}, nil
}

// callAlgs are what the client may sign its authentication requests with.
func (c Client) callAlgs() []jose.Algorithm {
	algs := c.Profile.ObjectAlgs()
	if alg := c.Backchannel.RequestAlg; alg != "" {
		algs = slices.DeleteFunc(algs, func(a jose.Algorithm) bool { return a != alg })
	}
	return algs
}
