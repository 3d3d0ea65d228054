package register

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

var offer = client.Offer{
	GrantTypes:    []string{client.AuthorizationCode, client.RefreshToken, client.ClientCredentials, "implicit"},
	ResponseTypes: client.OpenID.Demands().ResponseTypes,
	AuthMethods:   client.Standard.Demands().AuthMethods,
	SubjectTypes:  []client.SubjectType{client.SubjectPublic, client.SubjectPairwise},
	Signing:       []jose.Algorithm{jose.RS256, jose.ES256},
}

func wish(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	said, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func TestWhoSaysLittleGetsWhatIsUsual(t *testing.T) {
	c, err := decide(wish(t, `{"redirect_uris": ["https://a.example/cb"]}`), tenant.Registration{}, offer)
	if err != nil || c.Profile != client.Standard || c.AuthMethod != oauth.AuthSecretBasic || !c.RequirePKCE || !c.SelfRegistered || c.Trusted ||
		!slices.Equal(c.GrantTypes, []string{client.AuthorizationCode}) || !slices.Equal(c.ResponseTypes, []oauth.ResponseType{"code"}) ||
		!slices.Equal(c.Scopes, usualScopes) || c.IDTokenAlg != jose.RS256 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWhatATenantLetsClientsHave(t *testing.T) {
	open := tenant.Registration{Profile: "openid"}
	for _, test := range []struct {
		name   string
		policy tenant.Registration
		said   string
		code   oauth.Code // empty if it is well
	}{
		{"all response types", open, `{"redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "implicit"], "response_types": ["code", "id_token token", "code id_token token"]}`, ""},
		{"tokens to a place without TLS", open, `{"redirect_uris": ["http://localhost/cb"], "grant_types": ["implicit"], "response_types": ["id_token"]}`, oauth.InvalidRedirectURI},
		{"a native application on this machine", open, `{"redirect_uris": ["http://127.0.0.1/cb"], "application_type": "native", "token_endpoint_auth_method": "none"}`, ""},
		{"a public client", tenant.Registration{}, `{"redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": "none"}`, ""},
		{"response types of another profile", tenant.Registration{}, `{"redirect_uris": ["https://a.example/cb"], "grant_types": ["authorization_code", "implicit"], "response_types": ["code id_token"]}`, oauth.InvalidClientMetadata},
		{"a grant type that is not let", open, `{"redirect_uris": ["https://a.example/cb"], "grant_types": ["client_credentials"]}`, oauth.InvalidClientMetadata},
		{"a grant type that is let", tenant.Registration{GrantTypes: []string{"client_credentials"}}, `{"grant_types": ["client_credentials"]}`, ""},
		{"no grant type", open, `{"grant_types": []}`, oauth.InvalidClientMetadata},
		{"pairwise subjects of two hosts", open, `{"redirect_uris": ["https://a.example/cb", "https://b.example/cb"], "subject_type": "pairwise"}`, oauth.InvalidClientMetadata},
		{"a secret with FAPI 2", tenant.Registration{Profile: "fapi2"}, `{"redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": "client_secret_basic"}`, oauth.InvalidClientMetadata},
		{"FAPI 2", tenant.Registration{Profile: "fapi2"}, `{"redirect_uris": ["https://a.example/cb"], "dpop_bound_access_tokens": true, "jwks": {"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}`, ""},
	} {
		_, err := decide(wish(t, test.said), test.policy, offer)
		told, _ := errors.AsType[*oauth.Error](err)
		if test.code == "" && err != nil || test.code != "" && (told == nil || told.Code != test.code) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// 1.I 108.
func TestASoftwareStatementCountsOnlyOfWhomTheOperatorBelieves(t *testing.T) {
	key := newKey(t)
	keys, err := jose.MarshalForeignJWKS([]jose.Key{{KID: "k", Alg: jose.EdDSA, Public: key.Public()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	issuers := []tenant.StatementIssuer{{Issuer: "https://vendor.example", JWKS: keys}}
	const us = "https://id.example"
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	state := func(claims map[string]any) map[string]json.RawMessage {
		text, err := jose.Sign(key, jose.EdDSA, "k", jose.TypeJWT, claims)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := json.Marshal(text)
		return map[string]json.RawMessage{"client_name": json.RawMessage(`"mine"`), "software_statement": raw}
	}
	said := state(map[string]any{"iss": "https://vendor.example", "client_name": "theirs", "software_id": "s", "aud": us, "iat": now.Unix(), "nbf": now.Unix()})
	if err := vouch(said, issuers, us, now); err != nil || string(said["client_name"]) != `"theirs"` {
		t.Errorf("%s, %v", said["client_name"], err)
	}
	other := newKey(t)
	forged, _ := jose.Sign(other, jose.EdDSA, "k", jose.TypeJWT, map[string]any{"iss": "https://vendor.example"})
	raw, _ := json.Marshal(forged)
	for name, test := range map[string]struct {
		said map[string]json.RawMessage
		code oauth.Code
	}{
		"of a stranger":     {state(map[string]any{"iss": "https://stranger.example"}), oauth.UnapprovedSoftwareStatement},
		"of nobody":         {state(map[string]any{"client_name": "x"}), oauth.UnapprovedSoftwareStatement},
		"that has expired":  {state(map[string]any{"iss": "https://vendor.example", "exp": now.Unix()}), oauth.InvalidSoftwareStatement},
		"of the future":     {state(map[string]any{"iss": "https://vendor.example", "nbf": now.Add(time.Hour).Unix()}), oauth.InvalidSoftwareStatement},
		"made tomorrow":     {state(map[string]any{"iss": "https://vendor.example", "iat": now.Add(24 * time.Hour).Unix()}), oauth.InvalidSoftwareStatement},
		"for another":       {state(map[string]any{"iss": "https://vendor.example", "aud": "https://other.example"}), oauth.InvalidSoftwareStatement},
		"that is forged":    {map[string]json.RawMessage{"software_statement": raw}, oauth.InvalidSoftwareStatement},
		"that is no JWT":    {map[string]json.RawMessage{"software_statement": json.RawMessage(`"x"`)}, oauth.InvalidSoftwareStatement},
		"that is no string": {map[string]json.RawMessage{"software_statement": json.RawMessage(`{}`)}, oauth.InvalidSoftwareStatement},
	} {
		told, _ := errors.AsType[*oauth.Error](vouch(test.said, issuers, us, now))
		if told == nil || told.Code != test.code {
			t.Errorf("a statement %s: %v", name, told)
		}
	}
}

func TestOnlyAnAddressThatCanBeWrittenInOneWayNamesADocument(t *testing.T) {
	for id, want := range map[string]bool{
		"https://app.example/client.json": true, "https://app.example/a/b": true, "https://app.example:8443/c": true, "https://app.example/c/": true,
		"https://app.example/": false, "https://app.example": false, "http://app.example/c": false, "https://app.example/c#f": false,
		"https://u@app.example/c": false, "https://app.example/../c": false, "https://app.example/./c": false, "https://app.example//c": false,
		"app": false, "": false, "https:///c": false, "https://app.example/a b": false,
	} {
		if isDocument(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"redirect_uris": ["https://a.example/cb"]}`)
	f.Add(`{"redirect_uris": ["javascript:x"], "client_name": "\u202e"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		said, err := parse([]byte(text))
		if err != nil {
			return
		}
		c, err := decide(said, tenant.Registration{Profile: "openid"}, offer)
		if err != nil {
			if _, ok := errors.AsType[*oauth.Error](err); !ok {
				t.Errorf("%v is nothing to tell a client", err)
			}
			return
		}
		if c.Trusted || !c.SelfRegistered || client.Conflicts(c) != nil || len(c.Scopes) == 0 {
			t.Errorf("%+v was taken", c)
		}
	})
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
