package token

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"slices"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/domain/mint"
	"dex/internal/domain/proof"
	"dex/internal/domain/role"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

// sharesLogin reports whether a client gets a device secret with the tokens of a code:
// OpenID Connect Native SSO section 3.4.
func sharesLogin(c client.Client, known grant.Known) bool {
	return c.NativeSSOGroup != "" && known.Session != nil &&
		known.Authorization.Scopes.Contains(oauth.ScopeDevice) && known.Authorization.Scopes.Contains(oauth.ScopeOpenID)
}

// shared adds a device secret, in the place of the one that the device had.
func (e Entitlement) shared(ctx context.Context, grants grant.Store, c client.Client, known grant.Known, had secret.Value) (Entitlement, error) {
	e.Device = secret.New(secret.SharedPrefix)
	var before secret.Hash
	if had.Is(secret.SharedPrefix) {
		before = had.Hash()
	}
	kept := grant.DeviceSecret{Hash: e.Device.Hash(), Group: c.NativeSSOGroup, ExpiresAt: known.Session.ExpiresAt}
	if err := grants.KeepDeviceSecret(ctx, e.Permit, kept, before); err != nil {
		return Entitlement{}, err
	}
	e.Permit = e.Permit.Beside(kept.Hash)
	return e, nil
}

// join lets a client take part in a login that another of its group has begun on the same
// device, OpenID Connect Native SSO section 4. Public clients may: those on a device keep
// no secret but that of the device.
func (g TokenExchange) join(ctx context.Context, c client.Client, req oauth.TokenRequest) (Entitlement, error) {
	e := req.Exchange
	switch {
	case c.NativeSSOGroup == "":
		return Entitlement{}, oauth.Errorf(oauth.UnauthorizedClient, "This client shares no logins.")
	case e.SubjectType != oauth.TokenTypeIDToken:
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "With a device secret the subject_token is an ID token.")
	case e.Requested != "" && e.Requested != oauth.TokenTypeAccessToken:
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "A token of this requested_token_type is not given.")
	case len(e.Audiences) == 0:
		return Entitlement{}, oauth.Errorf(oauth.InvalidRequest, "The parameter audience is missing: it is the issuer.")
	case len(e.Audiences) > 1 || e.Audiences[0] != g.Issuer:
		return Entitlement{}, oauth.Errorf(oauth.InvalidTarget, "With a device secret the audience is the issuer.")
	case slices.ContainsFunc(req.Scopes, role.IsAdministrative):
		return Entitlement{}, oauth.Errorf(oauth.InvalidScope, "The scopes of the administrators' API are not shared: please log in for them.")
	}
	known, sharing, err := g.shared(ctx, e)
	if err != nil {
		return Entitlement{}, err
	}
	whole := known.Case(grant.ShareLogin, c)
	whole.Sharing = sharing
	if !c.Trusted {
		if whole.Consent, err = g.Grants.Consent(ctx, known.Authorization.UserID, c.ID); err != nil {
			return Entitlement{}, err
		}
	}
	was, now := known.Authorization, g.Clock.Now()
	whole.Authorization = grant.Authorization{
		ID: grant.NewID(), ClientID: c.ID, UserID: was.UserID, SessionID: was.SessionID, ConnectorID: was.ConnectorID, Subject: was.Subject,
		Scopes: sharedScopes(c, req, whole.Consent), AuthTime: was.AuthTime, Methods: was.Methods, IssuedAt: now,
		SupportCode: audit.NewSupportCode(), Terms: grant.Terms{Resources: req.Resources}, DeviceSecret: secret.Value(e.Actor).Hash(),
	}
	for _, s := range whole.Authorization.Scopes {
		if id, ok := oauth.CrossClientAudience(s); ok && id != c.ID {
			whole.Authorization.Audience = append(whole.Authorization.Audience, id)
		}
	}
	permit, err := g.Desk.Decide(ctx, whole)
	if denial, ok := errors.AsType[*grant.Denial](err); ok && denial.Reason == grant.ConsentMissing {
		// Section 4.3: what the person would have to allow cannot be had so.
		return Entitlement{}, oauth.Wrap(oauth.InvalidScope, denial, "The person has not allowed this yet: please log in once.")
	}
	if err != nil {
		return Entitlement{}, err
	}
	return g.keep(ctx, c, req, permit, known, whole.Authorization)
}

