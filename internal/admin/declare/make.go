package declare

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// usualScopes are what a client may ask for that says nothing of it.
var usualScopes = oauth.Scopes{
	oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeAddress, oauth.ScopePhone, oauth.ScopeGroups, oauth.ScopeOffline,
}

// Make makes the client that is declared.
func (c Client) Make() (client.Client, error) {
	made := client.Client{
		ID: c.ID, Name: c.Name, Profile: client.Profile(c.Profile),
		Public: c.Public, Native: c.Native, Trusted: c.Trusted,
		AuthMethod:   oauth.AuthMethod(c.AuthMethod),
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		AllowedOrigins: c.AllowedOrigins, GrantTypes: c.GrantTypes, Scopes: c.Scopes,
		TrustedPeers: c.TrustedPeers, Connectors: c.Connectors, Groups: c.Groups, NativeSSOGroup: c.NativeSSOGroup,
		RequirePKCE:       usualPKCE(c.Profile, c.Public),
		RequirePAR:        client.Profile(c.Profile).Demands().PAR,
		ScopeClaims:       client.Profile(c.Profile).Demands().ScopeClaims,
		IDTokenAlg:        jose.Algorithm(c.IDTokenAlg),
		AccessTokenFormat: client.TokenFormat(c.AccessTokenFormat),
		AccessTTL:         c.AccessTokenTTL, IDTTL: c.IDTokenTTL,
		PolicyURL: c.PolicyURL, TermsURL: c.TermsURL, Disabled: c.Disabled,
		AuthAlg: jose.Algorithm(c.AuthSigningAlg), JWKSURI: c.JWKSURI,
		TLSAuth: client.TLSAuth{
			SubjectDN: c.TLSSubjectDN, SANDNS: c.TLSSANDNS, SANURI: c.TLSSANURI, SANIP: c.TLSSANIP, SANEmail: c.TLSSANEmail,
		},
		RequestURIs: c.RequestURIs, Resources: c.Resources, DetailsTypes: c.AuthorizationDetailsTypes,
		RequireSignedRequest: c.RequireSignedRequest, CertificateBound: c.CertificateBoundTokens, DPoPBound: c.DPoPBoundTokens,
		SubjectType: client.SubjectType(c.SubjectType), SectorURI: c.SectorIdentifierURI,
		IDTokenEncryption:       encryption(c.IDTokenEncryptionAlg, c.IDTokenEncryptionEnc),
		UserinfoAlg:             jose.Algorithm(c.UserinfoAlg),
		UserinfoEncryption:      encryption(c.UserinfoEncryptionAlg, c.UserinfoEncryptionEnc),
		RequestObjectAlg:        jose.Algorithm(c.RequestObjectAlg),
		RequestObjectEncryption: encryption(c.RequestObjectEncryptionAlg, c.RequestObjectEncryptionEnc),
		ResponseAlg:             jose.Algorithm(c.ResponseAlg),
		ResponseEncryption:      encryption(c.ResponseEncryptionAlg, c.ResponseEncryptionEnc),
		IntrospectionAlg:        jose.Algorithm(c.IntrospectionAlg),
		IntrospectionEncryption: encryption(c.IntrospectionEncryptionAlg, c.IntrospectionEncryptionEnc),
		RequireAuthTime:         c.RequireAuthTime, DefaultACR: c.DefaultACRValues, InitiateLoginURI: c.InitiateLoginURI,
		FrontchannelLogoutURI: c.FrontchannelLogoutURI, FrontchannelLogoutSession: c.FrontchannelLogoutSessionRequired,
		BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelLogoutSession: c.BackchannelLogoutSessionRequired,
		Backchannel: client.Backchannel{Mode: c.CIBAMode, Endpoint: c.CIBANotificationEndpoint, RequestAlg: jose.Algorithm(c.CIBARequestAlg)},
		LogoURL:     c.LogoURL, HomeURL: c.HomeURL, Contacts: c.Contacts,
		SoftwareID: c.SoftwareID, SoftwareVersion: c.SoftwareVersion,
	}
	for _, a := range c.IDJAGAudiences {
		made.IDJAGAudiences = append(made.IDJAGAudiences, client.IDJAGAudience{Issuer: a.Issuer, ClientID: a.ClientID, Scopes: a.Scopes})
	}
	for _, t := range c.ResponseTypes {
		made.ResponseTypes = append(made.ResponseTypes, oauth.ResponseType(t))
	}
	if c.DefaultMaxAge != nil {
		made.DefaultMaxAge = new(oauth.Seconds(*c.DefaultMaxAge / time.Second))
	}
	if c.RequirePAR != nil {
		made.RequirePAR = *c.RequirePAR
	}
	if len(made.Scopes) == 0 {
		made.Scopes = slices.Clone(usualScopes)
	}
	if c.RequirePKCE != nil {
		made.RequirePKCE = *c.RequirePKCE
	}
	if grace := c.RefreshGrace; grace != nil {
		if made.RefreshGrace = *grace; *grace == 0 {
			made.RefreshGrace = -1 // none at all, which zero does not say
		}
	}
	for _, s := range c.Secrets {
		made.AddSecret(s)
	}
	if len(c.JWKS) == 0 {
		return made, nil
	}
	var err error
	made.Keys, made.EncryptionKeys, err = client.ParseKeys([]byte(c.JWKS))
	return made, err
}

