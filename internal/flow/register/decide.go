package register

import (
	"crypto"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"dex/internal/domain/client"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// What clients that register themselves may have where the tenant says nothing.
var (
	usualScopes = oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, "address", "phone", oauth.ScopeOffline}
	usualGrants = []string{client.AuthorizationCode, client.RefreshToken, "implicit"}
)

// decide makes the client of what it says of itself, or says why there is none. It looks
// at nothing else, so that a change is judged as a registration is.
func decide(said map[string]json.RawMessage, policy tenant.Registration, offer client.Offer) (client.Client, error) {
	profile := client.Profile(policy.Profile)
	if profile == "" {
		profile = client.Standard
	}
	d := profile.Demands()
	c := client.Client{
		Profile: profile, SelfRegistered: true,
		AuthMethod: oauth.AuthSecretBasic, GrantTypes: []string{client.AuthorizationCode},
		RequirePKCE: d.PKCE, ScopeClaims: d.ScopeClaims, IDTokenAlg: d.IDTokenAlg(),
	}
	if !slices.Contains(d.AuthMethods, c.AuthMethod) {
		c.AuthMethod = d.AuthMethods[0]
	}
	c, err := client.ReadMetadata(said, offer, c)
	if misfit, ok := errors.AsType[*client.Misfit](err); ok {
		return c, wrong(misfit.Name, misfit.Because)
	}
	if err != nil {
		return c, err
	}
	c.Public = c.AuthMethod == oauth.AuthNone
	c.RequirePKCE = c.RequirePKCE || c.Public
	c.RequirePAR = c.RequirePAR || d.PAR
	if len(c.ResponseTypes) == 0 && c.May(client.AuthorizationCode) {
		c.ResponseTypes = []oauth.ResponseType{oauth.ResponseTypeCode}
	}
	if err := within(&c, policy); err != nil {
		return c, err
	}
	if err := checkURIs(c); err != nil {
		return c, err
	}
	if err := checkWords(c); err != nil {
		return c, err
	}
	if found := client.Conflicts(c); len(found) > 0 {
		return c, wrong(client.NameOf(found[0].Setting), plainly(found[0].Because))
	}
	return c, nil
}

// within holds a client to what the tenant lets such clients have. Scopes that it may not
// have it does not get, RFC 7591 section 2; without another grant type it would not work,
// and so it is told.
func within(c *client.Client, policy tenant.Registration) error {
	grants, scopes := usualGrants, usualScopes
	if len(policy.GrantTypes) > 0 {
		grants = policy.GrantTypes
	}
	if len(policy.Scopes) > 0 {
		scopes = policy.Scopes
	}
	if len(c.GrantTypes) == 0 {
		return wrong("grant_types", "is empty, so that the client could do nothing")
	}
	for _, t := range c.GrantTypes {
		if !slices.Contains(grants, t) {
			return wrong("grant_types", t+" is not for clients that register themselves here")
		}
	}
	asked := c.Scopes
	if len(asked) == 0 {
		asked = scopes
	}
	c.Scopes = nil
	for _, s := range asked {
		if scopes.Contains(s) && !role.IsAdministrative(s) && !c.Scopes.Contains(s) {
			c.Scopes = append(c.Scopes, s)
		}
	}
	if len(c.Scopes) == 0 {
		return wrong("scope", "has none that clients may have which register themselves here")
	}
	return nil
}

// checkURIs looks at where browsers are sent. A web application that gets tokens in the
// address must be where nobody else reads it: OpenID Connect Registration section 2.
func checkURIs(c client.Client) error {
	if slices.Contains(c.RedirectURIs, "") || len(c.RedirectURIs) > maxURIs {
		return oauth.Errorf(oauth.InvalidRedirectURI, "There are %d redirect URIs at most.", maxURIs)
	}
	for _, uri := range c.RedirectURIs {
		if err := oauth.ValidateRedirectURI(uri, c.Native); err != nil {
			return oauth.Wrap(oauth.InvalidRedirectURI, err, "A redirect URI cannot be used: %s.", err)
		}
		if !c.Native && c.May("implicit") && !strings.HasPrefix(uri, "https:") {
			return oauth.Errorf(oauth.InvalidRedirectURI, "A web application with the grant type implicit has https redirect URIs.")
		}
	}
	for _, uri := range c.PostLogoutRedirectURIs {
		if err := oauth.ValidateRedirectURI(uri, c.Native); err != nil || len(c.PostLogoutRedirectURIs) > maxURIs {
			return wrong("post_logout_redirect_uris", "holds one that cannot be used")
		}
	}
	return nil
}

const (
	maxURIs = 50
	maxName = 64  // characters of a name that people read
	maxText = 255 // bytes of any other text
)

