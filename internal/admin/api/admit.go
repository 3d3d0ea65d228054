package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
)

// Realm is what the API must know of a tenant to tell whether its tokens count.
type Realm struct {
	Tenant  string // its id
	Issuer  string
	Access  mint.Reader
	Clients client.Store
	Grants  Grants
	Desk    grant.Desk
	Proofs  *proof.Desk // of the keys that tokens are bound to
}

// Grants tells how grants and tokens stand.
type Grants interface {
	Grant(ctx context.Context, id, token string) (grant.Known, error)
	TokenRevoked(ctx context.Context, token string) (bool, error)
}

// Authority knows the tenants by their issuers.
type Authority interface {
	// Knows reports whether the tenant of an issuer is known without asking the
	// database.
	Knows(issuer string) bool
	// Realm returns the tenant of an issuer. It returns a fault of kind NotFound if
	// there is none.
	Realm(ctx context.Context, issuer string) (*Realm, error)
}

// bearer is whoever a token speaks for.
type bearer struct {
	realm  *Realm
	actor  string
	client string
	scopes oauth.Scopes
	role   role.Role // of a person
	person bool
}

// errToken says that a token does not count; its cause is for the log.
type errToken struct{ cause error }

func (e *errToken) Error() string { return "the access token does not count: " + e.cause.Error() }
func (e *errToken) Unwrap() error { return e.cause }

// refusedIf makes of a cause that refuses a token an error that says so, and leaves
// what is a failure of ours as it is.
func refusedIf(refused bool, err error) error {
	if refused {
		return &errToken{cause: err}
	}
	return err
}

// whoever returns whom the request's token speaks for, if it counts. It is the one
// way into the API: the token's signature and time, then all that the gate looks at,
// read in one statement.
func (s *Server) whoever(r *http.Request, token oauth.Presented, issuer string) (bearer, error) {
	ctx, now := r.Context(), s.o.Clock.Now()
	realm, err := s.o.Authority.Realm(ctx, issuer)
	if err != nil {
		return bearer{}, refusedIf(fault.Is(err, fault.NotFound), err)
	}
	claims, err := realm.Access.Read(token.Token, now)
	if err != nil {
		return bearer{}, &errToken{cause: err}
	}
	scopes, err := oauth.ParseScopes(claims.Scope)
	if err != nil {
		return bearer{}, &errToken{cause: err}
	}
	c, err := realm.Clients.Client(ctx, claims.ClientID)
	if err != nil {
		return bearer{}, refusedIf(fault.Is(err, fault.NotFound), err)
	}
	shown := proof.Shown{DPoP: r.Header.Values("DPoP"), Certificates: httpx.Certificates(r), Method: r.Method, Path: r.URL.Path}
	if err := realm.Proofs.Admit(ctx, shown, token, claims.Confirmation); err != nil {
		_, refused := errors.AsType[*oauth.Error](err)
		return bearer{}, refusedIf(refused, err)
	}
	b := bearer{realm: realm, actor: claims.Subject, client: c.ID, scopes: scopes}
	decided, err := b.decide(ctx, c, claims)
	if err != nil {
		return bearer{}, err
	}
	_, err = realm.Desk.Decide(ctx, decided.Bearing(realm.Issuer, scopes, claims.Audience))
	if denial, ok := errors.AsType[*grant.Denial](err); ok {
		return bearer{}, &errToken{cause: denial}
	}
	return b, err
}

// decide returns the case of the token for the gate.
func (b *bearer) decide(ctx context.Context, c client.Client, claims mint.AccessClaims) (grant.Case, error) {
	if claims.GrantID == "" {
		b.actor = c.ID
		revoked, err := b.realm.Grants.TokenRevoked(ctx, claims.ID)
		return grant.Case{
			Path: grant.AdministerOwn, Client: c, TokenRevoked: revoked,
			Authorization: grant.Authorization{ClientID: c.ID, IssuedAt: claims.IssuedAt.Time()},
		}, err
	}
	known, err := b.realm.Grants.Grant(ctx, claims.GrantID, claims.ID)
	if err != nil {
		return grant.Case{}, refusedIf(fault.Is(err, fault.NotFound), err)
	}
	if known.User != nil {
		b.actor, b.role, b.person = known.User.ID, role.Role(known.User.Role), true
	}
	return known.Case(grant.Administer, c), nil
}

// admit lets a request in, or says why not.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, route Route) (*Call, *http.Request, error) {
	query, err := readQuery(r)
	if err != nil {
		return nil, nil, err
	}
	now := s.o.Clock.Now()
	c := &Call{route: route, server: s, At: now, Remote: httpx.Addr(r), Tenant: tenant.Default}
	if err := s.identify(r, c, query, now); err != nil {
		return nil, nil, err
	}
	httpx.Annotate(r.Context(), slog.String("operation", route.ID), slog.String("actor", c.Actor), slog.String("tenant", c.Tenant))
	if c.Version, err = precondition(r, route); err != nil {
		return nil, nil, err
	}
	if !route.Public && !route.System {
		query.Del("tenant") // it has been heard
	}
	r, body, err := readBody(w, r, route)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(route.ID), []byte(r.URL.Path), []byte(c.Tenant), []byte(query.Encode()), body} {
		hash := sha256.Sum256(part)
		sum.Write(hash[:])
	}
	if err := s.repeatable(r, c, [32]byte(sum.Sum(nil))); err != nil {
		return nil, nil, err
	}
	address := *r.URL
	address.RawQuery = query.Encode()
	r.URL = &address
	query.Del("cursor")
	query.Del("limit")
	c.filter = query.Encode()
	return c, r.WithContext(context.WithValue(r.Context(), callKey{}, c)), nil
}

