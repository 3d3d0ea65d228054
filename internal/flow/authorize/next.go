package authorize

import (
	"slices"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

// step is what an authorization needs next.
type step uint8

const (
	stepLogin step = iota + 1
	stepConsent
	stepRespond
)

// next says what an authorization still needs. It looks at its arguments and
// nothing else, so the order of the steps can be read, and tested, right here.
func next(r grant.Request, c client.Client, s *session.Known, now time.Time) step {
	if s == nil || !s.Session.Alive(now) {
		return stepLogin
	}
	askAgain := r.Asked.Prompt.Login || r.Asked.Prompt.SelectAccount || r.Answered.Switch || !s.Session.Fresh(now, r.MaxAge()) || tooWeak(r, s)
	switch {
	case askAgain && s.Session.ID != r.Answered.SessionID: // unless this very request has done so
		return stepLogin
	case !consented(r, c, s):
		return stepConsent
	default:
		return stepRespond
	}
}

// tooWeak reports whether the person should prove who they are more surely than they
// have: RFC 9470 section 4. Nobody is asked for a mere wish who shall not be asked at all.
func tooWeak(r grant.Request, s *session.Known) bool {
	classes := wanted(r.Asked)
	if r.Asked.Prompt.None {
		classes = demanded(r.Asked)
	}
	return len(classes) > 0 && credential.Met(s.Session.Methods, classes) == ""
}

// remembers reports whether an answer may be remembered. An application on a device
// that keeps no secret cannot be told from another one there, by a scheme of its own
// as little as by a port: RFC 8252 section 8.6.
func remembers(r grant.Request, c client.Client) bool {
	return r.Device == nil && !r.PrivateUse() && (!c.Native || !c.Public) && !mayBeAnother(r, c)
}

// mayBeAnother reports whether somebody who is not the client could gain much by asking
// in its name: to a loopback address any program answers, of whoever shares the machine,
// and no secret tells one from the other. RFC 8252 section 8.6 has the person asked
// then; for what a trusted application of no power asks it is not worth the question.
func mayBeAnother(r grant.Request, c client.Client) bool {
	return c.Public && (c.Native || r.Loopback()) && slices.ContainsFunc(r.Asked.Scopes, role.IsAdministrative)
}

// needed are the scopes that the person has to allow: those that the client asks for,
// and those that claims come with which it asks for one by one.
func needed(r grant.Request, c client.Client) oauth.Scopes {
	scopes := slices.Clone(r.Asked.Scopes)
	for _, s := range r.Asked.Claims.Scopes() {
		if c.Scopes.Contains(s) && !scopes.Contains(s) {
			scopes = append(scopes, s)
		}
	}
	return scopes
}

// consented reports whether the person has allowed what is asked.
func consented(r grant.Request, c client.Client, s *session.Known) bool {
	now := len(r.Answered.Consent) > 0 && r.Answered.ConsentBy == s.User.ID
	switch {
	case now && len(needed(r, c).Without(r.Answered.Consent)) == 0:
		return true
	case r.Asked.Prompt.Consent, r.PrivateUse(), r.Device != nil, mayBeAnother(r, c):
		return false
	case c.Trusted:
		return true
	default:
		// Authorization details say something else each time.
		return remembers(r, c) && len(r.Asked.Details) == 0 && len(needed(r, c).Without(s.Consent)) == 0
	}
}

// silentError is what a client hears that wanted nobody to be asked: OpenID
// Connect Core section 3.1.2.6.
func (s step) silentError() *oauth.Error {
	if s == stepConsent {
		return oauth.Errorf(oauth.ConsentRequired, "The person has not yet allowed this.")
	}
	return oauth.Errorf(oauth.LoginRequired, "The person has to log in.")
}

// allowed returns the scopes that the person has allowed, by whatever way.
func allowed(r grant.Request, c client.Client, s *session.Known) oauth.Scopes {
	switch {
	case r.Answered.ConsentBy == s.User.ID && len(r.Answered.Consent) > 0:
		return r.Answered.Consent
	case c.Trusted:
		return r.Asked.Scopes
	default:
		return s.Consent
	}
}
