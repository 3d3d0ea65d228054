package store

import (
	"context"
	"slices"
	"strings"

	"dex/internal/connector/inventory"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

func scanID(s scanner) (id string, err error) { return id, s.Scan(&id) }

// groupsOfFiles reads the groups that files manage, and those that are named, with who
// is in them.
func (t *Tenant) groupsOfFiles(ctx context.Context, h hand, named []string) ([]inventory.Group, error) {
	// The second condition is that of the index.
	rows, err := h.query(ctx, `
		SELECT id FROM user_groups WHERE tenant_id = $1 AND managed_by = 'apply' AND managed_by <> 'api'`, t.id)
	managed, err := collect(rows, err, scanID)
	if err != nil {
		return nil, err
	}
	var all []inventory.Group
	for ids := range slices.Chunk(only(managed, named), batchRows) {
		var a args
		in := `SELECT ` + groupColumns + ` FROM user_groups WHERE tenant_id = ` + a.add(t.id) + ` AND id IN (`
		rows, err := h.query(ctx, in+a.list(ids)+`)`, a...)
		some, err := collect(rows, err, func(s scanner) (g inventory.Group, err error) { return g, s.Scan(groupInto(&g.Group)...) })
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b inventory.Group) int { return strings.Compare(a.ID, b.ID) })
	for i := range all {
		rows, err := h.query(ctx, `SELECT user_id FROM group_members WHERE tenant_id = $1 AND group_id = $2`, t.id, all[i].ID)
		if all[i].Members, err = collect(rows, err, scanID); err != nil {
			return nil, err
		}
		slices.Sort(all[i].Members)
	}
	return all, nil
}

// only are the ids of several lists, each once and in their order.
func only(lists ...[]string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(lists...))))
}

// peopleOfFiles reads the accounts that files manage, and those that are named by their
// ids or by what they log in with.
func (t *Tenant) peopleOfFiles(ctx context.Context, h hand, named inventory.Named) ([]inventory.Person, error) {
	rows, err := h.query(ctx, `
		SELECT id FROM users WHERE tenant_id = $1 AND managed_by = 'apply' AND managed_by <> ''`, t.id) // so is the second here
	ids, err := collect(rows, err, scanID)
	if err != nil {
		return nil, err
	}
	for names := range slices.Chunk(only(named.LoginNames), batchRows) {
		var a args
		in := `SELECT user_id FROM login_names WHERE tenant_id = ` + a.add(t.id) + ` AND name IN (`
		rows, err := h.query(ctx, in+a.list(names)+`)`, a...)
		holders, err := collect(rows, err, scanID)
		if err != nil {
			return nil, err
		}
		ids = append(ids, holders...)
	}
	all := map[string]*inventory.Person{}
	for some := range slices.Chunk(only(ids, named.Users), batchRows) {
		if err := t.readPeople(ctx, h, some, all); err != nil {
			return nil, err
		}
	}
	people := make([]inventory.Person, 0, len(all))
	for _, p := range all {
		people = append(people, *p)
	}
	slices.SortFunc(people, func(a, b inventory.Person) int { return strings.Compare(a.ID, b.ID) })
	return people, nil
}

// readPeople reads the accounts of some ids, with how each logs in here.
func (t *Tenant) readPeople(ctx context.Context, h hand, ids []string, into map[string]*inventory.Person) error {
	// of reads what hangs on the accounts by one statement.
	of := func(read, by string, scan func(scanner) error) error {
		var a args
		in := read + a.add(t.id) + ` AND ` + by + ` IN (`
		rows, err := h.query(ctx, in+a.list(ids)+`)`, a...)
		_, err = collect(rows, err, func(s scanner) (none struct{}, err error) { return none, scan(s) })
		return err
	}
	err := of(`
		SELECT `+userColumns+`, users.managed_by, users.disabled_by, COALESCE(passwords.declared, ''), passwords.updated_at
		FROM users LEFT JOIN passwords ON passwords.tenant_id = users.tenant_id AND passwords.user_id = users.id
		WHERE users.tenant_id = `, `users.id`, func(s scanner) error {
		p := &inventory.Person{}
		err := s.Scan(append(userInto(&p.User), &p.ManagedBy, &p.DisabledBy, &p.Declared, (*instant)(&p.PasswordAt))...)
		into[p.ID] = p
		return err
	})
	if err != nil {
		return err
	}
	if err := of(`SELECT user_id, name, connector_id FROM login_names WHERE tenant_id = `, `user_id`, func(s scanner) error {
		var id, name, connector string
		err := s.Scan(&id, &name, &connector)
		if p := into[id]; p != nil {
			p.LoginNames, p.ConnectorID = only(p.LoginNames, []string{name}), connector
		}
		return err
	}); err != nil {
		return err
	}
	return of(`SELECT user_id, connector_id, profile FROM identities WHERE subject = user_id AND tenant_id = `, `user_id`, func(s scanner) error {
		var id, connector string
		var profile user.Profile
		err := s.Scan(&id, &connector, document{&profile})
		if p := into[id]; p != nil && (p.ConnectorID == connector || p.ConnectorID == "") {
			p.ConnectorID, p.Profile = connector, profile
		}
		return err
	})
}

