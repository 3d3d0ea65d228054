// Package doctor finds what is wrong with an installation, or weaker than it need be.
//
// [Findings] is a pure function over [Facts], which are gathered at the edge: from the
// configuration, the database, and what answers on the network. Each finding says what
// it is about, what may come of it, and what cures it, so that whoever is called at
// night has to look nowhere else.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"dex/internal/app/config"
	"dex/internal/base/strict"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/key"
)

// Severity is how much a finding matters.
type Severity int

// The severities, the least first.
const (
	Note   Severity = iota + 1 // worth knowing; a choice that may be right
	Weak                       // weaker than it need be, or about to break
	Unsafe                     // somebody can do harm by it
	Broken                     // something does not work
)

var severities = map[Severity]string{Note: "note", Weak: "weak", Unsafe: "unsafe", Broken: "broken"}

// String returns the severity's name.
func (s Severity) String() string { return severities[s] }

// MarshalText implements [encoding.TextMarshaler].
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Severities are the names of the severities, the least first.
func Severities() []string {
	return []string{Note.String(), Weak.String(), Unsafe.String(), Broken.String()}
}

// ParseSeverity returns the severity of a name.
func ParseSeverity(name string) (Severity, bool) {
	for s, known := range severities {
		if known == name {
			return s, true
		}
	}
	return 0, false
}

// Finding is one thing that is wrong or weak.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`            // names the kind of finding, for scripts that expect it
	About    string   `json:"about"`           // what it is about: "client app", "connector corp", a setting
	Place    string   `json:"place,omitempty"` // where it was set, as file:line:column
	Says     string   `json:"says"`            // what is, and what may come of it
	Cure     string   `json:"cure"`
}

// Facts are all that findings rest on. What is not known is left out, and nothing is
// found of it.
type Facts struct {
	Now          time.Time
	Mistakes     strict.Mistakes  // of the configuration
	Settings     *config.Settings // nil if there are none that can be read
	Files        []File
	Certificates []Certificate
	Skews        []Skew
	Database     *Database
	Clients      []client.Registered
	Connectors   []Connector
	Keys         []key.Key // less what is destroyed
	KeysKnown    bool      // the keys were asked for, and are all
	KeyPlan      *KeyPlan  // nil if nobody says what it is
	Failures     []Failure
	Problems     []string // of duties and messages, in sentences
}

// File is a file that holds a secret.
type File struct {
	Path, Holds string
	Open        bool // others than its owner may read it
	BesideDB    bool // it lies beside the database that it unlocks
}

// Certificate is what the server shows to whoever speaks TLS with it.
type Certificate struct {
	About     string // what shows it
	Names     []string
	NotBefore time.Time
	NotAfter  time.Time
	Host      string // that it should be for
	Covers    bool   // it is for that host
	Err       string // why it cannot be used at all
}

// Database is how the database answers.
type Database struct {
	Afar      bool   // it answers a server, which tells of it, and not this program
	Err       string // why it cannot be reached
	Schema    int64  // that it has
	Brings    int64  // that whoever looks at it brings
	TooNew    string // why this program cannot work with it
	Skew      time.Duration
	Version   string
	Superuser bool
	Durable   bool // what it has answered survives a power cut
}

// KeyPlan is what the settings say about signing keys.
type KeyPlan struct {
	Algorithms     []string      // for each of which a key should sign
	Rotation, Lead time.Duration // how long a key signs, and is announced before
}

// Connector is a connector and how it answers.
type Connector struct {
	connector.Configured
	Err       string // why it does not work; empty if it does
	Checked   bool   // it was asked
	Took      time.Duration
	Plaintext string // the address that it speaks to in the clear
}

// Skew is by how much this machine's clock is ahead of another's.
type Skew struct {
	About string
	By    time.Duration
}

// Failure is something that could not be looked at.
type Failure struct{ About, Err string }

// rules are all that is looked for.
var rules = []func(Facts) []Finding{
	mistakes, failures, problems, addresses, database, files, certificates, clocks, expiry, keyTimeline, connectors, clients, trial,
}

// Findings says what is wrong or weak, the gravest first.
func Findings(f Facts) []Finding {
	var all []Finding
	for _, rule := range rules {
		all = append(all, rule(f)...)
	}
	for i, one := range all {
		if f.Settings != nil && one.Place == "" {
			all[i].Place = f.Settings.Where(one.About)
		}
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return all
}

// Worst returns the gravest severity, or zero if nothing was found.
func Worst(all []Finding) (worst Severity) {
	for _, f := range all {
		worst = max(worst, f.Severity)
	}
	return worst
}

func mistakes(f Facts) (all []Finding) {
	for _, m := range f.Mistakes {
		all = append(all, Finding{Broken, "config-mistake", cmp.Or(m.Path, "configuration"), m.Place, m.Message, "Mend it: the server does not start with it."})
	}
	return all
}

func failures(f Facts) (all []Finding) {
	for _, one := range f.Failures {
		all = append(all, Finding{Broken, "cannot-look", one.About, "", "could not be looked at: " + one.Err, "See that it can be reached from here, and ask the doctor again."})
	}
	return all
}

func problems(f Facts) (all []Finding) {
	for _, p := range f.Problems {
		all = append(all, Finding{Severity: Weak, Code: "not-well", About: "the installation", Says: p, Cure: "dexctl duties list and dexctl outbox list --dead true say more."})
	}
	return all
}

// days is a span of time as people say it.
func days(d time.Duration) string {
	switch n := int(d.Hours() / 24); {
	case n == 1:
		return "1 day"
	case n > 1:
		return fmt.Sprintf("%d days", n)
	default:
		return d.Round(time.Minute).String()
	}
}
