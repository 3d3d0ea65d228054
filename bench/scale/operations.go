package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// operation is something that is measured, on the small database and on the large one
// in turns.
type operation struct {
	name  string
	turns int
	// before is done before each turn, and not measured. It may be nil.
	before func(ctx context.Context, d *database) error
	do     func(ctx context.Context, d *database) error
}

// pageSize is how many a page of a list has.
const pageSize = 50

var operations = []operation{
	{name: "login: candidate, session, its cookie, code, redemption", turns: 200, do: func(ctx context.Context, d *database) error {
		return d.login(ctx, "p"+d.somebody())
	}},
	{name: "refresh: grant, rotation", turns: 300, do: refresh},
	{name: "search: the beginning of a user name, 10 match", turns: 100, do: func(ctx context.Context, d *database) error {
		return d.search(ctx, "p"+d.somebody()[:6], 9)
	}},
	{name: "search: a surname, which 1 has in the small one and 1,000 in the large", turns: 100, do: func(ctx context.Context, d *database) error {
		return d.search(ctx, d.somesurname(), 1)
	}},
	{name: "search: a word that everybody has, a page of 50", turns: 100, do: func(ctx context.Context, d *database) error {
		return d.search(ctx, "cor", pageSize)
	}},
	{name: "search: a surname and a word that everybody has", turns: 100, do: func(ctx context.Context, d *database) error {
		return d.search(ctx, "corp "+d.somesurname(), 1)
	}},
	{name: "search: two names, 20,000 have each in the large one, nobody both", turns: 20, do: func(ctx context.Context, d *database) error {
		return d.search(ctx, givenOf(1)+" "+givenOf(2), 0)
	}},
	{name: "users: page 1", turns: 200, do: func(ctx context.Context, d *database) error { return d.pageOfUsers(ctx, "") }},
	{name: "users: page 10,000 (of the small one the last)", turns: 200, do: func(ctx context.Context, d *database) error {
		return d.pageOfUsers(ctx, d.deep["users"])
	}},
	{name: "clients: page 1", turns: 200, do: func(ctx context.Context, d *database) error { return d.pageOfClients(ctx, "") }},
	{name: "clients: the last page", turns: 200, do: func(ctx context.Context, d *database) error {
		return d.pageOfClients(ctx, d.deep["clients"])
	}},
	{name: "a worker looks around, nothing has changed", turns: 200, do: func(ctx context.Context, d *database) error { return d.db.LookAround(ctx) }},
	{name: "a worker looks around, a tenant has changed", turns: 50, do: func(ctx context.Context, d *database) error { return d.db.LookAround(ctx) },
		before: func(ctx context.Context, d *database) error {
			_, err := d.raw.Exec(ctx, `UPDATE tenants SET version = version + 1 WHERE id = 'default'`)
			return err
		}},
}

// login is what a login by password, from the form to the tokens, asks of the store.
func (d *database) login(ctx context.Context, name string) error {
	t, now := d.tenant, d.db.Clock().Now()
	who, err := t.Candidate(ctx, name, []credential.Bucket{{Key: secret.Value(name).Hash(), Kind: credential.Account}})
	if err != nil {
		return err
	}
	if who.User.ID == "" || who.Hash == "" {
		return fmt.Errorf("nobody logs in as %s", name)
	}
	cookie := secret.New(secret.SessionPrefix).Hash()
	identity := user.Identity{ConnectorID: connectorID, Subject: who.User.ID, Profile: who.Profile, CheckedAt: now}
	c := grant.Case{
		Path: grant.OpenSession, Now: now, Client: d.client, Connector: &grant.Connector{ID: connectorID}, User: &who.User, Identity: &identity,
		Authorization: grant.Authorization{
			ID: grant.NewID(), ClientID: clientID, UserID: who.User.ID, ConnectorID: connectorID, Subject: who.User.ID,
			Scopes: oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeOffline}, AuthTime: now, IssuedAt: now, SupportCode: "bench",
		},
		RedirectURI: redirectURI, RequestedAt: now,
	}
	may, err := grant.Decide(c)
	if err != nil {
		return err
	}
	opened, err := t.OpenSession(ctx, may, grant.Opening{
		Session: session.Session{
			Cookie: cookie, Methods: []credential.Method{credential.Password}, AuthTime: now, UserAgent: "Browser/1.0", RemoteAddr: "192.0.2.7",
			CreatedAt: now, IdleUntil: now.Add(time.Hour), ExpiresAt: now.Add(8 * time.Hour),
		},
		User: who.User, Identity: identity, Event: audit.Event{At: now, Kind: audit.LoginSucceeded, SupportCode: "bench"},
	})
	if err != nil {
		return err
	}
	known, err := t.SessionByCookie(ctx, cookie, clientID)
	if err != nil {
		return err
	}
	c.Path, c.Session, c.Authorization.SessionID = grant.IssueCode, &known.Session, opened.ID
	c.ResponseType = oauth.ResponseTypeCode
	return d.exchange(ctx, c)
}

