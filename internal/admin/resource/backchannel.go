package resource

import "time"

// BackchannelRequest is a request of an application that has asked for somebody by name,
// who has not answered yet (OpenID Connect CIBA).
type BackchannelRequest struct {
	ID             string    `json:"id"`
	UserID         string    `json:"user_id" doc:"Who is asked."`
	ClientID       string    `json:"client_id"`
	ConnectorID    string    `json:"connector_id"`
	Scopes         []string  `json:"scopes"`
	BindingMessage string    `json:"binding_message,omitempty" doc:"What the application shows, too. The person compares it before they answer."`
	ACRValues      []string  `json:"acr_values,omitempty" doc:"The classes of login of which the application asks for one."`
	SupportCode    string    `json:"support_code,omitempty"`
	CreatedAt      time.Time `json:"created_at"`
	ExpiresAt      time.Time `json:"expires_at"`
}

// Approval is how somebody has proven who they are to whoever speaks for them.
type Approval struct {
	Methods []string `json:"methods,omitempty" maxItems:"8" enum:"pwd,fed,mfa" doc:"RFC 8176. Without any the person has been asked on a device that is known to be theirs, which counts as one factor."`
}
