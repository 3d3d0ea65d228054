// Package resource is what the administrators' API takes and gives, as it stands on
// the wire: one type for server and clients, so that they cannot drift apart.
//
// Nothing here holds a secret, but for the few answers that show one once and say so
// by their name.
package resource

import (
	"strconv"
	"strings"
)

// Prefix is where the API begins below the address of its server.
const Prefix = "/api/v1"

// Metadata is where a client finds out who issues the tokens that the API takes, RFC
// 9728.
const Metadata = "/.well-known/oauth-protected-resource"

// List is a part of a list.
type List[T any] struct {
	Items []T    `json:"items" doc:"Some of the things, in an order of the list's own."`
	Next  string `json:"next,omitempty" doc:"The cursor of what follows; absent at the end."`
}

// ETag writes a version as an entity tag, RFC 9110 section 8.8.3.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ParseETag reads what [ETag] has written.
func ParseETag(tag string) (version int64, ok bool) {
	text, begins := strings.CutPrefix(tag, `"`)
	text, ends := strings.CutSuffix(text, `"`)
	version, err := strconv.ParseInt(text, 10, 64)
	if !begins || !ends || err != nil || version < 1 || ETag(version) != tag {
		return 0, false
	}
	return version, true
}

// Protected says who issues the tokens that the API takes, RFC 9728 section 2.
type Protected struct {
	Resource      string   `json:"resource" doc:"The address of this server."`
	Name          string   `json:"resource_name"`
	Issuers       []string `json:"authorization_servers" doc:"Who issues the tokens that are taken here."`
	Scopes        []string `json:"scopes_supported"`
	BearerMethods []string `json:"bearer_methods_supported"`
}
