package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
)

// errUnchanged says that there was nothing to change, so that nobody has to wait.
var errUnchanged = errors.New("nothing has changed")

// addConfiguration adds to the configuration as one step. Nobody goes by what was
// not there before, so there is nobody to wait for.
func (t *Tenant) addConfiguration(ctx context.Context, do func(tx hand) error) error {
	err := t.db.inTx(ctx, func(tx hand) error {
		if err := t.nextVersion(ctx, tx); err != nil {
			return err
		}
		return do(tx)
	})
	t.leased.forget()
	return err
}

// editConfiguration changes the configuration as one step, keeps the receipt of it, and
// returns when nobody goes by the old one any more. Where nothing was to change, and
// nobody has been promised an answer, nobody waits for anything.
func (t *Tenant) editConfiguration(ctx context.Context, receipt *audit.Receipt, do func(tx hand) (changed bool, err error)) error {
	err := t.changeConfiguration(ctx, func(tx hand) error {
		changed, err := do(tx)
		switch {
		case err != nil:
			return err
		case !changed && receipt == nil:
			return errUnchanged
		}
		return t.keepReceipt(ctx, tx, receipt)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// clearBatch bounds a statement that deletes what may be much.
const clearBatch = 1000

// clearInBatches repeats a statement until there is nothing more for it to delete. Its
// last argument, and place, is how many rows it may delete at once.
func (t *Tenant) clearInBatches(ctx context.Context, query string, args ...any) error {
	for {
		n, err := t.db.writer().exec(ctx, query, append(args, clearBatch)...)
		if err != nil || n < clearBatch {
			return err
		}
	}
}

// keptRow is what the rows of the configuration have in common.
type keptRow struct {
	noun, id   string
	managedBy  string
	disabledBy string
	version    int64
}

// mayChange says whether somebody may change the row who has read it at a version,
// zero being any. What a file declares is changed there, whoever else tries.
func (r keptRow) mayChange(version int64) error {
	if r.managedBy == tenant.ManagedByFile {
		return fault.New(fault.Conflict, "The %s %q stands in the configuration file of the servers (dex.yaml). Change it there, and start them anew.", r.noun, r.id)
	}
	return r.mustBe(version)
}

// mustBe says whether the row is still at the version at which it was read.
func (r keptRow) mustBe(version int64) error {
	if version != 0 && version != r.version {
		return fault.Wrap(fault.Conflict, fault.ErrChanged, "The %s %q has changed since it was read: it is at version %d, not %d. Read it again, and change what it is now.", r.noun, r.id, r.version, version)
	}
	return nil
}

// mayDelete says whether the row may be deleted. What a file has declared may, once
// it declares it no more.
func (r keptRow) mayDelete(version int64) error {
	if r.managedBy == tenant.ManagedByFile && r.disabledBy != byFile {
		return fault.New(fault.Conflict, "The %s %q stands in the configuration file of the servers (dex.yaml). Take it out there, and start them anew; then it can be deleted.", r.noun, r.id)
	}
	return r.mustBe(version)
}

// changedNames returns the names of what differs between two values, as their JSON
// calls it.
func changedNames(before, after any) (names []string, err error) {
	var b, a map[string]json.RawMessage
	for _, one := range []struct {
		of   any
		into *map[string]json.RawMessage
	}{{before, &b}, {after, &a}} {
		text, err := json.Marshal(one.of)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, one.into); err != nil {
			return nil, err
		}
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			names = append(names, name)
		}
	}
	for name := range maps.Keys(b) {
		if _, stays := a[name]; !stays {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// changedDetail is what the record says of a change: the names of what is different
// now, and never what it was or is.
func changedDetail(names []string) map[string]string {
	return map[string]string{"changed": strings.Join(names, ", ")}
}

// containing returns the pattern that finds a text within another, whatever its
// ASCII letters, as LOWER(x) LIKE $n ESCAPE '\'. Of nothing it is nothing.
func containing(text string) string {
	if text == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(emailKey(text)) + "%"
}

// stateName is how a filter says which rows it wants: all, or only those of a state.
func stateName(disabled *bool) string {
	switch {
	case disabled == nil:
		return ""
	case *disabled:
		return "disabled"
	default:
		return "enabled"
	}
}

// standingOf says whether a row is disabled, and by whom, when somebody sets it so.
func standingOf(disabled, was bool, wasBy, by string) (bool, string) {
	switch {
	case !disabled:
		return false, ""
	case was:
		return true, wasBy
	default:
		return true, by
	}
}
