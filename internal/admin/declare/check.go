package declare

import (
	"fmt"
	"time"

	"dex/internal/base/strict"
)

// MaxGrace bounds how long a stolen refresh token and its owner's can live side
// by side unnoticed.
const MaxGrace = 10 * time.Minute

// Rules are what the service is like that something is declared for. Their zero
// value is for what comes over the administrators' API, one thing at a time.
type Rules struct {
	// Whole says that what is read is all that there is: what it refers to must stand
	// in it, and a client has its secret there.
	Whole bool
	// Local says that the service is for this machine alone, where a convenience
	// endangers nobody.
	Local bool
	// Algorithms are those that there are keys for; nil if that is not known.
	Algorithms []string
}

// part is what stands in one document.
type part struct {
	*Resources
	*strict.Findings
	alone bool // it is one thing, and not a list of them
}

// at is what the path of a setting of one of the things begins with.
func (p *part) at(section string, i int) string {
	if p.alone {
		return ""
	}
	return fmt.Sprintf("%s[%d].", section, i)
}

// checker looks at one part after the other.
type checker struct {
	rules                                     Rules
	clients, connectors, users, names, groups taken
	local                                     string // the connector that is our own table of passwords
}

// taken is who has a name that only one can have.
type taken map[string]owner

type owner struct {
	part    *part
	section string
	index   int
	path    string
}

// take gives a name to somebody, or notes that another has it.
func (t taken) take(name string, by owner, problem string) {
	first, there := t[name]
	switch {
	case !there:
		t[name] = by
	case first.part == by.part && first.section == by.section && first.index == by.index: // a name that is the address, too
	case first.part == by.part:
		by.part.Add(by.path, problem, fmt.Sprintf("%s[%d]", first.section, first.index))
	default:
		by.part.Add(by.path, problem, first.part.Where(first.path))
	}
}

func newChecker(r Rules) *checker {
	return &checker{rules: r, clients: taken{}, connectors: taken{}, users: taken{}, names: taken{}, groups: taken{}}
}

// Check looks at resources that have been read, fills in what follows from the rest,
// and notes what is wrong with them.
func (r Rules) Check(all *Resources, f *strict.Findings) { r.check(&part{Resources: all, Findings: f}) }

func (r Rules) check(parts ...*part) {
	c := newChecker(r)
	for _, p := range parts {
		for i := range p.Connectors {
			c.connector(p, i)
		}
	}
	for _, p := range parts {
		c.open(p)
		for i := range p.Users {
			c.user(p, i)
		}
		for i := range p.Clients {
			c.client(p, i)
		}
		for i := range p.Groups {
			c.group(p, i)
		}
	}
	// A peer may stand below the client that trusts it.
	for _, p := range parts {
		for i := range p.Clients {
			c.exist(p.Clients[i].TrustedPeers, c.clients, p.at("clients", i)+"trusted_peers", "client", p.Findings)
		}
	}
}

// open looks whether anybody could log in by what stands in a whole configuration.
func (c *checker) open(p *part) {
	if !c.rules.Whole {
		return
	}
	open := false
	for _, one := range p.Connectors {
		open = open || !one.Disabled
	}
	if !open {
		p.Add("connectors", "are all disabled, so that nobody could log in")
	}
	if c.local == "" && len(p.Users) > 0 {
		p.Add("users", "log in through a connector of kind local, and there is none")
	}
}

// Duplicate returns the index of the first item that was there before.
func Duplicate(list []string) (int, bool) {
	seen := make(map[string]bool, len(list))
	for i, item := range list {
		if seen[item] {
			return i, true
		}
		seen[item] = true
	}
	return 0, false
}
