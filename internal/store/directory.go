package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/domain/user"
)

const (
	// scanRows is how many accounts one statement looks at, and scans how often that is
	// done before a list says that it goes on later: who looks for three among a million
	// hears something soon.
	scanRows = 200
	scans    = 50
	// enough is the number of rows from which on a word leads to too many to be worth
	// counting: more than a list looks at before it says so.
	enough = scans * scanRows
	// few is the number of rows up to which a word is gone by rather than a group or a
	// role.
	few = 1000
)

// Users implements [user.Directory]. It goes along an index, by what is likely to lead
// to few, and asks of each account that it meets there whether it is one that is
// meant.
func (t *Tenant) Users(ctx context.Context, f user.Filter, after string, most int) ([]user.Account, string, error) {
	l := &listing{t: t, filter: f, words: user.Search(f.Text), most: most}
	if strings.TrimSpace(f.Text) != "" && len(l.words) == 0 {
		return nil, "", nil // there are only signs in it, by which nobody is found
	}
	if err := l.begin(ctx, after); err != nil {
		return nil, "", err
	}
	var found []user.Account
	for range scans {
		rows, err := l.scan(ctx)
		if err != nil {
			return nil, "", err
		}
		for _, r := range rows {
			if r.meant {
				found = append(found, r.Account)
			}
			l.word, l.id = r.word, r.ID
			if len(found) == most {
				return found, l.place(), nil
			}
		}
		if len(rows) < l.limit() {
			return found, "", nil
		}
	}
	return found, l.place(), nil
}

// listing is one walk along an index.
type listing struct {
	t      *Tenant
	filter user.Filter
	words  []string
	most   int

	way  string // one of the ways
	lead int    // of the words, the one that leads
	word []byte // where the walk stands
	id   string
}

// The ways: which index a walk goes along. A way that has begun is gone to its end, so
// it is part of the place where the next page begins.
const (
	byID    = "i"
	byWord  = "w"
	byGroup = "g"
	byRole  = "r"
)

// place says where the walk stands, as text that [listing.begin] reads.
func (l *listing) place() string {
	if l.way == byWord {
		return fmt.Sprintf("%s%d %x %s", l.way, l.lead, l.word, l.id)
	}
	return l.way + " " + l.id
}

// begin goes on at a place, or chooses a way.
func (l *listing) begin(ctx context.Context, place string) error {
	if place == "" {
		return l.choose(ctx)
	}
	wrong := fault.New(fault.Invalid, "The list cannot be continued from there: begin it again.")
	l.way = place[:1]
	switch l.way {
	case byWord:
		if n, err := fmt.Sscanf(place[1:], "%d %x %s", &l.lead, &l.word, &l.id); err != nil || n != 3 || l.lead < 0 || l.lead >= len(l.words) {
			return wrong
		}
	case byGroup, byRole, byID:
		l.id = strings.TrimPrefix(place[1:], " ")
		if l.way == byGroup && l.filter.GroupID == "" || l.way == byRole && l.filter.Role == "" || l.id == "" {
			return wrong
		}
	default:
		return wrong
	}
	return nil
}

// choose chooses what is likely to lead to the fewest: a word that few have, else a
// group, a role, any word.
func (l *listing) choose(ctx context.Context) error {
	fewest, counted := enough, l.words
	if len(l.words) == 1 && l.filter.GroupID == "" && l.filter.Role == "" {
		counted = nil // there is no choice
	}
	for i, word := range counted {
		var n int
		if err := l.t.db.reader().row(ctx, fmt.Sprintf(`
			SELECT COUNT(*) FROM (
				SELECT 1 FROM user_words WHERE tenant_id = $1 AND word >= $2 AND word < $3 LIMIT %d) few`, enough),
			l.t.id, []byte(word), beyond(word)).Scan(&n); err != nil {
			return err
		}
		if n < fewest {
			fewest, l.lead = n, i
		}
	}
	switch {
	case len(l.words) > 0 && fewest < few:
		l.way = byWord
	case l.filter.GroupID != "":
		l.way = byGroup
	case l.filter.Role != "":
		l.way = byRole
	case len(l.words) > 0:
		l.way = byWord
	default:
		l.way = byID
	}
	if l.way == byWord {
		l.word = []byte(l.words[l.lead])
	}
	return nil
}

