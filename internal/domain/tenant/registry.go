package tenant

import (
	"context"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
)

// Registered is a tenant as operators keep it.
type Registered struct {
	Tenant
	Name      string
	Version   int64 // grows with each change of the tenant and of its configuration
	CreatedAt time.Time
}

// Filter says which tenants are looked for. What is empty does not matter.
type Filter struct {
	Text     string // stands in the id, the issuer or the name, in whatever letters
	Disabled *bool
}

// Registry is what operators do to tenants. Each verb takes effect everywhere before
// it returns. Its line stands in the record of the default tenant, whose operators
// alone may do it.
type Registry interface {
	// Tenants returns the tenants after an id, in the order of their ids.
	Tenants(ctx context.Context, f Filter, after string, limit int) ([]Registered, error)
	// RegisteredTenant returns a tenant as it stands now. It returns a fault of kind
	// NotFound if there is none.
	RegisteredTenant(ctx context.Context, id string) (Registered, error)
	// RegisterTenant adds a tenant. It returns a fault of kind Conflict if its id is
	// or was another's, or its issuer is.
	RegisterTenant(ctx context.Context, r Registered, by audit.By) (Registered, error)
	// ChangeTenant gives a tenant another name, or another issuer: every token and
	// every application that names the old one stops working. It returns a fault of
	// kind Conflict if the tenant is not of the given version any more; zero is any.
	ChangeTenant(ctx context.Context, r Registered, by audit.By) (Registered, error)
	// SwitchTenant stops everything that a tenant does, for everybody, or lets it work
	// again.
	SwitchTenant(ctx context.Context, id string, disabled bool, by audit.By) error
	// DeleteTenant ends a tenant for good: when it returns, no worker honours anything
	// of it, and its id never comes back. What it has kept is cleared away by and by;
	// its record stays.
	DeleteTenant(ctx context.Context, id string, version int64, by audit.By) error
}

// maxID is the length of the longest id of a tenant.
const maxID = 63

// CheckID says what is wrong with the id of a tenant. It stands in addresses and
// names of files.
func CheckID(id string) error {
	ok := id != "" && len(id) <= maxID && id[0] != '-'
	for _, c := range []byte(id) {
		ok = ok && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-')
	}
	if !ok {
		return fault.New(fault.Invalid, "The id of a tenant is small letters, digits and dashes, %d at most, and does not begin with a dash.", maxID)
	}
	return nil
}
