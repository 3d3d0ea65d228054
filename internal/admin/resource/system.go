package resource

import (
	"encoding/json"
	"time"
)

// State is how the installation stands, for anybody.
type State struct {
	Bootstrapped bool  `json:"bootstrapped" doc:"Whether there has been a first administrator."`
	Schema       int64 `json:"schema" doc:"The version of the database's schema."`
	Needs        int64 `json:"needs" doc:"The version that this program needs."`
}

// Bootstrap makes the first administrator.
type Bootstrap struct {
	Secret    string          `json:"secret" minLength:"1" maxLength:"200" doc:"The one-time secret that the program has shown or written to its file."`
	Email     string          `json:"email" minLength:"3" maxLength:"254" doc:"The administrator's mail address, by which they log in."`
	Username  string          `json:"username,omitempty" maxLength:"254" doc:"Their user name; without one, the mail address."`
	Name      string          `json:"name,omitempty" maxLength:"255" doc:"Their full name."`
	Password  string          `json:"password" minLength:"1" maxLength:"1024" doc:"12 characters at least."`
	Resources json.RawMessage `json:"resources,omitempty" doc:"The first clients and connectors, as files declare them: an object with clients and connectors."`
}

// Bootstrapped is what came of it.
type Bootstrapped struct {
	UserID   string `json:"user_id"`
	ClientID string `json:"client_id" doc:"The client that dexctl logs in by."`
}

// Key is a signing key, and the instants of its life.
type Key struct {
	ID          string    `json:"id" doc:"The kid."`
	Algorithm   string    `json:"algorithm"`
	State       string    `json:"state" enum:"announced,signing,retired,gone" doc:"What it is at the moment."`
	PublishAt   time.Time `json:"publish_at" doc:"From here on it stands in the key set."`
	SignFrom    time.Time `json:"sign_from" doc:"From here on it signs, or applications encrypt to it."`
	SignUntil   time.Time `json:"sign_until,omitzero" doc:"Until here it signs; absent as long as it has no successor."`
	UnpublishAt time.Time `json:"unpublish_at,omitzero" doc:"Until here it stands in the key set, or is decrypted with."`
}

// Duty is how something stands that is done now and then.
type Duty struct {
	Name     string    `json:"name"`
	State    string    `json:"state" enum:"running,well,failing" doc:"What it is at the moment."`
	Holder   string    `json:"holder,omitempty" doc:"The process that began it last."`
	BeganAt  time.Time `json:"began_at,omitzero"`
	DoneAt   time.Time `json:"done_at,omitzero" doc:"When it last succeeded."`
	FailedAt time.Time `json:"failed_at,omitzero" doc:"When it last failed."`
	Did      string    `json:"did,omitempty" doc:"What it last found to do."`
	Problem  string    `json:"problem,omitempty" doc:"Why it failed."`
	Runs     int64     `json:"runs"`
	Failures int64     `json:"failures"`
}

// DutyDone is what came of a duty that was done at once.
type DutyDone struct {
	Did string `json:"did" doc:"What was done; empty if there was nothing to do."`
}

// Letter is a message on its way out.
type Letter struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Attempts  int       `json:"attempts"`
	Problem   string    `json:"problem,omitempty" doc:"Why the last attempt failed."`
	CreatedAt time.Time `json:"created_at"`
	NextAt    time.Time `json:"next_at" doc:"When it is tried again."`
	DeadAt    time.Time `json:"dead_at,omitzero" doc:"When it was given up: it waits for somebody to look at it."`
}

// Health is how the installation does.
type Health struct {
	At       time.Time `json:"at" doc:"When it was so, by the clock that all servers follow."`
	Well     bool      `json:"well"`
	Problems []string  `json:"problems" doc:"What is not well, in sentences."`
	Waiting  int64     `json:"outbox_waiting" doc:"Messages that wait to be delivered."`
	Dead     int64     `json:"outbox_dead" doc:"Messages that were given up."`
	Database Database  `json:"database"`
	Keys     KeyPlan   `json:"keys"`
}

// Database is how the database itself stands, as the server that answers sees it.
type Database struct {
	Version   string  `json:"version" doc:"What it is, such as PostgreSQL 17.2."`
	Skew      float64 `json:"clock_ahead_s" doc:"By how many seconds the server's clock is ahead of the database's; negative if it is behind."`
	Superuser bool    `json:"superuser" doc:"Whether the servers may do everything there."`
	Durable   bool    `json:"durable" doc:"Whether what it has answered survives a power cut."`
	Standby   bool    `json:"standby" doc:"Whether it follows another, and takes no writes."`
}

// KeyPlan is what the settings say about signing keys.
type KeyPlan struct {
	Algorithms []string `json:"algorithms" doc:"For each of which a key should sign."`
	Rotation   int64    `json:"rotation_s" doc:"How many seconds a key signs."`
	Lead       int64    `json:"lead_s" doc:"How many seconds before it signs a key is announced."`
}

// Resealed is what came of sealing everything anew.
type Resealed struct {
	Rows int  `json:"rows" doc:"How many values were sealed anew."`
	More bool `json:"more" doc:"Whether there are more: ask again."`
}
