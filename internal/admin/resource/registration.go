package resource

import (
	"encoding/json"
	"time"
)

// Registration is what clients may register themselves for.
type Registration struct {
	Admission  string            `json:"admission" enum:"off,token,open" doc:"Who may register a client: nobody, who has an initial access token, or anybody."`
	Profile    string            `json:"profile,omitempty" enum:"standard,openid,fapi1,fapi2" doc:"The profile of such clients, unless their initial access token says another."`
	Scopes     []string          `json:"scopes,omitempty" maxItems:"100" doc:"The scopes that they may have. Without any: openid, profile, email, address, phone and offline_access."`
	GrantTypes []string          `json:"grant_types,omitempty" maxItems:"20" doc:"The grant types that they may have. Without any: authorization_code, refresh_token and implicit."`
	Most       int               `json:"most,omitempty" minimum:"0" maximum:"1000000" doc:"How many there may be at once; zero is 1000."`
	Statements []StatementIssuer `json:"statements,omitempty" maxItems:"20" doc:"Whose software statements are believed, RFC 7591."`
	ManagedBy  string            `json:"managed_by,omitempty" doc:"file, if the configuration of the servers says so: then it is changed there." readOnly:"true"`
	Version    int64             `json:"version,omitempty" readOnly:"true"`
}

// StatementIssuer is somebody whose software statements are believed.
type StatementIssuer struct {
	Issuer string          `json:"issuer" minLength:"1" maxLength:"255" doc:"As it stands in their statements."`
	JWKS   json.RawMessage `json:"jwks" doc:"Their public keys, as a JWK Set."`
}

// InitialToken is what is known of an initial access token, by which clients are
// registered.
type InitialToken struct {
	ID        string    `json:"id"`
	Note      string    `json:"note,omitempty" doc:"What it is for."`
	Profile   string    `json:"profile,omitempty" doc:"The profile of the clients that are registered with it."`
	UsesLeft  int64     `json:"uses_left" doc:"How many clients it can still register."`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty"`
	ExpiresAt time.Time `json:"expires_at"`
}

// NewInitialToken is an initial access token, shown once.
type NewInitialToken struct {
	InitialToken
	Token string `json:"token" doc:"Shown once, and never again."`
}

// AskInitialToken is what is said of an initial access token that is to be made.
type AskInitialToken struct {
	Note    string `json:"note,omitempty" maxLength:"255" doc:"What it is for."`
	Profile string `json:"profile,omitempty" enum:"standard,openid,fapi1,fapi2" doc:"The profile of the clients that are registered with it. Without one it is that of the tenant."`
	Uses    int64  `json:"uses,omitempty" minimum:"0" maximum:"100000" doc:"How many clients it can register; without it one."`
	Days    int    `json:"days,omitempty" minimum:"0" maximum:"366" doc:"For how many days it is good; without it one."`
}
