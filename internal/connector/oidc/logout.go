package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/mint"
	"dex/internal/domain/session"
	"dex/internal/protocol/jose"
)

const (
	// logoutAge is how old a logout token may be, whatever it says itself: for so long we
	// remember it.
	logoutAge = time.Hour
	// maxTokenID is the length of the longest jti.
	maxTokenID = 256
	// maxSessionName is the length of the longest name of a session, and more than any
	// provider has.
	maxSessionName = 1024
)

// logoutToken is what a logout token says. OpenID Connect Back-Channel Logout, section
// 2.4.
type logoutToken struct {
	jose.Claims
	Session *string                    `json:"sid"`
	Events  map[string]json.RawMessage `json:"events"`
	Nonce   json.RawMessage            `json:"nonce"`
}

// Told implements [connector.Listener] by the back channel: a logout token, which is
// looked at as an ID token is. OpenID Connect Back-Channel Logout, section 2.6.
func (p *provider) Told(ctx context.Context, form url.Values) (session.Notice, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if len(form["logout_token"]) != 1 {
		return session.Notice{}, disbelieve(errors.New("there is not one logout_token"))
	}
	token, encrypted, err := p.opener.open(form.Get("logout_token"))
	if err == nil && p.EncryptedIDToken && !encrypted {
		err = errors.New("it is not encrypted, and was to be")
	}
	if err != nil {
		return session.Notice{}, disbelieve(err)
	}
	if _, err := p.keys.get(ctx); err != nil {
		return session.Notice{}, err // nobody can say yet whether it is true
	}
	payload, _, err := p.verify(ctx, token, "", jose.TypeJWT, jose.TypeLogoutToken)
	if err != nil {
		return session.Notice{}, disbelieve(err)
	}
	n, err := p.readLogout(payload, p.env.Clock.Now())
	if err != nil {
		return session.Notice{}, disbelieve(err)
	}
	return n, nil
}

func disbelieve(err error) error {
	return fmt.Errorf("%w: oidc: logout token: %w", connector.ErrRefused, err)
}

// readLogout reads what a logout token says, and says what is wrong with it.
func (p *provider) readLogout(payload []byte, now time.Time) (session.Notice, error) {
	var t logoutToken
	if err := jose.Unmarshal(payload, &t); err != nil {
		return session.Notice{}, err
	}
	last := t.IssuedAt.Time().Add(logoutAge)
	if t.Expiry == 0 || t.Expiry.Time().After(last) { // drafts of the standard had no exp
		t.Expiry = jose.DateOf(last)
	}
	if err := t.Validate(now, p.Issuer, p.ClientID, skew); err != nil {
		return session.Notice{}, err
	}
	var event map[string]json.RawMessage
	switch {
	case t.IssuedAt == 0:
		return session.Notice{}, errors.New("it does not say when it was issued (iat)")
	case t.ID == "" || len(t.ID) > maxTokenID:
		return session.Notice{}, errors.New("it has no name by which it could count once (jti)")
	case t.Nonce != nil:
		return session.Notice{}, errors.New("it has a nonce, as an ID token has")
	case jose.Unmarshal(t.Events[mint.LogoutEvent], &event) != nil:
		return session.Notice{}, errors.New("it tells of no logout (events)")
	case t.Subject == "" && t.Session == nil:
		return session.Notice{}, errors.New("it says neither whose session nor which (sub, sid)")
	case t.Subject != "" && !goodSubject(t.Subject):
		return session.Notice{}, errors.New("nobody has such a name (sub)")
	case t.Session != nil && (*t.Session == "" || len(*t.Session) > maxSessionName):
		return session.Notice{}, errors.New("no session has such a name (sid)")
	}
	n := session.Notice{ConnectorID: p.env.ID, Token: secret.Value(t.ID).Hash(), Expires: t.Expiry.Time().Add(skew)}
	if t.Subject != "" {
		n.Subject = p.subject(t.Subject)
	}
	if t.Session != nil {
		n.UpstreamID = session.UpstreamID(*t.Session)
	}
	return n, nil
}

// Shown implements [connector.Listener] by the front channel: a browser loads an address
// of ours on a page of the provider, and shows no cookie with it. All that it proves is
// that it knows what the provider calls the session, so that it has to say so, and the
// operator that this is enough. OpenID Connect Front-Channel Logout, section 2.
func (p *provider) Shown(_ context.Context, query url.Values) (session.Notice, error) {
	sid := query.Get("sid")
	switch {
	case !p.FrontchannelLogout:
		return session.Notice{}, fmt.Errorf("%w: oidc: frontchannel_logout is not set", connector.ErrRefused)
	case len(query["iss"]) != 1 || query.Get("iss") != p.Issuer:
		return session.Notice{}, fmt.Errorf("%w: oidc: it is of another issuer (iss)", connector.ErrRefused)
	case len(query["sid"]) != 1 || sid == "" || len(sid) > maxSessionName:
		return session.Notice{}, fmt.Errorf("%w: oidc: it names no session (sid)", connector.ErrRefused)
	}
	return session.Notice{ConnectorID: p.env.ID, UpstreamID: session.UpstreamID(sid)}, nil
}