// checkWords looks at what people will read: no name of a client's choice looks like
// another's by what cannot be seen.
func checkWords(c client.Client) error {
	if utf8.RuneCountInString(c.Name) > maxName || c.Name != strings.TrimSpace(c.Name) || strings.ContainsFunc(c.Name, unseen) {
		return wrong("client_name", "must be visible characters, 64 at most, without spaces around them")
	}
	for _, one := range append([]string{c.SoftwareID, c.SoftwareVersion, c.TLSAuth.SubjectDN, c.TLSAuth.SANDNS, c.TLSAuth.SANURI, c.TLSAuth.SANIP, c.TLSAuth.SANEmail}, c.Contacts...) {
		if len(one) > maxText || strings.ContainsFunc(one, unseen) {
			return oauth.Errorf(oauth.InvalidClientMetadata, "A text has more than %d bytes, or characters that cannot be seen.", maxText)
		}
	}
	for _, uri := range append([]string{c.LogoURL, c.HomeURL, c.PolicyURL, c.TermsURL, c.JWKSURI, c.SectorURI, c.InitiateLoginURI, c.FrontchannelLogoutURI, c.BackchannelLogoutURI, c.Backchannel.Endpoint}, c.RequestURIs...) {
		if len(uri) > oauth.MaxRedirectURI {
			return oauth.Errorf(oauth.InvalidClientMetadata, "A URI has more than %d characters.", oauth.MaxRedirectURI)
		}
	}
	if len(c.Contacts) > maxURIs || len(c.RequestURIs) > maxURIs || len(c.DefaultACR) > maxURIs {
		return oauth.Errorf(oauth.InvalidClientMetadata, "A list has more than %d items.", maxURIs)
	}
	return nil
}

// unseen reports whether a character is none that one sees: control characters, those
// that turn the direction of a text, and those without width.
func unseen(r rune) bool {
	return r == utf8.RuneError || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

// wrong is the error of metadata that cannot be registered.
func wrong(name, because string) *oauth.Error {
	code := oauth.InvalidClientMetadata
	if name == "redirect_uris" {
		code = oauth.InvalidRedirectURI
	}
	return oauth.Errorf(code, "%s %s.", name, because)
}

// statementSkew is how far the clock of whoever states something may be ahead.
const statementSkew = time.Minute

// statementAlgs are those of software statements.
var statementAlgs = []jose.Algorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA}

// vouch puts what a software statement says in the place of what the client says, RFC
// 7591 section 2.3. A statement of somebody whose word does not count here is refused,
// and not passed over: who sends one means to be more than it would be without.
func vouch(said map[string]json.RawMessage, issuers []tenant.StatementIssuer, us string, now time.Time) error {
	raw, ok := said["software_statement"]
	if !ok || string(raw) == "null" {
		return nil
	}
	var statement string
	if json.Unmarshal(raw, &statement) != nil {
		return oauth.Errorf(oauth.InvalidSoftwareStatement, "The software statement must be a JWT.")
	}
	claims, err := jose.UnverifiedClaims(statement)
	if err != nil {
		return oauth.Wrap(oauth.InvalidSoftwareStatement, err, "The software statement must be a JWT.")
	}
	i := slices.IndexFunc(issuers, func(i tenant.StatementIssuer) bool { return i.Issuer == claims.Issuer && i.Issuer != "" })
	if i < 0 {
		return oauth.Errorf(oauth.UnapprovedSoftwareStatement, "The software statement is of nobody whose word counts here.")
	}
	keys, err := jose.ParseJWKS(issuers[i].JWKS)
	if err != nil {
		return err
	}
	payload, _, err := jose.Verify(statement, statementAlgs, []string{"", jose.TypeJWT}, func(kid string, alg jose.Algorithm) (found []crypto.PublicKey) {
		for _, k := range keys {
			if (kid == "" || k.KID == kid) && (k.Alg == "" || k.Alg == alg) {
				found = append(found, k.Public)
			}
		}
		return found
	})
	if err != nil {
		return oauth.Wrap(oauth.InvalidSoftwareStatement, err, "The software statement is not signed by its issuer.")
	}
	// It need not say when it is good, and for whom; what it says, it means.
	switch early := now.Add(statementSkew); {
	case claims.Expiry != 0 && !claims.Expiry.Time().After(now):
		return oauth.Errorf(oauth.InvalidSoftwareStatement, "The software statement has expired.")
	case early.Before(claims.NotBefore.Time()), early.Before(claims.IssuedAt.Time()):
		return oauth.Errorf(oauth.InvalidSoftwareStatement, "The software statement is of the future.")
	case claims.Audience != nil && !slices.Contains(claims.Audience, us):
		return oauth.Errorf(oauth.InvalidSoftwareStatement, "The software statement is for somebody else: its aud must be the issuer.")
	}
	stated, err := parse(payload)
	if err != nil {
		return err
	}
	for name, value := range stated {
		said[name] = value
	}
	return nil
}
