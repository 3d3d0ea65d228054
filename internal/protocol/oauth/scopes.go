package oauth

import (
	"slices"
	"strings"
)

// The scopes that we know. Any other is a client's own affair.
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopeEmail   = "email"
	ScopeAddress = "address"
	ScopePhone   = "phone"
	ScopeGroups  = "groups"
	ScopeOffline = "offline_access"
	ScopeDevice  = "device_sso" // OpenID Connect Native SSO, section 3.1
)

// crossClient begins a scope that asks for an ID token which another client
// accepts, too.
const crossClient = "audience:server:client_id:"

// CrossClientAudience returns the client that a scope of the form
// "audience:server:client_id:ID" wants in the token's audience.
func CrossClientAudience(scope string) (id string, ok bool) {
	if id, ok = strings.CutPrefix(scope, crossClient); !ok || id == "" {
		return "", false
	}
	return id, true
}

// Scopes are what a client asks for or is granted: in the order in which it
// asked, and each once.
type Scopes []string

// ParseScopes reads a scope parameter (RFC 6749, section 3.3). More than one
// space between two values is forgiven, because clients are known to join empty
// strings; whatever else is not in the grammar is an error.
func ParseScopes(text string) (Scopes, error) {
	if len(text) > MaxScopes*(MaxScope+1) {
		return nil, Errorf(InvalidScope, "The scope is too long.")
	}
	var scopes Scopes
	count := 0
	for value := range strings.SplitSeq(text, " ") {
		if value == "" {
			continue
		}
		if count++; count > MaxScopes {
			return nil, Errorf(InvalidScope, "The scope has more than %d values.", MaxScopes)
		}
		if len(value) > MaxScope {
			return nil, Errorf(InvalidScope, "The scope has a value of more than %d bytes.", MaxScope)
		}
		if !scopeToken(value) {
			return nil, Errorf(InvalidScope, "The scope holds characters that it may not have.")
		}
		if !scopes.Contains(value) {
			scopes = append(scopes, value)
		}
	}
	return scopes, nil
}

// scopeToken reports whether s is a scope-token: 1*( %x21 / %x23-5B / %x5D-7E ).
func scopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// Contains reports whether the scope is among them.
func (s Scopes) Contains(scope string) bool { return slices.Contains(s, scope) }

// Without returns those that are not among the others.
func (s Scopes) Without(other Scopes) Scopes {
	return s.filter(func(scope string) bool { return !other.Contains(scope) })
}

// Intersect returns those that are among the others, too.
func (s Scopes) Intersect(other Scopes) Scopes { return s.filter(other.Contains) }

// Union returns all of both, the others behind.
func (s Scopes) Union(other Scopes) Scopes {
	return slices.Concat(s, other).filter(func(string) bool { return true })
}

// filter returns a new list of those that pass, each once.
func (s Scopes) filter(pass func(string) bool) Scopes {
	var out Scopes
	for _, scope := range s {
		if pass(scope) && !out.Contains(scope) {
			out = append(out, scope)
		}
	}
	return out
}

// String returns the scopes as they stand in a parameter.
func (s Scopes) String() string { return strings.Join(s, " ") }
