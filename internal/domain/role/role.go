// Package role is what somebody may do to this service itself: the scopes of the
// administrators' API, one for each noun and verb, and the roles that are named
// sets of them.
//
// A person has one role, or none. A token holds the scopes that were asked for, that
// its client may have and that the role has; when the role is taken away, the token
// is worth as little at once, because the gate looks at the role each time.
package role

import (
	"slices"
	"strings"

	"dex/internal/protocol/oauth"
)

// Role is a named set of scopes. Its zero value has none.
type Role string

// The roles.
const (
	Owner   Role = "owner"   // everything; in the default tenant, in every tenant
	Admin   Role = "admin"   // people and applications of a tenant; reads the rest
	Support Role = "support" // helps people: sees them, ends their sessions, sends them a link to set a password
	Auditor Role = "auditor" // sees everything that is not a secret, and changes nothing
)

// Noun is what a scope is about.
type Noun string

// The nouns.
const (
	Users      Noun = "users"
	Groups     Noun = "groups"
	Clients    Noun = "clients"
	Connectors Noun = "connectors"
	Tenants    Noun = "tenants"
	Keys       Noun = "keys"
	Sessions   Noun = "sessions" // and what came of them: grants and consents
	Audit      Noun = "audit"
	Traces     Noun = "traces"
	System     Noun = "system" // the state of the whole, its duties, what is on its way out
)

// Nouns are all nouns, in the order in which people list them.
var Nouns = []Noun{Users, Groups, Clients, Connectors, Tenants, Keys, Sessions, Audit, Traces, System}

// prefix begins the scopes of the administrators' API.
const prefix = "dex:"

// Read is the scope to see a noun.
func Read(n Noun) string { return prefix + string(n) + ":read" }

// Write is the scope to see and change a noun. It includes no other scope: who wants
// both asks for both.
func Write(n Noun) string { return prefix + string(n) + ":write" }

// Links is the scope to send somebody a link to set their password, without being
// able to change anything else of them.
const Links = prefix + "links:write"

// Approvals is the scope to answer in the name of people what applications ask them by
// the back channel: it is for the program that asks them, on a device of theirs.
const Approvals = prefix + "approvals:write"

// IsAdministrative reports whether a scope is one of the administrators' API.
func IsAdministrative(scope string) bool { return strings.HasPrefix(scope, prefix) }

// roles says what each role has.
var roles = map[Role]oauth.Scopes{
	Owner: All(),
	// Whoever writes connectors says who somebody is, and so could be an owner.
	Admin: append(reads(Nouns...),
		Write(Users), Write(Groups), Write(Clients), Write(Sessions), Links),
	Support: append(reads(Users, Groups, Sessions, Traces), Write(Sessions), Links),
	Auditor: reads(Nouns...),
}

// Roles are the names of all roles, the mightiest first.
var Roles = []Role{Owner, Admin, Support, Auditor}

// All returns every scope of the administrators' API.
func All() oauth.Scopes {
	all := reads(Nouns...)
	for _, n := range Nouns {
		if n != Audit && n != Traces { // which nobody writes
			all = append(all, Write(n))
		}
	}
	return append(all, Links, Approvals)
}

func reads(nouns ...Noun) oauth.Scopes {
	var s oauth.Scopes
	for _, n := range nouns {
		s = append(s, Read(n))
	}
	return s
}

// Known reports whether there is such a role. No role at all is one that everybody
// knows.
func (r Role) Known() bool {
	_, ok := roles[r]
	return ok || r == ""
}

// Scopes returns the scopes of the role.
func (r Role) Scopes() oauth.Scopes { return slices.Clone(roles[r]) }

// Has reports whether the role has every administrative scope among the given ones.
// The others are none of its business.
func (r Role) Has(scopes oauth.Scopes) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return IsAdministrative(s) && !roles[r].Contains(s) })
}

// Within returns the scopes without the administrative ones that the role lacks.
func (r Role) Within(scopes oauth.Scopes) oauth.Scopes {
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return IsAdministrative(s) && !roles[r].Contains(s) })
}
