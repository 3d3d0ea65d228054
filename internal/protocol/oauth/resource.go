package oauth

import (
	"net/url"
	"slices"
)

// MaxResources is how many resources a request may name.
const MaxResources = 10

// resources reads the resources that access tokens shall be for, the one parameter that
// may come more than once (RFC 8707, section 2): absolute URIs, to the byte, without a
// fragment.
func (f *form) resources() []string {
	var found []string
	for _, text := range f.values["resource"] {
		if text == "" || slices.Contains(found, text) {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || !u.IsAbs() || len(text) > MaxRedirectURI || !printable(text) || u.Fragment != "" || u.Host == "" && u.Opaque == "" {
			f.fail(Errorf(InvalidTarget, "A resource is an absolute URI without a fragment."))
			return nil
		}
		if found = append(found, text); len(found) > MaxResources {
			f.fail(Errorf(InvalidTarget, "There are more than %d resources.", MaxResources))
			return nil
		}
	}
	return found
}
