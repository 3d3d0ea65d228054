package resource

import "time"

// Session is a signed-in browser.
type Session struct {
	ID          string    `json:"id"`
	UserID      string    `json:"user_id"`
	ConnectorID string    `json:"connector_id" doc:"How the person has logged in."`
	Methods     []string  `json:"methods" doc:"How they have proved who they are (RFC 8176)."`
	AuthTime    time.Time `json:"auth_time" doc:"When they last proved it."`
	UserAgent   string    `json:"user_agent,omitempty"`
	RemoteAddr  string    `json:"remote_addr,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	IdleUntil   time.Time `json:"idle_until" doc:"It ends then unless it is used."`
	ExpiresAt   time.Time `json:"expires_at" doc:"It ends then even if it is used."`
}

// Grant is what somebody has let an application do: what its tokens come of.
type Grant struct {
	ID          string    `json:"id"`
	UserID      string    `json:"user_id"`
	ClientID    string    `json:"client_id"`
	ConnectorID string    `json:"connector_id"`
	SessionID   string    `json:"session_id" doc:"The session that it was made in."`
	Scopes      []string  `json:"scopes"`
	Offline     bool      `json:"offline" doc:"Whether it outlives its session."`
	IssuedAt    time.Time `json:"issued_at"`
	Refreshed   int       `json:"refreshed" doc:"How often its tokens were refreshed."`
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	SupportCode string    `json:"support_code,omitempty" doc:"The attempt that it came of."`
}

// Consent is what somebody has allowed an application, and need not be asked again.
type Consent struct {
	UserID    string    `json:"user_id"`
	ClientID  string    `json:"client_id"`
	Scopes    []string  `json:"scopes"`
	UpdatedAt time.Time `json:"updated_at"`
}
