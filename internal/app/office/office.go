// Package office is what is done for the whole installation. It puts the duties
// together, for whoever has them: the overlord, or a worker that needs none; and the
// part of the administrators' API that is about the whole, which every process serves.
package office

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"dex/internal/admin/api"
	"dex/internal/app/config"
	"dex/internal/app/delivery"
	"dex/internal/app/duty"
	"dex/internal/app/operate"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/measure"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/audit"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/key"
	"dex/internal/domain/mint"
	"dex/internal/domain/outbox"
	"dex/internal/domain/system"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/store"
)

// How often what is done that nobody can set.
const (
	rotateEvery = 5 * time.Second // a tenant that has just been made waits for its first keys
	indexEvery  = time.Minute
	countEvery  = 5 * time.Minute
)

// Office has the duties of an installation.
type Office struct {
	DB         *store.DB
	Log        *slog.Logger
	Hasher     credential.Hasher
	Algorithms []jose.Algorithm
	Timing     key.Timing
	Lifetimes  tenant.Lifetimes
	Delivery   delivery.Settings
	ClearEvery time.Duration
	// Told is called with what came of each run of a duty; nil for nobody.
	Told func(duty.Outcome)
	// Tracer follows each run; nil if nobody wants to know.
	Tracer measure.Tracer
	// Visited says that others have the duties. Operators are served here all the same,
	// and may have those done here that need nothing but the database.
	Visited bool

	hiring sync.Once // of the roster: operators' requests come at any time
	roster *duty.Roster
}

func (o *Office) clock() clock.Clock { return o.DB.Clock() }

// Duties are what is done now and then. What leaves the house is delivered by whoever
// has the duties alone: their settings say where it goes.
func (o *Office) Duties() []duty.Duty {
	if o.Visited {
		return o.upkeep()
	}
	return append(delivery.Duties(o.DB, o.Delivery, o.party, o.clock()), o.upkeep()...)
}

// upkeep are the duties that need nothing but the database: the list to add to.
func (o *Office) upkeep() []duty.Duty {
	rotate := duty.RotateKeys(duty.Rotation{
		Timelines:  o.DB.Timelines,
		Store:      func(ctx context.Context, id string) (key.Store, error) { return o.DB.Tenant(ctx, id) },
		Longest:    o.longest,
		Algorithms: o.Algorithms, Timing: o.Timing, Clock: o.clock(),
	})
	rotate.Every = min(rotate.Every, rotateEvery)
	return []duty.Duty{
		rotate,
		duty.ClearAway(o.DB, o.clock(), o.ClearEvery),
		duty.IndexPeople(o.DB, indexEvery),
		duty.CountUse(o.DB, o.clock(), countEvery),
	}
}

// longest is the longest life of a token that a client of a tenant has of its own.
func (o *Office) longest(ctx context.Context, id string) (time.Duration, error) {
	t, err := o.DB.Tenant(ctx, id)
	if err != nil {
		return 0, err
	}
	return t.LongestToken(ctx)
}

// party returns what a tenant's applications are told by that sessions have ended, and
// sent what they have asked for. The keys are looked at each time: it is rare, and whoever
// has the duties has them of every tenant.
func (o *Office) party(ctx context.Context, id string) (delivery.Party, error) {
	t, err := o.DB.Tenant(ctx, id)
	if err != nil {
		return delivery.Party{}, err
	}
	self, err := t.Self(ctx)
	if err != nil {
		return delivery.Party{}, err
	}
	ring := &key.Ring{Store: t, Clock: o.clock(), Timing: o.Timing}
	if err := ring.Refresh(ctx); err != nil {
		return delivery.Party{}, err
	}
	return delivery.Party{
		Clients: t, Grants: t, Devices: t,
		Mint: &mint.Mint{
			Issuer: self.Issuer, Signer: ring, Lifetimes: o.Lifetimes,
			Subjects: mint.Subjects{Key: t.RefreshKey()}, Opaque: mint.NewOpaque(t.RefreshKey(), self.Issuer),
		},
		Desk:    grant.Desk{Tenants: t, Clients: t, Connectors: &roster.Roster{Store: t, Clock: o.clock()}, Clock: o.clock()},
		Refresh: mint.RefreshTokens{Key: t.RefreshKey(), Tenant: id},
	}, nil
}

// Roster does the duties. There is one in a process.
func (o *Office) Roster() *duty.Roster {
	o.hiring.Do(func() {
		o.roster = &duty.Roster{
			Turns: o.DB, Record: o.DB, Duties: o.Duties(), Clock: o.clock(), Log: o.Log, Told: o.Told, Tracer: o.Tracer, Name: Name(),
		}
	})
	return o.roster
}