// identify finds out who asks, whether they may, and about which tenant. Whoever
// brings no token that counts has few attempts, together with their whole network. They
// use up nothing of those whose tokens count: guessing is no way to keep an operator out.
func (s *Server) identify(r *http.Request, c *Call, query url.Values, now time.Time) error {
	network := httpx.Network(c.Remote).String()
	if c.route.Public {
		if err := s.strangers.take(network, now); err != nil {
			return err
		}
		return noPage(r)
	}
	b, err := s.recognize(r, network, now)
	if err != nil {
		return err
	}
	c.Actor, c.Client, c.Scopes, c.home = b.actor, b.client, b.scopes, b.realm.Tenant
	if err := s.callers.take(b.realm.Tenant+"\x00"+b.actor, now); err != nil {
		return err
	}
	if err := c.Need(c.route.Scope); err != nil {
		return err
	}
	c.Tenant, err = b.tenant(c.route, query.Get("tenant"))
	return err
}

// noPage refuses what a page in a browser sends to change something without a token. A
// page elsewhere that has its own name lead to this address would use up what the one-time
// secret bears, in the browser of somebody who reaches us when it does not.
func noPage(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || len(r.Header["Origin"]) == 0 && len(r.Header["Sec-Fetch-Site"]) == 0 {
		return nil
	}
	return fault.New(fault.Denied, "This is not for pages in a browser. Use dexctl.")
}

// recognize returns whom the request's token speaks for. Who claims an issuer that nobody
// here has heard of pays first: the database has to be asked for it, and anybody can invent
// as many as they like.
func (s *Server) recognize(r *http.Request, network string, now time.Time) (bearer, error) {
	token, err := oauth.ParseAccessToken(r.Header.Values("Authorization"))
	if err != nil {
		return bearer{}, s.stranger(err, network, now)
	}
	issuer := mint.IssuerOf(token.Token)
	if !s.o.Authority.Knows(issuer) {
		if throttled := s.strangers.take(network, now); throttled != nil {
			return bearer{}, throttled
		}
		return s.whoever(r, token, issuer)
	}
	b, err := s.whoever(r, token, issuer)
	if err != nil {
		return bearer{}, s.stranger(err, network, now)
	}
	return b, nil
}

// stranger counts an attempt of whoever brings no token that counts, and returns what
// they hear: why not, or that these were too many.
func (s *Server) stranger(err error, network string, now time.Time) error {
	if throttled := s.strangers.take(network, now); throttled != nil && !fault.Is(err, fault.Unavailable) {
		return throttled
	}
	return err
}

// tenant returns which tenant a request is about: that of the token, unless whoever
// may see to all tenants names another. That is an owner, or a client that acts for
// itself; and the token must say so. An owner's token may be one that an application
// got which was made for less, by somebody who may not leave their tenant.
func (b bearer) tenant(route Route, asked string) (string, error) {
	home := b.realm.Tenant
	switch {
	case route.System && home != tenant.Default:
		return "", fault.New(fault.Denied, "This is for the operators of the whole installation: log in at the tenant %q.", tenant.Default)
	case route.System, asked == "", asked == home:
		return home, nil
	case home == tenant.Default && (b.role == role.Owner || !b.person) && b.scopes.Contains(role.Write(role.Tenants)):
		return asked, nil
	default:
		return "", fault.New(fault.Denied, "You may not act on another tenant than your own.")
	}
}

// precondition reads which version the caller has seen.
func precondition(r *http.Request, route Route) (int64, error) {
	if !route.Guarded {
		return 0, nil
	}
	switch tags := r.Header.Values("If-Match"); {
	case len(tags) == 0:
		return 0, resource.NewProblem(http.StatusPreconditionRequired, resource.PreconditionRequired,
			"Say by If-Match which version you have seen: the ETag of its last answer, or * for whichever.")
	case len(tags) == 1 && tags[0] == "*":
		return 0, nil
	case len(tags) == 1:
		if version, ok := resource.ParseETag(tags[0]); ok {
			return version, nil
		}
	}
	return 0, resource.NewProblem(http.StatusBadRequest, resource.Malformed, "If-Match must be one ETag as an answer of ours has it, or *.")
}

// readQuery reads the query strictly: each parameter comes once.
func readQuery(r *http.Request) (url.Values, error) {
	query, err := httpx.Query(r)
	if err != nil {
		return nil, malformed(err)
	}
	for name, values := range query {
		if len(values) > 1 {
			return nil, resource.NewProblem(http.StatusBadRequest, resource.Malformed, "The parameter %q comes more than once.", name)
		}
	}
	return query, nil
}

// maxKey is the length of an Idempotency-Key.
const maxKey = 255

// receiptTime is for how long a request can be sent again.
const receiptTime = 24 * time.Hour

// repeatable prepares for the same request to come again, if its sender wants that.
func (s *Server) repeatable(r *http.Request, c *Call, request [32]byte) error {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) == 0 || !c.route.Creates {
		return nil
	}
	key := keys[0]
	if len(keys) > 1 || key == "" || len(key) > maxKey || !visible(key) {
		return resource.NewProblem(http.StatusBadRequest, resource.Malformed, "The Idempotency-Key must be one, of 1 to %d visible ASCII characters.", maxKey)
	}
	c.receipts = s.o.Receipts
	c.receipt.Actor, c.receipt.ExpiresAt = c.signature(), c.At.Add(receiptTime)
	c.receipt.Key, c.receipt.Request = sha256.Sum256([]byte(key)), request
	return nil
}

func visible(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
