package worker_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// ear hears what happens to the rows of a database, once it is committed. That a row is
// locked by an update which changes nothing is nothing that happens.
type ear struct {
	mu    sync.Mutex
	deeds map[string]int
	more  bool // since it was last asked whether there is more
}

// heardMore reports whether something has happened since it was last asked.
func (e *ear) heardMore() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	more := e.more
	e.more = false
	return more
}

// heard tells what has happened since it was last asked.
func (e *ear) heard() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for deed, n := range e.deeds {
		all = append(all, fmt.Sprint(deed, " ", n))
	}
	e.deeds, e.more = nil, false
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (e *ear) hear(deeds []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deeds == nil {
		e.deeds = map[string]int{}
	}
	for _, deed := range deeds {
		e.deeds[deed]++
		e.more = true
	}
}

// listening opens connections that an ear listens to.
type listening struct {
	driver.Connector
	ear *ear
}

// What the engine calls its deeds.
const (
	rowDeleted = 9
	rowAdded   = 18
	rowChanged = 23
)

// Connect implements [driver.Connector].
func (l listening) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := l.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	hooks := c.(sqlite.HookRegisterer)
	var open []string // what is done and not yet committed
	hooks.RegisterPreUpdateHook(func(row sqlite.SQLitePreUpdateData) {
		switch row.Op {
		case rowDeleted:
			open = append(open, "deleted of "+row.TableName)
		case rowAdded:
			open = append(open, "added to "+row.TableName)
		case rowChanged:
			if before, after := rowOfTable(row.Count(), row.Old), rowOfTable(row.Count(), row.New); before != after {
				open = append(open, "changed in "+row.TableName)
			}
		}
	})
	hooks.RegisterCommitHook(func() int32 {
		l.ear.hear(open)
		open = nil
		return 0
	})
	hooks.RegisterRollbackHook(func() { open = nil })
	return c, nil
}

// rowOfTable reads a row.
func rowOfTable(n int, read func(...any) error) string {
	row, into := make([]any, n), make([]any, n)
	for i := range row {
		into[i] = &row[i]
	}
	if err := read(into...); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%#v", row)
}
