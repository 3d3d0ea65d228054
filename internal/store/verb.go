package store

import (
	"context"
	"runtime"
	"strings"

	"dex/internal/base/measure"
)

// follow tells the tracer, if there is one, that a statement begins. It is called by
// the verb that runs it: what stands in a statement may be anybody's.
func (db *DB) follow(ctx context.Context) (context.Context, func(error)) {
	if db.options.Tracer == nil {
		return ctx, nil
	}
	return measure.Begin(ctx, db.options.Tracer, measure.Store, verb())
}

// end tells that what has been followed ended.
func end(done func(error), err error) {
	if done != nil {
		done(err)
	}
}

// ours is how the names of the functions begin that verbs may be.
const ours = "dex/internal/store.(*"

// verb returns the name of the verb that is under way: the outermost exported method of
// a database or a tenant among those who called.
func verb() string {
	var callers [24]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])])
	found := "statement"
	for {
		f, more := frames.Next()
		name, ok := strings.CutPrefix(f.Function, ours)
		if !ok && !strings.HasPrefix(f.Function, "dex/internal/store.") {
			return found
		}
		if _, method, isMethod := strings.Cut(name, ")."); ok && isMethod {
			method, _, _ = strings.Cut(method, ".")
			if method != "" && method[0] >= 'A' && method[0] <= 'Z' {
				found = method
			}
		}
		if !more {
			return found
		}
	}
}
