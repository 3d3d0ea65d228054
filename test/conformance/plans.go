// Package conformance runs the OpenID Foundation's conformance suite against dex: which
// plans, how each is configured, and who answers where a plan waits for somebody.
//
// The suite is a program of its own that is not in here. It is driven by its REST
// interface; what it finds is printed as one table. A warning counts as a failure.
package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Plan is a test plan of the suite, with the choices that it leaves.
type Plan struct {
	Name    string
	Variant map[string]string
	family  family
}

// family is a kind of plan, whose configurations are alike.
type family int

const (
	core    family = iota // OpenID Connect, for a client of ours
	fapi1                 // FAPI 1.0 Advanced
	fapi2                 // FAPI 2.0
	ciba                  // FAPI-CIBA
	relying               // the other side: the suite is the provider, and the oidc connector is tested
)

// String returns the plan as the suite's own scripts write it.
func (p Plan) String() string {
	var b strings.Builder
	b.WriteString(p.Name)
	for _, name := range slices.Sorted(maps.Keys(p.Variant)) {
		fmt.Fprintf(&b, "[%s=%s]", name, p.Variant[name])
	}
	return b.String()
}

// dynamic reports whether clients register themselves.
func (p Plan) dynamic() bool { return p.Variant["client_registration"] == "dynamic_client" }

var (
	responseTypes = []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
	registrations = []string{"static_client", "dynamic_client"}
	clientAuths   = []string{"private_key_jwt", "mtls"}
	bindings      = []string{"mtls", "dpop"}
)

// Plans returns every plan that dex is to pass, in the order of the specifications.
func Plans() []Plan {
	plans := slices.Concat(corePlans(), logoutPlans(), fapi2Plans(), fapi1Plans(), cibaPlans(), relyingPlans())
	return plans
}

// each returns a plan for every combination of choices: axes are names and what each
// may be.
func each(f family, name string, axes ...axis) []Plan {
	plans := []Plan{{Name: name, Variant: map[string]string{}, family: f}}
	for _, a := range axes {
		var next []Plan
		for _, p := range plans {
			for _, value := range a.values {
				q := Plan{Name: name, Variant: maps.Clone(p.Variant), family: f}
				q.Variant[a.name] = value
				next = append(next, q)
			}
		}
		plans = next
	}
	return plans
}

type axis struct {
	name   string
	values []string
}

func is(name string, values ...string) axis { return axis{name, values} }

func corePlans() (plans []Plan) {
	for _, profile := range []string{"basic", "implicit", "hybrid", "formpost-basic", "formpost-implicit", "formpost-hybrid"} {
		plans = append(plans, each(core, "oidcc-"+profile+"-certification-test-plan",
			is("server_metadata", "discovery"), is("client_registration", registrations...))...)
	}
	plans = append(plans, each(core, "oidcc-config-certification-test-plan")...)
	plans = append(plans, each(core, "oidcc-dynamic-certification-test-plan", is("response_type", responseTypes...))...)
	plans = append(plans, each(core, "oidcc-3rdparty-init-login-certification-test-plan", is("response_type", responseTypes...))...)
	return append(plans, each(core, "oidcc-test-plan",
		is("client_auth_type", "none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "mtls"),
		is("client_registration", "dynamic_client"), is("response_type", "code"), is("response_mode", "default"))...)
}

func logoutPlans() (plans []Plan) {
	for _, name := range []string{
		"oidcc-rp-initiated-logout-certification-test-plan", "oidcc-session-management-certification-test-plan",
		"oidcc-frontchannel-rp-initiated-logout-certification-test-plan", "oidcc-backchannel-rp-initiated-logout-certification-test-plan",
	} {
		plans = append(plans, each(core, name, is("client_registration", registrations...), is("response_type", "code", "code id_token token"))...)
	}
	return plans
}

func fapi2Plans() []Plan {
	plain := is("fapi_profile", "plain_fapi")
	profile := each(fapi2, "fapi2-security-profile-final-test-plan", is("client_auth_type", clientAuths...), is("sender_constrain", bindings...),
		is("openid", "plain_oauth", "openid_connect"), is("authorization_request_type", "simple", "rar"), plain)
	credentials := each(fapi2, "fapi2-security-profile-final-test-plan", is("client_auth_type", clientAuths...), is("sender_constrain", bindings...),
		is("openid", "plain_oauth"), is("authorization_request_type", "simple"), is("fapi_profile", "fapi_client_credentials_grant"))
	signing := each(fapi2, "fapi2-message-signing-final-test-plan", is("client_auth_type", clientAuths...), is("sender_constrain", bindings...),
		is("openid", "openid_connect"), is("authorization_request_type", "simple"),
		is("fapi_request_method", "unsigned", "signed_non_repudiation"), is("fapi_response_mode", "plain_response", "jarm"), plain)
	return slices.Concat(profile, credentials, signing)
}

func fapi1Plans() []Plan {
	return each(fapi1, "fapi1-advanced-final-test-plan", is("client_auth_type", clientAuths...),
		is("fapi_auth_request_method", "by_value", "pushed"), is("fapi_response_mode", "plain_response", "jarm"), is("fapi_profile", "plain_fapi"))
}

func cibaPlans() []Plan {
	return each(ciba, "fapi-ciba-id1-test-plan", is("client_auth_type", clientAuths...), is("ciba_mode", "poll", "ping"),
		is("client_registration", "static_client"), is("fapi_ciba_profile", "plain_fapi"))
}

func relyingPlans() []Plan {
	static, code := is("client_registration", "static_client"), is("response_type", "code")
	plain, asked := is("request_type", "plain_http_request"), is("response_mode", "default")
	secret := is("client_auth_type", "client_secret_basic")
	return slices.Concat(
		each(relying, "oidcc-client-basic-certification-test-plan", static, is("request_type", "plain_http_request", "request_object")),
		each(relying, "oidcc-client-formpost-basic-certification-test-plan", static, plain),
		each(relying, "oidcc-client-config-certification-test-plan",
			is("client_auth_type", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"), static, plain, asked),
		each(relying, "oidcc-client-dynamic-certification-test-plan", is("client_auth_type", "client_secret_basic", "private_key_jwt"), asked),
		each(relying, "oidcc-client-refreshtoken-test-plan", secret, static, code, asked, plain),
		each(relying, "oidcc-client-rp-initiated-logout-rp-basic", secret, static, asked, plain),
		each(relying, "oidcc-client-back-channel-logout-rp-basic", secret, static, asked, plain),
	)
}
