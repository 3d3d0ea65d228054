package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

func noGroup(id string) *fault.Error { return fault.New(fault.NotFound, "There is no group %q.", id) }

const groupColumns = `user_groups.id, user_groups.description, user_groups.managed_by, user_groups.version, user_groups.created_at, user_groups.updated_at`

func groupInto(g *user.Group) []any {
	return []any{&g.ID, &g.Description, &g.ManagedBy, &g.Version, (*instant)(&g.CreatedAt), (*instant)(&g.UpdatedAt)}
}

// Groups implements [user.Groups].
func (t *Tenant) Groups(ctx context.Context, after string, most int) ([]user.Group, error) {
	rows, err := t.db.reader().query(ctx, `
		SELECT `+groupColumns+` FROM user_groups WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3`, t.id, after, most)
	return collect(rows, err, func(s scanner) (g user.Group, err error) { return g, s.Scan(groupInto(&g)...) })
}

// Group implements [user.Groups].
func (t *Tenant) Group(ctx context.Context, id string) (user.Group, error) {
	var g user.Group
	err := t.db.reader().row(ctx, `SELECT `+groupColumns+` FROM user_groups WHERE tenant_id = $1 AND id = $2`, t.id, id).Scan(groupInto(&g)...)
	if absent(err) {
		return user.Group{}, noGroup(id)
	}
	return g, err
}

// CreateGroup implements [user.Groups].
func (t *Tenant) CreateGroup(ctx context.Context, g user.Group, by audit.By) (user.Group, error) {
	g.Version, g.CreatedAt, g.UpdatedAt = 1, by.At, by.At
	if g.ManagedBy == "" {
		g.ManagedBy = tenant.ManagedByHand
	}
	if err := t.db.inTx(ctx, func(tx hand) error { return t.insertGroup(ctx, tx, g, by) }); err != nil {
		return user.Group{}, err
	}
	return g, nil
}

func (t *Tenant) insertGroup(ctx context.Context, tx hand, g user.Group, by audit.By) error {
	n, err := tx.exec(ctx, `
		INSERT INTO user_groups (tenant_id, id, description, managed_by, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)
		ON CONFLICT (tenant_id, id) DO NOTHING`, t.id, g.ID, g.Description, g.ManagedBy, instant(by.At))
	if err := mustChange(n, err, fault.New(fault.Conflict, "There is a group %q already.", g.ID)); err != nil {
		return err
	}
	return t.witness(ctx, tx, by, groupEvent(by, audit.GroupCreated, g.ID))
}

func groupEvent(by audit.By, kind audit.Kind, id string) audit.Event {
	e := by.Event(kind)
	e.Detail = map[string]string{"group": id}
	return e
}

// holdGroup locks a group until the transaction ends, and returns it as it stands.
func (t *Tenant) holdGroup(ctx context.Context, tx hand, id string, version int64) (user.Group, error) {
	var g user.Group
	err := tx.change(ctx, `
		UPDATE user_groups SET version = version WHERE tenant_id = $1 AND id = $2
		RETURNING `+groupColumns, t.id, id).Scan(groupInto(&g)...)
	if err != nil {
		if absent(err) {
			return user.Group{}, noGroup(id)
		}
		return user.Group{}, err
	}
	return g, keptRow{noun: "group", id: id, version: g.Version}.mustBe(version)
}

// UpdateGroup implements [user.Groups].
func (t *Tenant) UpdateGroup(ctx context.Context, g user.Group, by audit.By) (user.Group, error) {
	var fresh user.Group
	err := t.db.inTx(ctx, func(tx hand) (err error) {
		fresh, err = t.updateGroup(ctx, tx, g, by)
		return err
	})
	if err != nil {
		return user.Group{}, err
	}
	return fresh, nil
}

// updateGroup changes the description of a group, and who manages it if that is said.
func (t *Tenant) updateGroup(ctx context.Context, tx hand, g user.Group, by audit.By) (user.Group, error) {
	fresh, err := t.holdGroup(ctx, tx, g.ID, g.Version)
	if err != nil {
		return user.Group{}, err
	}
	fresh.Description, fresh.Version, fresh.UpdatedAt = g.Description, fresh.Version+1, by.At
	if g.ManagedBy != "" {
		fresh.ManagedBy = g.ManagedBy
	}
	if _, err := tx.exec(ctx, `
		UPDATE user_groups SET description = $3, managed_by = $4, version = version + 1, updated_at = $5 WHERE tenant_id = $1 AND id = $2`,
		t.id, g.ID, g.Description, fresh.ManagedBy, instant(by.At)); err != nil {
		return user.Group{}, err
	}
	return fresh, t.witness(ctx, tx, by, groupEvent(by, audit.GroupUpdated, g.ID))
}

// DeleteGroup implements [user.Groups].
func (t *Tenant) DeleteGroup(ctx context.Context, id string, version int64, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error { return t.removeGroup(ctx, tx, id, version, by) })
}

func (t *Tenant) removeGroup(ctx context.Context, tx hand, id string, version int64, by audit.By) error {
	if _, err := t.holdGroup(ctx, tx, id, version); err != nil {
		return err
	}
	rows, err := tx.query(ctx, `SELECT user_id FROM group_members WHERE tenant_id = $1 AND group_id = $2 ORDER BY user_id`, t.id, id)
	members, err := collect(rows, err, func(s scanner) (id string, err error) { return id, s.Scan(&id) })
	if err != nil {
		return err
	}
	if err := t.touch(ctx, tx, members, by.At); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `DELETE FROM user_groups WHERE tenant_id = $1 AND id = $2`, t.id, id); err != nil {
		return err
	}
	if err := t.copyMemberships(ctx, tx, members); err != nil {
		return err
	}
	return t.witness(ctx, tx, by, groupEvent(by, audit.GroupDeleted, id))
}

