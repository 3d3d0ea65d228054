package storetest

import (
	"context"
	"crypto"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// Opener opens an empty, migrated database for a test.
type Opener func(t testing.TB, options ...Option) *store.DB

// Run holds an engine to everything that the store promises.
func Run(t *testing.T, open Opener) {
	for _, part := range []struct {
		name  string
		cases []promise
	}{
		{"tenants", tenantPromises},
		{"clients", clientPromises},
		{"configuration", configurationPromises},
		{"leases", leasePromises},
		{"users", userPromises},
		{"directory", directoryPromises},
		{"roles and owners", ownerPromises},
		{"search", searchPromises},
		{"groups", groupPromises},
		{"links", linkPromises},
		{"credentials", credentialPromises},
		{"sessions", sessionPromises},
		{"openings", openingPromises},
		{"codes", codePromises},
		{"devices", devicePromises},
		{"pushed requests", pushedPromises},
		{"shared logins", sharedPromises},
		{"enrolments", enrolmentPromises},
		{"requests by the back channel", backchannelPromises},
		{"grants", grantPromises},
		{"keys", keyPromises},
		{"audit", auditPromises},
		{"receipts", receiptPromises},
		{"registers", registerPromises},
		{"registry of clients", registryPromises},
		{"registry of connectors", connectorPromises},
		{"registry of tenants", tenantRegistryPromises},
		{"inventory", inventoryPromises},
		{"inventory of people", inventoryPeoplePromises},
		{"duties", dutyPromises},
		{"founding", foundingPromises},
		{"sealing anew", resealPromises},
		{"outbox", outboxPromises},
		{"farewells", farewellPromises},
		{"export", exportPromises},
		{"restore", restorePromises},
		{"the whole", wholePromises},
		{"secrecy", secrecyPromises},
		{"budget", budgetPromises},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, c := range part.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.holds(t, newWorld(t, open))
				})
			}
		})
	}
}

// promise is a sentence, and a test that would fail if it did not hold.
type promise struct {
	name  string
	holds func(t *testing.T, w *world)
}

// world is a database with a tenant, a clock that stands still until it is moved,
// and a few things that are declared.
type world struct {
	testing.TB
	ctx   context.Context
	open  Opener
	clock *clock.Fake
	db    *store.DB
	*store.Tenant
}

func newWorld(t testing.TB, open Opener) *world {
	c := &clock.Fake{}
	db := open(t, WithClock(c))
	return &world{TB: t, ctx: context.Background(), open: open, clock: c, db: db, Tenant: Tenant(t, db)}
}

func (w *world) now() time.Time { return w.clock.Now() }

// operator is who does what operators do.
const operator = "usr_operator"

// by is the operator, now.
func (w *world) by() audit.By {
	return audit.By{Actor: operator, RemoteAddr: "192.0.2.9", At: w.now()}
}

// ok ends the test if there is an error.
func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("unexpected: %v", err)
	}
}

// refuses says that a fault of a kind is missing.
func (w *world) refuses(kind fault.Kind, err error) {
	w.Helper()
	if !fault.Is(err, kind) {
		w.Errorf("got %v, want a fault of kind %q", err, kind)
	}
}

