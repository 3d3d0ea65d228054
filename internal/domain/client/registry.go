package client

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/audit"
)

// MaxLiveSecrets is how many secrets a client may have at once by the operators' verbs:
// the one in use, and the one that replaces it.
const MaxLiveSecrets = 2

// Registered is a client as operators keep it.
type Registered struct {
	Client
	ManagedBy  string       // as in [tenant.ManagedByFile]
	DisabledBy string       // who disabled it: an operator, or whoever manages it
	Notes      []SecretNote // one for each of the secrets, in their order
	Version    int64        // grows with each change
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// SecretNote is what is known of a secret beside its hash.
type SecretNote struct {
	ID        string    `json:"id"`
	Hint      string    `json:"hint,omitempty"` // the last characters of one that we made
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// hintLength is how much of a secret may be told: enough to tell two apart, and
// of 260 random bits nothing that is missed.
const hintLength = 4

// NoteOf returns the note of a secret that is new. Of one that somebody chose
// nothing is told: it may be short.
func NoteOf(v secret.Value, now time.Time) SecretNote {
	n := SecretNote{ID: "sec_" + strings.ToLower(rand.Text()[:12]), CreatedAt: now}
	if v.Is(secret.ClientPrefix) {
		n.Hint = string(v[len(v)-hintLength:])
	}
	return n
}

// Filter says which clients are looked for. What is empty does not matter.
type Filter struct {
	Text      string // stands in the id or the name, in whatever letters
	ManagedBy string
	Disabled  *bool
}

// Registry is what operators do to clients. Each verb takes effect everywhere before
// it returns, and its line in the record is written with it. What a configuration
// file manages is a fault of kind Conflict, which says where to change it.
type Registry interface {
	// Clients returns the clients after an id, in the order of their ids.
	Clients(ctx context.Context, f Filter, after string, limit int) ([]Registered, error)
	// RegisteredClient returns a client as it stands now. It returns a fault of kind
	// NotFound if there is none.
	RegisteredClient(ctx context.Context, id string) (Registered, error)
	// RegisterClient adds a client. It returns a fault of kind Conflict if there is
	// one of its id.
	RegisterClient(ctx context.Context, r Registered, by audit.By) (Registered, error)
	// ChangeClient replaces what a client is. It keeps the secrets unless it is given
	// others, or the client needs none any more. It returns a fault of kind Conflict
	// if the client is not of the given version any more; zero is any.
	ChangeClient(ctx context.Context, r Registered, by audit.By) (Registered, error)
	// DeleteClient removes a client with all that people have allowed it. Nothing that
	// was issued to it counts again, even if another of its id is registered.
	DeleteClient(ctx context.Context, id string, version int64, by audit.By) error
}

// Switch turns clients off and on.
type Switch interface {
	// DisableClient disables a client. When it returns, no worker honours anything of
	// the client's, and applying a configuration again does not change that.
	DisableClient(ctx context.Context, id string, by audit.By) error
	// EnableClient lets a client work again.
	EnableClient(ctx context.Context, id string, by audit.By) error
}

// Secrets replaces the secrets of clients, one by one, so that none of them has to
// stop for it.
type Secrets interface {
	// AddClientSecret lets the client prove itself by one more secret. It returns a
	// fault of kind Conflict if it has [MaxLiveSecrets] already.
	AddClientSecret(ctx context.Context, id string, v secret.Value, n SecretNote, by audit.By) (Registered, error)
	// RemoveClientSecret ends a secret: when it returns, no worker takes it. The last
	// one stays.
	RemoveClientSecret(ctx context.Context, id, secretID string, by audit.By) (Registered, error)
}
