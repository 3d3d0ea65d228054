package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"dex/internal/admin/resource"
)

// readBody reads the body of a request, which must be JSON of the permitted size. The
// request that it returns has the body to be read once more.
func readBody(w http.ResponseWriter, r *http.Request, route Route) (*http.Request, []byte, error) {
	limit := cmp.Or(route.MaxBody, DefaultBody)
	if r.ContentLength > limit {
		return nil, nil, tooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, tooLarge(limit)
	}
	if err != nil {
		return nil, nil, malformed(err)
	}
	if len(body) > 0 {
		if !isJSON(r.Header) {
			return nil, nil, resource.NewProblem(http.StatusUnsupportedMediaType, resource.UnsupportedType,
				"The body must be of the type application/json, and not compressed.")
		}
		if err := plain(body); err != nil {
			return nil, nil, &resource.Problem{
				Status: http.StatusBadRequest, Title: http.StatusText(http.StatusBadRequest), Code: resource.Malformed,
				Detail: "The body cannot be read as JSON: " + err.Error() + ".",
				Errors: []resource.Mistake{{Location: "body", Message: err.Error()}},
			}
		}
	}
	again := *r
	again.Body = io.NopCloser(bytes.NewReader(body))
	return &again, body, nil
}

func tooLarge(limit int64) error {
	return resource.NewProblem(http.StatusRequestEntityTooLarge, resource.TooLarge, "The body is larger than %d bytes.", limit)
}

func isJSON(h http.Header) bool {
	types := h.Values("Content-Type")
	if len(types) != 1 || h.Get("Content-Encoding") != "" {
		return false
	}
	media, _, err := mime.ParseMediaType(types[0])
	return err == nil && media == "application/json"
}

// Document is a body with a form of its own, which package declare reads: the
// declaration of a client, a connector, a user, a group, as it stands in files too.
type Document struct{ Text json.RawMessage }

// UnmarshalJSON implements [json.Unmarshaler].
func (d *Document) UnmarshalJSON(text []byte) error {
	d.Text = bytes.Clone(text)
	return nil
}

// Schema implements [huma.SchemaProvider]. What stands in the object is checked when it
// is read, with every mistake at its place.
func (Document) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "It has the form that it has in files: see docs/operate."}
}
