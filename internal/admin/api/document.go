package api

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"dex/internal/admin/resource"
)

// scheme names the way of authentication in the document.
const scheme = "token"

// config is what huma must know. It serves no pages and no schemas of its own.
func config() huma.Config {
	format := huma.DefaultJSONFormat
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "dex administrators' API", Version: "1",
				Description: "What operators do to people, applications, connectors and the installation itself. " +
					"It is a resource server of dex's own issuer: GET " + resource.Metadata + " says where to get an access token. " +
					"Each operation names the scope that the token must have.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{scheme: {
					Type: "http", Scheme: "bearer", BearerFormat: "at+jwt",
					Description: "An access token of the issuer, of a person with a role or of a client that acts for itself.",
				}},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{inOurWords},
	}
}

// operation says of a route what huma and the document must know.
func (s *Server) operation(r Route) huma.Operation {
	noun, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	op := huma.Operation{
		OperationID: r.ID, Method: r.Method, Path: r.Path, Summary: r.Summary, Description: r.describe(), Tags: []string{noun},
		// The body has been read by now, and there is no time to wait for the rest.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
		Middlewares: huma.Middlewares{s.let(r)},
		Responses:   map[string]*huma.Response{},
	}
	if r.Creates {
		op.DefaultStatus = http.StatusCreated
		op.Parameters = append(op.Parameters, header("Idempotency-Key", false, "The request is done once, however often it comes with this key, for a day."))
	}
	if r.Guarded {
		op.Parameters = append(op.Parameters, header("If-Match", true, "The ETag of what you have seen, or * for whichever there is."))
	}
	if !r.Public {
		op.Security = []map[string][]string{{scheme: {r.Scope}}}
	}
	if !r.Public && !r.System {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "tenant", In: "query", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The tenant that is meant, instead of the token's own: for owners of the default tenant.",
		})
	}
	problem := s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[resource.Problem](), true, "")
	for _, status := range r.problems() {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{resource.ProblemType: {Schema: problem}},
		}
	}
	return op
}

func header(name string, required bool, description string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Required: required, Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}

// describe adds to a route's description what it takes to be let in.
func (r Route) describe() string {
	takes := "Anybody may ask."
	if !r.Public {
		takes = "Takes the scope `" + r.Scope + "`."
	}
	if r.System {
		takes += " It is about the whole installation: for tokens of the default tenant."
	}
	return strings.TrimSpace(r.Description + "\n\n" + takes)
}

// problems are the statuses that a route may answer with instead of what was asked.
func (r Route) problems() []int {
	all := []int{
		http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusServiceUnavailable,
	}
	if !r.Public {
		all = append(all, http.StatusUnauthorized, http.StatusForbidden)
	}
	if strings.Contains(r.Path, "{") || !r.Public && !r.System {
		all = append(all, http.StatusNotFound)
	}
	if r.Method != http.MethodGet {
		all = append(all, http.StatusConflict)
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		all = append(all, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if r.Guarded {
		all = append(all, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
	}
	slices.Sort(all)
	return all
}

// Document returns the description of the API, as OpenAPI in YAML.
func (s *Server) Document() ([]byte, error) { return s.huma.OpenAPI().YAML() }
