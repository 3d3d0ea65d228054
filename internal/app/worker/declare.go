package worker

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"dex/internal/app/config"
	"dex/internal/connector"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// declare makes what the configuration declares stand in the database. If that is
// what it has declared before, nothing is read or written.
func (w *Worker) declare(ctx context.Context, t *store.Tenant, now time.Time) error {
	d := store.Declared{Digest: w.digest()}
	if applied, err := t.Applied(ctx, d.Digest); applied || err != nil {
		return err
	}
	for _, c := range w.settings.Clients {
		made, err := makeClient(c)
		if err != nil {
			return fmt.Errorf("client %s: %w", c.ID, err)
		}
		d.Clients = append(d.Clients, made)
	}
	for _, c := range w.settings.Connectors {
		d.Connectors = append(d.Connectors, makeConnector(c))
	}
	var err error
	if d.Users, err = w.makeUsers(ctx); err != nil {
		return err
	}
	changed, err := t.Apply(ctx, d, now)
	if changed {
		w.log.Info("the configuration has been applied", "clients", len(d.Clients), "connectors", len(d.Connectors), "users", len(d.Users))
	}
	return err
}

// digest names what the configuration declares, without giving any of it away: it
// is made under the key secrets.
func (w *Worker) digest() string {
	parts := []string{"declared 1"}
	add := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte(err.Error()) // of a settings type that cannot be encoded: then nothing is ever the same
		}
		parts = append(parts, string(text))
	}
	// Secrets and free-form sections keep themselves out of what is encoded.
	for _, c := range w.settings.Clients {
		add(c)
		parts = append(parts, string(c.JWKS))
		for _, s := range c.Secrets {
			parts = append(parts, string(s))
		}
	}
	for _, c := range w.settings.Connectors {
		add(c)
		parts = append(parts, string(c.Config))
	}
	for _, u := range w.settings.Users {
		add(u)
		parts = append(parts, string(u.PasswordHash), string(u.Password))
	}
	sum := w.keys.MACKey("declared").Sum(parts...)
	return hex.EncodeToString(sum[:])
}

func makeClient(c config.Client) (client.Client, error) {
	made := client.Client{
		ID: c.ID, Name: c.Name, Profile: client.Profile(c.Profile),
		Public: c.Public, Native: c.Native, Trusted: c.Trusted,
		AuthMethod:   oauth.AuthMethod(c.AuthMethod),
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs,
		AllowedOrigins: c.AllowedOrigins, GrantTypes: c.GrantTypes, Scopes: c.Scopes,
		TrustedPeers: c.TrustedPeers, Connectors: c.Connectors, Groups: c.Groups,
		RequirePKCE: c.RequirePKCE == nil || *c.RequirePKCE,
		ScopeClaims: c.Profile != string(client.OpenID),
		IDTokenAlg:  jose.Algorithm(c.IDTokenAlg),
		AccessTTL:   c.AccessTokenTTL, IDTTL: c.IDTokenTTL,
		PolicyURL: c.PolicyURL, TermsURL: c.TermsURL, Disabled: c.Disabled,
	}
	if len(made.Scopes) == 0 {
		made.Scopes = oauth.Scopes{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail, oauth.ScopeGroups, oauth.ScopeOffline}
	}
	if made.Profile == client.OpenID && c.RequirePKCE == nil {
		made.RequirePKCE = c.Public
	}
	if grace := c.RefreshGrace; grace != nil {
		if made.RefreshGrace = *grace; *grace == 0 {
			made.RefreshGrace = -1 // none at all, which zero does not say
		}
	}
	for _, s := range c.Secrets {
		made.Secrets = append(made.Secrets, s.Hash())
	}
	if len(c.JWKS) == 0 {
		return made, nil
	}
	var err error
	made.Keys, err = jose.ParseJWKS([]byte(c.JWKS))
	return made, err
}

func makeConnector(c config.Connector) connector.Configured {
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

// makeUsers makes the declared users. Passwords in clear are hashed, as many at
// once as the hasher allows.
func (w *Worker) makeUsers(ctx context.Context) ([]store.DeclaredUser, error) {
	connectorID := w.localConnector()
	users := make([]store.DeclaredUser, len(w.settings.Users))
	hashing, ctx := errgroup.WithContext(ctx)
	hashing.SetLimit(4)
	for i, u := range w.settings.Users {
		made := &users[i]
		made.ConnectorID = connectorID
		made.User = user.User{
			ID: userID(u), Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified,
			Name: u.Name, Disabled: u.Disabled,
		}
		made.Profile = user.Profile{
			Username: u.Username, Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName,
			PreferredUsername: u.PreferredUsername, Picture: u.Picture, Locale: u.Locale,
			Email: u.Email, EmailVerified: u.EmailVerified, Groups: u.Groups,
		}
		made.PasswordHash = string(u.PasswordHash)
		for _, name := range []string{u.Username, u.Email} {
			if name == "" {
				continue
			}
			canonical, err := credential.Canonical(name)
			if err != nil {
				return nil, fmt.Errorf("user %s: %w", name, err)
			}
			made.LoginNames = append(made.LoginNames, canonical)
		}
		if u.Password == "" {
			continue
		}
		hashing.Go(func() (err error) {
			made.PasswordHash, err = w.hasher.Hash(ctx, string(u.Password))
			return err
		})
	}
	return users, hashing.Wait()
}

// localConnector returns the connector that the declared users log in by.
func (w *Worker) localConnector() string {
	for _, c := range w.settings.Connectors {
		if c.Kind == "local" {
			return c.ID
		}
	}
	return "local"
}

// userID returns the stable id of a declared user. Without one of their own it
// follows from the user name, so that every worker knows them by the same.
func userID(u config.User) string {
	if u.ID != "" {
		return "usr_" + strings.TrimPrefix(u.ID, "usr_")
	}
	sum := sha256.Sum256([]byte("declared user\x00" + u.Username))
	return "usr_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26])
}
