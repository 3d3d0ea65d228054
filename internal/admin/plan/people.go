package plan

import (
	"fmt"
	"slices"

	"dex/internal/admin/declare"
	"dex/internal/connector/inventory"
	"dex/internal/domain/credential"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// shownMembers is how many a plan names of who comes into a group or leaves it.
const shownMembers = 10

// Named are the people and groups that the files name. An inventory must hold them.
func (w Wanted) Named() inventory.Named {
	var n inventory.Named
	for _, a := range w.People {
		n.Users, n.LoginNames = append(n.Users, a.User.ID), append(n.LoginNames, a.LoginNames...)
	}
	for _, g := range w.Groups {
		n.Groups, n.Users = append(n.Groups, g.ID), append(n.Users, g.Members...)
	}
	return n
}

// people makes accounts and groups so.
func (p *planner) people() {
	there, holder, wanted := map[string]inventory.Person{}, map[string]string{}, map[string]declare.Account{}
	for _, one := range p.now.People {
		there[one.ID] = one
		for _, name := range one.LoginNames {
			holder[name] = one.ID
		}
	}
	for _, want := range p.wanted.People {
		if _, twice := wanted[want.User.ID]; twice {
			p.wrong("user", want.User.ID, "id", "stands there twice")
		}
		wanted[want.User.ID] = want
	}
	for _, want := range p.wanted.People {
		id := want.User.ID
		p.fits(want)
		for _, name := range want.LoginNames {
			other := holder[name]
			if other != "" && other != id && !slices.Contains(outgrown(there[other], wanted[other]), name) {
				p.wrong("user", id, "username", "%q is what the user %s logs in with. If that is who is meant, give this one the id %s", name, other, other)
			}
		}
		if before, known := there[id]; known {
			p.person(before, want)
			continue
		}
		p.newPerson(want)
	}
	if p.options.Prune {
		for _, one := range p.now.People {
			if _, named := wanted[one.ID]; one.ManagedBy == tenant.ManagedByApply && !named && !one.Disabled {
				p.plan.Deeds.DisablePeople = append(p.plan.Deeds.DisablePeople, one.ID)
				p.add(Change{Action: Disable, Noun: "user", ID: one.ID, Why: "no file names them; people are never deleted by a file"})
			}
		}
	}
	p.groups()
	p.ownerStays()
}

// fits says what of a declaration has its place elsewhere.
func (p *planner) fits(want declare.Account) {
	if want.Password != "" {
		p.wrong("user", want.User.ID, "password", `is not taken from files that are planned: give password_hash, which "dex-worker hash-password" makes, or none, and send the person a link`)
	}
	if len(want.Profile.Groups) > 0 {
		p.wrong("user", want.User.ID, "groups", "Who is in a group is said at the group, under members")
	}
}

// passwords is the connector by which people log in here; empty if there is none.
func (p *planner) passwords() string {
	for _, c := range p.wanted.Connectors {
		if c.Kind == p.options.Passwords {
			return c.ID
		}
	}
	for _, c := range p.now.Connectors {
		if c.Kind == p.options.Passwords {
			return c.ID
		}
	}
	return ""
}

// local is how somebody logs in here.
func (p *planner) local(want declare.Account, connectorID string, names []string) user.Local {
	if connectorID == "" {
		if connectorID = p.passwords(); connectorID == "" {
			p.wrong("user", want.User.ID, "", "could not log in: there is no connector of kind %s. Add one to the files", p.options.Passwords)
		}
	}
	profile := want.Profile
	profile.Groups = nil
	return user.Local{ConnectorID: connectorID, LoginNames: names, Profile: profile}
}

func (p *planner) newPerson(want declare.Account) {
	n := user.New{
		User: want.User, ManagedBy: tenant.ManagedByApply, PasswordHash: want.PasswordHash,
		Local: p.local(want, "", want.LoginNames),
	}
	p.plan.Deeds.NewPeople = append(p.plan.Deeds.NewPeople, n)
	p.add(Change{Action: Create, Noun: "user", ID: want.User.ID, Fields: personFields(inventory.Person{}, want)})
}

// person compares an account with what is wanted of it.
func (p *planner) person(before inventory.Person, want declare.Account) {
	if before.ManagedBy == "" {
		p.wrong("user", want.User.ID, "", "came by a login, and the connector says who they are: change it there. What is of this service is changed by \"dexctl users\"; take them out of the files")
		return
	}
	if before.Disabled && before.DisabledBy == tenant.DisabledByOperator {
		want.User.Disabled = true // whom somebody has disabled by hand, a file does not enable
	}
	fields := personFields(before, want)
	if len(fields) == 0 {
		return
	}
	if before.ManagedBy == tenant.ManagedByFile {
		p.wrong("user", want.User.ID, "", inFile)
		return
	}
	a := inventory.Amendment{ID: before.ID, Version: before.Version}
	if len(before.LoginNames) == 0 || slices.ContainsFunc(fields, isWho) {
		names := slices.DeleteFunc(slices.Clone(before.LoginNames), func(name string) bool {
			return slices.Contains(outgrown(before, want), name)
		})
		names = append(names, want.LoginNames...)
		slices.Sort(names)
		a.Who = &user.Edit{
			ID: before.ID, Username: want.User.Username, Email: want.User.Email, EmailVerified: want.User.EmailVerified, Name: want.User.Name,
			Local: p.local(want, before.ConnectorID, slices.Compact(names)),
		}
	}
	if want.User.Role != before.Role {
		a.Role = new(want.User.Role)
	}
	if want.User.Disabled != before.Disabled {
		a.Disabled = new(want.User.Disabled)
	}
	if want.PasswordHash != before.Declared {
		a.PasswordHash = want.PasswordHash
	}
	p.plan.Deeds.ChangedPeople = append(p.plan.Deeds.ChangedPeople, a)
	p.add(Change{Action: Update, Noun: "user", ID: before.ID, Fields: append(fields, adoption(before.ManagedBy)...)})
}

// isWho reports whether a field says who somebody is.
func isWho(f Field) bool {
	return f.Name != "role" && f.Name != "disabled" && f.Name != "password_hash"
}

// outgrown are the login names that came of a user name or address that is not wanted
// any more. What was given to somebody beside these stays.
func outgrown(before inventory.Person, want declare.Account) (names []string) {
	if want.User.ID == "" {
		return nil // nobody wants anything of them
	}
	for _, name := range []string{before.Username, before.Email} {
		canonical, err := credential.Canonical(name)
		if err == nil && !slices.Contains(want.LoginNames, canonical) {
			names = append(names, canonical)
		}
	}
	return names
}

// personFields are what differs between somebody and what is wanted of them, as they
// are declared. A password that no file gives is left alone.
func personFields(before inventory.Person, want declare.Account) []Field {
	fields := differences(members(declarePerson(before.User, before.Profile)), members(declarePerson(want.User, want.Profile)))
	if want.PasswordHash != "" && want.PasswordHash != before.Declared {
		f := Field{Name: "password_hash", After: "(changed)"}
		if before.PasswordAt.IsZero() {
			f.After = "(set)"
		}
		fields = append(fields, f)
	}
	return fields
}

func declarePerson(u user.User, profile user.Profile) any {
	if u.ID == "" {
		return nil
	}
	profile.Groups = nil // which are not of the account
	return declare.UserOf(u, profile, false)
}

// groups makes groups so. Who is in one follows from the groups alone.
func (p *planner) groups() {
	there, wanted, people := map[string]inventory.Group{}, map[string]bool{}, map[string]bool{}
	for _, g := range p.now.Groups {
		there[g.ID] = g
	}
	for _, one := range p.now.People {
		people[one.ID] = true
	}
	for _, one := range p.wanted.People {
		people[one.User.ID] = true
	}
	for _, want := range p.wanted.Groups {
		wanted[want.ID] = true
		for _, id := range want.Members {
			if !people[id] {
				p.wrong("group", want.ID, "members", "there is no user %q", id)
			}
		}
		before, known := there[want.ID]
		change := inventory.Regrouping{Group: before.Group, Join: without(want.Members, before.Members), Leave: without(before.Members, want.Members)}
		fields := groupFields(before, want, change)
		want.ManagedBy = tenant.ManagedByApply
		switch {
		case !known:
			p.plan.Deeds.NewGroups = append(p.plan.Deeds.NewGroups, want)
			p.add(Change{Action: Create, Noun: "group", ID: want.ID, Fields: fields})
		case len(fields) > 0:
			change.Description, change.ManagedBy = want.Description, tenant.ManagedByApply
			p.plan.Deeds.ChangedGroups = append(p.plan.Deeds.ChangedGroups, change)
			p.add(Change{Action: Update, Noun: "group", ID: want.ID, Fields: append(fields, adoption(before.ManagedBy)...)})
		}
	}
	if !p.options.Prune {
		return
	}
	for _, g := range p.now.Groups {
		if g.ManagedBy == tenant.ManagedByApply && !wanted[g.ID] {
			p.plan.Deeds.DeleteGroups = append(p.plan.Deeds.DeleteGroups, g.ID)
			p.add(Change{Action: Delete, Noun: "group", ID: g.ID, Why: "no file names it"})
		}
	}
}

// without are the ids that are not among the others, in their order.
func without(ids, others []string) []string {
	among := make(map[string]bool, len(others))
	for _, id := range others {
		among[id] = true
	}
	rest := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return among[id] })
	slices.Sort(rest)
	return rest
}

