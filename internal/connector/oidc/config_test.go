package oidc

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"dex/internal/base/clock"
	"dex/internal/connector"
)

const enough = `"issuer": "https://up.example", "client_id": "dex", "client_secret": "s"`

const oneKey = `{"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k1", "x": "JB2OOGUWFAx7fAMZ95IDEu8WRQYuKJ_DgB8XNR9FQRQ"}]}`

func TestSettingsThatAreRefused(t *testing.T) {
	tests := []struct {
		name, config string
		says         []string
	}{
		{"none", ``, []string{"issuer: is not set", "client_id: is not set", "client_secret: is not set"}},
		{"all mistakes at once", `{"isuer": "x", "scopes": "email", "pkce": "plain"}`, []string{`"isuer": there is no such setting`, "scopes: a string does not fit here", "issuer: is not set", "pkce: must be"}},
		{"in another spelling", `{"Issuer": "https://up.example", "client_id": "dex", "client_secret": "s"}`, []string{`"Issuer": there is no such setting`}},
		{"no object", `[]`, []string{"not a JSON object"}},
		{"an issuer with a query", `{"issuer": "https://up.example?x=y", "client_id": "dex", "client_secret": "s"}`, []string{"issuer: must be a URL"}},
		{"an issuer that is no URL", `{"issuer": "up.example", "client_id": "dex", "client_secret": "s"}`, []string{"issuer: must be a URL"}},
		{"an issuer of another scheme", `{"issuer": "ftp://up.example", "client_id": "dex", "client_secret": "s"}`, []string{"issuer: must be a URL"}},
		{"an issuer with a fragment", `{"issuer": "https://up.example#x", "client_id": "dex", "client_secret": "s"}`, []string{"issuer: must be a URL"}},
		{"an issuer with an empty fragment", `{"issuer": "https://up.example#", "client_id": "dex", "client_secret": "s"}`, []string{"issuer: must be a URL"}},
		{"an unknown way to authenticate", `{` + enough + `, "auth_method": "mtls"}`, []string{"auth_method: must be"}},
		{"a secret that is not used", `{` + enough + `, "auth_method": "none"}`, []string{"client_secret: is not used"}},
		{"no secret and no PKCE", `{"issuer": "https://up.example", "client_id": "dex", "auth_method": "none", "pkce": "off"}`, []string{"pkce: cannot be off"}},
		{"an unknown response mode", `{` + enough + `, "response_mode": "fragment"}`, []string{"response_mode: must be"}},
		{"never to ask", `{` + enough + `, "prompt": "consent none"}`, []string{"prompt: cannot be none"}},
		{"two scopes in one", `{` + enough + `, "scopes": ["email profile"]}`, []string{"scopes: "}},
		{"no algorithm", `{` + enough + `, "trusted_algs": []}`, []string{"trusted_algs: must name"}},
		{"an algorithm with a shared secret", `{` + enough + `, "trusted_algs": ["HS256"]}`, []string{`trusted_algs: "HS256"`}},
		{"the algorithm none", `{` + enough + `, "trusted_algs": ["none"]}`, []string{`trusted_algs: "none"`}},
		{"a parameter that is ours", `{` + enough + `, "extra_params": {"state": "x", "redirect_uri": "y"}}`, []string{"extra_params: redirect_uri", "extra_params: state"}},
		{"a field that a profile does not have", `{` + enough + `, "claims": {"group": "claims.x"}}`, []string{`claims: a profile has no "group"`}},
		{"an expression with a mistake", `{` + enough + `, "claims": {"groups": "claims.x +"}}`, []string{"claims.groups: line 1, column 11"}},
		{"an expression of another type", `{` + enough + `, "claims": {"email_verified": "'yes'"}}`, []string{"claims.email_verified: the expression is string, and must be a boolean"}},
		{"an extra claim that has a field", `{` + enough + `, "extra": {"email": "claims.x", "sub": "claims.y"}}`, []string{`extra: "email"`, `extra: "sub"`}},
		{"an assertion without a key", `{"issuer": "https://up.example", "client_id": "dex", "auth_method": "private_key_jwt"}`, []string{"signing_key: is not set"}},
		{"a request object without a key", `{` + enough + `, "request_object": true}`, []string{"signing_key: is not set"}},
		{"a key that is none", `{` + enough + `, "signing_key": "s3cr3t", "decryption_key": "s3cr3t"}`, []string{"signing_key: must be", "decryption_key: must be"}},
		{"an algorithm that we only verify", `{` + enough + `, "signing_alg": "ES512"}`, []string{"signing_alg: "}},
		{"a secret that is too short to sign with", `{` + enough + `, "auth_method": "client_secret_jwt"}`, []string{"client_secret: is too short"}},
		{"an encrypted ID token and no key", `{` + enough + `, "encrypted_id_token": true}`, []string{"decryption_key: is not set"}},
		{"a certificate without its key", `{` + enough + `, "client_certificate": "x"}`, []string{"client_certificate: goes with client_key"}},
		{"a certificate that is none", `{` + enough + `, "client_certificate": "x", "client_key": "s3cr3t"}`, []string{"client_certificate: must be a certificate"}},
		{"no certificate to show", `{"issuer": "https://up.example", "client_id": "dex", "auth_method": "tls_client_auth"}`, []string{"client_certificate: is not set"}},
		{"an access token through the browser", `{` + enough + `, "response_type": "code token", "response_mode": "form_post"}`, []string{"response_type: must be"}},
		{"an ID token in an address", `{` + enough + `, "response_type": "code id_token"}`, []string{"response_mode: must be form_post"}},
		{"a refresh without tokens", `{` + enough + `, "response_type": "id_token", "response_mode": "form_post", "refresh": true}`, []string{"response_type: id_token brings no tokens"}},
		{"a bound token in a body", `{` + enough + `, "dpop": true, "userinfo_token": "body"}`, []string{"userinfo_token: must be header with dpop"}},
		{"an unknown place for a token", `{` + enough + `, "userinfo_token": "query"}`, []string{"userinfo_token: must be"}},
		{"an assertion for somebody else", `{` + enough + `, "assertion_audience": "https://up.example"}`, []string{"assertion_audience: must be"}},
		{"a duration without a unit", `{` + enough + `, "discovery_max_age": "60"}`, []string{"discovery_max_age: ", "such as 30s"}},
		{"a kind of token that there is not", `{` + enough + `, "accepts": ["access_token"]}`, []string{`accepts: "access_token" is not one of`}},
		{"nothing to be there for", `{"issuer": "https://up.example", "login": false}`, []string{"accepts: is not set"}},
		{"audiences of nothing", `{` + enough + `, "audiences": ["x"]}`, []string{"audiences: is of use only with accepts"}},
		{"an audience that is none", `{` + enough + `, "accepts": ["id_token"], "audiences": [""]}`, []string{`audiences: "" is not`}},
		{"ID tokens for nobody", `{"issuer": "https://up.example", "login": false, "accepts": ["id_token"]}`, []string{"audiences: is not set, and there is no client_id"}},
		{"ID tokens that nobody can tell apart", `{` + enough + `, "accepts": ["id_token"], "encrypted_id_token": true}`, []string{"accepts: cannot name id_token"}},
		{"keys that are none", `{` + enough + `, "jwks": {"keys": []}}`, []string{"jwks: must be"}},
		{"keys at no address", `{` + enough + `, "jwks_uri": "up.example/keys"}`, []string{"jwks_uri: must be a URL"}},
		{"keys in two places", `{` + enough + `, "jwks_uri": "https://up.example/keys", "jwks": ` + oneKey + `}`, []string{"jwks_uri: contradicts jwks"}},
		{"a negative duration", `{` + enough + `, "keys_min_refresh": "-1s"}`, []string{"keys_min_refresh: "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newConnector(json.RawMessage(tt.config), connector.Env{Client: &http.Client{}, Clock: &clock.Fake{}})
			if err == nil {
				t.Fatal("they are taken")
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("a secret is repeated: %v", err)
			}
			for _, says := range tt.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v\nwant something with %q", err, says)
				}
			}
		})
	}
}

