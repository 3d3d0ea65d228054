package resource

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// Code says in a word what kind of problem it is. Programs decide by it.
type Code string

// The codes.
const (
	Malformed            Code = "malformed"              // the request cannot be read
	Invalid              Code = "invalid"                // it can be read, and breaks a rule
	Unauthenticated      Code = "unauthenticated"        // there is no token that counts
	InsufficientScope    Code = "insufficient_scope"     // the token lacks a scope
	Forbidden            Code = "forbidden"              // the caller may not do this
	NotFound             Code = "not_found"              // there is no such thing
	MethodNotAllowed     Code = "method_not_allowed"     // the address does not take this method
	Conflict             Code = "conflict"               // it exists already, or stands in the way of something
	Changed              Code = "changed"                // it is not any more what the caller has seen
	PreconditionRequired Code = "precondition_required"  // If-Match is missing
	KeyReused            Code = "key_reused"             // the Idempotency-Key came with another request
	TooLarge             Code = "too_large"              // the request is too large
	UnsupportedType      Code = "unsupported_media_type" // the body is of another type
	Throttled            Code = "throttled"              // too many requests
	Unavailable          Code = "unavailable"            // try again later
	Internal             Code = "internal"               // our own failure
)

// Problem is what went wrong, RFC 9457.
type Problem struct {
	Status    int       `json:"status" doc:"The HTTP status."`
	Title     string    `json:"title" doc:"What the status means."`
	Code      Code      `json:"code" doc:"What kind of problem it is, for programs."`
	Detail    string    `json:"detail" doc:"What is wrong, and what helps."`
	Errors    []Mistake `json:"errors,omitempty" doc:"Everything that is wrong with the request, each with its place."`
	RequestID string    `json:"request_id,omitempty" doc:"How the request is named in the server's log."`
}

// Mistake is one thing that is wrong with a request.
type Mistake struct {
	Location string `json:"location" doc:"Where: path, query or header and a name, or a path into the body."`
	Message  string `json:"message" doc:"What is wrong there."`
	Place    string `json:"place,omitempty" doc:"The file, line and column that it came from, if the request names files."`
}

// String says the mistake in a line.
func (m Mistake) String() string {
	return strings.TrimPrefix(cmp.Or(m.Place, m.Location)+": "+m.Message, ": ")
}

// NewProblem returns a problem.
func NewProblem(status int, code Code, format string, args ...any) *Problem {
	return &Problem{Status: status, Title: http.StatusText(status), Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Error implements error. It is for people: it has a line for each mistake.
func (p *Problem) Error() string {
	lines := []string{p.Detail}
	for _, m := range p.Errors {
		lines = append(lines, m.String())
	}
	return strings.Join(lines, "\n")
}

// GetStatus tells the status to what writes answers.
func (p *Problem) GetStatus() int { return p.Status }

// ProblemType is the media type of problems.
const ProblemType = "application/problem+json"

// ContentType tells the media type to what writes answers.
func (p *Problem) ContentType(string) string { return ProblemType }
