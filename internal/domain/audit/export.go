package audit

import (
	"context"
	"encoding/json"
	"time"
)

// Exported is an event on its way to whoever collects the record of everything.
type Exported struct {
	TenantID string
	Event
}

// Exports is where whoever hands the record on takes from. It is of all tenants.
type Exports interface {
	// Unexported returns up to so many events that have not been handed on, oldest
	// first.
	Unexported(ctx context.Context, most int) ([]Exported, error)
	// MarkExported says that events have arrived.
	MarkExported(ctx context.Context, events []Exported, now time.Time) error
}

// line is an event as others read it. The names are a promise: none changes, and what
// is empty is left out.
type line struct {
	ID          string            `json:"id"`
	At          string            `json:"at"`
	Kind        Kind              `json:"kind"`
	Tenant      string            `json:"tenant"`
	Actor       string            `json:"actor,omitempty"`
	User        string            `json:"user,omitempty"`
	Client      string            `json:"client,omitempty"`
	Connector   string            `json:"connector,omitempty"`
	Session     string            `json:"session,omitempty"`
	Grant       string            `json:"grant,omitempty"`
	SupportCode string            `json:"support_code,omitempty"`
	RemoteAddr  string            `json:"remote_addr,omitempty"`
	Detail      map[string]string `json:"detail,omitempty"`
}

// JSON returns the event as one line of JSON.
func (e Exported) JSON() ([]byte, error) {
	return json.Marshal(line{
		ID: e.ID, At: e.At.UTC().Format("2006-01-02T15:04:05.000000Z"), Kind: e.Kind, Tenant: e.TenantID, Actor: e.Actor, User: e.UserID,
		Client: e.ClientID, Connector: e.ConnectorID, Session: e.SessionID, Grant: e.GrantID, SupportCode: e.SupportCode,
		RemoteAddr: e.RemoteAddr, Detail: e.Detail,
	})
}