// groupFields are what differs of a group. Of who comes and goes only some are named.
func groupFields(before, want inventory.Group, change inventory.Regrouping) (fields []Field) {
	if before.Description != want.Description {
		fields = append(fields, Field{Name: "description", Before: before.Description, After: want.Description})
	}
	var moves []string
	for _, id := range change.Join {
		moves = append(moves, "+"+id)
	}
	for _, id := range change.Leave {
		moves = append(moves, "-"+id)
	}
	if n := len(moves); n > shownMembers {
		moves = append(moves[:shownMembers], fmt.Sprintf("and %d more", n-shownMembers))
	}
	if len(moves) > 0 {
		fields = append(fields, Field{Name: "members", After: list(moves)})
	}
	return fields
}

// ownerStays sees that somebody may do everything afterwards, where somebody does now.
func (p *planner) ownerStays() {
	if len(p.now.Owners) == 0 {
		return
	}
	owns := map[string]bool{}
	for _, id := range p.now.Owners {
		owns[id] = true
	}
	lost := ""
	set := func(id, name string, disabled bool) {
		if owns[id] && (name != string(role.Owner) || disabled) {
			lost = id
			delete(owns, id)
		} else if name == string(role.Owner) && !disabled {
			owns[id] = true
		}
	}
	for _, n := range p.plan.Deeds.NewPeople {
		set(n.User.ID, n.User.Role, n.User.Disabled)
	}
	for _, a := range p.plan.Deeds.ChangedPeople {
		i := slices.IndexFunc(p.now.People, func(one inventory.Person) bool { return one.ID == a.ID })
		name, disabled := p.now.People[i].Role, p.now.People[i].Disabled
		if a.Role != nil {
			name = *a.Role
		}
		if a.Disabled != nil {
			disabled = *a.Disabled
		}
		set(a.ID, name, disabled)
	}
	for _, id := range p.plan.Deeds.DisablePeople {
		set(id, "", true)
	}
	if len(owns) == 0 {
		p.wrong("user", lost, "role", "is the last owner who can log in. Make somebody else an owner first")
	}
}
