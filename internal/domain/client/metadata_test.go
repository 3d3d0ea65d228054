package client

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// everything is a server that has all there is.
var everything = Offer{
	GrantTypes:    []string{AuthorizationCode, RefreshToken, ClientCredentials, DeviceCode, grantImplicit, grantCIBA},
	ResponseTypes: OpenID.Demands().ResponseTypes,
	AuthMethods:   Standard.Demands().AuthMethods,
	SubjectTypes:  []SubjectType{SubjectPublic, SubjectPairwise},
	Signing:       []jose.Algorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA},
	Encryption:    Encryptions{Algs: []jose.KeyManagement{"RSA-OAEP-256"}, Encs: []jose.ContentEncryption{"A256GCM"}},
	Decryption:    Encryptions{Algs: []jose.KeyManagement{"RSA-OAEP"}, Encs: []jose.ContentEncryption{"A128GCM"}},
	Modes:         []oauth.ResponseMode{"query", "jwt"},
	Requests:      []jose.Algorithm{"none", jose.RS256, jose.PS256},
	Userinfo:      true, Introspection: true,
	Backchannel:  []string{"poll", "ping", "push"},
	DetailsTypes: []string{"payment"},
}

func TestEachMetadatumHasOneNameInEachPlace(t *testing.T) {
	names, settings, places := map[string]bool{}, map[string]bool{}, map[any]string{}
	var c Client
	for _, m := range Metadata {
		if m.Name == "" || names[m.Name] || m.Setting == "" || settings[m.Setting] || m.Is == "" || m.Spec == "" {
			t.Errorf("%+v lacks something, or has the name of another", m.Name)
		}
		names[m.Name], settings[m.Setting] = true, true
		at := m.at(&c)
		if other, ok := places[at]; ok {
			t.Errorf("%s and %s are the same", m.Name, other)
		}
		places[at] = m.Name
	}
}

