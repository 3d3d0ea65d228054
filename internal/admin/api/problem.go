package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/strict"
	"dex/internal/protocol/oauth"
)

// malformed is the problem of a request that cannot be read.
func malformed(err error) error {
	status := httpx.Status(err)
	if status == http.StatusInternalServerError {
		status = http.StatusBadRequest
	}
	detail := "The request did not arrive completely."
	if f, ok := errors.AsType[*fault.Error](err); ok {
		detail = f.Message
	}
	return resource.NewProblem(status, resource.Malformed, "%s", detail)
}

// kinds says how each kind of fault is told.
var kinds = map[fault.Kind]struct {
	status int
	code   resource.Code
}{
	fault.Invalid:     {http.StatusUnprocessableEntity, resource.Invalid},
	fault.NotFound:    {http.StatusNotFound, resource.NotFound},
	fault.Conflict:    {http.StatusConflict, resource.Conflict},
	fault.Denied:      {http.StatusForbidden, resource.Forbidden},
	fault.Throttled:   {http.StatusTooManyRequests, resource.Throttled},
	fault.Unavailable: {http.StatusServiceUnavailable, resource.Unavailable},
}

// told says what the caller hears of an error. What is a failure of ours they hear
// nothing of but under which name the log has it.
func told(err error) *resource.Problem {
	if p, ok := errors.AsType[*resource.Problem](err); ok {
		copied := *p
		return &copied
	}
	if _, ok := errors.AsType[*errToken](err); ok {
		return resource.NewProblem(http.StatusUnauthorized, resource.Unauthenticated, "The access token is not valid, or not valid any more. Log in again.")
	}
	if errors.Is(err, oauth.ErrNoToken) {
		return resource.NewProblem(http.StatusUnauthorized, resource.Unauthenticated, "An access token is needed: send it as Authorization: Bearer.")
	}
	if e, ok := errors.AsType[*scopeError](err); ok {
		return resource.NewProblem(http.StatusForbidden, resource.InsufficientScope, "The access token does not have %s: your role, or the application, has no more.", e.missing)
	}
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return resource.NewProblem(http.StatusBadRequest, resource.Malformed, "%s", e.Description)
	}
	if mistakes, ok := errors.AsType[strict.Mistakes](err); ok {
		p := resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, "What you have sent breaks rules: see what is wrong, and where.")
		for _, m := range mistakes {
			p.Errors = append(p.Errors, resource.Mistake{Location: strings.TrimSuffix("body."+m.Path, "."), Place: m.Place, Message: m.Message})
		}
		return p
	}
	f, ok := errors.AsType[*fault.Error](err)
	kind, known := kinds[fault.Of(err)]
	if !ok || !known {
		return resource.NewProblem(http.StatusInternalServerError, resource.Internal, "Something went wrong on our side. The log of the server says what, under the id of this request.")
	}
	if errors.Is(err, fault.ErrChanged) {
		return resource.NewProblem(http.StatusPreconditionFailed, resource.Changed, "%s", f.Message)
	}
	p := resource.NewProblem(kind.status, kind.code, "%s", f.Message)
	if f.Field != "" {
		p.Errors = []resource.Mistake{{Location: "body." + f.Field, Message: f.Message}}
	}
	return p
}

// headersOf returns what an answer says beside the problem.
func (s *Server) headersOf(err error) http.Header {
	h := http.Header{}
	challenge := fmt.Sprintf("Bearer realm=%q, resource_metadata=%q", "dex", s.o.Address+resource.Metadata)
	if e, ok := errors.AsType[*scopeError](err); ok {
		h.Set("WWW-Authenticate", challenge+fmt.Sprintf(", error=%q, scope=%q", "insufficient_scope", e.missing))
	} else if e, ok := errors.AsType[*errToken](err); ok {
		h.Set("WWW-Authenticate", challenge+fmt.Sprintf(", error=%q", "invalid_token"))
		if proof, ok := errors.AsType[*oauth.Error](e.cause); ok && proof.Code == oauth.InvalidDPoPProof {
			h["Www-Authenticate"] = oauth.Challenges(nil, proof)
		}
	} else if errors.Is(err, oauth.ErrNoToken) {
		h.Set("WWW-Authenticate", challenge)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && (f.Kind == fault.Throttled || f.Kind == fault.Unavailable) {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(f.RetryAfter.Seconds())))))
	}
	return h
}

// given says of a request that its sender gave up that it can be sent again, rather than
// that something is broken here: whoever sent it is gone, but a proxy may hear it.
func given(err error) error {
	if errors.Is(err, context.Canceled) && !fault.Is(err, fault.Unavailable) {
		return fault.Wrap(fault.Unavailable, err, "The request was given up before it was answered. Send it again.")
	}
	return err
}

// problem makes of an operation's error what huma writes, and puts the error itself
// into the log.
func (s *Server) problem(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	err = given(err)
	httpx.LogError(ctx, err)
	p := told(err)
	p.RequestID = httpx.RequestID(ctx)
	if h := s.headersOf(err); len(h) > 0 {
		return huma.ErrorWithHeaders(p, h)
	}
	return p
}

// writeError answers a request that came to no operation.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	err = given(err)
	for name, values := range s.headersOf(err) {
		w.Header()[name] = values
	}
	p := told(err)
	p.RequestID = httpx.RequestID(r.Context())
	if err := httpx.WriteProblem(w, p.Status, p); err != nil {
		httpx.LogError(r.Context(), err)
	}
}

// inOurWords puts what huma finds wrong with a request into a problem. What the
// caller sent is not repeated: it may be a secret.
func inOurWords(ctx huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := resource.Invalid
	if e.Status != http.StatusUnprocessableEntity {
		code = resource.Malformed
	}
	p := resource.NewProblem(e.Status, code, "The request breaks a rule of the API: see what is wrong, and where.")
	for _, d := range e.Errors {
		p.Errors = append(p.Errors, resource.Mistake{Location: d.Location, Message: d.Message})
	}
	if len(p.Errors) == 0 {
		p.Detail = "The request is not complete: its body is missing."
	}
	p.RequestID = httpx.RequestID(ctx.Context())
	return p, nil
}
