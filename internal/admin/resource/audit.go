package resource

import "time"

// Event is one line of the record: what was done, by whom, to whom.
type Event struct {
	ID          string            `json:"id"`
	At          time.Time         `json:"at"`
	Kind        string            `json:"kind" doc:"What was done, such as user.disabled."`
	Actor       string            `json:"actor,omitempty" doc:"Who did it: a user, a client, or a program."`
	UserID      string            `json:"user_id,omitempty" doc:"Whom it was about."`
	ClientID    string            `json:"client_id,omitempty"`
	ConnectorID string            `json:"connector_id,omitempty"`
	SessionID   string            `json:"session_id,omitempty"`
	GrantID     string            `json:"grant_id,omitempty"`
	SupportCode string            `json:"support_code,omitempty" doc:"Of the attempt, whose trace says more."`
	RemoteAddr  string            `json:"remote_addr,omitempty"`
	Detail      map[string]string `json:"detail,omitempty"`
}

// Trace is the story of one attempt to log in.
type Trace struct {
	SupportCode string       `json:"support_code"`
	StartedAt   time.Time    `json:"started_at,omitzero"`
	Steps       []Step       `json:"steps"`
	Grants      []TraceGrant `json:"grants" doc:"What became of it."`
}

// Step is one decision.
type Step struct {
	Milliseconds int64  `json:"ms" doc:"Since the attempt began."`
	What         string `json:"what" doc:"What was looked at."`
	Said         string `json:"said,omitempty" doc:"What came of it."`
	Why          string `json:"why,omitempty" doc:"Which setting or parameter decided it, if one did."`
}

// TraceGrant is what became of a grant that an attempt led to.
type TraceGrant struct {
	ID         string    `json:"id"`
	ClientID   string    `json:"client_id"`
	UserID     string    `json:"user_id"`
	Scopes     string    `json:"scopes"`
	IssuedAt   time.Time `json:"issued_at"`
	RedeemedAt time.Time `json:"redeemed_at,omitzero" doc:"Absent if nobody has redeemed it."`
	Refreshed  int       `json:"refreshed"`
	RotatedAt  time.Time `json:"refreshed_at,omitzero"`
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
	Reason     string    `json:"reason,omitempty" doc:"Why it was revoked."`
}
