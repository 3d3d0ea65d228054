package declare

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"dex/internal/base/secret"
	"dex/internal/base/strict"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/role"
	"dex/internal/protocol/oauth"
)

// The names that the settings of clients take, so that none is misspelt here.
const (
	grantCode   = "authorization_code"
	grantSelf   = "client_credentials"
	grantAgain  = "refresh_token"
	grantDevice = oauth.GrantDeviceCode
	authBasic   = "client_secret_basic"
	authJWT     = "private_key_jwt"
	authNone    = "none"
	profileOpen = "openid"

	accountPrefix = "usr_" // of every account's id
)

func (c *checker) client(p *part, i int) {
	one, at, f := &p.Clients[i], p.at("clients", i), p.Findings
	switch {
	case one.ID == "":
		f.Add(at+"id", "is not set")
	case !visibleASCII(one.ID, maxName):
		f.Add(at+"id", "must be visible ASCII characters, %d at most", maxName)
	case strings.HasPrefix(one.ID, accountPrefix):
		f.Add(at+"id", "must not begin with %s, as accounts do: a token that the client has for itself names it where others name a person", accountPrefix)
	case audit.IsProgram(one.ID):
		f.Add(at+"id", "must be another: the record of what was done calls a program of ours so")
	case !c.rules.Whole && !addressable(one.ID):
		f.Add(at+"id", unaddressable)
	default:
		c.clients.take(one.ID, owner{p, "clients", i, at + "id"}, "%s has this id")
	}
	if one.Name == "" {
		one.Name = one.ID
	} else if !printable(one.Name) {
		f.Add(at+"name", "must be %d visible characters at most, without spaces around them", maxName)
	}
	if !f.Given(at + "id_token_alg") {
		one.IDTokenAlg = string(client.Profile(one.Profile).Demands().IDTokenAlg())
	}
	c.authentication(one, at, f)
	checkGrants(one, at, f)
	checkURLs(one, at, f)
	c.limits(one, at, f)
	conflicts(one, at, f)
	c.exist(one.Connectors, c.connectors, at+"connectors", "connector", f)
}

// gatherSecrets puts all secrets of a client into one list.
func gatherSecrets(c *Client, at string, f *strict.Findings) {
	path := func(i int) string { return fmt.Sprintf("%ssecrets[%d]", at, i) }
	switch {
	case !f.Given(at + "secret"):
	case f.Given(at + "secrets"):
		f.Add(at+"secrets", "contradicts secret: write them all under secrets")
	default:
		c.Secrets, c.Secret = []secret.Value{c.Secret}, ""
		path = func(int) string { return at + "secret" }
	}
	for i, one := range c.Secrets {
		switch {
		case one == "":
			f.Add(path(i), "must not be empty")
		case !visibleASCII(strings.ReplaceAll(string(one), " ", "_"), oauth.MaxSecret):
			// RFC 6749, appendix A.2, has no room for anything else.
			f.Add(path(i), "must be ASCII characters, %d at most, without line breaks", oauth.MaxSecret)
		}
	}
}

// authentication looks at how a client proves who it is, and fills in its
// method.
func (c *checker) authentication(of *Client, at string, f *strict.Findings) {
	gatherSecrets(of, at, f)
	hasSecret, hasKeys := len(of.Secrets) > 0, f.Given(at+"jwks") && !onlyEncrypts(of.JWKS) || of.JWKSURI != ""
	if !f.Given(at + "auth_method") {
		of.AuthMethod = authMethod(of.Public, hasSecret, hasKeys)
	}
	switch {
	case of.Public && hasSecret:
		f.Add(at+"public", "contradicts its secret: whoever has a public client has all that is in it")
	case of.Public || of.AuthMethod == authNone:
	case of.AuthMethod == authJWT && hasSecret:
		f.Add(at+"auth_method", "is private_key_jwt, so that the secret would serve nobody: take it out")
	case oauth.AuthMethod(of.AuthMethod).BySecret() && !hasSecret && c.rules.Whole:
		f.Add(at+"secret", "is not set; give the client one, or jwks, or public: true")
	}
	if len(of.JWKS) > 0 {
		if err := validKeySet(of.JWKS); err != nil {
			f.Add(at+"jwks", "%s", err)
		}
	}
}

// onlyEncrypts reports whether all keys of a set are to encrypt to, so that nobody
// proves anything with them.
func onlyEncrypts(set strict.Object) bool {
	keys, encryption, err := client.ParseKeys(set)
	return err == nil && len(keys) == 0 && len(encryption) > 0
}

// authMethod is how a client that says nothing of it proves who it is.
func authMethod(public, hasSecret, hasKeys bool) string {
	switch {
	case public:
		return authNone
	case hasKeys && !hasSecret:
		return authJWT
	default:
		return authBasic
	}
}

// privateMembers are the parts of a JWK that nobody but its owner may have
// (RFC 7518, 6.2.2, 6.3.2 and 6.4.1).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// validKeySet says what is wrong with the public keys of a client.
func validKeySet(text strict.Object) error {
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) == 0 {
		return errors.New("must be a JWK Set: a list of keys under keys")
	}
	for i, key := range set.Keys {
		for _, member := range privateMembers {
			if _, private := key[member]; private {
				return fmt.Errorf("keys[%d] holds a private or symmetric key (%q): only the public part belongs here, and this one is no secret any more", i, member)
			}
		}
	}
	keys, encryption, err := client.ParseKeys(text)
	if n := len(keys) + len(encryption); err != nil || n < len(set.Keys) {
		return fmt.Errorf("holds keys that cannot be used: RSA of 2048 bits or more, P-256, P-384, P-521 and Ed25519 can (%d of %d)", n, len(set.Keys))
	}
	return nil
}

