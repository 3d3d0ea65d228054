// Package system is the installation as a whole, across its tenants: how its duties
// stand, the schema of its database, and the one time that it is handed to its first
// administrator.
package system

import (
	"context"
	"time"
)

// Duty is how something stands that is done now and then, once for all.
type Duty struct {
	Name     string
	Holder   string    // the process that began it last
	Until    time.Time // until when it is the turn of that process, unless it goes on
	BeganAt  time.Time
	DoneAt   time.Time // when it last succeeded
	FailedAt time.Time // when it last failed
	Said     string    // what it last did; a run that found nothing to do leaves it
	Problem  string    // why it last failed; empty once it has succeeded again
	Runs     int64
	Failures int64
}

// ExportAudit is the name of the duty that hands the record on. It is there only where
// somebody has said whom to.
const ExportAudit = "export audit"

// Running reports whether somebody is at it.
func (d Duty) Running(now time.Time) bool {
	return d.BeganAt.After(d.DoneAt) && d.BeganAt.After(d.FailedAt) && now.Before(d.Until)
}

// Failing reports whether the last run failed.
func (d Duty) Failing() bool { return d.FailedAt.After(d.DoneAt) }

// Duties is the record of how each duty stands.
type Duties interface {
	// Duties returns how every duty stands that was ever done, by name.
	Duties(ctx context.Context) ([]Duty, error)
	// DutyBegan notes that the holder has begun a duty.
	DutyBegan(ctx context.Context, name, holder string, now time.Time) error
	// DutyEnded notes what came of it: what was done, or why it failed.
	DutyEnded(ctx context.Context, name, said, problem string, now time.Time) error
}

// State is how the installation stands.
type State struct {
	Schema       int64 // of the database
	Needs        int64 // what this program needs
	Bootstrapped bool
}

// Condition is how the database itself stands, for whoever looks for what is wrong.
type Condition struct {
	Version   string
	Skew      time.Duration // by which the clock of the machine that asks is ahead of the database's
	Superuser bool          // we may do everything there
	Durable   bool          // what has been answered survives a power cut
	Standby   bool          // it follows another, and takes no writes
}