// beyond is what comes after all that begin with the word. No text has such a byte.
func beyond(word string) []byte { return append([]byte(word), 0xff) }

// met is an account that the walk has met.
type met struct {
	user.Account
	word  []byte
	meant bool
}

// limit is how many accounts one statement looks at: no more than are wanted, if each
// is meant.
func (l *listing) limit() int {
	f := l.filter
	if f.Disabled == nil && f.ConnectorID == "" && f.ManagedBy == "" && len(l.words) < 2 &&
		(f.GroupID == "" || l.way == byGroup) && (f.Role == "" || l.way == byRole) {
		return min(l.most, scanRows)
	}
	return scanRows
}

// scan goes a stretch of the way.
func (l *listing) scan(ctx context.Context) ([]met, error) {
	var a args
	tenant := a.add(l.t.id)
	w := l.along(&a, tenant)
	rows, err := l.t.db.reader().query(ctx, fmt.Sprintf(`
		SELECT %s, %s, `+userColumns+`, users.managed_by, users.disabled_by
		FROM %s ORDER BY %s LIMIT %d`, w.word, l.meant(&a, tenant, w.user), w.from, w.order, l.limit()), a...)
	return collect(rows, err, func(s scanner) (m met, err error) {
		into := append([]any{&m.word, &m.meant}, userInto(&m.User)...)
		return m, s.Scan(append(into, &m.ManagedBy, &m.DisabledBy)...)
	})
}

// stretch is the text of a way: what is read, in which order, and what the word and
// the account are called there. Each of its rows leads to one account.
type stretch struct{ from, order, word, user string }

// along is the way from where the walk stands.
func (l *listing) along(a *args, tenant string) stretch {
	after := a.add(l.id)
	joined := ` JOIN users ON users.tenant_id = way.tenant_id AND users.id = way.user_id WHERE way.tenant_id = ` + tenant
	switch l.way {
	case byWord:
		return stretch{
			from: `user_words way` + joined + ` AND (way.word, way.user_id) > (` + a.add(l.word) + `, ` + after + `)
				AND way.word < ` + a.add(beyond(l.words[l.lead])),
			order: `way.word, way.user_id`, word: `way.word`, user: `way.user_id`,
		}
	case byGroup:
		return stretch{
			from:  `group_members way` + joined + ` AND way.group_id = ` + a.add(l.filter.GroupID) + ` AND way.user_id > ` + after + ` AND users.id > ` + after,
			order: `way.user_id`, word: `''`, user: `way.user_id`,
		}
	}
	all := stretch{
		from:  `users WHERE users.tenant_id = ` + tenant + ` AND users.id > ` + after,
		order: `users.id`, word: `''`, user: `users.id`,
	}
	if l.way == byRole {
		all.from += ` AND users.role <> '' AND users.role = ` + a.add(l.filter.Role)
	}
	return all
}

