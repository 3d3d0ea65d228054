// Package upgrade says whether a database can be brought to this program's schema while
// programs of the version before go on working.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"dex/internal/app/config"
	"dex/internal/base/seal"
	"dex/internal/store"
)

// Facts are what the judgement rests on.
type Facts struct {
	Has     int64             // the schema of the database; zero for one that was never used
	Brings  int64             // the schema that this program brings
	Oldest  int64             // the schema that a program must know as things stand
	Pending []store.Migration // what the database lacks
}

// Judgement is whether, and how, to go about it.
type Judgement struct {
	Schema  int64             `json:"schema"`
	Brings  int64             `json:"brings"`
	Rolling bool              `json:"rolling"` // programs of both versions may run at once
	Ready   bool              `json:"ready"`   // it can be done at all
	Pending []store.Migration `json:"pending"`
	Says    []string          `json:"says"`
}

// Judge says what an upgrade would meet. Who works with the database now knows the
// schema that it has.
func Judge(f Facts) Judgement {
	j := Judgement{Schema: f.Has, Brings: f.Brings, Pending: f.Pending, Says: []string{}}
	say := func(format string, args ...any) { j.Says = append(j.Says, fmt.Sprintf(format, args...)) }
	needs := f.Oldest
	for _, m := range f.Pending {
		needs = max(needs, m.Oldest)
	}
	switch {
	case f.Has == 0:
		j.Ready, j.Rolling = true, true
		say("The database is new: nothing is in the way.")
	case f.Oldest > f.Brings:
		say("The database has schema %d, which needs a program that knows %d at least; this one knows %d. Run a newer version, or restore a backup from before the upgrade.", f.Has, f.Oldest, f.Brings)
	case f.Has > f.Brings:
		j.Ready, j.Rolling = true, true
		say("The database has schema %d already, and this program, which knows %d, may run beside newer ones. Nothing is to be migrated.", f.Has, f.Brings)
	case len(f.Pending) == 0:
		j.Ready, j.Rolling = true, true
		say("The database has schema %d, which is this program's. Nothing is to be migrated.", f.Has)
	case needs > f.Has:
		j.Ready = true
		say("A rolling upgrade is not possible: after it a program must know schema %d, and those that run now may know only %d.", needs, f.Has)
		say("Either upgrade to a release in between first, or stop every worker and overlord, back up the database, and start those of this version.")
	default:
		j.Ready, j.Rolling = true, true
		say("A rolling upgrade is possible: what is to be migrated only adds, and programs that know schema %d work on beside this one.", f.Has)
		say("Back up the database, start an overlord of this version, and then replace the workers one after the other.")
	}
	return j
}

// Examine looks at the database that a configuration names. It makes none.
func Examine(ctx context.Context, src config.Source) (f Facts, err error) {
	s, err := config.Load(src)
	if err != nil {
		return f, err
	}
	if s.NoDB {
		return f, errors.New("without a database there is nothing to upgrade")
	}
	if file := s.DB.File(); file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return f, fmt.Errorf("there is no database to look at: %w", err)
		}
	}
	// Nothing sealed is opened, so that any secret serves.
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		return f, err
	}
	db, err := store.Open(ctx, store.Options{URL: string(s.DB), Keys: ring, MaxOpen: 1, MaxIdle: 1})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if f.Has, f.Brings, err = db.SchemaVersion(ctx); err != nil {
		return f, err
	}
	f.Pending, f.Oldest, err = db.Pending(ctx)
	return f, err
}
