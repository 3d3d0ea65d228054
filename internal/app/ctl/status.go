package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"dex/internal/admin/resource"
	"dex/internal/base/fault"
)

// Status is how dexctl ends. Scripts depend on it: "dexctl help exit-codes" tells
// what each means.
type Status int

// The statuses.
const (
	Done     Status = 0
	Failed   Status = 1
	BadUse   Status = 2
	Found    Status = 3 // a plan has changes, the doctor has findings
	Denied   Status = 4
	Conflict Status = 5
)

// ending is an error that says itself how to end.
type ending struct {
	status Status
	text   string
}

// Error implements error.
func (e *ending) Error() string { return e.text }

// EndWith returns an error that ends the program with a status. Without a text nothing
// is said: the answer has said it all.
func EndWith(status Status, format string, args ...any) error {
	return &ending{status, fmt.Sprintf(format, args...)}
}

// StatusOf returns the status of an error.
func StatusOf(err error) Status {
	if err == nil {
		return Done
	}
	if e, ok := errors.AsType[*ending](err); ok {
		return e.status
	}
	if p, ok := errors.AsType[*resource.Problem](err); ok {
		return statusOfProblem(p)
	}
	switch fault.Of(err) {
	case fault.Denied:
		return Denied
	case fault.Conflict:
		return Conflict
	default:
		return Failed
	}
}

func statusOfProblem(p *resource.Problem) Status {
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Denied
	case http.StatusConflict, http.StatusPreconditionFailed:
		return Conflict
	default:
		return Failed
	}
}

// Message is what a person is told of an error: a sentence, and a line for each
// mistake that has a place. Nothing that a terminal obeys is in it.
func Message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = Plain(line)
	}
	return strings.Join(lines, "\n")
}