// The certification suite warns of each member that it does not know.
func TestDiscoveryListsOnlyMembersThatTheSuiteKnows(t *testing.T) {
	text, err := os.ReadFile("../../protocol/oauth/testdata/metadata-members.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(text))
	for name := range everything.Supported() {
		if !slices.Contains(known, name) {
			t.Errorf("%s is listed", name)
		}
	}
	if n := len(everything.Supported()); n < 18 {
		t.Errorf("only %d members", n)
	}
}

func TestWhatThereIsNothingOfIsNotListed(t *testing.T) {
	few := Offer{GrantTypes: []string{AuthorizationCode}, Signing: []jose.Algorithm{jose.RS256}}
	for name, values := range few.Supported() {
		if !slices.Contains([]string{"grant_types_supported", "id_token_signing_alg_values_supported", "token_endpoint_auth_signing_alg_values_supported"}, name) {
			t.Errorf("%s is listed: %q", name, values)
		}
	}
}

// full is something for each metadatum.
var full = map[string]string{
	"client_name": `"An application"`, "redirect_uris": `["https://a.example/cb"]`, "application_type": `"native"`,
	"token_endpoint_auth_method": `"private_key_jwt"`, "token_endpoint_auth_signing_alg": `"ES256"`,
	"tls_client_auth_subject_dn": `"CN=a"`, "tls_client_auth_san_dns": `"a.example"`, "tls_client_auth_san_uri": `"https://a.example"`,
	"tls_client_auth_san_ip": `"192.0.2.1"`, "tls_client_auth_san_email": `"a@a.example"`,
	"jwks": aKeySet, "jwks_uri": `"https://a.example/jwks"`,
	"grant_types": `["authorization_code","implicit"]`, "response_types": `["code","code id_token"]`, "scope": `"openid email"`,
	"authorization_details_types": `["payment"]`, "post_logout_redirect_uris": `["https://a.example/bye"]`,
	"request_uris": `["https://a.example/r#x"]`, "request_object_signing_alg": `"PS256"`,
	"request_object_encryption_alg": `"RSA-OAEP"`, "request_object_encryption_enc": `"A128GCM"`,
	"require_pushed_authorization_requests": `true`, "require_signed_request_object": `true`,
	"subject_type": `"pairwise"`, "sector_identifier_uri": `"https://a.example/sector"`,
	"id_token_signed_response_alg": `"ES256"`, "id_token_encrypted_response_alg": `"RSA-OAEP-256"`, "id_token_encrypted_response_enc": `"A256GCM"`,
	"userinfo_signed_response_alg": `"RS256"`, "userinfo_encrypted_response_alg": `"RSA-OAEP-256"`, "userinfo_encrypted_response_enc": `"A256GCM"`,
	"authorization_signed_response_alg": `"PS256"`, "authorization_encrypted_response_alg": `"RSA-OAEP-256"`, "authorization_encrypted_response_enc": `"A256GCM"`,
	"introspection_signed_response_alg": `"RS256"`, "introspection_encrypted_response_alg": `"RSA-OAEP-256"`, "introspection_encrypted_response_enc": `"A256GCM"`,
	"tls_client_certificate_bound_access_tokens": `true`, "dpop_bound_access_tokens": `true`,
	"default_max_age": `3600`, "require_auth_time": `true`, "default_acr_values": `["urn:a"]`, "initiate_login_uri": `"https://a.example/login"`,
	"frontchannel_logout_uri": `"https://a.example/front"`, "frontchannel_logout_session_required": `true`,
	"backchannel_logout_uri": `"https://a.example/back"`, "backchannel_logout_session_required": `true`,
	"backchannel_token_delivery_mode": `"ping"`, "backchannel_client_notification_endpoint": `"https://a.example/ciba"`,
	"backchannel_authentication_request_signing_alg": `"PS256"`,
	"logo_uri": `"https://a.example/logo.png"`, "client_uri": `"https://a.example"`, "policy_uri": `"https://a.example/policy"`, "tos_uri": `"https://a.example/terms"`,
	"contacts": `["a@a.example"]`, "software_id": `"a"`, "software_version": `"1"`,
}

const aKeySet = `{"keys":[{"kty":"OKP","use":"sig","kid":"k","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`

func TestWhatIsRegisteredIsToldAgain(t *testing.T) {
	said := map[string]json.RawMessage{"unknown": json.RawMessage(`{"x":1}`), "client_name#de": json.RawMessage(`"Eine Anwendung"`)}
	for name, raw := range full {
		said[name] = json.RawMessage(raw)
	}
	c, err := ReadMetadata(said, everything, Client{Profile: OpenID})
	if err != nil {
		t.Fatal(err)
	}
	told, err := TellMetadata(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Metadata {
		if string(told[m.Name]) != full[m.Name] {
			t.Errorf("%s: said %s, told %s", m.Name, full[m.Name], told[m.Name])
		}
	}
	if len(told) != len(full) {
		t.Errorf("told is %d, said was %d", len(told), len(full))
	}
}

func TestMetadataThatCannotBe(t *testing.T) {
	for _, test := range []struct{ name, raw string }{
		{"redirect_uris", `"https://a.example/cb"`}, {"redirect_uris", `[1]`}, {"application_type", `"toaster"`}, {"application_type", `true`},
		{"token_endpoint_auth_method", `"magic"`}, {"token_endpoint_auth_signing_alg", `"none"`}, {"grant_types", `["magic"]`},
		{"response_types", `["token"]`}, {"response_types", `["code code"]`}, {"scope", `["openid"]`}, {"subject_type", `"secret"`},
		{"id_token_signed_response_alg", `"none"`}, {"id_token_signed_response_alg", `"HS256"`}, {"userinfo_signed_response_alg", `7`},
		{"id_token_encrypted_response_alg", `"RSA1_5"`}, {"default_max_age", `"3600"`}, {"require_auth_time", `"yes"`},
		{"jwks", `{}`}, {"jwks", `"x"`}, {"jwks", `{"keys":[]}`}, {"jwks", `{"keys":[{"kty":"oct","k":"AAAA"}]}`},
		{"jwks", strings.Replace(aKeySet, `"x"`, `"d":"AAAA","x"`, 1)},
		{"backchannel_token_delivery_mode", `"post"`}, {"contacts", `{"a":1}`}, {"authorization_details_types", `["other"]`},
	} {
		_, err := ReadMetadata(map[string]json.RawMessage{test.name: json.RawMessage(test.raw)}, everything, Client{})
		found, ok := errors.AsType[*Misfit](err)
		if !ok || found.Name != test.name {
			t.Errorf("%s: %s: got %v", test.name, test.raw, err)
		}
	}
}

func TestNullIsAsIfNothingWereSaid(t *testing.T) {
	before := Client{Name: "n", GrantTypes: []string{AuthorizationCode}, RequirePAR: true}
	said := map[string]json.RawMessage{}
	for _, m := range Metadata {
		said[m.Name] = json.RawMessage("null")
	}
	after, err := ReadMetadata(said, Offer{}, before)
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestResponseTypesAreReadInAnyOrder(t *testing.T) {
	c, err := ReadMetadata(map[string]json.RawMessage{"response_types": json.RawMessage(`["token id_token code", "token id_token"]`)}, everything, Client{})
	if err != nil || !slices.Equal(c.ResponseTypes, []oauth.ResponseType{"code id_token token", "id_token token"}) {
		t.Errorf("%q, %v", c.ResponseTypes, err)
	}
}

func FuzzReadMetadata(f *testing.F) {
	for name, raw := range full {
		f.Add(name, raw)
	}
	f.Fuzz(func(t *testing.T, name, raw string) {
		c, err := ReadMetadata(map[string]json.RawMessage{name: json.RawMessage(raw)}, everything, Client{})
		if err != nil {
			if _, ok := errors.AsType[*Misfit](err); !ok {
				t.Errorf("%v is no misfit", err)
			}
			return
		}
		told, err := TellMetadata(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadMetadata(told, everything, Client{})
		if err != nil {
			t.Fatalf("what is told of it is not read again: %v", err)
		}
		second, err := TellMetadata(again)
		if err != nil || !reflect.DeepEqual(told, second) {
			t.Errorf("told %s, and then %s", told, second)
		}
	})
}
