package oidc

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"

	"dex/internal/domain/rule"
	"dex/internal/domain/user"
)

// The most of one person that is kept.
const (
	maxText   = 2048 // bytes of a claim that is a text
	maxGroups = 2000
	maxExtra  = 16 << 10 // bytes of all extra claims
)

// protocolClaims are about the token, not about the person.
var protocolClaims = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp", "acr", "amr", "auth_time", "at_hash", "c_hash", "s_hash",
	"sid", "typ", "cnf", "events",
}

// decode reads a JSON object. Unlike encoding/json it takes no member twice, and
// keeps whole numbers whole.
func decode(data []byte) (map[string]any, error) {
	if !stdjson.Valid(data) || !utf8.Valid(data) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.SetNumberType(json.UnmarshalIntOrFloat)
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("not a JSON object")
	}
	return object, nil
}

// personal returns the claims that are about the person.
func personal(claims map[string]any) map[string]any {
	about := make(map[string]any, len(claims))
	for name, value := range claims {
		if !slices.Contains(protocolClaims, name) {
			about[name] = value
		}
	}
	return about
}

// claimsOf returns all that the provider says of the person: the claims of the ID
// token, and what the userinfo endpoint adds.
func (p *provider) claimsOf(ctx context.Context, m metadata, t tokens, subject string, claims map[string]any) (map[string]any, error) {
	if !p.Userinfo || m.UserinfoEndpoint == "" || t.AccessToken == "" {
		return claims, nil
	}
	added, err := p.userinfo(ctx, m, t, subject)
	if err != nil {
		return nil, err
	}
	return merge(claims, added), nil
}

// merge adds claims to those that count more. A mail address and whether it is
// verified stay together: else an address from the one could be taken for verified
// by the word of the other.
func merge(claims, added map[string]any) map[string]any {
	all := personal(added)
	maps.Copy(all, claims)
	from := claims
	if _, has := claims["email"]; !has {
		from = added
	} else if _, has := claims["email_verified"]; !has && sameText(claims["email"], added["email"]) {
		from = added
	}
	delete(all, "email_verified")
	if verified, has := from["email_verified"]; has {
		all["email_verified"] = verified
	}
	return all
}

// sameText reports whether two claims are the same text.
func sameText(a, b any) bool {
	one, ok := a.(string)
	other, ok2 := b.(string)
	return ok && ok2 && one == other
}

// mapping is how claims become a profile, where it is not as usual.
type mapping struct {
	fields map[string]*rule.Rule
	extra  map[string]*rule.Rule
}

// texts are the fields of a profile that are texts, by the claims that they come
// from. OpenID Connect Core, section 5.1.
var texts = map[string]func(*user.Profile) *string{
	"username":           func(p *user.Profile) *string { return &p.Username },
	"name":               func(p *user.Profile) *string { return &p.Name },
	"given_name":         func(p *user.Profile) *string { return &p.GivenName },
	"family_name":        func(p *user.Profile) *string { return &p.FamilyName },
	"middle_name":        func(p *user.Profile) *string { return &p.MiddleName },
	"nickname":           func(p *user.Profile) *string { return &p.Nickname },
	"preferred_username": func(p *user.Profile) *string { return &p.PreferredUsername },
	"profile":            func(p *user.Profile) *string { return &p.ProfileURL },
	"picture":            func(p *user.Profile) *string { return &p.Picture },
	"website":            func(p *user.Profile) *string { return &p.Website },
	"gender":             func(p *user.Profile) *string { return &p.Gender },
	"birthdate":          func(p *user.Profile) *string { return &p.Birthdate },
	"zoneinfo":           func(p *user.Profile) *string { return &p.ZoneInfo },
	"locale":             func(p *user.Profile) *string { return &p.Locale },
	"email":              func(p *user.Profile) *string { return &p.Email },
	"phone_number":       func(p *user.Profile) *string { return &p.Phone },
}

// kindOf returns what an expression for a field results in.
func kindOf(field string) (rule.Kind, bool) {
	switch {
	case texts[field] != nil:
		return rule.String, true
	case field == "email_verified", field == "phone_number_verified":
		return rule.Bool, true
	case field == "groups":
		return rule.Strings, true
	default:
		return 0, false
	}
}

