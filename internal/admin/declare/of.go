package declare

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"dex/internal/base/strict"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// ClientOf declares a client as it is. Its secrets are hashed, so that there is
// nothing of them to tell but that there are some.
func ClientOf(c client.Client) (Client, error) {
	d := Client{
		ID: c.ID, Name: c.Name, Profile: string(c.Profile),
		Public: c.Public, Native: c.Native, Trusted: c.Trusted,
		AuthMethod:   string(c.AuthMethod),
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		AllowedOrigins: c.AllowedOrigins, GrantTypes: c.GrantTypes, Scopes: c.Scopes,
		TrustedPeers: c.TrustedPeers, Connectors: c.Connectors, Groups: c.Groups, NativeSSOGroup: c.NativeSSOGroup,
		IDTokenAlg:        string(c.IDTokenAlg),
		AccessTokenFormat: string(c.AccessTokenFormat),
		AccessTokenTTL:    c.AccessTTL, IDTokenTTL: c.IDTTL,
		PolicyURL: c.PolicyURL, TermsURL: c.TermsURL, Disabled: c.Disabled,
		AuthSigningAlg: string(c.AuthAlg), JWKSURI: c.JWKSURI,
		TLSSubjectDN: c.TLSAuth.SubjectDN, TLSSANDNS: c.TLSAuth.SANDNS, TLSSANURI: c.TLSAuth.SANURI,
		TLSSANIP: c.TLSAuth.SANIP, TLSSANEmail: c.TLSAuth.SANEmail,
		RequestURIs: c.RequestURIs, Resources: c.Resources, AuthorizationDetailsTypes: c.DetailsTypes,
		RequireSignedRequest: c.RequireSignedRequest, CertificateBoundTokens: c.CertificateBound, DPoPBoundTokens: c.DPoPBound,
		SubjectType: string(c.SubjectType), SectorIdentifierURI: c.SectorURI,
		IDTokenEncryptionAlg: string(c.IDTokenEncryption.Alg), IDTokenEncryptionEnc: string(c.IDTokenEncryption.Enc),
		UserinfoAlg: string(c.UserinfoAlg), UserinfoEncryptionAlg: string(c.UserinfoEncryption.Alg), UserinfoEncryptionEnc: string(c.UserinfoEncryption.Enc),
		RequestObjectAlg: string(c.RequestObjectAlg), RequestObjectEncryptionAlg: string(c.RequestObjectEncryption.Alg), RequestObjectEncryptionEnc: string(c.RequestObjectEncryption.Enc),
		ResponseAlg: string(c.ResponseAlg), ResponseEncryptionAlg: string(c.ResponseEncryption.Alg), ResponseEncryptionEnc: string(c.ResponseEncryption.Enc),
		IntrospectionAlg: string(c.IntrospectionAlg), IntrospectionEncryptionAlg: string(c.IntrospectionEncryption.Alg), IntrospectionEncryptionEnc: string(c.IntrospectionEncryption.Enc),
		RequireAuthTime: c.RequireAuthTime, DefaultACRValues: c.DefaultACR, InitiateLoginURI: c.InitiateLoginURI,
		FrontchannelLogoutURI: c.FrontchannelLogoutURI, FrontchannelLogoutSessionRequired: c.FrontchannelLogoutSession,
		BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelLogoutSessionRequired: c.BackchannelLogoutSession,
		CIBAMode: c.Backchannel.Mode, CIBANotificationEndpoint: c.Backchannel.Endpoint, CIBARequestAlg: string(c.Backchannel.RequestAlg),
		LogoURL: c.LogoURL, HomeURL: c.HomeURL, Contacts: c.Contacts,
		SoftwareID: c.SoftwareID, SoftwareVersion: c.SoftwareVersion,
	}
	for _, a := range c.IDJAGAudiences {
		d.IDJAGAudiences = append(d.IDJAGAudiences, IDJAGAudience{Issuer: a.Issuer, ClientID: a.ClientID, Scopes: a.Scopes})
	}
	for _, t := range c.ResponseTypes {
		d.ResponseTypes = append(d.ResponseTypes, string(t))
	}
	if c.DefaultMaxAge != nil {
		d.DefaultMaxAge = new(c.DefaultMaxAge.Duration())
	}
	if c.RequirePAR != c.Profile.Demands().PAR {
		d.RequirePAR = new(c.RequirePAR)
	}
	// What anybody would have filled in is left out.
	if d.Name == d.ID {
		d.Name = ""
	}
	if c.AuthMethod == oauth.AuthMethod(authMethod(c.Public, len(c.Secrets) > 0, len(c.Keys) > 0 || c.JWKSURI != "")) {
		d.AuthMethod = ""
	}
	if slices.Equal(c.Scopes, usualScopes) {
		d.Scopes = nil
	}
	if c.RequirePKCE != usualPKCE(d.Profile, c.Public) {
		d.RequirePKCE = new(c.RequirePKCE)
	}
	if c.RefreshGrace != 0 {
		d.RefreshGrace = new(max(c.RefreshGrace, 0))
	}
	switch n := len(c.Secrets); {
	case n == 1:
		d.withheld = []string{"secret"}
	case n > 1:
		d.withheld = []string{fmt.Sprintf("secrets (%d)", n)}
	}
	if len(c.Keys)+len(c.EncryptionKeys) == 0 {
		return d, nil
	}
	keys, err := jose.MarshalForeignJWKS(c.Keys, c.EncryptionKeys)
	d.JWKS = keys
	return d, err
}