// AddMembers implements [user.Groups].
func (t *Tenant) AddMembers(ctx context.Context, groupID string, userIDs []string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error { return t.changeMembers(ctx, tx, joining, groupID, userIDs, by) })
}

// RemoveMembers implements [user.Groups].
func (t *Tenant) RemoveMembers(ctx context.Context, groupID string, userIDs []string, by audit.By) error {
	return t.db.inTx(ctx, func(tx hand) error { return t.changeMembers(ctx, tx, leaving, groupID, userIDs, by) })
}

// passage is into a group or out of it: a statement around triples of tenant, group and
// account, that tells whom it has moved, and what the record says of each.
type passage struct {
	before, after string
	kind          audit.Kind
}

var (
	joining = passage{
		before: `INSERT INTO group_members (tenant_id, group_id, user_id) VALUES `,
		after:  ` ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING RETURNING user_id`, kind: audit.MemberAdded,
	}
	leaving = passage{
		before: `DELETE FROM group_members WHERE (tenant_id, group_id, user_id) IN (`,
		after:  `) RETURNING user_id`, kind: audit.MemberRemoved,
	}
)

// changeMembers changes who is in a group. It locks the group and then the accounts,
// in their order, so that what is copied into an account's row is what others have
// done before.
func (t *Tenant) changeMembers(ctx context.Context, tx hand, p passage, groupID string, userIDs []string, by audit.By) error {
	userIDs = slices.Compact(slices.Sorted(slices.Values(userIDs)))
	if _, err := t.holdGroup(ctx, tx, groupID, 0); err != nil {
		return err
	}
	for _, id := range userIDs {
		if _, err := t.hold(ctx, tx, id); err != nil {
			return err
		}
	}
	var moved []string
	for ids := range slices.Chunk(userIDs, batchRows) {
		var triples [][]any
		for _, id := range ids {
			triples = append(triples, []any{t.id, groupID, id})
		}
		places, args := inPlaces(triples)
		rows, err := tx.query(ctx, p.before+places+p.after, args...)
		some, err := collect(rows, err, func(s scanner) (id string, err error) { return id, s.Scan(&id) })
		if err != nil {
			return err
		}
		moved = append(moved, some...)
	}
	slices.Sort(moved)
	if err := t.touch(ctx, tx, moved, by.At); err != nil {
		return err
	}
	if err := t.copyMemberships(ctx, tx, moved); err != nil {
		return err
	}
	var events []audit.Event
	for _, id := range moved {
		e := groupEvent(by, p.kind, groupID)
		e.UserID = id
		events = append(events, e)
	}
	return t.witness(ctx, tx, by, events...)
}

// touch notes that accounts are others than they were.
func (t *Tenant) touch(ctx context.Context, tx hand, userIDs []string, now time.Time) error {
	for ids := range slices.Chunk(userIDs, batchRows) {
		var a args
		set := `UPDATE users SET version = version + 1, updated_at = ` + a.add(instant(now)) + ` WHERE tenant_id = ` + a.add(t.id)
		if _, err := tx.exec(ctx, set+` AND id IN (`+a.list(ids)+`)`, a...); err != nil {
			return err
		}
	}
	return nil
}

// copyMemberships repeats in the rows of accounts which groups they are in, so that
// who logs in costs no further statement. The accounts must be locked.
func (t *Tenant) copyMemberships(ctx context.Context, tx hand, userIDs []string) error {
	for ids := range slices.Chunk(userIDs, batchRows) {
		groups := map[string][]string{}
		for _, id := range ids {
			groups[id] = []string{}
		}
		var a args
		in := `SELECT user_id, group_id FROM group_members WHERE tenant_id = ` + a.add(t.id) + ` AND user_id IN (`
		rows, err := tx.query(ctx, in+a.list(ids)+`)`, a...)
		if _, err := collect(rows, err, func(s scanner) (none struct{}, err error) {
			var id, group string
			err = s.Scan(&id, &group)
			groups[id] = append(groups[id], group)
			return none, err
		}); err != nil {
			return err
		}
		var pairs [][]any
		for _, id := range slices.Sorted(maps.Keys(groups)) {
			slices.Sort(groups[id])
			pairs = append(pairs, []any{id, document{groups[id]}})
		}
		places, values := inPlaces(pairs)
		all := args(values)
		// Both engines call the columns so.
		if _, err := tx.exec(ctx, `
			UPDATE users SET member_of = fresh.column2 FROM (VALUES `+places+`) AS fresh
			WHERE users.tenant_id = `+all.add(t.id)+` AND users.id = fresh.column1`, all...); err != nil {
			return err
		}
	}
	return nil
}

// list adds several, and returns how they are called.
func (a *args) list(ids []string) string {
	var places []string
	for _, id := range ids {
		places = append(places, a.add(id))
	}
	return strings.Join(places, ", ")
}

// join puts a new account into a group.
func (t *Tenant) join(ctx context.Context, tx hand, groupID, userID string) error {
	if _, err := t.holdGroup(ctx, tx, groupID, 0); err != nil {
		if fault.Is(err, fault.NotFound) {
			missing := fault.New(fault.Invalid, "There is no group %q.", groupID)
			missing.Field = "groups"
			return missing
		}
		return err
	}
	_, err := tx.exec(ctx, `INSERT INTO group_members (tenant_id, group_id, user_id) VALUES ($1, $2, $3)`, t.id, groupID, userID)
	return err
}
