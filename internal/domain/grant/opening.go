package grant

import (
	"context"
	"reflect"
	"slices"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/user"
)

// Resolve finds out which account an identity belongs to, and what of it has changed.
// The answer is an opening without a session.
func Resolve(ctx context.Context, users user.Store, policy user.Policy, id user.Identity, now time.Time) (Opening, error) {
	var known, sameMail *user.User
	before, kept, err := users.ByIdentity(ctx, id.ConnectorID, id.Subject)
	switch {
	case err == nil:
		known = &before
	case !fault.Is(err, fault.NotFound):
		return Opening{}, err
	case id.Profile.EmailVerified && policy.Trusts(id.Profile.Email):
		owner, err := users.ByVerifiedEmail(ctx, id.Profile.Email)
		if err == nil {
			sameMail = &owner
		} else if !fault.Is(err, fault.NotFound) {
			return Opening{}, err
		}
	}
	u, err := user.Resolve(id, known, sameMail, policy, now)
	if err != nil {
		return Opening{}, err
	}
	if len(id.Data) == 0 {
		id.Data = kept.Data // a provider does not hand out a refresh token each time
	}
	o := Opening{User: u, Identity: id, NewUser: u.ID == ""}
	if o.NewUser {
		o.User.ID = user.NewID()
	}
	// An upstream token is new each time, so what a connector keeps counts too.
	o.Changed = known == nil || !reflect.DeepEqual(u, before) || !reflect.DeepEqual(kept.Profile, id.Profile) || !slices.Equal(kept.Data, id.Data)
	return o, nil
}
