package httpx

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"dex/internal/base/fault"
)

// The limits of what a request may bring.
const (
	DefaultFormLimit = 64 << 10
	maxAddress       = 16 << 10
	maxParameters    = 256
)

// ReadForm reads the form in a request's body, up to limit bytes, or
// [DefaultFormLimit] if limit is zero. The query never mixes into it. A request
// without a body and without a type is an empty form.
func ReadForm(w http.ResponseWriter, r *http.Request, limit int64) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, fault.New(fault.Invalid, "A form has to be sent by POST.")
	}
	types := r.Header["Content-Type"]
	if len(types) == 0 && r.ContentLength == 0 {
		return url.Values{}, nil
	}
	if !isForm(types) || r.Header.Get("Content-Encoding") != "" {
		return nil, fault.Wrap(fault.Invalid, ErrContentType, "The body has to be of the type application/x-www-form-urlencoded.")
	}
	if limit <= 0 {
		limit = DefaultFormLimit
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, fault.Wrap(fault.Invalid, ErrTooLarge, "The body is larger than %d bytes.", limit)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The body did not arrive completely.")
	}
	return parseValues("body", string(body))
}

// isForm reports whether there is one type and it is that of a form. A charset
// is beside the point, because the encoding of a form is ASCII; many send one.
func isForm(types []string) bool {
	if len(types) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(types[0])
	return err == nil && media == "application/x-www-form-urlencoded"
}

// Query returns the parameters in a request's address. Unlike URL.Query it drops
// nothing in silence: what cannot be read is an error.
func Query(r *http.Request) (url.Values, error) {
	if len(r.RequestURI) > maxAddress || len(r.URL.RawQuery) > maxAddress {
		return nil, fault.Wrap(fault.Invalid, ErrLongAddress, "The address is longer than %d bytes.", maxAddress)
	}
	return parseValues("query", r.URL.RawQuery)
}

func parseValues(where, encoded string) (url.Values, error) {
	if strings.Count(encoded, "&") >= maxParameters {
		return nil, fault.New(fault.Invalid, "The %s has more than %d parameters.", where, maxParameters)
	}
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "The %s is not correctly encoded.", where)
	}
	for name, all := range values {
		for _, value := range all {
			if !isText(value) {
				return nil, fault.New(fault.Invalid, "The %s holds a value that is not text in UTF-8.", where)
			}
		}
		if !isText(name) {
			return nil, fault.New(fault.Invalid, "The %s holds a name that is not text in UTF-8.", where)
		}
	}
	return values, nil
}
