// Package api is the administrators' API: JSON over HTTP for everything that an
// operator does to people, applications, connectors and the installation itself.
//
// It is a resource server of our own issuer: whoever calls brings an access token,
// and each route declares the scope that the token must have. A route that declares
// nothing keeps the server from starting. What can be done to one kind of thing is a
// [Noun], in a file of its own with its own small needs; what all of them have in
// common (who is let in, how a request is read, how an answer is sent again, how an
// error is told) is done here, before an operation sees the request.
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"dex/internal/admin/resource"
	"dex/internal/base/clock"
	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/seal"
	"dex/internal/domain/audit"
	"dex/internal/domain/role"
)

// Options are what the API is put together from.
type Options struct {
	Nouns     []Noun
	Authority Authority
	Receipts  Of[audit.Receipts]
	Cursors   *seal.Box // what seals cursors
	Clock     clock.Clock
	Log       *slog.Logger
	Address   string // of this server, as clients know it, without a slash at its end
	Issuer    string // of the default tenant
	Trusted   httpx.Proxies
	Tracer    measure.Tracer // nil if nobody wants to know what a request does
	Rate      Rate           // of one caller; zero is a default that fits people and scripts
	Strangers Rate           // of one network without a token that counts; zero is a few
}

// Server is the API.
type Server struct {
	o         Options
	huma      huma.API
	mux       *http.ServeMux
	cursors   cursors
	callers   *limiter
	strangers *limiter
	routes    []Route
}

// strictly makes huma take "ID" for no spelling of "id". It is a setting of the whole
// process, and nobody wants the other one.
var strictly = sync.OnceFunc(func() { huma.ValidateStrictCasing = true })

// New returns the API. It returns an error if a route does not declare what it takes
// to be let in, or two are the same.
func New(o Options) (_ *Server, err error) {
	strictly()
	if err := check(o.Nouns); err != nil {
		return nil, fmt.Errorf("the administrators' API: %w", err)
	}
	if o.Authority == nil || o.Cursors == nil || o.Clock == nil || o.Receipts == nil {
		return nil, errors.New("the administrators' API: it lacks what it is put together from")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rate == (Rate{}) {
		o.Rate = defaultRate
	}
	if o.Strangers == (Rate{}) {
		o.Strangers = defaultStrangers
	}
	s := &Server{
		o: o, mux: http.NewServeMux(), cursors: cursors{o.Cursors},
		callers: newLimiter(o.Rate), strangers: newLimiter(o.Strangers),
	}
	// Both huma and the mux panic at what they cannot register.
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the administrators' API: %v", v)
		}
	}()
	s.huma = humago.NewWithPrefix(s.mux, resource.Prefix, config())
	for _, noun := range o.Nouns {
		for _, op := range noun {
			op.register(s)
			s.routes = append(s.routes, op.Route)
		}
	}
	s.describe()
	return s, nil
}

// Routes returns what the API does, in the order of its nouns.
func (s *Server) Routes() []Route { return s.routes }

// Handler answers requests.
func (s *Server) Handler() http.Handler {
	h := httpx.Handle(s.serve, s.writeError)
	h = httpx.PlainPath(h)
	h = httpx.Headers(h, strings.HasPrefix(s.o.Address, "https:"))
	h = httpx.Log(h, s.o.Log)
	return httpx.RealAddr(h, s.o.Trusted)
}

// serve hands a request to its operation. Whoever asks for what is not there hears
// it in the same form as everything else.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	h, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return nil
	}
	// The mux knows whether it is the path or only the method that is wrong.
	found := &statusOnly{header: http.Header{}}
	h.ServeHTTP(found, r)
	if found.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", found.header.Get("Allow"))
		return resource.NewProblem(http.StatusMethodNotAllowed, resource.MethodNotAllowed, "This address does not take %s, but %s.", r.Method, found.header.Get("Allow"))
	}
	return resource.NewProblem(http.StatusNotFound, resource.NotFound, "There is nothing at this address.")
}

// statusOnly hears what would be answered.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(status int)      { s.status = status }

// let admits requests to a route.
func (s *Server) let(route Route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		followed, end := measure.Begin(r.Context(), s.o.Tracer, "operation", route.ID)
		defer func() { end(failed(w)) }()
		r = r.WithContext(followed)
		_, admitted, err := s.admit(w, r, route)
		if err != nil {
			httpx.LogError(r.Context(), err)
			s.writeError(w, r, err)
			return
		}
		next(humago.NewContext(ctx.Operation(), admitted, w))
	}
}

// errFailed stands for what a trace does not tell of a failure of ours.
var errFailed = errors.New("it failed")

// failed says of an answer whether it tells of a failure of ours.
func failed(w http.ResponseWriter) error {
	if httpx.Answered(w) >= http.StatusInternalServerError {
		return errFailed
	}
	return nil
}

// describe adds what tells about the API itself: where to get a token, and the
// document.
func (s *Server) describe() {
	schemas := s.huma.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own form of an error, which nobody sees
	delete(schemas, "ErrorDetail")
	s.public("GET "+resource.Metadata, func(w http.ResponseWriter, _ *http.Request) error {
		return httpx.WriteJSON(w, http.StatusOK, resource.Protected{
			Resource: s.o.Address, Name: "dex administrators' API", Issuers: []string{s.o.Issuer},
			Scopes: role.All(), BearerMethods: []string{"header"},
		})
	})
	s.public("GET "+resource.Prefix+"/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) error {
		doc, err := s.Document()
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/yaml")
		_, err = w.Write(doc)
		return err
	})
}

// public adds what anybody may ask for that is no operation.
func (s *Server) public(pattern string, h httpx.HandlerFunc) {
	s.mux.Handle(pattern, httpx.Handle(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.strangers.take(httpx.Network(httpx.Addr(r)).String(), s.o.Clock.Now()); err != nil {
			return err
		}
		return h(w, r)
	}, s.writeError))
}