// exchange is the code's part of a login.
func (d *database) exchange(ctx context.Context, c grant.Case) error {
	may, err := grant.Decide(c)
	if err != nil {
		return err
	}
	const verifier = "a-verifier-of-forty-three-characters-at-the-least"
	code := secret.New(secret.CodePrefix).Hash()
	err = d.tenant.KeepCode(ctx, may, grant.Code{
		Hash: code, RedirectURI: redirectURI, Challenge: oauth.ChallengeOf(verifier), ExpiresAt: c.Now.Add(time.Minute),
	}, []audit.Step{{At: 10, What: "code", Said: "issued"}}, c.Now)
	if err != nil {
		return err
	}
	_, outcome, err := d.tenant.Redeem(ctx, grant.Proof{Hash: code, ClientID: clientID, RedirectURI: redirectURI, Verifier: verifier},
		grant.Family{IdleUntil: c.Now.Add(24 * time.Hour), ExpiresAt: c.Now.Add(30 * 24 * time.Hour)}, c.Now)
	if err == nil && outcome != grant.Redeemed {
		return fmt.Errorf("the code was not redeemed: %d", outcome)
	}
	return err
}

func refresh(ctx context.Context, d *database) error {
	now := d.db.Clock().Now()
	k, err := d.tenant.Grant(ctx, fmt.Sprintf("gra_%07d", 1+d.random.IntN(d.sessions)), "token")
	if err != nil {
		return err
	}
	c := k.Case(grant.Refresh, d.client)
	c.Now, c.Connector = now, &grant.Connector{ID: connectorID}
	may, err := grant.Decide(c)
	if err != nil {
		return err
	}
	rotated, err := d.tenant.Rotate(ctx, may, k.Family.Generation, now.Add(24*time.Hour), now)
	if err == nil && !rotated {
		return fmt.Errorf("the grant %s was not rotated", k.Authorization.ID)
	}
	return err
}

// search looks for somebody, and wants to see so many at the least.
func (d *database) search(ctx context.Context, text string, least int) error {
	found, _, err := d.tenant.Users(ctx, user.Filter{Text: text}, "", pageSize)
	if err == nil && len(found) < least {
		return fmt.Errorf("%q was found %d times, not %d", text, len(found), least)
	}
	return err
}

// somesurname is that of somebody.
func (d *database) somesurname() string { return surnameOf(1 + d.random.IntN(d.users)) }

// surnameOf is the surname of the nth copy.
func surnameOf(n int) string { return inLetters(4096 + n%1000) }

// givenOf is its given name.
func givenOf(n int) string { return inLetters(256 + n%50) }

func inLetters(n int) string {
	return strings.NewReplacer(pairs(digits, letters)...).Replace(strconv.FormatInt(int64(n), 16))
}

// pairs puts the letters of two texts side by side.
func pairs(from, to string) (all []string) {
	for i := range from {
		all = append(all, from[i:i+1], to[i:i+1])
	}
	return all
}

func (d *database) pageOfUsers(ctx context.Context, after string) error {
	found, _, err := d.tenant.Users(ctx, user.Filter{}, after, pageSize)
	if err == nil && len(found) != pageSize {
		return fmt.Errorf("a page of users has %d, not %d", len(found), pageSize)
	}
	return err
}

func (d *database) pageOfClients(ctx context.Context, after string) error {
	found, err := d.tenant.Clients(ctx, client.Filter{}, after, pageSize)
	if err == nil && len(found) != pageSize {
		return fmt.Errorf("a page of clients has %d, not %d", len(found), pageSize)
	}
	return err
}

// follow goes along the lists, from cursor to cursor, to where the deep pages begin.
// The pages on the way are large ones.
func (d *database) follow(ctx context.Context) error {
	for left := (min(d.users, 10_000*pageSize)/pageSize - 1) * pageSize; left > 0; {
		found, next, err := d.tenant.Users(ctx, user.Filter{}, d.deep["users"], min(left, 10_000))
		if err != nil {
			return err
		}
		d.deep["users"], left = next, left-len(found)
	}
	for left := (d.clients/pageSize - 1) * pageSize; left > 0; {
		found, err := d.tenant.Clients(ctx, client.Filter{}, d.deep["clients"], min(left, 1000))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("the list of clients ended %d too early", left)
		}
		d.deep["clients"], left = found[len(found)-1].ID, left-len(found)
	}
	return nil
}
