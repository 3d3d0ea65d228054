package tenant

import "encoding/json"

// Admission says who may register clients by themselves.
type Admission string

// The admissions.
const (
	AdmitNobody  Admission = "off"
	AdmitInvited Admission = "token" // who has an initial access token
	AdmitAnybody Admission = "open"
)

// Registration is what a tenant lets clients register themselves for. Its zero value
// lets nobody.
type Registration struct {
	Admission  Admission         `json:"admission,omitempty"`
	Profile    string            `json:"profile,omitempty"`     // of the clients; empty: standard
	Scopes     []string          `json:"scopes,omitempty"`      // that they may have; empty: [UsualScopes]
	GrantTypes []string          `json:"grant_types,omitempty"` // that they may have; empty: [UsualGrants]
	Most       int               `json:"most,omitempty"`        // how many there may be; zero: [UsualMost]
	Statements []StatementIssuer `json:"statements,omitempty"`  // whose software statements are believed
	ManagedBy  string            `json:"managed_by,omitempty"`  // [ManagedByFile], or nobody but those who change it by hand
	Version    int64             `json:"version,omitempty"`
}

// StatementIssuer is somebody whose word about software is believed, RFC 7591 section
// 2.3.
type StatementIssuer struct {
	Issuer string          `json:"issuer"`
	JWKS   json.RawMessage `json:"jwks"`
}

// UsualMost is how many clients may have registered themselves where nothing is said.
const UsualMost = 1000

// Opens reports whether anybody may register a client.
func (r *Registration) Opens() bool {
	return r != nil && (r.Admission == AdmitInvited || r.Admission == AdmitAnybody)
}
