package connector

import (
	"context"
	"time"

	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// TokenKind is a kind of token by which the other side vouches for somebody, without a
// browser in which they log in.
type TokenKind string

// The kinds.
const (
	IDTokens   TokenKind = "id_token"   // exchanged: RFC 8693
	Assertions TokenKind = "jwt_bearer" // RFC 7523 section 2.1
	IDJAGs     TokenKind = "id_jag"     // identity assertion grants, which are for one client
)

// Voucher is implemented by a connector whose other side is believed in tokens that
// applications bring.
type Voucher interface {
	// Takes reports whether it believes tokens of a kind by an issuer.
	Takes(kind TokenKind, issuer string) bool
	// ReadToken returns what a token says that holds: it is of the issuer and the kind,
	// good now, and made for one of the audiences that are ours, of which the first is the
	// issuer, or that the operator has named. It returns an error that wraps [ErrRefused]
	// for any other; whether a token has come before it does not know.
	ReadToken(ctx context.Context, kind TokenKind, token string, ours []string) (Vouched, error)
}

// Vouched is what a token of another issuer says.
type Vouched struct {
	Identity user.Identity
	Methods  []credential.Method
	AuthTime time.Time
	// Whole says that nobody logs in by the connector, so that the token says all that is
	// ever known of the person. Else that is what their last login said.
	Whole bool

	Issuer, Subject string // in its own words, for whoever has to name them
	ID              string // by which it is known again; empty if it may come more than once
	IssuedAt        time.Time
	Expires         time.Time
	Binding         oauth.Binding // the key that whoever brings it has to hold; usually none

	// Of identity assertion grants alone.
	ClientID  string // for whom it is
	Scope     string
	Resources []string

	Actor  *grant.Actor // who acts for the person
	MayAct *grant.Actor // who alone may; nil if it does not say, RFC 8693 section 4.4
}

// Closed is implemented by a connector that may be there for tokens alone.
type Closed interface {
	// Closed reports whether nobody can log in by it.
	Closed() bool
}