func TestSettingsThatAreTaken(t *testing.T) {
	for name, config := range map[string]string{
		"enough":                       `{` + enough + `}`,
		"an issuer as Auth0 writes it": `{"issuer": "https://up.example/", "client_id": "dex", "client_secret": "s"}`,
		"an issuer on this machine":    `{"issuer": "http://127.0.0.1:5556", "client_id": "dex", "auth_method": "none"}`,
		"everything": `{` + enough + `, "auth_method": "client_secret_post", "scopes": ["email", "groups"], "response_mode": "form_post", "pkce": "off",
			"prompt": "select_account", "acr_values": ["x"], "extra_params": {"hd": "example.com"}, "no_auth_time": true, "userinfo": false, "refresh": true,
			"trusted_algs": ["RS256"], "claims": {"groups": "claims.roles", "email_verified": "true"}, "extra": {"dep": "claims.dep"},
			"discovery_max_age": "0s", "keys_min_refresh": "1m"}`,
		"null is as good as nothing": `{` + enough + `, "scopes": null, "claims": null, "jwks": null}`,
		"an issuer of programs":      `{"issuer": "https://ci.example", "login": false, "accepts": ["jwt_bearer", "id_jag"], "jwks": ` + oneKey + `}`,
		"tokens beside a login":      `{` + enough + `, "accepts": ["id_token"], "audiences": ["cli"], "jwks_uri": "https://up.example/keys"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := newConnector(json.RawMessage(config), connector.Env{Client: &http.Client{}, Clock: &clock.Fake{}}); err != nil {
				t.Error(err)
			}
		})
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{` + enough + `}`))
	f.Add([]byte(`{` + enough + `, "claims": {"groups": "claims.x"}, "extra": {"a": "1"}, "discovery_max_age": "1h"}`))
	f.Add([]byte(`{"issuer": 1, "scopes": [null], "extra_params": {"a": null}}`))
	f.Add([]byte(`{"x": {"x": {}}}`))
	f.Add([]byte(`{"issuer": "https://ci.example", "login": false, "accepts": ["jwt_bearer"], "audiences": ["a"], "jwks": ` + oneKey + `}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		s, _, err := parseSettings(config)
		if err != nil {
			return
		}
		if !s.Login && s.ClientID == "" {
			if len(s.Accepts) == 0 {
				t.Fatalf("%+v", s)
			}
			return
		}
		if s.Issuer == "" || s.ClientID == "" || (s.ClientSecret == "") == strings.HasPrefix(s.AuthMethod, "client_secret") || len(s.Algs) == 0 || s.Scopes[0] != "openid" {
			t.Fatalf("%+v", s)
		}
	})
}
