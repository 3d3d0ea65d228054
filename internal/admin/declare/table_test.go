package declare

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"dex/internal/domain/client"
)

// ofOperators are the settings of a client that it cannot say of itself: the operator's
// trust in it, and what has another form in registration.
var ofOperators = []string{
	"id", "profile", "secret", "secrets", "public", "trusted", "trusted_peers", "id_jag_audiences", "connectors", "groups", "native_sso_group", "allowed_origins",
	"resources", "require_pkce", "refresh_grace", "access_token_format", "access_token_ttl", "id_token_ttl", "disabled",
}

// The files, the API, registration and discovery read one table. The type of the files
// says the same in a form that can be read by people.
func TestTheSettingsOfAClientAreThoseOfTheTable(t *testing.T) {
	enums := map[string]string{}
	for field := range reflect.TypeFor[Client]().Fields() {
		if name := field.Tag.Get("yaml"); name != "" {
			enums[name] = field.Tag.Get("enum")
		}
	}
	for _, m := range client.Metadata {
		enum, ok := enums[m.Setting]
		if !ok {
			t.Errorf("%s: there is no setting %s", m.Name, m.Setting)
		}
		if m.Values != nil && m.Setting != "native" && m.Setting != "authorization_details_types" && enum == "" {
			t.Errorf("%s takes anything, and %s does not", m.Setting, m.Name)
		}
		delete(enums, m.Setting)
	}
	for name := range enums {
		if !slices.Contains(ofOperators, name) {
			t.Errorf("%s is not in the table of what is known of clients", name)
		}
	}
	var profiles []string
	for _, p := range client.Profiles {
		profiles = append(profiles, string(p))
	}
	if got := enums["profile"]; got != strings.Join(profiles, "|") {
		t.Errorf("the profiles are %q, and %q can be set", profiles, got)
	}
}

func TestAConflictIsToldWhereItStands(t *testing.T) {
	_, err := Rules{}.ReadClient([]byte("id: a\nprofile: fapi2\nauth_method: client_secret_basic\nredirect_uris: [https://a.example/cb]\ngrant_types: [authorization_code, refresh_token]\nrequest_object_alg: none\n"))
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		"auth_method: is client_secret_basic, which the profile fapi2 does not allow: it has private_key_jwt, tls_client_auth or self_signed_tls_client_auth",
		"request_object_alg: is none, which the profile fapi2 does not allow",
		"dpop_bound_tokens: or certificate_bound_tokens must be true with the profile fapi2",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say\n%s", err, want)
		}
	}
}