func checkGrants(c *Client, at string, f *strict.Findings) {
	if len(c.GrantTypes) == 0 {
		f.Add(at+"grant_types", "is empty, so that the client could do nothing")
	}
	if again, ok := Duplicate(c.GrantTypes); ok {
		f.Add(fmt.Sprintf("%sgrant_types[%d]", at, again), "stands there twice")
	}
}

// conflicts notes what of a client contradicts the rest of it. They are told of one
// that can be read: in another they may be of a mistake's making.
func conflicts(c *Client, at string, f *strict.Findings) {
	made, err := c.Make()
	if err != nil {
		return // the keys, of which it is told already
	}
	for _, one := range client.Conflicts(made) {
		f.Add(at+one.Place(), "%s", one.Because)
	}
}

// checkURLs looks at the addresses that browsers are sent to, or come from.
func checkURLs(c *Client, at string, f *strict.Findings) {
	for _, list := range []struct {
		name string
		uris []string
	}{{"redirect_uris", c.RedirectURIs}, {"post_logout_redirect_uris", c.PostLogoutRedirectURIs}} {
		for i, uri := range list.uris {
			if err := oauth.ValidateRedirectURI(uri, c.Native); err != nil {
				f.Add(fmt.Sprintf("%s%s[%d]", at, list.name, i), "%s", err)
			}
		}
		if again, ok := Duplicate(list.uris); ok {
			f.Add(fmt.Sprintf("%s%s[%d]", at, list.name, again), "stands there twice")
		}
	}
	for i, origin := range c.AllowedOrigins {
		if u, err := url.Parse(origin); err != nil || !webURL(origin) || origin != u.Scheme+"://"+strings.ToLower(u.Host) {
			f.Add(fmt.Sprintf("%sallowed_origins[%d]", at, i), "must be an origin: scheme, host and port in small letters, nothing after them, such as https://app.example.com")
		}
	}
}

// limits looks at who may use a client, for what, and for how long.
func (c *checker) limits(of *Client, at string, f *strict.Findings) {
	// A list that restricts and has become empty would suddenly permit all.
	for _, list := range []struct {
		name string
		n    int
	}{{"scopes", len(of.Scopes)}, {"connectors", len(of.Connectors)}, {"groups", len(of.Groups)}} {
		if list.n == 0 && f.Given(at+list.name) {
			f.Add(at+list.name, "is empty; leave it out to restrict nothing")
		}
	}
	for i, scope := range of.Scopes {
		if !visibleASCII(scope, maxName) || strings.ContainsAny(scope, `"\`) {
			f.Add(fmt.Sprintf("%sscopes[%d]", at, i), "must be one scope: visible ASCII characters other than \" and \\")
		} else if err := administrative(scope, of.Trusted); err != nil {
			f.Add(fmt.Sprintf("%sscopes[%d]", at, i), "%s", err)
		}
	}
	if len(of.Scopes) > 0 && slices.Contains(of.GrantTypes, grantCode) && !slices.Contains(of.Scopes, "openid") {
		f.Add(at+"scopes", "must include openid, without which nobody can log in")
	}
	switch {
	case c.rules.Algorithms == nil, slices.Contains(c.rules.Algorithms, of.IDTokenAlg), f.Flawed(at + "id_token_alg"):
	case f.Given(at + "id_token_alg"):
		f.Add(at+"id_token_alg", "is %s, which is not in keys.algorithms", of.IDTokenAlg)
	default:
		f.Add(at+"id_token_alg", "is not set, and its default %s is not in keys.algorithms", of.IDTokenAlg)
	}
	for _, ttl := range []struct {
		name  string
		value time.Duration
	}{{"access_token_ttl", of.AccessTokenTTL}, {"id_token_ttl", of.IDTokenTTL}} {
		if ttl.value == 0 && f.Given(at+ttl.name) {
			f.Add(at+ttl.name, "must be 1s at least")
		}
	}
	if of.RefreshGrace != nil && *of.RefreshGrace > MaxGrace {
		f.Add(at+"refresh_grace", "must be %s at most", strict.FormatDuration(MaxGrace))
	}
}

// administrative says why a client may not ask for a scope of the administrators'
// API, if it is one.
func administrative(scope string, trusted bool) error {
	switch {
	case !role.IsAdministrative(scope):
		return nil
	case !role.All().Contains(scope):
		if meant := strict.Suggest(scope, role.All()); meant != "" {
			return fmt.Errorf("the administrators' API has no such scope; did you mean %q?", meant)
		}
		return errors.New("the administrators' API has no such scope")
	case !trusted:
		return errors.New("is of the administrators' API, which only a client with trusted: true may ask for")
	}
	return nil
}

// exist notes the ids in a list that nothing has, if what is read is all that there
// is.
func (c *checker) exist(ids []string, known taken, at, noun string, f *strict.Findings) {
	for i, id := range ids {
		if _, ok := known[id]; ok || !c.rules.Whole {
			continue
		}
		var meant string
		if !f.Full() {
			meant = strict.Suggest(id, slices.Sorted(maps.Keys(known)))
		}
		if meant != "" {
			f.Add(fmt.Sprintf("%s[%d]", at, i), "there is no %s %q; did you mean %q?", noun, id, meant)
		} else {
			f.Add(fmt.Sprintf("%s[%d]", at, i), "there is no %s %q", noun, id)
		}
	}
}
