package api

import (
	"context"
	"net/http"

	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/base/route"
	"dex/internal/domain/outbox"
	"dex/internal/domain/role"
	"dex/internal/domain/user"
	"dex/web"
)

// links is how people are let choose a password.
func (s Users) links() Noun {
	const once = "The link works once, and a newer one ends it. Hand it over, or have it mailed. It is not made for somebody who may do more than your token."
	return Noun{
		Handle(Route{
			ID: "invite-user", Method: http.MethodPost, Path: "/users/{user}/invite", Scope: role.Links, Creates: true,
			Summary: "Make a link by which a new user chooses a password", Description: once + " It is good for a week.",
		}, func(ctx context.Context, c *Call, in *linkFor) (*Answer[resource.Link], error) {
			return s.link(ctx, c, in, user.Invite)
		}),
		Handle(Route{
			ID: "reset-password", Method: http.MethodPost, Path: "/users/{user}/reset", Scope: role.Links, Creates: true,
			Summary: "Make a link by which a user chooses another password", Description: once + " It is good for an hour. Until it is used the password stays as it is.",
		}, func(ctx context.Context, c *Call, in *linkFor) (*Answer[resource.Link], error) {
			return s.link(ctx, c, in, user.Reset)
		}),
	}
}

type linkFor struct {
	OfUser
	Body *resource.SendLink
}

func (s Users) link(ctx context.Context, c *Call, in *linkFor, p user.Purpose) (*Answer[resource.Link], error) {
	kept, a, err := s.touched(ctx, c, in.User)
	if err != nil {
		return nil, err
	}
	self, err := kept.Self(ctx)
	if err != nil {
		return nil, err
	}
	l, value := user.NewLink(p, a.ID, c.At)
	address := self.Issuer + route.AccountPassword + "?link=" + string(value)
	out := &Answer[resource.Link]{Body: resource.Link{UserID: a.ID, Purpose: string(p), URL: address, ExpiresAt: l.ExpiresAt}}
	var message *outbox.Message
	if in.Body != nil && in.Body.Mail {
		if message, err = s.letter(a, l, address); err != nil {
			return nil, err
		}
		out.Body.SentTo = a.Email
	}
	by, err := c.Promise(out)
	if err != nil {
		return nil, err
	}
	return out, kept.CreateLink(ctx, l, message, by)
}

// letter is the mail that brings somebody a link.
func (s Users) letter(a user.Account, l user.Link, address string) (*outbox.Message, error) {
	switch {
	case s.Letter == nil:
		return nil, fault.New(fault.Conflict, "No mail server is set up here, so the link cannot be mailed. Hand it over yourself, or set up mail in the configuration of the servers.")
	case a.Email == "":
		return nil, fault.New(fault.Conflict, "The user %q has no mail address.", a.ID)
	}
	var locales []string
	if a.Profile.Locale != "" {
		locales = []string{a.Profile.Locale}
	}
	m, err := s.Letter(web.Letter{
		Kind: web.LetterKind(l.Purpose), To: a.Email, Name: a.Name, URL: address, Valid: l.Purpose.Lifetime(), Until: l.ExpiresAt, Locales: locales,
	})
	if err != nil {
		return nil, fault.Wrap(fault.Conflict, err, "The address of the user %q is none that mail can be sent to.", a.ID)
	}
	body, err := m.Encode()
	return &outbox.Message{Kind: outbox.Mail, Body: body}, err
}
