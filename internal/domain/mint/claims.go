// Package mint makes claims and tokens out of an authorization.
package mint

import (
	"cmp"

	"dex/internal/domain/user"
	"dex/internal/protocol/oauth"
)

// Claims are the members of a token or of a userinfo answer.
type Claims map[string]any

// scopeClaims says which claims a scope stands for, OpenID Connect Core section
// 5.4. The groups scope is ours, and everybody's.
var scopeClaims = map[string]func(p user.Profile, c Claims){
	oauth.ScopeProfile: func(p user.Profile, c Claims) {
		c.text("name", p.Name)
		c.text("given_name", p.GivenName)
		c.text("family_name", p.FamilyName)
		c.text("middle_name", p.MiddleName)
		c.text("nickname", p.Nickname)
		c.text("preferred_username", cmp.Or(p.PreferredUsername, p.Username))
		c.text("profile", p.ProfileURL)
		c.text("picture", p.Picture)
		c.text("website", p.Website)
		c.text("gender", p.Gender)
		c.text("birthdate", p.Birthdate)
		c.text("zoneinfo", p.ZoneInfo)
		c.text("locale", p.Locale)
		for name, value := range p.Extra {
			if _, taken := c[name]; !taken && !reserved[name] {
				c[name] = value
			}
		}
	},
	oauth.ScopeEmail: func(p user.Profile, c Claims) {
		if p.Email != "" {
			c["email"] = p.Email
			c["email_verified"] = p.EmailVerified
		}
	},
	oauth.ScopeGroups: func(p user.Profile, c Claims) {
		if len(p.Groups) > 0 {
			c["groups"] = p.Groups
		}
	},
}

// reserved are the claims that only we may make: what a connector maps to one of
// them is left out.
var reserved = map[string]bool{
	"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true, "jti": true, "azp": true,
	"nonce": true, "auth_time": true, "acr": true, "amr": true, "sid": true, "at_hash": true, "c_hash": true,
	"s_hash": true, "cnf": true, "act": true, "may_act": true, "scope": true, "client_id": true, "typ": true,
	"active": true, "token_type": true, "events": true, "gid": true,
	"email": true, "email_verified": true, "groups": true, // these come with scopes of their own
}

// Reserved reports whether a claim may not come from a connector's mapping.
func Reserved(name string) bool { return reserved[name] }

// OfPerson returns the claims about a person that the scopes stand for.
func OfPerson(p user.Profile, scopes oauth.Scopes) Claims {
	c := make(Claims, 8)
	for _, s := range scopes {
		if add, ok := scopeClaims[s]; ok {
			add(p, c)
		}
	}
	return c
}

func (c Claims) text(name, value string) {
	if value != "" {
		c[name] = value
	}
}
