package backup

import (
	"context"
	"slices"

	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/key"
	"dex/internal/domain/role"
	"dex/internal/domain/user"
	"dex/internal/store"
)

// doing is how an act is done again.
type doing struct {
	// stands reports whether the database has it so already. It returns a fault of kind
	// NotFound if what it is done to is not there, and another that says why it cannot be
	// done.
	stands func(context.Context, *player, *store.Tenant, Deed) (bool, error)
	do     func(context.Context, *player, *store.Tenant, Deed) error
}

// never is how what is gone stands: it is there, so that it is to be done, or it is not
// found.
func never[T any](get func(context.Context, *player, *store.Tenant, Deed) (T, error)) func(context.Context, *player, *store.Tenant, Deed) (bool, error) {
	return func(ctx context.Context, p *player, t *store.Tenant, d Deed) (bool, error) {
		_, err := get(ctx, p, t, d)
		return false, err
	}
}

func account(ctx context.Context, _ *player, t *store.Tenant, d Deed) (user.Account, error) {
	return t.Account(ctx, d.ID)
}

func application(ctx context.Context, _ *player, t *store.Tenant, d Deed) (client.Registered, error) {
	return t.RegisteredClient(ctx, d.ID)
}

func upstream(ctx context.Context, _ *player, t *store.Tenant, d Deed) (connector.Registered, error) {
	return t.RegisteredConnector(ctx, d.ID)
}

var acts = map[Act]doing{
	CompromiseKey: {
		stands: func(ctx context.Context, p *player, t *store.Tenant, d Deed) (bool, error) {
			_, err := emergency(ctx, p, t, d)
			return false, err
		},
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			e, err := emergency(ctx, p, t, d)
			if err == nil {
				err = key.Generate(e.Create)
			}
			if err != nil {
				return err
			}
			return t.CompromiseKey(ctx, e, p.by())
		},
	},
	RemoveSecret: {
		stands: func(ctx context.Context, p *player, t *store.Tenant, d Deed) (bool, error) {
			c, err := application(ctx, p, t, d)
			return !slices.ContainsFunc(c.Notes, func(n client.SecretNote) bool { return n.ID == d.Of }), err
		},
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			_, err := t.RemoveClientSecret(ctx, d.ID, d.Of, p.by())
			return err
		},
	},
	DisableUser: {
		stands: func(ctx context.Context, p *player, t *store.Tenant, d Deed) (bool, error) {
			a, err := account(ctx, p, t, d)
			return a.Disabled, err
		},
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			return t.DisableUser(ctx, d.ID, p.by())
		},
	},
	DisableClient: {
		stands: func(ctx context.Context, p *player, t *store.Tenant, d Deed) (bool, error) {
			c, err := application(ctx, p, t, d)
			return c.Disabled, err
		},
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			return t.DisableClient(ctx, d.ID, p.by())
		},
	},
	DisableConnector: {
		stands: func(ctx context.Context, p *player, t *store.Tenant, d Deed) (bool, error) {
			c, err := upstream(ctx, p, t, d)
			return c.Disabled, err
		},
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			return t.DisableConnector(ctx, d.ID, p.by())
		},
	},
	DisableTenant: {
		stands: func(ctx context.Context, p *player, _ *store.Tenant, d Deed) (bool, error) {
			r, err := p.db.RegisteredTenant(ctx, d.ID)
			return r.Disabled, err
		},
		do: func(ctx context.Context, p *player, _ *store.Tenant, d Deed) error {
			return p.db.SwitchTenant(ctx, d.ID, true, p.by())
		},
	},
	LessenRole: {stands: lessened, do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
		_, err := t.SetRole(ctx, d.ID, d.Role, 0, p.by())
		return err
	}},
	RemoveMember: {
		stands: func(ctx context.Context, _ *player, t *store.Tenant, d Deed) (bool, error) {
			a, err := t.Account(ctx, d.Of)
			return !slices.Contains(a.MemberOf, d.ID), err
		},
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			return t.RemoveMembers(ctx, d.ID, []string{d.Of}, p.by())
		},
	},
	UnlinkIdentity: {
		stands: func(ctx context.Context, _ *player, t *store.Tenant, d Deed) (bool, error) {
			subject, err := unlinked(ctx, t, d)
			return subject == "", err
		},
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			subject, err := unlinked(ctx, t, d)
			if err != nil {
				return err
			}
			return t.UnlinkIdentity(ctx, d.ID, d.Of, subject, p.by())
		},
	},
	RevokeConsent: {
		stands: func(ctx context.Context, p *player, t *store.Tenant, d Deed) (bool, error) {
			if _, err := account(ctx, p, t, d); err != nil {
				return false, err
			}
			for after := ""; ; {
				some, err := t.Consents(ctx, d.ID, after, 500)
				if err != nil || len(some) == 0 {
					return true, err
				}
				for _, c := range some {
					if c.ClientID == d.Of {
						return false, nil
					}
					after = c.ClientID
				}
			}
		},
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			return t.WithdrawConsent(ctx, d.ID, d.Of, p.by())
		},
	},
	DeleteUser: {stands: never(account), do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
		return t.DeleteUser(ctx, d.ID, 0, p.by())
	}},
	DeleteClient: {stands: never(application), do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
		return t.DeleteClient(ctx, d.ID, 0, p.by())
	}},
	DeleteConnector: {stands: never(upstream), do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
		c, err := upstream(ctx, p, t, d)
		if err != nil {
			return err
		}
		// Who was known by it then was known by it no more.
		return t.DeleteConnector(ctx, connector.Deletion{ID: d.ID, People: c.Kind != "local"}, p.by())
	}},
	DeleteGroup: {
		stands: never(func(ctx context.Context, _ *player, t *store.Tenant, d Deed) (user.Group, error) {
			return t.Group(ctx, d.ID)
		}),
		do: func(ctx context.Context, p *player, t *store.Tenant, d Deed) error {
			return t.DeleteGroup(ctx, d.ID, 0, p.by())
		},
	},
	DeleteTenant: {
		stands: func(ctx context.Context, p *player, _ *store.Tenant, d Deed) (bool, error) {
			_, err := p.db.RegisteredTenant(ctx, d.ID)
			return false, err
		},
		do: func(ctx context.Context, p *player, _ *store.Tenant, d Deed) error {
			return p.db.DeleteTenant(ctx, d.ID, 0, p.by())
		},
	},
}

