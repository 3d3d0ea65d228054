// Package mint makes claims and tokens out of an authorization.
package mint

import (
	"cmp"
	"maps"

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
		if !p.UpdatedAt.IsZero() {
			c["updated_at"] = p.UpdatedAt.Unix()
		}
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
	oauth.ScopeAddress: func(p user.Profile, c Claims) {
		if p.Address != (user.Address{}) {
			c["address"] = p.Address
		}
	},
	oauth.ScopePhone: func(p user.Profile, c Claims) {
		if p.Phone != "" {
			c["phone_number"] = p.Phone
			c["phone_number_verified"] = p.PhoneVerified
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
	"s_hash": true, "ds_hash": true, "cnf": true, "act": true, "may_act": true, "scope": true, "client_id": true, "typ": true,
	"active": true, "token_type": true, "events": true, "gid": true,
	"email": true, "email_verified": true, "groups": true, // these come with scopes of their own
	"address": true, "phone_number": true, "phone_number_verified": true, "updated_at": true,
	"_claim_names": true, "_claim_sources": true,
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
	c.elsewhere(p.Sources, func(name string) bool { return scopes.Contains(oauth.ClaimScope(name)) })
	return c
}

// ask adds the claims about a person that a client has asked for by name, as far as it
// may have them: each is good for what its scope is, and a scope that the client may not
// have gives it nothing. A claim that has another value than was asked for is left out.
// OpenID Connect Core section 5.5.
func (c Claims) ask(p user.Profile, asked map[string]*oauth.ClaimRequest, may oauth.Scopes) {
	for name, request := range asked {
		scope := oauth.ClaimScope(name)
		if !may.Contains(scope) {
			continue
		}
		if value, has := OfPerson(p, oauth.Scopes{scope})[name]; has && request.Takes(value) {
			c[name] = value
		}
	}
	c.elsewhere(p.Sources, func(name string) bool {
		_, wanted := asked[name]
		return wanted && may.Contains(oauth.ClaimScope(name))
	})
}

// elsewhere adds where claims about a person are to be found that others make, for those
// that the client may have: OpenID Connect Core section 5.6.2.
func (c Claims) elsewhere(s user.Sources, may func(name string) bool) {
	names, sources := map[string]string{}, map[string]map[string]any{}
	for name, source := range s.Names {
		if _, ours := c[name]; !ours && !reserved[name] && may(name) && s.Of[source] != nil {
			names[name], sources[source] = source, s.Of[source]
		}
	}
	if len(names) == 0 {
		return
	}
	if before, ok := c["_claim_names"].(map[string]string); ok {
		maps.Copy(names, before)
		maps.Copy(sources, c["_claim_sources"].(map[string]map[string]any))
	}
	c["_claim_names"], c["_claim_sources"] = names, sources
}

func (c Claims) text(name, value string) {
	if value != "" {
		c[name] = value
	}
}