// ConnectorOf declares a connector as it is, without what its kind says is secret.
// Of a kind that nobody knows no setting is told.
func ConnectorOf(c connector.Configured, kinds []connector.Kind) (Connector, error) {
	d := Connector{
		ID: c.ID, Kind: c.Kind, Name: c.Name, Disabled: c.Disabled, AuthoritativeDomains: c.Policy.AuthoritativeFor,
	}
	if d.Name == d.ID {
		d.Name = ""
	}
	if len(c.Config) == 0 {
		return d, nil
	}
	i := slices.IndexFunc(kinds, func(k connector.Kind) bool { return k.Name == c.Kind })
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(c.Config, &settings); err != nil || i < 0 {
		d.withheld = []string{"config"}
		return d, err
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if slices.Contains(kinds[i].Secrets, name) {
			delete(settings, name)
			d.withheld = append(d.withheld, "config."+name)
		}
	}
	text, err := json.Marshal(settings)
	if len(settings) > 0 {
		d.Config, d.told = text, true
	}
	return d, err
}

// UserOf declares somebody as they are: the account, what our own table of passwords
// says of them, and whether it has a password.
func UserOf(u user.User, p user.Profile, password bool) User {
	d := User{
		ID: u.ID, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name,
		GivenName: p.GivenName, FamilyName: p.FamilyName, PreferredUsername: p.PreferredUsername,
		MiddleName: p.MiddleName, Nickname: p.Nickname, ProfileURL: p.ProfileURL, Website: p.Website, Gender: p.Gender,
		Birthdate: p.Birthdate, ZoneInfo: p.ZoneInfo, Phone: p.Phone, PhoneVerified: p.PhoneVerified, Address: Address(p.Address),
		Picture: p.Picture, Locale: p.Locale, Groups: p.Groups, Role: u.Role, Disabled: u.Disabled,
	}
	if d.Username == d.Email {
		d.Username = ""
	}
	if password {
		d.withheld = []string{"password_hash"}
	}
	return d
}

// Withheld implements [strict.Reserved]. The keys of a client are public.
func (c Client) Withheld() ([]string, bool) { return c.withheld, true }

// Withheld implements [strict.Reserved]. What was read from a file may hold secrets.
func (c Connector) Withheld() ([]string, bool) { return c.withheld, c.told }

// Withheld implements [strict.Reserved].
func (u User) Withheld() ([]string, bool) { return u.withheld, true }

// MarshalJSON writes what is told, under the names that are read.
func (c Client) MarshalJSON() ([]byte, error) { return strict.Show{}.JSON(c) }

// MarshalJSON writes what is told, under the names that are read.
func (c Connector) MarshalJSON() ([]byte, error) { return strict.Show{}.JSON(c) }

// MarshalJSON writes what is told, under the names that are read.
func (u User) MarshalJSON() ([]byte, error) { return strict.Show{}.JSON(u) }

// MarshalJSON writes the group under the names that are read.
func (g Group) MarshalJSON() ([]byte, error) { return strict.Show{}.JSON(g) }

// UnmarshalJSON reads what a server has told, which may be newer than we are.
func (c *Client) UnmarshalJSON(data []byte) error { return hear(data, c) }

// UnmarshalJSON reads what a server has told, which may be newer than we are.
func (c *Connector) UnmarshalJSON(data []byte) error {
	defer func() { c.told = true }()
	return hear(data, c)
}

// UnmarshalJSON reads what a server has told, which may be newer than we are.
func (u *User) UnmarshalJSON(data []byte) error { return hear(data, u) }

// UnmarshalJSON reads what a server has told, which may be newer than we are.
func (g *Group) UnmarshalJSON(data []byte) error { return hear(data, g) }