// meant is the condition that says whether an account is meant, for what the way has
// not said yet. It looks at the account alone, by index: asked with EXISTS, Postgres
// might rather read a whole table once.
func (l *listing) meant(a *args, tenant, id string) string {
	f, all := l.filter, []string{`TRUE`}
	has := func(is, table, condition string) {
		all = append(all, `(SELECT 1 FROM `+table+` x WHERE x.tenant_id = `+tenant+` AND x.user_id = `+id+` AND `+condition+` LIMIT 1) `+is)
	}
	for i, word := range l.words {
		from := a.add([]byte(word))
		if l.way == byWord && i == l.lead {
			// Somebody with several words of the same beginning is met by the first.
			has(`IS NULL`, `user_words`, `x.word >= `+from+` AND x.word < way.word`)
			continue
		}
		has(`IS NOT NULL`, `user_words`, `x.word >= `+from+` AND x.word < `+a.add(beyond(word)))
	}
	if f.GroupID != "" && l.way != byGroup {
		has(`IS NOT NULL`, `group_members`, `x.group_id = `+a.add(f.GroupID))
	}
	if f.ConnectorID != "" {
		has(`IS NOT NULL`, `identities`, `x.connector_id = `+a.add(f.ConnectorID))
	}
	if f.Role != "" && l.way != byRole {
		all = append(all, `users.role = `+a.add(f.Role))
	}
	if f.ManagedBy != "" {
		all = append(all, `users.managed_by = `+a.add(f.ManagedBy))
	}
	if f.Disabled != nil {
		all = append(all, `users.disabled = `+a.add(*f.Disabled))
	}
	return `(` + strings.Join(all, ` AND `) + `)`
}

// args are the arguments of a statement that is put together.
type args []any

// add adds one, and returns how it is called in the text.
func (a *args) add(v any) string {
	*a = append(*a, v)
	return fmt.Sprintf("$%d", len(*a))
}

// Account implements [user.Directory].
func (t *Tenant) Account(ctx context.Context, id string) (user.Account, error) {
	var a user.Account
	var at instant
	err := t.db.reader().row(ctx, `
		SELECT `+userColumns+`, users.managed_by, users.disabled_by, passwords.updated_at
		FROM users LEFT JOIN passwords ON passwords.tenant_id = users.tenant_id AND passwords.user_id = users.id
		WHERE users.tenant_id = $1 AND users.id = $2`, t.id, id,
	).Scan(append(userInto(&a.User), &a.ManagedBy, &a.DisabledBy, &at)...)
	if err != nil {
		if absent(err) {
			return user.Account{}, noUser(id)
		}
		return user.Account{}, err
	}
	a.PasswordAt = time.Time(at)
	if a.DisabledBy != byFile {
		a.DisabledBy = ""
	}
	if err := t.addNames(ctx, &a); err != nil {
		return user.Account{}, err
	}
	if err := t.addIdentities(ctx, &a); err != nil {
		return user.Account{}, err
	}
	err = t.db.reader().row(ctx, `
		SELECT at FROM audit_events WHERE tenant_id = $1 AND user_id = $2 AND user_id <> '' AND kind = $3
		ORDER BY id DESC LIMIT 1`, t.id, id, string(audit.LoginSucceeded)).Scan((*instant)(&a.LastLogin))
	if err != nil && !isNone(err) {
		return user.Account{}, err
	}
	return a, nil
}

func (t *Tenant) addNames(ctx context.Context, a *user.Account) error {
	rows, err := t.db.reader().query(ctx, `
		SELECT name, connector_id FROM login_names WHERE tenant_id = $1 AND user_id = $2 ORDER BY name`, t.id, a.ID)
	a.LoginNames, err = collect(rows, err, func(s scanner) (name string, err error) { return name, s.Scan(&name, &a.ConnectorID) })
	return err
}

func (t *Tenant) addIdentities(ctx context.Context, a *user.Account) error {
	rows, err := t.db.reader().query(ctx, `
		SELECT connector_id, subject, profile, checked_at FROM identities
		WHERE tenant_id = $1 AND user_id = $2 ORDER BY connector_id, subject`, t.id, a.ID)
	a.Identities, err = collect(rows, err, func(s scanner) (i user.Identity, err error) {
		return i, s.Scan(&i.ConnectorID, &i.Subject, document{&i.Profile}, (*instant)(&i.CheckedAt))
	})
	for _, i := range a.Identities {
		if i.ConnectorID == a.ConnectorID && i.Subject == a.ID {
			a.Profile = i.Profile
		}
	}
	return err
}