// profile makes a profile of claims. An expression that fails is an error and not
// an empty field: a profile without its groups could be somebody else's.
func (m mapping) profile(ctx context.Context, subject string, claims map[string]any) (user.Profile, error) {
	var p user.Profile
	values := maps.Clone(claims)
	delete(values, "username") // no standard claim; only an expression sets it
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		value, err := m.fields[name].Eval(ctx, claims)
		if err != nil {
			return user.Profile{}, fmt.Errorf("oidc: claims.%s: %w", name, err)
		}
		values[name] = value
	}
	for name, field := range texts {
		if s, ok := values[name].(string); ok && len(s) <= maxText {
			*field(&p) = s
		}
	}
	// What is not exactly true is not verified, and neither is another address than
	// the one that the provider spoke of.
	p.EmailVerified = values["email_verified"] == true &&
		(m.fields["email_verified"] != nil || sameText(values["email"], claims["email"]))
	if email, err := user.ParseEmail(p.Email); err == nil {
		p.Email = email
	} else {
		p.Email, p.EmailVerified = "", false
	}
	for _, name := range []string{p.PreferredUsername, p.Email, subject} {
		if p.Username == "" {
			p.Username = name
		}
	}
	p.PhoneVerified = p.Phone != "" && values["phone_number_verified"] == true &&
		(m.fields["phone_number_verified"] != nil || sameText(values["phone_number"], claims["phone_number"]))
	p.Address, p.Sources = addressOf(claims["address"]), sourcesOf(claims)
	var err error
	if p.Groups, err = groupsOf(values["groups"]); err != nil {
		return user.Profile{}, err
	}
	p.Extra, err = m.extraOf(ctx, claims)
	return p, err
}

// addressOf returns the address out of a claim, OpenID Connect Core section 5.1.1.
func addressOf(claim any) user.Address {
	lines, _ := claim.(map[string]any)
	line := func(name string) string {
		if s, ok := lines[name].(string); ok && len(s) <= maxText {
			return s
		}
		return ""
	}
	return user.Address{
		Formatted: line("formatted"), StreetAddress: line("street_address"), Locality: line("locality"),
		Region: line("region"), PostalCode: line("postal_code"), Country: line("country"),
	}
}

// sourcesOf returns where claims are to be found that others make, OpenID Connect Core
// section 5.6.2, for applications to look: we do not. What is too large to keep is left
// out, all of it.
func sourcesOf(claims map[string]any) user.Sources {
	names, _ := claims["_claim_names"].(map[string]any)
	sources, _ := claims["_claim_sources"].(map[string]any)
	s := user.Sources{Names: map[string]string{}, Of: map[string]map[string]any{}}
	for name, of := range names {
		source, _ := of.(string)
		if about, ok := sources[source].(map[string]any); ok {
			s.Names[name], s.Of[source] = source, about
		}
	}
	if text, err := stdjson.Marshal(s); err != nil || len(text) > maxExtra || len(s.Names) == 0 {
		return user.Sources{}
	}
	return s
}

// groupsOf returns the groups out of a claim, each once. Too many are an error:
// which of them to leave out is not ours to say.
func groupsOf(claim any) ([]string, error) {
	var groups []string
	switch claim := claim.(type) {
	case []string:
		groups = slices.Clone(claim)
	case []any:
		for _, g := range claim {
			if s, ok := g.(string); ok {
				groups = append(groups, s)
			}
		}
	}
	groups = slices.DeleteFunc(groups, func(g string) bool { return g == "" || len(g) > maxText })
	if len(groups) > maxGroups {
		return nil, fmt.Errorf("oidc: the person is in %d groups, and %d is the most; filter them with claims.groups", len(groups), maxGroups)
	}
	seen := make(map[string]bool, len(groups))
	return slices.DeleteFunc(groups, func(g string) bool {
		again := seen[g]
		seen[g] = true
		return again
	}), nil
}

func (m mapping) extraOf(ctx context.Context, claims map[string]any) (map[string]any, error) {
	if len(m.extra) == 0 {
		return nil, nil
	}
	extra := make(map[string]any, len(m.extra))
	for _, name := range slices.Sorted(maps.Keys(m.extra)) {
		value, err := m.extra[name].Eval(ctx, claims)
		if err != nil {
			return nil, fmt.Errorf("oidc: extra.%s: %w", name, err)
		}
		if value != nil {
			extra[name] = value
		}
	}
	if text, err := stdjson.Marshal(extra); err != nil || len(text) > maxExtra {
		return nil, fmt.Errorf("oidc: the extra claims are too large to keep; %d bytes is the most", maxExtra)
	}
	return extra, nil
}

// subject returns the person's subject as we know it.
//
// A subject is the provider's own and means nothing without it, so the issuer is
// part of who somebody is: if the connector is turned to another provider, whoever
// has the same subject there is somebody else. An issuer has no fragment, so the
// two cannot run into each other. OpenID Connect Core, section 5.7.
func (p *provider) subject(sub string) string { return p.Issuer + "#" + sub }

// identity returns the person as we know them.
func (p *provider) identity(ctx context.Context, subject string, claims map[string]any) (user.Identity, error) {
	claims = maps.Clone(claims)
	if claims == nil {
		claims = map[string]any{}
	}
	claims["iss"], claims["sub"] = p.Issuer, subject
	profile, err := p.mapping.profile(ctx, subject, claims)
	if err != nil {
		return user.Identity{}, err
	}
	return user.Identity{
		ConnectorID: p.env.ID,
		Subject:     p.subject(subject),
		Profile:     profile,
		CheckedAt:   p.env.Clock.Now(),
	}, nil
}
