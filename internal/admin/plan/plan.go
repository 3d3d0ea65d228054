// Package plan decides what has to change so that there is what an operator's files
// say: a pure function of what there is and of what is wanted, which the server runs
// once to show it, and once more when it is applied.
//
// What the files leave out stays, unless it is to be pruned; then it goes if it came of
// such files, and not if somebody has made it by hand or the servers' own configuration
// declares it. Nobody's account goes: it is disabled. Secrets are not told: one that is
// left out stays, and of one that is given the plan says that it changes.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"dex/internal/admin/declare"
	"dex/internal/connector"
	"dex/internal/connector/inventory"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
)

// Wanted is what the files say.
type Wanted struct {
	Clients    []client.Registered // with their secrets and notes of them, if the files have any
	Connectors []connector.Configured
	People     []declare.Account
	Groups     []inventory.Group // with the ids of their members
}

// Options say how to plan.
type Options struct {
	Prune bool
	Kinds []connector.Kind
	// Passwords is the kind of connector by which people log in with a password that is
	// kept here.
	Passwords string
}

// Action is what happens to something.
type Action string

// The actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Disable Action = "disable"
	Delete  Action = "delete"
	Reorder Action = "reorder"
)

// Change is something that has to be done.
type Change struct {
	Action Action  `json:"action" enum:"create,update,disable,delete,reorder"`
	Noun   string  `json:"noun" doc:"client, connector, user or group."`
	ID     string  `json:"id"`
	Fields []Field `json:"fields,omitempty" doc:"What is different afterwards."`
	Why    string  `json:"why,omitempty"`
	People *int    `json:"people,omitempty" doc:"How many people have used it in the last 30 days."`
}

// Field is one member that is different afterwards.
type Field struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Problem is why something cannot be.
type Problem struct {
	Noun, ID, Field string
	Message         string
}

// Plan is what has to change.
type Plan struct {
	Changes []Change
	Deeds   inventory.Deeds
	// Secretless are the clients among the deeds that prove themselves by a secret and
	// have none: whoever applies the plan makes one for each.
	Secretless []string
	// Basis names what the plan has looked at. What has the same basis has the same
	// plan.
	Basis string
}

// Make plans. It returns what stands in the way of the whole, all of it at once.
func Make(now inventory.Inventory, w Wanted, o Options) (Plan, []Problem) {
	p := planner{now: now, wanted: w, options: o}
	p.connectors()
	p.clients()
	p.references()
	p.people()
	if p.plan.Basis = basis(now, w, o); len(p.problems) > 0 {
		return Plan{}, p.problems
	}
	return p.plan, nil
}

type planner struct {
	now      inventory.Inventory
	wanted   Wanted
	options  Options
	plan     Plan
	problems []Problem
}

func (p *planner) wrong(noun, id, field, format string, args ...any) {
	p.problems = append(p.problems, Problem{Noun: noun, ID: id, Field: field, Message: fmt.Sprintf(format, args...)})
}

// inFile says of what the servers' own configuration declares that it cannot be changed
// here.
const inFile = "stands in the configuration file of the servers (dex.yaml), and differently. Change it there, or take it out of one of the two"

func (p *planner) connectors() {
	there := map[string]connector.Registered{}
	for _, c := range p.now.Connectors {
		there[c.ID] = c
	}
	wanted := map[string]bool{}
	for _, want := range p.wanted.Connectors {
		wanted[want.ID] = true
		before, known := there[want.ID]
		if !known {
			p.plan.Deeds.NewConnectors = append(p.plan.Deeds.NewConnectors, connector.Registered{Configured: want, ManagedBy: tenant.ManagedByApply})
			p.add(Change{Action: Create, Noun: "connector", ID: want.ID, Fields: connectorFields(connector.Configured{}, want, p.options.Kinds)})
			continue
		}
		p.connector(before, want)
	}
	if p.options.Prune {
		for _, c := range p.now.Connectors {
			if c.ManagedBy == tenant.ManagedByApply && !wanted[c.ID] && !c.Disabled {
				p.plan.Deeds.DisableConnectors = append(p.plan.Deeds.DisableConnectors, c.ID)
				p.add(Change{Action: Disable, Noun: "connector", ID: c.ID, Why: "no file names it; it is not deleted, because people are known by it"})
			}
		}
	}
	p.order()
}

