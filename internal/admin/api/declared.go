package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"dex/internal/admin/resource"
	"dex/internal/base/strict"
)

// mistaken puts what is wrong with a declaration into a problem: every mistake at its
// place in the body, below the member that holds the declaration, if one does.
func mistaken(err error, member string) error {
	mistakes, ok := errors.AsType[strict.Mistakes](err)
	if !ok {
		return err
	}
	p := resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, "What is declared breaks a rule: see what is wrong, and where.")
	for _, m := range mistakes {
		location := "body"
		for _, part := range []string{member, m.Path} {
			if part != "" {
				location += "." + part
			}
		}
		p.Errors = append(p.Errors, resource.Mistake{Location: location, Message: m.Message})
	}
	return p
}

// wrongly is the problem of something that is wrong at one place of the body.
func wrongly(member, format string, args ...any) *resource.Problem {
	p := resource.NewProblem(http.StatusUnprocessableEntity, resource.Invalid, format, args...)
	p.Errors = []resource.Mistake{{Location: "body." + member, Message: p.Detail}}
	return p
}

// below puts the places of a problem below another.
func below(err error, place string) error {
	p, ok := errors.AsType[*resource.Problem](err)
	if !ok {
		return err
	}
	moved := *p
	moved.Errors = nil
	for _, m := range p.Errors {
		m.Location = "body." + place + strings.TrimPrefix(m.Location, "body")
		moved.Errors = append(moved.Errors, m)
	}
	return &moved
}

// ofOneID says whether a declaration is of what its address names.
func ofOneID(declared, addressed string) error {
	if declared == addressed {
		return nil
	}
	return wrongly("id", "The id is %q here and %q in the address. An id is for good: make another, and delete this one.", declared, addressed)
}

// at is the place of an item of a list in the body.
func at(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// escaped is a part of an address.
func escaped(id string) string { return url.PathEscape(id) }
