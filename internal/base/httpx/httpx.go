// Package httpx is how we speak HTTP to browsers and clients: handlers that
// return errors, and around them the rules that hold for every request.
//
// Each rule is a wrapper or a function of its own, and each fails closed. The
// public server puts them together from outside in: the real address, the log
// line, the headers, the path, the host; a flow adds what only its routes need,
// such as the cross-origin guard.
package httpx

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"dex/internal/base/fault"
)

// HandlerFunc serves a request or returns why it could not. It writes the
// response itself when it succeeds, and nothing when it fails.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// ErrorFunc answers a request whose handler failed. Each face has its own: a
// page for people, JSON for clients, problem details for operators.
type ErrorFunc func(w http.ResponseWriter, r *http.Request, err error)

// Handle joins a handler to the one place where its errors are logged and
// answered. A panic is an error too: it is caught here, and its stack goes to
// the log.
func Handle(h HandlerFunc, onError ErrorFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := protect(h, w, r)
		if err == nil {
			return
		}
		LogError(r.Context(), err)
		if !started(w) {
			onError(w, r, err)
			return
		}
		// Half an answer has left already. Nothing sensible can follow it, and
		// after a panic the caller must not take it for a whole one.
		if _, ok := errors.AsType[*Panic](err); ok {
			panic(http.ErrAbortHandler)
		}
	})
}

// Panic is the error that a panic in a handler becomes.
type Panic struct {
	Value any
	Stack []byte
}

// Error implements error.
func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// protect calls h and turns a panic into an internal fault.
func protect(h HandlerFunc, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		// This value is no failure but net/http's way of dropping a connection.
		if cause, ok := v.(error); ok && errors.Is(cause, http.ErrAbortHandler) {
			panic(http.ErrAbortHandler)
		}
		err = fault.Wrap(fault.Internal, &Panic{Value: v, Stack: debug.Stack()}, "Something went wrong on our side.")
	}()
	return h(w, r)
}

// Errors that a face may answer with a status of their own. They are the causes
// of faults of kind [fault.Invalid].
var (
	ErrTooLarge    = errors.New("the request's body is too large")
	ErrContentType = errors.New("the request's body is not of the expected type")
	ErrLongAddress = errors.New("the request's address is too long")
)

// Status returns the HTTP status that fits an error. It decides by kind, but for
// the few causes that HTTP has a number for.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrContentType):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, ErrLongAddress):
		return http.StatusRequestURITooLong
	}
	switch fault.Of(err) {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Denied:
		return http.StatusForbidden
	case fault.Throttled:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
