package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"dex/internal/app/config"
	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/store"
)

// State is how a deed stands.
type State string

// The states.
const (
	Due     State = "to do"
	Done    State = "done"    // the database has it so
	Missing State = "missing" // the backup does not have what it was done to
	Left    State = "left"    // it could not be done, and the deed says why
)

// Replay is what was done after the backup, and what has come of doing it again.
type Replay struct {
	Since  time.Time `json:"since"`  // the last that the backup knows of, the earliest of all tenants
	Until  time.Time `json:"until"`  // the restore
	Events int       `json:"events"` // of the time between
	Torn   []string  `json:"torn,omitempty"`
	Deeds  []Deed    `json:"deeds"`
	ByHand []Note    `json:"by_hand,omitempty"`
}

// Count returns how many deeds are in a state.
func (r Replay) Count(s State) (n int) {
	for _, d := range r.Deeds {
		if d.State == s {
			n++
		}
	}
	return n
}

// overlap is from how long before the last event of a backup on events are looked at:
// those of different workers come a little out of order.
const overlap = 10 * time.Minute

// errMistakes says that an exported record cannot be read.
type errMistakes []string

func (e errMistakes) Error() string {
	return "The record cannot be read, and nothing is done:\n" + strings.Join(e, "\n")
}

// ReplayAudit compares a restored database with the record that was handed on, and says
// what was done after the backup. If it is told to it does it again: all that takes
// something away. It can be done any number of times.
func ReplayAudit(ctx context.Context, src config.Source, files []string, do bool) (r Replay, err error) {
	events, torn, err := readRecords(files)
	if err != nil {
		return r, err
	}
	s, err := settings(src)
	if err != nil {
		return r, err
	}
	if err := isThere(s); err != nil {
		return r, err
	}
	db, err := opened(ctx, s, string(s.DB), 1) // the lease is waited for at the end, for all of it
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	p := &player{db: db, tenants: map[string]*window{}, now: db.Clock().Now()}
	since, err := p.between(ctx, events)
	if err != nil {
		return r, err
	}
	r.Torn, r.Events = torn, p.lost
	r.Since, r.Until = p.span()
	r.Deeds, r.ByHand = weigh(since)
	for i := range r.Deeds {
		if err := p.play(ctx, &r.Deeds[i], do); err != nil {
			return r, err
		}
	}
	if p.done == 0 {
		return r, nil
	}
	return r, db.Settle(ctx, store.DefaultLease)
}

// readRecords reads files of exported events, a line each.
func readRecords(files []string) (events []audit.Exported, torn []string, err error) {
	var wrong errMistakes
	for _, name := range files {
		if err := readRecord(name, func(place string, text []byte) {
			switch e, err := audit.ParseJSON(text); {
			case errors.Is(err, audit.ErrTorn):
				torn = append(torn, place)
			case err != nil:
				wrong = append(wrong, fmt.Sprintf("%s: %s.", place, err))
			default:
				events = append(events, e)
			}
		}); err != nil {
			return nil, nil, err
		}
	}
	if len(wrong) > 0 {
		return nil, nil, wrong
	}
	return events, torn, nil
}

// maxLine is the length of an event's line.
const maxLine = 1 << 20

func readRecord(name string, see func(place string, text []byte)) (err error) {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if text := lines.Bytes(); len(text) > 0 {
			see(fmt.Sprintf("%s:%d", name, n), text)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// player does again what a record tells.
type player struct {
	db      *store.DB
	now     time.Time
	tenants map[string]*window // those of the record; nil for one that is not there
	lost    int                // events that the backup does not have
	done    int                // deeds
}

// window is the time between the backup and the restore, as a tenant's record has it.
type window struct {
	tenant   *store.Tenant
	last     time.Time // that the backup knows of
	restored time.Time
}

// between returns the events that the database does not know of, from the backup to the
// restore; and with them those of after, so that what an operator has decided since then
// is not undone.
func (p *player) between(ctx context.Context, events []audit.Exported) ([]audit.Exported, error) {
	var since []audit.Exported
	for _, e := range events {
		w, seen := p.tenants[e.TenantID]
		if !seen {
			var after []audit.Exported
			var err error
			if w, after, err = p.look(ctx, e.TenantID); err != nil {
				return nil, err
			}
			p.tenants[e.TenantID] = w
			since = append(since, after...)
		}
		if w == nil || e.At.After(w.last.Add(-overlap)) && e.At.Before(w.restored) {
			since = append(since, e)
			p.lost++
		}
	}
	return since, nil
}

// look finds out when a tenant was backed up and restored, and what was done after. It
// returns no window for a tenant that is not there.
func (p *player) look(ctx context.Context, id string) (*window, []audit.Exported, error) {
	t, err := p.db.Tenant(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	w := &window{tenant: t}
	var after []audit.Exported
	for before := ""; ; {
		some, next, err := t.Events(ctx, audit.Filter{}, before, 500)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range some {
			switch {
			case e.Kind == audit.DatabaseRestored && w.last.IsZero():
				w.restored = e.At // of several without anything between, the first
			case w.restored.IsZero():
				after = append(after, audit.Exported{TenantID: id, Event: e})
			default:
				w.last = e.At
				return w, after, nil
			}
		}
		if next == "" {
			break
		}
		before = next
	}
	if w.restored.IsZero() {
		return nil, nil, fault.New(fault.Conflict, `The record of this database knows of no restore of the tenant %q: run "dexctl restore finalize" first, which tells what was before from what is after.`, id)
	}
	return w, after, nil
}

// span returns the time that was looked at.
func (p *player) span() (since, until time.Time) {
	for _, w := range p.tenants {
		if w == nil {
			continue
		}
		if since.IsZero() || w.last.Before(since) {
			since = w.last
		}
		if w.restored.After(until) {
			until = w.restored
		}
	}
	return since, until
}

// play says how a deed stands, and does it if it is to be done.
func (p *player) play(ctx context.Context, d *Deed, do bool) error {
	w := p.tenants[d.Tenant]
	if w == nil {
		d.State, d.Says = Missing, fmt.Sprintf("There is no tenant %q.", d.Tenant)
		return nil
	}
	a := acts[d.Act]
	standing, err := a.stands(ctx, p, w.tenant, *d)
	var f *fault.Error
	switch {
	case fault.Is(err, fault.NotFound):
		d.State = Missing
		return nil
	case err != nil && !fault.Is(err, fault.Unavailable) && errors.As(err, &f):
		d.State, d.Says = Left, f.Message
		return nil
	case err != nil:
		return err
	case standing:
		d.State = Done
		return nil
	case !do:
		d.State = Due
		return nil
	}
	switch err := a.do(ctx, p, w.tenant, *d); {
	case err == nil, fault.Is(err, fault.NotFound):
		d.State = Done
		p.done++
	case fault.Is(err, fault.Conflict), fault.Is(err, fault.Denied), fault.Is(err, fault.Invalid):
		d.State, d.Says = Left, err.Error()
		if errors.As(err, &f) {
			d.Says = f.Message
		}
	default:
		return err
	}
	return nil
}

// by says for the record who does it.
func (p *player) by() audit.By { return audit.By{Actor: "dexctl restore", At: p.now} }