// people makes people and groups so. The receipt is kept once, at the end of the whole.
func (r *reconciliation) people(ctx context.Context, d inventory.Deeds) error {
	r.by.Receipt = nil
	if err := r.holdAll(ctx, d); err != nil {
		return err
	}
	return r.keepOwner(ctx, r.tx, func(hand) error {
		if err := r.accounts(ctx, d); err != nil {
			return err
		}
		return r.groups(ctx, d)
	})
}

// holdAll locks the groups and accounts that there are in the order in which everybody
// does, and sees that the accounts are at their versions still.
func (r *reconciliation) holdAll(ctx context.Context, d inventory.Deeds) error {
	groups, people, versions := slices.Clone(d.DeleteGroups), slices.Clone(d.DisablePeople), map[string]int64{}
	for _, g := range d.NewGroups {
		people = append(people, g.Members...)
	}
	for _, g := range d.ChangedGroups {
		groups, people = append(groups, g.ID), append(people, slices.Concat(g.Join, g.Leave)...)
	}
	for _, p := range d.ChangedPeople {
		people, versions[p.ID] = append(people, p.ID), p.Version
	}
	for _, id := range only(groups) {
		if _, err := r.holdGroup(ctx, r.tx, id, 0); err != nil {
			return err
		}
	}
	for _, id := range only(people) {
		if slices.ContainsFunc(d.NewPeople, func(n user.New) bool { return n.User.ID == id }) {
			continue
		}
		h, err := r.hold(ctx, r.tx, id)
		if err != nil {
			return err
		}
		if version, changes := versions[id]; changes {
			if err := h.kept.mayChange(version); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reconciliation) accounts(ctx context.Context, d inventory.Deeds) error {
	// Names that somebody gives up can be another's in the same step.
	for _, p := range d.ChangedPeople {
		if p.Who == nil {
			continue
		}
		if _, err := r.tx.exec(ctx, `DELETE FROM login_names WHERE tenant_id = $1 AND user_id = $2`, r.id, p.ID); err != nil {
			return err
		}
	}
	for _, n := range d.NewPeople {
		if err := r.insertUser(ctx, r.tx, fresh(n, r.by.At), n, r.by); err != nil {
			return err
		}
		if err := r.declared(ctx, n.User.ID, n.PasswordHash); err != nil {
			return err
		}
	}
	for _, p := range d.ChangedPeople {
		if err := r.amend(ctx, p); err != nil {
			return err
		}
	}
	for _, id := range d.DisablePeople {
		if err := r.disableUser(ctx, r.tx, tenant.ManagedByApply, r.of(audit.UserDisabled, id)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reconciliation) of(kind audit.Kind, userID string) audit.Event {
	e := r.by.Event(kind)
	e.UserID = userID
	return e
}

// amend changes an account, which then is managed by files.
func (r *reconciliation) amend(ctx context.Context, p inventory.Amendment) error {
	if p.Who != nil {
		if _, err := r.updateUser(ctx, r.tx, *p.Who, r.by); err != nil {
			return err
		}
	}
	if p.Role != nil {
		if _, err := r.setRole(ctx, r.tx, user.User{ID: p.ID, Role: *p.Role}, r.by); err != nil {
			return err
		}
	}
	if p.PasswordHash != "" {
		if err := r.setPassword(ctx, r.tx, user.PasswordChange{UserID: p.ID, Hash: p.PasswordHash}, r.by); err != nil {
			return err
		}
		if err := r.declared(ctx, p.ID, p.PasswordHash); err != nil {
			return err
		}
	}
	switch {
	case p.Disabled == nil:
	case *p.Disabled:
		if err := r.disableUser(ctx, r.tx, tenant.ManagedByApply, r.of(audit.UserDisabled, p.ID)); err != nil {
			return err
		}
	default:
		if err := r.enableUser(ctx, r.tx, p.ID, r.by); err != nil {
			return err
		}
	}
	_, err := r.tx.exec(ctx, `
		UPDATE users SET managed_by = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2 AND managed_by <> $3`,
		r.id, p.ID, tenant.ManagedByApply)
	return err
}

// declared notes of which hash a password came, so that the same files change nothing
// when it has been hashed anew since.
func (r *reconciliation) declared(ctx context.Context, userID, hash string) error {
	if hash == "" {
		return nil
	}
	_, err := r.tx.exec(ctx, `UPDATE passwords SET declared = $3 WHERE tenant_id = $1 AND user_id = $2`, r.id, userID, hash)
	return err
}

func (r *reconciliation) groups(ctx context.Context, d inventory.Deeds) error {
	for _, g := range d.NewGroups {
		if err := r.insertGroup(ctx, r.tx, g.Group, r.by); err != nil {
			return err
		}
		if err := r.changeMembers(ctx, r.tx, joining, g.ID, g.Members, r.by); err != nil {
			return err
		}
	}
	for _, g := range d.ChangedGroups {
		if _, err := r.updateGroup(ctx, r.tx, g.Group, r.by); err != nil {
			return err
		}
		if err := r.changeMembers(ctx, r.tx, leaving, g.ID, g.Leave, r.by); err != nil {
			return err
		}
		if err := r.changeMembers(ctx, r.tx, joining, g.ID, g.Join, r.by); err != nil {
			return err
		}
	}
	for _, id := range d.DeleteGroups {
		if err := r.removeGroup(ctx, r.tx, id, 0, r.by); err != nil {
			return err
		}
	}
	return nil
}
