package client

import (
	"slices"

	"dex/internal/protocol/oauth"
)

// Implicit is the grant type of a client that gets tokens by the browser.
const Implicit = oauth.GrantImplicit

// Answers reports whether the client may be answered with a response type. One that
// says nothing of it gets codes.
func (c Client) Answers(t oauth.ResponseType) bool {
	if len(c.ResponseTypes) == 0 {
		return t == oauth.ResponseTypeCode
	}
	return slices.Contains(c.ResponseTypes, t)
}

// AnswersIn reports whether the client may have its answers in a mode. A fragment
// without a token in it is for clients of profiles that know more than a code.
func (c Client) AnswersIn(m oauth.ResponseMode, t oauth.ResponseType) bool {
	return m.Way() != oauth.ModeFragment || t.Front() || len(c.Profile.Demands().ResponseTypes) > 1
}