// keep keeps what comes of a login that is shared.
func (g TokenExchange) keep(ctx context.Context, c client.Client, req oauth.TokenRequest, permit grant.Permit, known grant.Known, a grant.Authorization) (Entitlement, error) {
	httpx.Annotate(ctx, slog.String("support_code", a.SupportCode))
	o := grant.Opening{
		User: *known.User, Identity: *known.Identity, Holder: proof.Holder(c, req.Binding),
		Event: audit.Event{
			ID: audit.NewEventID(a.IssuedAt), At: a.IssuedAt, Kind: audit.LoginShared, Actor: c.ID, ClientID: c.ID,
			SupportCode: a.SupportCode, RemoteAddr: req.From.String(), Detail: map[string]string{"client": known.Authorization.ClientID},
		},
	}
	entitled := Entitlement{Permit: permit, Profile: known.Profile(), Issued: oauth.TokenTypeAccessToken}
	if a.Offline() {
		o.Family = newFamily(g.Lifetimes, a.IssuedAt)
		entitled.Refresh = mint.RefreshToken{GrantID: a.ID, Generation: o.Family.Generation}
	}
	err := g.Grants.KeepGrant(ctx, permit, o, grant.Token{}, nil)
	if fault.Is(err, fault.NotFound) {
		return Entitlement{}, invalidGrant(err) // the session has ended at the same moment
	}
	return entitled, err
}

// shared returns the login that a device secret and an ID token stand for, section 4.3.
// The ID token is what id_token_hint is elsewhere: it may have expired, since the session
// has not.
func (g TokenExchange) shared(ctx context.Context, e oauth.Exchange) (grant.Known, grant.Sharing, error) {
	no := func(why string) (grant.Known, grant.Sharing, error) {
		return grant.Known{}, grant.Sharing{}, invalidGrant(errors.New(why))
	}
	device := secret.Value(e.Actor)
	if !device.Is(secret.SharedPrefix) {
		return no("this is no device secret of ours")
	}
	_, hint, ok := mint.ReadIDTokenHint(e.Subject, g.Issuer, g.Access.Find)
	if !ok {
		return no("this is no ID token of ours")
	}
	if subtle.ConstantTimeCompare([]byte(hint.DeviceHash), []byte(mint.DeviceHash(device.Hash()))) != 1 {
		return no("the ID token did not come with this device secret (ds_hash)")
	}
	known, group, err := g.Grants.SharedLogin(ctx, device.Hash())
	if fault.Is(err, fault.NotFound) {
		return no("there is no such device secret, or another has come in its place")
	}
	if err != nil {
		return grant.Known{}, grant.Sharing{}, err
	}
	was := known.Authorization
	if g.Subjects.Account(hint.Subject) != was.UserID {
		return no("the ID token is about another person")
	}
	if hint.SessionID != session.SID(was.SessionID, hint.Client()) {
		return no("the ID token is of another session (sid)")
	}
	sharing := grant.Sharing{Group: group, Since: was.IssuedAt}
	for _, one := range []grant.Sharer{
		{Client: client.Client{ID: was.ClientID}, Since: was.IssuedAt}, {Client: client.Client{ID: hint.Client()}, Since: hint.IssuedAt.Time()},
	} {
		one.Client, err = g.Clients.Client(ctx, one.ID)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return grant.Known{}, grant.Sharing{}, err
		}
		sharing.Sharers = append(sharing.Sharers, one)
	}
	return known, sharing, nil
}

// sharedScopes are what a client gets that takes part in a login: what it asks for, or else
// what it may have of somebody who has been asked. To go on without the session it has to
// ask.
func sharedScopes(c client.Client, req oauth.TokenRequest, consent oauth.Scopes) oauth.Scopes {
	if req.ScopesGiven {
		if !c.May(client.RefreshToken) {
			return req.Scopes.Without(oauth.Scopes{oauth.ScopeOffline})
		}
		return req.Scopes
	}
	scopes := slices.DeleteFunc(c.Scopes.Without(oauth.Scopes{oauth.ScopeOffline}), role.IsAdministrative)
	if !c.Trusted {
		return scopes.Intersect(consent)
	}
	return scopes
}