// Name is what this process is called among those that have the duties.
func Name() string { return fmt.Sprintf("%s/%d", Host(), os.Getpid()) }

// Host is what this machine is called.
func Host() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

// Nouns are the part of the administrators' API that is about the whole.
func (o *Office) Nouns() []api.Noun {
	return []api.Noun{
		api.Founding{
			Store: o.DB, Hasher: o.Hasher,
			Connectors: operate.Of(o.DB, func(t *store.Tenant) connector.Store { return t }),
		}.Noun(),
		api.System{
			State: o.state, Condition: o.DB.Condition, Algorithms: o.Algorithms, Timing: o.Timing,
			Duties: o.DB, Run: o.run, Backlog: o.DB.Backlog, Reseal: o.reseal,
			Outbox: operate.Of(o.DB, func(t *store.Tenant) outbox.Desk { return t }),
		}.Noun(),
		api.Keys{
			Keys: operate.Of(o.DB, func(t *store.Tenant) key.Desk { return t }), Algorithms: o.Algorithms, Timing: o.Timing, Longest: o.longest,
		}.Noun(),
	}
}

func (o *Office) state(ctx context.Context) (s system.State, err error) {
	if s.Schema, s.Needs, err = o.DB.SchemaVersion(ctx); err != nil {
		return s, err
	}
	s.Bootstrapped, err = o.DB.Founded(ctx)
	return s, err
}

// run does a duty at once, in an operator's name.
func (o *Office) run(ctx context.Context, name string, by audit.By) (string, error) {
	did, err := o.Roster().Now(ctx, name)
	if o.Visited && errors.Is(err, duty.ErrNoSuchDuty) {
		return "", o.elsewhere(ctx, name)
	}
	if err != nil {
		return did, err
	}
	t, err := o.DB.Tenant(ctx, tenant.Default)
	if err != nil {
		return did, err
	}
	e := by.Event(audit.DutyRun)
	e.Detail = map[string]string{"duty": name}
	return did, t.Record(ctx, e)
}

// elsewhere says of a duty that is not done here who does it, if anybody does.
func (o *Office) elsewhere(ctx context.Context, name string) error {
	all, err := o.DB.Duties(ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Name == name {
			return fault.New(fault.Conflict, "The duty %q needs settings that only whoever has the duties knows, which was %s last. Ask the administrators' API there: with dexctl, by --api and the admin_listen of that overlord.", name, d.Holder)
		}
	}
	return duty.ErrNoSuchDuty
}

const (
	// resealAtOnce bounds what one request seals anew, so that it has an answer in time.
	resealAtOnce = 5000
	// resealFor is how long one request may go on.
	resealFor = 8 * time.Second
)

// reseal seals anew what fits into one request, and reports whether there is more.
func (o *Office) reseal(ctx context.Context, by audit.By) (rows int, more bool, err error) {
	until := time.Now().Add(resealFor)
	for more = true; more && rows < resealAtOnce && time.Now().Before(until); {
		var n int
		n, more, err = o.DB.Reseal(ctx, 500, by)
		if rows += n; err != nil {
			return rows, true, err
		}
	}
	return rows, more, nil
}

// Algorithms are those that the settings want keys for: first to sign with, then for
// others to encrypt to.
func Algorithms(k config.Keys) []jose.Algorithm {
	algs := make([]jose.Algorithm, 0, len(k.Algorithms)+len(k.Encryption))
	for _, name := range slices.Concat(k.Algorithms, k.Encryption) {
		algs = append(algs, jose.Algorithm(name))
	}
	return algs
}

// Timing is the timeline that the settings ask for.
func Timing(k config.Keys, e config.Expiry) key.Timing {
	t := key.DefaultTiming
	t.Rotation, t.Verifiers = k.Rotation, k.VerifierCache
	// A lead beyond what the timeline demands is a longer cache that it covers.
	t.Verifiers += max(0, k.Lead-t.Lead())
	t.LongestJWT = max(e.IDTokens, e.AccessTokens)
	return t
}

// Lifetimes are how long things count that are issued.
func Lifetimes(e config.Expiry) tenant.Lifetimes {
	return tenant.Lifetimes{
		Attempt: e.Attempts, Code: e.Codes, AccessToken: e.AccessTokens, IDToken: e.IDTokens,
		SessionIdle: e.SessionsIdle, Session: e.Sessions,
		RefreshIdle: e.RefreshIdle, Refresh: e.Refresh, RefreshGrace: e.RefreshGrace,
	}
}