// connector compares a connector with what is wanted of it.
func (p *planner) connector(before connector.Registered, want connector.Configured) {
	kind := slices.IndexFunc(p.options.Kinds, func(k connector.Kind) bool { return k.Name == want.Kind })
	if want.Kind != before.Kind {
		p.wrong("connector", want.ID, "kind", "is of the kind %s. Whoever is known by it would be somebody else by the kind %s: give the new one another id", before.Kind, want.Kind)
		return
	}
	if kind >= 0 {
		kept, err := p.options.Kinds[kind].Keep(before.Config, want.Config)
		if w, ok := errors.AsType[*connector.Withheld](err); ok {
			p.wrong("connector", want.ID, "config."+w.Secret, "%s", w)
			return
		}
		if err != nil {
			p.wrong("connector", want.ID, "config", "cannot be read: %s", err)
			return
		}
		want.Config = kept
	}
	if before.Disabled && before.DisabledBy == tenant.DisabledByOperator {
		want.Disabled = true // what somebody has disabled by hand, a file does not enable
	}
	fields := connectorFields(before.Configured, want, p.options.Kinds)
	if len(fields) == 0 {
		return
	}
	if before.ManagedBy == tenant.ManagedByFile {
		p.wrong("connector", want.ID, "", inFile)
		return
	}
	after := connector.Registered{Configured: want, ManagedBy: tenant.ManagedByApply, Version: before.Version}
	p.plan.Deeds.ChangedConnectors = append(p.plan.Deeds.ChangedConnectors, after)
	p.add(Change{Action: Update, Noun: "connector", ID: want.ID, Fields: append(fields, adoption(before.ManagedBy)...)})
}

// adoption is the field that says that something is managed by files from now on.
func adoption(before string) []Field {
	if before == tenant.ManagedByApply {
		return nil
	}
	return []Field{{Name: "managed_by", Before: before, After: tenant.ManagedByApply}}
}

// order brings the connectors into the order of the files.
func (p *planner) order() {
	var current, desired, placed []string
	for _, c := range p.now.Connectors {
		current = append(current, c.ID)
	}
	for _, c := range p.wanted.Connectors {
		desired = append(desired, c.ID)
	}
	after := Order(current, desired)
	// New ones come behind the others by themselves.
	placed = append(placed, current...)
	for _, c := range p.plan.Deeds.NewConnectors {
		placed = append(placed, c.ID)
	}
	if slices.Equal(after, placed) {
		return
	}
	p.plan.Deeds.Order = after
	p.add(Change{Action: Reorder, Noun: "connector", ID: "*", Fields: []Field{{Name: "order", Before: list(placed), After: list(after)}}})
}

// Order returns the order of the current things and the desired ones: the desired ones
// among each other as they are desired, in the places that those of them had that there
// are; a new one behind the one that it is to follow. What is not desired stays where
// it is.
func Order(current, desired []string) []string {
	var known []string
	for _, id := range desired {
		if slices.Contains(current, id) {
			known = append(known, id)
		}
	}
	after := make([]string, 0, len(current)+len(desired))
	for _, id := range current {
		if slices.Contains(desired, id) {
			id, known = known[0], known[1:]
		}
		after = append(after, id)
	}
	for i, id := range desired {
		if slices.Contains(current, id) {
			continue
		}
		at := len(after)
		if i > 0 {
			at = slices.Index(after, desired[i-1]) + 1
		} else if first := slices.IndexFunc(after, func(a string) bool { return slices.Contains(desired, a) }); first >= 0 {
			at = first
		}
		after = slices.Insert(after, at, id)
	}
	return after
}

func (p *planner) clients() {
	there := map[string]client.Registered{}
	for _, c := range p.now.Clients {
		there[c.ID] = c
	}
	wanted := map[string]bool{}
	for _, want := range p.wanted.Clients {
		wanted[want.ID] = true
		before, known := there[want.ID]
		if known {
			p.client(before, want)
			continue
		}
		want.ManagedBy = tenant.ManagedByApply
		p.plan.Deeds.NewClients = append(p.plan.Deeds.NewClients, want)
		fields := clientFields(client.Registered{}, want)
		if p.secretless(want) {
			fields = append(fields, madeSecret)
		}
		p.add(Change{Action: Create, Noun: "client", ID: want.ID, Fields: fields})
	}
	if !p.options.Prune {
		return
	}
	for _, c := range p.now.Clients {
		if c.ManagedBy == tenant.ManagedByApply && !wanted[c.ID] {
			p.plan.Deeds.DeleteClients = append(p.plan.Deeds.DeleteClients, c.ID)
			p.add(Change{Action: Delete, Noun: "client", ID: c.ID, Why: "no file names it"})
		}
	}
}

var madeSecret = Field{Name: "secret", After: "(made when it is applied, and shown once)"}

