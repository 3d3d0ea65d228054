package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dex/internal/base/clock"
	"dex/internal/domain/key"
	"dex/internal/domain/outbox"
	"dex/internal/domain/system"
	"dex/internal/store"
)

// Sources are those who are asked how things stand.
type Sources struct {
	// Store returns the database, or nil as long as there is none.
	Store func() Database
	// Serving returns how things stand with the public server; nil if there is none.
	Serving func() Serving
}

// Database is what is asked of the database.
type Database interface {
	Clock() clock.Clock
	Ping(ctx context.Context) error
	Work() store.Work
	Pool() store.Pool
	LookedAt() time.Time
	Duties(ctx context.Context) ([]system.Duty, error)
	Backlog(ctx context.Context) (outbox.Backlog, error)
	OldestUnexported(ctx context.Context) (time.Time, error)
	Timelines(ctx context.Context) (map[string][]key.Key, error)
}

// Serving is how things stand with the public server.
type Serving struct {
	Tenants, Open            int
	PictureAge               time.Duration
	Hashing, Waiting, Hashes int
	Connectors               []Connector
}

// Connector is how a connector stands.
type Connector struct {
	Tenant, ID string
	Up         bool
}

// patience is how long the database may take to answer whoever asks for metrics.
const patience = 3 * time.Second

// maxConnectorsShown bounds how many connectors are looked at for one answer.
const maxConnectorsShown = 500

// collector asks the sources when somebody asks for metrics.
type collector struct {
	sources             Sources
	tenants, connectors *names
}

// Describe implements [prometheus.Collector]. What is there depends on what can be
// reached, so it describes nothing in advance.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if c.sources.Serving != nil {
		c.serving(to, c.sources.Serving())
	}
	db := c.sources.Store()
	if db == nil {
		to <- dbUp.value(0)
		return
	}
	now := db.Clock().Now()
	c.pool(to, db)
	if err := db.Ping(ctx); err != nil {
		to <- dbUp.value(0)
		return
	}
	to <- dbUp.value(1)
	c.duties(ctx, to, db, now)
	c.backlog(ctx, to, db, now)
	c.keys(ctx, to, db, now)
}

func (c *collector) serving(to chan<- prometheus.Metric, s Serving) {
	to <- hashRunning.value(float64(s.Hashing))
	to <- hashWaiting.value(float64(s.Waiting))
	to <- hashSeats.value(float64(s.Hashes))
	to <- tenantsKnown.value(float64(s.Tenants))
	to <- tenantsOpen.value(float64(s.Open))
	if s.Open > 0 {
		to <- pictureAge.value(s.PictureAge.Seconds())
	}
	shown := map[[2]string]bool{}
	for _, one := range s.Connectors {
		labels := [2]string{c.tenants.of(one.Tenant), c.connectors.of(one.ID)}
		if labels[0] == other || labels[1] == other || shown[labels] || len(shown) >= maxConnectorsShown {
			continue
		}
		shown[labels] = true
		to <- connectorUp.value(truth(one.Up), labels[0], labels[1])
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *collector) pool(to chan<- prometheus.Metric, db Database) {
	work, pool := db.Work(), db.Pool()
	to <- dbStatements.value(float64(work.Statements))
	to <- dbCommits.value(float64(work.Commits))
	to <- poolMax.value(float64(pool.Max))
	to <- poolOpen.value(float64(pool.InUse), "in_use")
	to <- poolOpen.value(float64(pool.Idle), "idle")
	to <- poolWaits.value(float64(pool.Waits))
	to <- poolWaited.value(pool.Waited.Seconds())
	if at := db.LookedAt(); !at.IsZero() {
		to <- lookAge.value(clock.System{}.Now().Sub(at).Seconds())
	}
}

func (c *collector) duties(ctx context.Context, to chan<- prometheus.Metric, db Database, now time.Time) {
	duties, err := db.Duties(ctx)
	if err != nil {
		return // that the database is there and does not answer shows elsewhere
	}
	for _, d := range duties {
		to <- dutyDone.value(stamp(d.DoneAt), d.Name)
		to <- dutyFailed.value(stamp(d.FailedAt), d.Name)
		to <- dutyRuns.value(float64(d.Runs), d.Name)
		to <- dutyFailures.value(float64(d.Failures), d.Name)
		if d.Name == system.ExportAudit { // where nobody hands the record on, nothing waits
			c.record(ctx, to, db, now)
		}
	}
}

func (c *collector) record(ctx context.Context, to chan<- prometheus.Metric, db Database, now time.Time) {
	since, err := db.OldestUnexported(ctx)
	if err != nil {
		return
	}
	to <- auditAge.value(age(since, now).Seconds())
}

// age is how long something has waited; nothing has waited for no time.
func age(since, now time.Time) time.Duration {
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since))
}

func stamp(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func (c *collector) backlog(ctx context.Context, to chan<- prometheus.Metric, db Database, now time.Time) {
	b, err := db.Backlog(ctx)
	if err != nil {
		return
	}
	to <- outboxWaiting.value(float64(b.Waiting))
	to <- outboxDead.value(float64(b.Dead))
	to <- outboxAge.value(age(b.Oldest, now).Seconds())
}

// keysOf is how the keys of one algorithm stand, of all tenants together.
type keysOf struct {
	oldest, next time.Duration
	announced    bool
	signing      int
}

func (c *collector) keys(ctx context.Context, to chan<- prometheus.Metric, db Database, now time.Time) {
	timelines, err := db.Timelines(ctx)
	if err != nil {
		return
	}
	for alg, k := range stand(timelines, now) {
		to <- keyAge.value(k.oldest.Seconds(), alg)
		to <- keyless.value(float64(len(timelines)-k.signing), alg)
		if k.announced {
			to <- keySwitch.value(k.next.Seconds(), alg)
		}
	}
}

// stand says how the keys of each algorithm stand.
func stand(timelines map[string][]key.Key, now time.Time) map[string]*keysOf {
	all := map[string]*keysOf{}
	for _, keys := range timelines {
		signing := map[string]bool{}
		for _, k := range keys {
			alg := string(k.Alg)
			if all[alg] == nil {
				all[alg] = &keysOf{}
			}
			of := all[alg]
			switch {
			case k.Private == nil, !k.SignUntil.IsZero() && !now.Before(k.SignUntil): // its time is over
			case now.Before(k.SignFrom):
				if d := k.SignFrom.Sub(now); !of.announced || d < of.next {
					of.next, of.announced = d, true
				}
			default:
				of.oldest = max(of.oldest, now.Sub(k.SignFrom))
				if !signing[alg] {
					signing[alg] = true
					of.signing++
				}
			}
		}
	}
	return all
}
