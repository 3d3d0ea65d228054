package login

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/connector"
	"dex/internal/connector/roster"
)

// formPage is a form of the connector: names and passwords, for the most part.
type formPage struct {
	application

	ConnectorName         string
	Action, Attempt, CSRF string
	Fields                []field
	Problem               string
	Wait                  int // seconds
	ChooseURL             string
}

type field struct {
	ID, Name, Label, Type, Value, Autocomplete string
	Focus                                      bool
}

func (formPage) Template() string { return "login/form.html" }

// form shows a form of the connector. An answer that was not right is answered
// with 422, one that came too soon with 429 and when to come back.
func (h *Handler) form(w http.ResponseWriter, r *http.Request, a *attempt, c *roster.Connector, f *connector.Form) error {
	page := formPage{
		application: a.application(), ConnectorName: c.Name,
		// The attempt stands in the address too, which the browser shows when the answer
		// is this page once more: who opens it anew then goes on with the attempt.
		Action: h.address(route.LoginConnector, c.ID) + "?attempt=" + a.ID, Attempt: a.ID, CSRF: a.CSRF,
		Problem: f.Problem, Wait: int((f.Wait + time.Second - 1) / time.Second),
	}
	if others, err := h.choices(r.Context(), a); err == nil && len(others) > 1 {
		page.ChooseURL = h.Base + route.Login + "?attempt=" + a.ID
	}
	focused := false
	for _, in := range f.Fields {
		out := field{ID: in.Name, Name: in.Name, Label: in.Label, Type: in.Type, Value: in.Value, Autocomplete: in.Autocomplete}
		if in.Value == "" && !focused {
			out.Focus, focused = true, true
		}
		page.Fields = append(page.Fields, out)
	}
	status := http.StatusOK
	switch {
	case page.Wait > 0:
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(page.Wait))
	case f.Problem != "":
		status = http.StatusUnprocessableEntity
	}
	return h.render(w, r, a, status, page)
}

// postPage is a form that sends itself to another provider.
type postPage struct {
	URL    string
	Fields []postField
}

type postField struct{ Name, Value string }

func (postPage) Template() string { return "login/post.html" }

func (h *Handler) post(w http.ResponseWriter, r *http.Request, a *attempt, p *connector.Post) error {
	if !httpx.TakesForm(p.URL) {
		return fault.New(fault.Unavailable, "The provider's address cannot take a form.")
	}
	page := postPage{URL: p.URL}
	for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
		for _, value := range p.Fields[name] {
			page.Fields = append(page.Fields, postField{Name: name, Value: value})
		}
	}
	return h.render(w, r, a, http.StatusOK, page)
}
