package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"dex/internal/domain/role"
)

// Route declares an operation: where it is, and what it takes to be let in. A route
// that does not say what it takes keeps the server from starting.
type Route struct {
	ID          string // names the operation in the document and the log, such as "list-sessions"
	Method      string
	Path        string // below /api/v1, such as "/users/{user}/sessions"
	Summary     string
	Description string

	Scope  string // that a token must have; the operation may ask for more by [Call.Need]
	Public bool   // whoever asks is answered: instead of a scope
	System bool   // it is about the whole installation: for tokens of the default tenant

	Creates bool  // it makes something, and may be sent again with an Idempotency-Key
	Guarded bool  // it changes the version that the caller has seen: If-Match is demanded
	MaxBody int64 // in bytes; zero is [DefaultBody]
}

// DefaultBody is how large a request's body may be.
const DefaultBody = 256 << 10

// Operation is a route with what it does.
type Operation struct {
	Route
	register func(s *Server)
}

// Noun is all that can be done to one kind of thing.
type Noun []Operation

// Answer is what an operation answers. What has no version and no address of its own
// leaves both out.
type Answer[T any] struct {
	ETag     string `header:"ETag" json:"etag,omitempty"`
	Location string `header:"Location" json:"location,omitempty"`
	Body     T      `json:"body"`
}

// Done is the answer of an operation that has nothing to say.
type Done struct{}

// Handle joins a route to what it does: do reads what the request holds, and returns
// what to answer. The input's fields say by their tags where they come from: path,
// query, or Body.
func Handle[I, O any](r Route, do func(ctx context.Context, c *Call, in *I) (*O, error)) Operation {
	return Operation{Route: r, register: func(s *Server) {
		huma.Register(s.huma, s.operation(r), func(ctx context.Context, in *I) (*O, error) {
			c := callOf(ctx)
			if out, err := answered[O](ctx, c); out != nil || err != nil {
				return out, s.problem(ctx, err)
			}
			out, err := do(ctx, c, in)
			if err != nil {
				// If the same request came twice at once, the other has answered by now.
				if again, _ := answered[O](ctx, c); again != nil {
					return again, nil
				}
				return nil, s.problem(ctx, err)
			}
			return out, nil
		})
	}}
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// check says what a route fails to declare.
func (r Route) check() error {
	var wrong []error
	is := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	is(r.ID == "" || r.Summary == "", "it has no id or no summary")
	is(!slices.Contains(methods, r.Method), "its method is %q", r.Method)
	is(!strings.HasPrefix(r.Path, "/"), "its path %q does not begin with a slash", r.Path)
	is(r.Scope == "" && !r.Public, "it declares no scope, and is not public")
	is(r.Scope != "" && r.Public, "it declares a scope, and is public")
	is(r.Scope != "" && !role.All().Contains(r.Scope), "its scope %q is none of the API's", r.Scope)
	is(r.Creates && r.Method != http.MethodPost, "it creates by %s", r.Method)
	is(r.Creates && r.Public, "it creates for nobody in particular, so that nobody could send it again")
	is((r.Method == http.MethodPut || r.Method == http.MethodPatch) && !r.Guarded, "it changes what it does not guard")
	is(r.Guarded && r.Method == http.MethodGet, "it guards what it does not change")
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("the route %s: %w", cmp.Or(r.ID, r.Method+" "+r.Path), errors.Join(wrong...))
}

// check says what is wrong with the routes as a whole.
func check(nouns []Noun) error {
	var wrong []error
	ids, places := map[string]bool{}, map[string]bool{}
	for _, noun := range nouns {
		for _, o := range noun {
			wrong = append(wrong, o.check())
			if place := o.Method + " " + o.Path; ids[o.ID] || places[place] {
				wrong = append(wrong, fmt.Errorf("the route %s (%s) is there twice", o.ID, place))
			}
			ids[o.ID], places[o.Method+" "+o.Path] = true, true
		}
	}
	return errors.Join(wrong...)
}