// lessened reports whether somebody has no more than the role that they were left. A
// record that was tampered with must not make an owner of anybody: what would be more
// than the backup gives is left to an operator.
func lessened(ctx context.Context, p *player, t *store.Tenant, d Deed) (bool, error) {
	a, err := account(ctx, p, t, d)
	switch has, left := role.Role(a.Role), role.Role(d.Role); {
	case err != nil, has == left:
		return true, err
	case !left.Known():
		return false, fault.New(fault.Invalid, "There is no role %q.", d.Role)
	case !has.Has(left.Scopes()):
		return false, fault.New(fault.Denied, "The role %q is more than the backup gives. Give it again by hand.", d.Role)
	default:
		return false, nil
	}
}

// unlinked returns the subject of the identity that was taken from somebody; nothing if
// they have none of the connector. The record does not say which, so that of several it
// is left to an operator.
func unlinked(ctx context.Context, t *store.Tenant, d Deed) (subject string, err error) {
	a, err := t.Account(ctx, d.ID)
	if err != nil {
		return "", err
	}
	for _, i := range a.Identities {
		switch {
		case i.ConnectorID != d.Of:
		case subject != "":
			return "", fault.New(fault.Conflict, "There are several identities of the connector %q, and the record does not say which was taken. Unlink it by hand.", d.Of)
		default:
			subject = i.Subject
		}
	}
	return subject, nil
}

// emergency plans what a compromised key takes.
func emergency(ctx context.Context, p *player, t *store.Tenant, d Deed) (key.Emergency, error) {
	all, err := t.SigningKeys(ctx)
	if err != nil {
		return key.Emergency{}, err
	}
	return key.Compromise(all, d.ID, p.now)
}
