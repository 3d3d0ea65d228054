package grant

import (
	"fmt"
	"slices"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Path is a way to something of worth: a session, a code, a token, or what a token
// opens.
type Path uint8

// The paths. Every one of them leads through [Decide].
const (
	OpenSession        Path = iota + 1 // a person has just logged in
	ReuseSession                       // a session answers instead of the person
	IssueCode                          // the authorization endpoint answers the client
	RedeemCode                         // the token endpoint exchanges a code
	Refresh                            // the token endpoint takes a refresh token
	ActForItself                       // the token endpoint serves client credentials
	Userinfo                           // an access token opens the person's claims
	Introspect                         // a resource server asks whether a token counts
	IntrospectOwn                      // … one that a client has for itself
	Administer                         // the administrators' API takes an access token
	AdministerOwn                      // … one that a client has for itself
	ApproveDevice                      // a person lets in a device that waits
	RedeemDevice                       // the token endpoint exchanges its code
	ApproveBackchannel                 // a person lets a client in that has asked for them, CIBA
	RedeemBackchannel                  // the token endpoint exchanges what it asked by
	IssueTokens                        // the authorization endpoint answers with tokens
	ExchangeToken                      // the token endpoint exchanges somebody's token for another
	TakeAssertion                      // the token endpoint takes another issuer's word for somebody
	ExchangeForeign                    // the token endpoint exchanges another issuer's token
	TakePassword                       // the token endpoint takes somebody's password
	ShareLogin                         // the token endpoint lets a client take part in the login of another
	AssertIdentity                     // the token endpoint says to another authorization server who somebody is, ID-JAG
	pathEnd
)

var pathNames = [...]string{
	"", "open a session", "reuse a session", "issue a code", "redeem a code", "refresh", "act for itself", "userinfo", "introspect",
	"introspect a client's own token",
	"administer", "administer by a client's own token", "approve a device", "redeem a device's code",
	"approve a request by the back channel", "redeem a request by the back channel",
	"issue tokens", "exchange a token", "take an assertion", "exchange another issuer's token", "take a password", "share a login",
	"assert an identity",
}

// String returns the path's name, for traces.
func (p Path) String() string {
	if int(p) < len(pathNames) {
		return pathNames[p]
	}
	return fmt.Sprintf("path(%d)", uint8(p))
}

// paths is a set of paths.
type paths uint32

func on(ps ...Path) paths {
	var s paths
	for _, p := range ps {
		s |= 1 << p
	}
	return s
}

func (s paths) has(p Path) bool { return s&(1<<p) != 0 }

// Groups of paths, for the table of checks.
var (
	everywhere = paths(1<<pathEnd - 1)
	ofItself   = on(ActForItself, IntrospectOwn, AdministerOwn)
	ofPerson   = everywhere &^ ofItself                    // somebody's account is concerned
	ofClient   = ofPerson &^ on(OpenSession, ReuseSession) // … and a client gets something of it
	vouched    = on(TakeAssertion, ExchangeForeign)        // another issuer speaks for the person
	unasked    = vouched | on(TakePassword, ShareLogin)    // nobody can be asked whether they allow it
	afterCode  = on(RedeemCode, RedeemDevice, RedeemBackchannel, ExchangeToken, AssertIdentity, Refresh, Userinfo, Introspect, Administer)
	answering  = on(IssueCode, IssueTokens) // the authorization endpoint
	minting    = answering | vouched | on(RedeemCode, Refresh, ActForItself, ExchangeToken, AssertIdentity, ApproveDevice, RedeemDevice, ApproveBackchannel, RedeemBackchannel, TakePassword, ShareLogin)
	// What is begun in a session ends in it, even if what comes of it does not.
	boundToSession = answering | on(ReuseSession, RedeemCode, ApproveDevice, RedeemDevice, ApproveBackchannel, RedeemBackchannel, ShareLogin)
	// These are of a browser. Of the others some are of nobody's: an authorization that
	// was made in no session has none that could end.
	ofBrowser = answering | on(ReuseSession, RedeemCode, ApproveDevice, RedeemDevice, ShareLogin)
	presented = on(Userinfo, Introspect, IntrospectOwn, Administer, AdministerOwn) // what was minted comes back
)

// Connector is what the gate must know of the connector that somebody came by.
type Connector struct {
	ID       string
	Disabled bool
}

// Case is everything that a decision rests on. Who is asked to decide reads it
// freshly; what a pointer leaves nil does not exist any more.
type Case struct {
	Path Path
	Now  time.Time

	Tenant    tenant.Tenant
	Client    client.Client
	Peers     map[string]client.Client // the clients named in the authorization's audience
	Connector *Connector
	User      *user.User
	Identity  *user.Identity
	Session   *session.Session

	Authorization Authorization
	RedirectURI   string // where a code goes, or went
	ResponseType  oauth.ResponseType
	RequestedAt   time.Time
	MaxAge        *time.Duration
	Classes       []string     // of which the login must be one, or more than one; empty: any will do
	Consent       oauth.Scopes // what the person has allowed
	// DetailsAllowed is whether they have allowed the very authorization details.
	DetailsAllowed bool
	Sharing        Sharing
	RevokedAt      time.Time // of the grant
	TokenRevoked   bool
}

// Sharing is the login of others that a client takes part in, OpenID Connect Native SSO.
type Sharing struct {
	Group   string    // of the device secret
	Since   time.Time // when it was given
	Sharers []Sharer  // who was given it, and who the ID token
}

// Sharer is a client with something that it shares, and since when it has it.
type Sharer struct {
	client.Client
	Since time.Time
}

// Bearing returns the case of an access token with the scopes and the audience that
// it bears: they may be fewer than its grant's, and it is judged by no more than it
// says. A token needs no trust of the issuer or of its own client, and resources are not
// clients.
func (c Case) Bearing(issuer string, scopes oauth.Scopes, audience []string) Case {
	c.Authorization.Scopes = scopes
	c.Authorization.Audience = slices.DeleteFunc(slices.Clone(audience), func(id string) bool {
		return id == issuer || id == c.Client.ID || c.Client.MayReach(id, issuer)
	})
	c.Authorization.Terms.Resources = nil // which are in the audience, as far as the token is for them
	return c
}

// Reason says why the gate stays shut.
type Reason string

// The reasons.
const (
	TenantDisabled      Reason = "the tenant is disabled"
	TenantEpoch         Reason = "issued before the tenant's epoch"
	ClientDisabled      Reason = "the client is disabled"
	ClientEpoch         Reason = "issued to another client of this id, which is gone"
	GrantTypeMissing    Reason = "the client does not have this grant type"
	ResponseTypeMissing Reason = "the client does not have this response type"
	LoginNotShared      Reason = "these clients share no logins"
	RedirectURIRemoved  Reason = "the redirect URI is not registered any more"
	ScopeNotAllowed     Reason = "the client may not have this scope"
	AudienceNotAllowed  Reason = "the audience does not trust the client"
	ConnectorGone       Reason = "the connector is disabled or gone"
	ConnectorNotAllowed Reason = "the client does not accept this connector"
	UserGone            Reason = "the account is gone"
	UserDisabled        Reason = "the account is disabled"
	UserEpoch           Reason = "issued before the account's epoch"
	IdentityGone        Reason = "the identity is not linked any more"
	RoleMissing         Reason = "the person's role does not have this scope"
	GroupNotAllowed     Reason = "the person is in none of the client's groups"
	SessionEnded        Reason = "the session has ended"
	AuthTooOld          Reason = "the person proved who they are too long ago"
	AuthTooWeak         Reason = "the person proved who they are less surely than is demanded"
	ConsentMissing      Reason = "the person has not allowed it"
	GrantRevoked        Reason = "the grant is revoked"
	TokenRevoked        Reason = "the token is revoked"
)

// check is one row of the gate: on which paths it is asked, and what stops there.
type check struct {
	reason Reason
	on     paths
	stops  func(c *Case) bool
}

// checks is the gate. Their order is the order in which a denial is explained.
var checks = []check{
	{TenantDisabled, everywhere, func(c *Case) bool { return c.Tenant.Disabled }},
	{TenantEpoch, on(ReuseSession, IntrospectOwn, AdministerOwn, ShareLogin) | afterCode | vouched, func(c *Case) bool { return c.since().Before(c.Tenant.NotBefore) }},
	{ClientDisabled, everywhere, func(c *Case) bool { return c.Client.Disabled || c.Client.ID == "" }},
	{ClientEpoch, on(IntrospectOwn, AdministerOwn) | afterCode | vouched, func(c *Case) bool { return c.since().Before(c.Client.NotBefore) }},
	{GrantTypeMissing, minting | on(IntrospectOwn, AdministerOwn), func(c *Case) bool { return !c.Client.May(grantTypeOf[c.Path]) }},
	{LoginNotShared, on(ShareLogin), loginNotShared},
	{ResponseTypeMissing, answering, func(c *Case) bool { return !c.Client.Answers(c.ResponseType) }},
	{RedirectURIRemoved, answering | on(RedeemCode), func(c *Case) bool {
		return !c.Client.Returns(c.RedirectURI)
	}},
	{ScopeNotAllowed, minting | presented, scopeNotAllowed},
	{AudienceNotAllowed, minting | presented, audienceNotAllowed},
	{ConnectorGone, ofPerson, func(c *Case) bool { return c.Connector == nil || c.Connector.Disabled }},
	{ConnectorNotAllowed, ofPerson, func(c *Case) bool { return c.Connector != nil && !c.Client.Accepts(c.Connector.ID) }},
	{UserGone, ofPerson, func(c *Case) bool { return c.User == nil }},
	{UserDisabled, ofPerson, func(c *Case) bool { return c.User != nil && c.User.Disabled }},
	{UserEpoch, on(ReuseSession, ShareLogin) | afterCode | vouched, func(c *Case) bool { return c.User != nil && c.since().Before(c.User.NotBefore) }},
	{IdentityGone, ofPerson, func(c *Case) bool { return c.Identity == nil }},
	{GroupNotAllowed, ofClient, func(c *Case) bool {
		return c.Identity != nil && c.User != nil && !c.Client.Admits(c.Identity.Profile.With(*c.User).Groups)
	}},
	{RoleMissing, ofClient, func(c *Case) bool {
		return c.User != nil && !role.Role(c.User.Role).Has(c.Authorization.Scopes)
	}},
	{SessionEnded, ofClient | on(ReuseSession), sessionEnded},
	{AuthTooOld, answering | on(ApproveDevice, ApproveBackchannel), func(c *Case) bool {
		return c.Session != nil && !c.Session.Fresh(c.Now, c.MaxAge) && c.Session.AuthTime.Before(c.RequestedAt)
	}},
	{AuthTooWeak, answering, func(c *Case) bool {
		return len(c.Classes) > 0 && credential.Met(c.Authorization.Methods, c.Classes) == ""
	}},
	{ConsentMissing, answering | unasked | on(ApproveDevice, ApproveBackchannel), func(c *Case) bool {
		// Somebody else may have sent the code of a device: RFC 8628 section 5.4. And a
		// request by the back channel nobody but its client has begun.
		if !c.Client.Trusted && len(c.Authorization.Terms.Details) > 0 && !c.DetailsAllowed {
			return true
		}
		if !c.Client.Trusted && unasked.has(c.Path) && len(c.Consent) == 0 {
			return true // the person has never been asked, so that nothing is too much
		}
		return (!c.Client.Trusted || on(ApproveDevice, ApproveBackchannel).has(c.Path)) && len(c.Authorization.Scopes.Without(c.Consent)) > 0
	}},
	{GrantRevoked, afterCode | on(ShareLogin), func(c *Case) bool { return !c.RevokedAt.IsZero() }},
	{TokenRevoked, presented | on(ExchangeToken), func(c *Case) bool { return c.TokenRevoked }},
}

var grantTypeOf = map[Path]string{
	IssueCode:     client.AuthorizationCode,
	RedeemCode:    client.AuthorizationCode,
	Refresh:       client.RefreshToken,
	ActForItself:  client.ClientCredentials,
	IntrospectOwn: client.ClientCredentials,
	AdministerOwn: client.ClientCredentials,
	ApproveDevice: client.DeviceCode,
	RedeemDevice:  client.DeviceCode,

	ApproveBackchannel: client.CIBA,
	RedeemBackchannel:  client.CIBA,
	IssueTokens:        client.Implicit,
	ExchangeToken:      client.TokenExchange,
	TakeAssertion:      client.JWTBearer,
	ExchangeForeign:    client.TokenExchange,
	TakePassword:       client.Password,
	ShareLogin:         client.TokenExchange,
	AssertIdentity:     client.TokenExchange,
}

// since is when what is presented came to be.
func (c *Case) since() time.Time {
	switch {
	case c.Path == ShareLogin:
		return c.Sharing.Since
	case c.Path != ReuseSession:
		return c.Authorization.IssuedAt
	case c.Session == nil:
		return time.Time{}
	default:
		return c.Session.CreatedAt
	}
}

// loginNotShared holds a client to logins of those that the operator has put in one group
// with it, and which have not been taken out of it since.
func loginNotShared(c *Case) bool {
	s := c.Sharing
	return s.Group == "" || c.Client.NativeSSOGroup != s.Group || len(s.Sharers) == 0 || slices.ContainsFunc(s.Sharers, func(k Sharer) bool {
		return k.ID == "" || k.Disabled || k.NativeSSOGroup != s.Group || k.Since.Before(k.NotBefore)
	})
}

// scopeNotAllowed holds an authorization to the scopes that its client may have.
// Those of the administrators' API are for clients of the operator's own. Authorization
// details are scopes that say more. What is asked for at another authorization server is
// held to what the client may have there.
func scopeNotAllowed(c *Case) bool {
	if !c.Client.MayDetail(c.Authorization.Terms.Details) {
		return true
	}
	mine := c.Client.Scopes
	if c.Path == AssertIdentity {
		there, ok := c.elsewhere()
		if !ok {
			return false // which is the audience's matter
		}
		mine = there.Scopes
	}
	for _, s := range c.Authorization.Scopes {
		if _, ok := oauth.CrossClientAudience(s); (!ok || c.Path == AssertIdentity) && !mine.Contains(s) {
			return true
		}
		if role.IsAdministrative(s) && !c.Client.Trusted {
			return true
		}
	}
	return false
}

func audienceNotAllowed(c *Case) bool {
	if slices.ContainsFunc(c.Authorization.Terms.Resources, func(r string) bool { return !c.Client.MayReach(r, c.Tenant.Issuer) }) {
		return true
	}
	if c.Path == AssertIdentity {
		_, ok := c.elsewhere()
		return !ok
	}
	return slices.ContainsFunc(c.Authorization.Audience, func(id string) bool {
		peer, ok := c.Peers[id]
		return !ok || peer.Disabled || !peer.Trusts(c.Client.ID)
	})
}

// elsewhere returns the other authorization server that an assertion is for, if it is one
// of the client's. It is one, and never ourselves: whoever takes their own assertions
// gives away more than was granted.
func (c *Case) elsewhere() (client.IDJAGAudience, bool) {
	if len(c.Authorization.Audience) != 1 || c.Authorization.Audience[0] == c.Tenant.Issuer {
		return client.IDJAGAudience{}, false
	}
	return c.Client.Asserts(c.Authorization.Audience[0])
}

// sessionEnded holds a grant to the session it was made in, unless it was made to
// outlive it. A code is always redeemed within its session.
func sessionEnded(c *Case) bool {
	if c.Authorization.SessionID == "" && !ofBrowser.has(c.Path) {
		return false
	}
	if c.Authorization.Offline() && !boundToSession.has(c.Path) {
		return false
	}
	return !c.Session.Alive(c.Now)
}

// Denial is the error of a gate that stays shut.
type Denial struct {
	Path    Path
	Reason  Reason
	Setting string // that stopped it, for the trace; empty if none did
}

// Error implements error.
func (d *Denial) Error() string { return fmt.Sprintf("%s: %s", d.Path, d.Reason) }

// Permit is the gate's word. Only [Decide] makes one that says yes: whatever mints
// a token or opens a session asks for it.
type Permit struct {
	path          Path
	authorization Authorization
}

// Decide is the one gate. It looks at its argument and nothing else, and returns
// the permit to go on, or a [Denial].
func Decide(c Case) (Permit, error) {
	return decide(checks, c)
}

func decide(checks []check, c Case) (Permit, error) {
	if c.Path == 0 || c.Path >= pathEnd {
		return Permit{}, fmt.Errorf("the gate knows no path %d", c.Path)
	}
	for _, k := range checks {
		if k.on.has(c.Path) && k.stops(&c) {
			return Permit{}, &Denial{Path: c.Path, Reason: k.reason, Setting: settingOf(k.reason, &c)}
		}
	}
	return Permit{path: c.Path, authorization: c.Authorization}, nil
}

// For returns what is permitted. It fails unless the permit is the gate's word for
// one of the given paths.
func (p Permit) For(paths ...Path) (Authorization, error) {
	if p.path == 0 || !slices.Contains(paths, p.path) {
		return Authorization{}, fmt.Errorf("no permit for this: it is for %q", p.path)
	}
	return p.authorization, nil
}