// usualPKCE says whether PKCE is demanded of a client that says nothing of it.
func usualPKCE(profile string, public bool) bool {
	return public || client.Profile(profile).Demands().PKCE
}

// Make makes the connector that is declared.
func (c Connector) Make() connector.Configured {
	domains := make([]string, len(c.AuthoritativeDomains))
	for i, d := range c.AuthoritativeDomains {
		domains[i] = strings.ToLower(d)
	}
	return connector.Configured{
		ID: c.ID, Kind: c.Kind, Name: c.Name, Disabled: c.Disabled,
		Policy: user.Policy{CreateOnFirstLogin: true, AuthoritativeFor: domains},
		Config: json.RawMessage(c.Config),
	}
}

// Account is somebody as they are declared.
type Account struct {
	User         user.User
	Profile      user.Profile
	LoginNames   []string     // canonical
	PasswordHash string       // in PHC string format; empty if there is none
	Password     secret.Value // in clear, to be hashed; empty if there is none
}

// Make makes the account that is declared.
func (u User) Make() (Account, error) {
	made := Account{
		User: user.User{
			ID: u.accountID(), Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified,
			Name: u.Name, Role: u.Role, Disabled: u.Disabled,
		},
		Profile: user.Profile{
			Username: u.Username, Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName,
			PreferredUsername: u.PreferredUsername, Picture: u.Picture, Locale: u.Locale,
			MiddleName: u.MiddleName, Nickname: u.Nickname, ProfileURL: u.ProfileURL, Website: u.Website, Gender: u.Gender,
			Birthdate: u.Birthdate, ZoneInfo: u.ZoneInfo, Phone: u.Phone, PhoneVerified: u.PhoneVerified, Address: user.Address(u.Address),
			Email: u.Email, EmailVerified: u.EmailVerified, Groups: u.Groups,
		},
		PasswordHash: string(u.PasswordHash), Password: u.Password,
	}
	for _, name := range []string{u.Username, u.Email} {
		if name == "" {
			continue
		}
		canonical, err := credential.Canonical(name)
		if err != nil {
			return Account{}, err
		}
		made.LoginNames = append(made.LoginNames, canonical)
	}
	return made, nil
}

// accountID returns the stable id of a declared user. Without one of their own it
// follows from the user name, so that everybody who reads the declaration knows them
// by the same.
func (u User) accountID() string {
	if u.ID != "" {
		return AccountID(u.ID)
	}
	sum := sha256.Sum256([]byte("declared user\x00" + u.Username))
	return accountPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26])
}

// AccountID returns the id of the account of a user who is declared under an id.
func AccountID(id string) string { return accountPrefix + strings.TrimPrefix(id, accountPrefix) }

func encryption(alg, enc string) client.Encryption {
	return client.Encryption{Alg: jose.KeyManagement(alg), Enc: jose.ContentEncryption(enc)}
}