// secretless notes that a client needs a secret and has none.
func (p *planner) secretless(c client.Registered) bool {
	if len(c.Secrets) > 0 || !c.AuthMethod.BySecret() {
		return false
	}
	p.plan.Secretless = append(p.plan.Secretless, c.ID)
	return true
}

// client compares a client with what is wanted of it.
func (p *planner) client(before, want client.Registered) {
	if before.Disabled && before.DisabledBy == tenant.DisabledByOperator {
		want.Disabled = true
	}
	switch {
	case !want.AuthMethod.BySecret():
		want.Secrets, want.Notes, want.Shared = nil, nil, nil
	case len(want.Secrets) == 0:
		want.Secrets, want.Notes, want.Shared = before.Secrets, before.Notes, before.Shared
	}
	fields := clientFields(before, want)
	if len(fields) == 0 {
		return
	}
	if before.ManagedBy == tenant.ManagedByFile {
		p.wrong("client", want.ID, "", inFile)
		return
	}
	if p.secretless(want) {
		fields = append(fields, madeSecret)
	}
	want.ManagedBy, want.Version = tenant.ManagedByApply, before.Version
	p.plan.Deeds.ChangedClients = append(p.plan.Deeds.ChangedClients, want)
	p.add(Change{Action: Update, Noun: "client", ID: want.ID, Fields: append(fields, adoption(before.ManagedBy)...)})
}

// references finds what wanted clients refer to that will not be there.
func (p *planner) references() {
	clients, connectors := map[string]bool{}, map[string]bool{}
	for _, c := range p.now.Clients {
		clients[c.ID] = !slices.Contains(p.plan.Deeds.DeleteClients, c.ID)
	}
	for _, c := range p.wanted.Clients {
		clients[c.ID] = true
	}
	for _, c := range p.now.Connectors {
		connectors[c.ID] = true
	}
	for _, c := range p.wanted.Connectors {
		connectors[c.ID] = true
	}
	for _, c := range p.wanted.Clients {
		for i, id := range c.Connectors {
			if !connectors[id] {
				p.wrong("client", c.ID, fmt.Sprintf("connectors[%d]", i), "there is no connector %q", id)
			}
		}
		for i, id := range c.TrustedPeers {
			if !clients[id] {
				p.wrong("client", c.ID, fmt.Sprintf("trusted_peers[%d]", i), "there is no client %q", id)
			}
		}
	}
}

func (p *planner) add(c Change) { p.plan.Changes = append(p.plan.Changes, c) }

// basis names everything that a plan rests on.
func basis(now inventory.Inventory, w Wanted, o Options) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "plan 1 %v\n", o.Prune)
	for _, c := range now.Clients {
		_, _ = fmt.Fprintf(h, "there client %q %d %s\n", c.ID, c.Version, c.CreatedAt.UTC())
	}
	for _, c := range now.Connectors {
		_, _ = fmt.Fprintf(h, "there connector %q %d %d %s\n", c.ID, c.Version, c.Position, c.CreatedAt.UTC())
	}
	named := map[string]bool{}
	for _, a := range w.People {
		named[a.User.ID] = true
		_, _ = fmt.Fprintf(h, "wanted user %q %q %q\n", a.User.ID, sha256.Sum256([]byte(a.PasswordHash)), personFields(inventory.Person{}, a))
	}
	for _, one := range now.People {
		// Of who is but in a group it matters that they are there.
		if one.ManagedBy == tenant.ManagedByApply || named[one.ID] {
			_, _ = fmt.Fprintf(h, "there user %q %d %s %x %q\n", one.ID, one.Version, one.CreatedAt.UTC(), sha256.Sum256([]byte(one.Declared)), one.LoginNames)
		}
	}
	for _, g := range now.Groups {
		_, _ = fmt.Fprintf(h, "there group %q %d %s %q\n", g.ID, g.Version, g.CreatedAt.UTC(), g.Members)
	}
	for _, g := range w.Groups {
		_, _ = fmt.Fprintf(h, "wanted group %q %q %q\n", g.ID, g.Description, without(g.Members, nil))
	}
	for _, c := range w.Clients {
		c.Notes = nil // which are new each time
		_, _ = fmt.Fprintf(h, "wanted client %q %x %q\n", c.ID, c.Secrets, clientFields(client.Registered{}, c))
	}
	for _, c := range w.Connectors {
		sum := sha256.Sum256(c.Config)
		_, _ = fmt.Fprintf(h, "wanted connector %x %q %v\n", sum, c.ID, connectorFields(connector.Configured{}, c, o.Kinds))
	}
	return hex.EncodeToString(h.Sum(nil))
}