// alike compares two values by what is in them.
func alike[T any](w *world, what string, got, want T) {
	w.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

func same[T comparable](w *world, what string, got, want T) {
	w.Helper()
	if got != want {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (w *world) sameTime(what string, got, want time.Time) {
	w.Helper()
	if !got.Equal(want.Truncate(time.Microsecond)) {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// atOnce does something many times at the same moment.
func (w *world) atOnce(n int, do func(i int)) {
	w.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	wg.Wait()
}

// counter counts what many do at once.
type counter[K comparable] struct {
	mu    sync.Mutex
	count map[K]int
}

func (c *counter[K]) add(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = map[K]int{}
	}
	c.count[k]++
}

// The client and the connectors that the suite lives with.
const (
	app      = "app"
	redirect = "https://app.example/callback"
	upstream = "upstream"
	local    = "local"
)

func appClient() client.Client {
	return client.Client{
		ID: app, Name: "The Application", Profile: client.Standard, AuthMethod: oauth.AuthMethod("client_secret_basic"),
		Secrets: []secret.Hash{secret.Value("dxk_app").Hash()}, RedirectURIs: []string{redirect},
		GrantTypes: []string{client.AuthorizationCode, client.RefreshToken}, Scopes: oauth.Scopes{"openid", "email", oauth.ScopeOffline},
		AllowedOrigins: []string{"https://app.example"},
	}
}

func upstreamConnector() connector.Configured {
	return connector.Configured{ID: upstream, Kind: "oidc", Name: "Upstream", Config: []byte(`{"clientSecret":"a-secret-of-the-connector"}`)}
}

// Permit is the gate's word for a case in which nothing stands against it, so that
// the verbs that ask for one can be tried.
func Permit(t testing.TB, path grant.Path, a grant.Authorization) grant.Permit {
	t.Helper()
	now := a.IssuedAt
	c := appClient()
	c.ID, c.Trusted, c.Scopes = a.ClientID, true, a.Scopes
	c.GrantTypes = append(c.GrantTypes, client.DeviceCode, client.CIBA, client.JWTBearer, client.TokenExchange, client.Implicit, client.Password)
	c.ResponseTypes, c.NativeSSOGroup = oauth.ResponseTypes(), "apps"
	c.Resources, c.DetailsTypes = a.Terms.Resources, []string{"payment"}
	if c.ID == "" {
		c.ID = app
	}
	alive := &session.Session{ID: a.SessionID, UserID: a.UserID, AuthTime: now, IdleUntil: now.Add(time.Hour), ExpiresAt: now.Add(time.Hour)}
	p, err := grant.Decide(grant.Case{
		Path: path, Now: now, Client: c, Connector: &grant.Connector{ID: a.ConnectorID}, User: &user.User{ID: a.UserID},
		Identity: &user.Identity{ConnectorID: a.ConnectorID, Subject: a.Subject}, Session: alive, Authorization: a,
		RedirectURI: redirect, ResponseType: oauth.ResponseTypeCodeIDToken, RequestedAt: now, Consent: a.Scopes,
		Sharing: grant.Sharing{Group: "apps", Since: now, Sharers: []grant.Sharer{{Client: c, Since: now}}},
	})
	if err != nil {
		t.Fatalf("the gate: %v", err)
	}
	return p
}

// opening is the login of somebody new by the upstream connector.
func (w *world) opening(subject string) grant.Opening {
	now := w.now()
	profile := user.Profile{Username: subject, Name: "Name of " + subject, Email: subject + "@example.com", EmailVerified: true, Groups: []string{"staff"}}
	return grant.Opening{
		Session: session.Session{
			ID: session.NewID(), Cookie: secret.New(secret.SessionPrefix).Hash(), Methods: []credential.Method{credential.Federated},
			AuthTime: now, UserAgent: "Browser/1.0", RemoteAddr: "192.0.2.7", CreatedAt: now,
			IdleUntil: now.Add(time.Hour), ExpiresAt: now.Add(8 * time.Hour), Upstream: []byte("the ID token of " + subject),
		},
		User: user.User{Version: 1,
			ID: user.NewID(), Username: subject, Email: profile.Email, EmailVerified: true, Name: profile.Name, CreatedAt: now, UpdatedAt: now,
		},
		Identity: user.Identity{ConnectorID: upstream, Subject: subject, Profile: profile, Data: []byte("the upstream refresh token of " + subject), CheckedAt: now},
		NewUser:  true, Changed: true,
		Event: audit.Event{At: now, Kind: audit.LoginSucceeded, SupportCode: "CODE-" + subject},
	}
}

// keep opens the session of an opening.
func (w *world) keep(o grant.Opening) (session.Session, error) {
	return w.OpenSession(w.ctx, Permit(w, grant.OpenSession, grant.Authorization{
		UserID: o.User.ID, ConnectorID: o.Identity.ConnectorID, Subject: o.Identity.Subject, IssuedAt: w.now(),
	}), o)
}

// login lets somebody new in.
func (w *world) login(subject string) (grant.Opening, session.Session) {
	w.Helper()
	o := w.opening(subject)
	s, err := w.keep(o)
	w.ok(err)
	return o, s
}

// byPassword is the grant of somebody known, who has said their password.
func (w *world) byPassword(subject string, scopes ...string) (grant.Permit, grant.Opening) {
	w.Helper()
	o, s := w.login(subject)
	a := w.unissued(s, scopes...).Authorization
	a.SessionID, o.NewUser, o.Changed = "", false, false
	if a.Offline() {
		o.Family = w.family()
		o.Family.Generation, o.Family.RotatedAt = 1, w.now()
	}
	return Permit(w, grant.TakePassword, a), o
}

// vouched is the grant of somebody new, by another issuer's word, and what it rests on.
func (w *world) vouched(subject string) (grant.Permit, grant.Opening, grant.Token) {
	w.Helper()
	o := w.opening(subject)
	o.Event.Kind, o.Event.ClientID = audit.TokenVouched, app
	permit := Permit(w, grant.TakeAssertion, grant.Authorization{
		ID: grant.NewID(), ClientID: app, UserID: o.User.ID, ConnectorID: o.Identity.ConnectorID, Subject: o.Identity.Subject,
		Scopes: oauth.Scopes{"email"}, AuthTime: w.now(), Methods: o.Session.Methods, IssuedAt: w.now(), SupportCode: o.Event.SupportCode,
	})
	return permit, o, grant.Token{ID: secret.Value("word of " + subject).Hash(), Expires: w.now().Add(time.Minute)}
}

// verifier answers to the challenge of every code that the suite keeps.
const verifier = "a-verifier-of-forty-three-characters-at-the-least"

// issued is a grant with its code on the way.
type issued struct {
	grant.Authorization
	code   grant.Code
	secret secret.Value
}

func (i issued) proof() grant.Proof {
	return grant.Proof{Hash: i.code.Hash, ClientID: i.ClientID, RedirectURI: redirect, Verifier: verifier}
}

// issue keeps a code for somebody.
func (w *world) issue(s session.Session, scopes ...string) issued {
	w.Helper()
	i := w.unissued(s, scopes...)
	w.ok(w.keepCode(i))
	return i
}

func (w *world) unissued(s session.Session, scopes ...string) issued {
	value := secret.New(secret.CodePrefix)
	return issued{
		secret: value,
		Authorization: grant.Authorization{
			ID: grant.NewID(), ClientID: app, UserID: s.UserID, SessionID: s.ID, ConnectorID: s.ConnectorID, Subject: s.Subject,
			Scopes: append(oauth.Scopes{"openid"}, scopes...), Nonce: "n-0S6_WzA2Mj", AuthTime: s.AuthTime, Methods: s.Methods,
			IssuedAt: w.now(), SupportCode: "K7QX-9WDM-3T",
		},
		code: grant.Code{Hash: value.Hash(), RedirectURI: redirect, Challenge: oauth.ChallengeOf(verifier), ExpiresAt: w.now().Add(time.Minute)},
	}
}

func (w *world) keepCode(i issued) error {
	return w.KeepCode(w.ctx, Permit(w, grant.IssueCode, i.Authorization), i.code,
		[]audit.Step{{At: 10, What: "code", Said: "issued"}}, w.now().Add(-time.Second))
}

// family is what a redemption with offline access begins.
func (w *world) family() grant.Family {
	return grant.Family{IdleUntil: w.now().Add(24 * time.Hour), ExpiresAt: w.now().Add(30 * 24 * time.Hour)}
}

// redeem exchanges a code, which must succeed.
func (w *world) redeem(i issued) grant.Known {
	w.Helper()
	k, outcome, err := w.Redeem(w.ctx, i.proof(), w.family(), w.now())
	w.ok(err)
	same(w, "outcome", outcome, grant.Redeemed)
	return k
}

// revoked reports whether a grant is.
func (w *world) revoked(id string) bool {
	w.Helper()
	k, err := w.Grant(w.ctx, id, "")
	w.ok(err)
	return !k.RevokedAt.IsZero()
}

// declare applies a configuration.
func (w *world) declare(d store.Declared) {
	w.Helper()
	_, err := w.Apply(w.ctx, d, w.now())
	w.ok(err)
}

// basic is a configuration with one of each.
func basic(digest string) store.Declared {
	return store.Declared{
		Digest: digest, Clients: []client.Client{appClient()}, Connectors: []connector.Configured{upstreamConnector()},
		Users: []store.DeclaredUser{declaredUser("ann")},
	}
}

func declaredUser(name string) store.DeclaredUser {
	email := name + "@example.com"
	return store.DeclaredUser{
		User:         user.User{Version: 1, ID: "usr_" + name, Username: name, Email: email, EmailVerified: true, Name: name},
		ConnectorID:  local,
		Profile:      user.Profile{Username: name, Email: email, EmailVerified: true, Name: name, Groups: []string{"staff"}},
		PasswordHash: "$argon2id$of-" + name, LoginNames: []string{email, name},
	}
}

// events counts the record by kind.
func (w *world) events() map[string]int {
	w.Helper()
	count := map[string]int{}
	for _, row := range tableRows(w, w.db, "audit_events") {
		count[row["kind"]]++
	}
	return count
}

func newKey(w *world) (crypto.Signer, string) {
	w.Helper()
	private, err := jose.GenerateKey(jose.ES256)
	w.ok(err)
	id, err := jose.Thumbprint(private.Public())
	w.ok(err)
	return private, id
}

func sorted[T ~[]string](s T) T {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// contextThatIsOver has been cancelled.
func contextThatIsOver(w *world) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	return ctx, cancel
}

// end ends a session.
func (w *world) end(s session.Session) session.Ended {
	w.Helper()
	ended, err := w.EndSession(w.ctx, s.ID, w.now().Add(lapse), w.now())
	w.ok(err)
	return ended
}
