package worker_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/app/workertest"
	"dex/internal/base/route"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

func get(t testing.TB, s *workertest.Server, path string, headers ...[2]string) *workertest.Answer {
	t.Helper()
	return call{method: http.MethodGet, path: path, headers: headers}.send(t, s)
}

// list returns a list of texts of a document.
func list(t testing.TB, doc map[string]any, name string) []string {
	t.Helper()
	all, ok := doc[name].([]any)
	if !ok {
		t.Fatalf("%s is %v", name, doc[name])
	}
	texts := make([]string, len(all))
	for i, one := range all {
		texts[i] = one.(string)
	}
	return texts
}

// 1.E 76: what the metadata lists is there, and what it does not list is not.
func TestTheMetadataTellsTheTruth(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: deviceClients + callingClients})
	a := get(t, s, route.Discovery)
	doc := jsonOf(t, a)
	if other := get(t, s, route.OAuthMetadata); other.Body != a.Body {
		t.Error("the two documents differ")
	}
	if doc["issuer"] != s.URL {
		t.Errorf("the issuer is %v", doc["issuer"])
	}
	c := s.Client(t, "app")
	b := s.Browser(t)
	tokens := c.Redeem(c.Code(b, "scope", strings.Join(list(t, doc, "scopes_supported"), " ")))
	idClaims, userinfo := workertest.Claims(t, tokens.IDToken), jsonOf(t, c.Userinfo(tokens.AccessToken))

	t.Run("endpoints", func(t *testing.T) {
		works := map[string]func(address string) int{
			"authorization_endpoint": func(address string) int { return b.Get(address + "?" + c.AuthorizeParams().Encode()).Status },
			"token_endpoint":         func(address string) int { return c.Send(address, forItself()).Status },
			"userinfo_endpoint": func(address string) int {
				return get(t, s, strings.TrimPrefix(address, s.URL), bearer(tokens.AccessToken)).Status
			},
			"jwks_uri":               func(address string) int { return b.Get(address).Status },
			"revocation_endpoint":    func(address string) int { return c.Send(address, values("token", "x")).Status },
			"introspection_endpoint": func(address string) int { return c.Send(address, values("token", "x")).Status },
			"pushed_authorization_request_endpoint": func(address string) int {
				if status := c.Send(address, c.AuthorizeParams()).Status; status != http.StatusCreated {
					return status
				}
				return http.StatusOK
			},
			"device_authorization_endpoint": func(address string) int {
				return s.Client(t, "tv").Send(address, values("scope", "openid")).Status
			},
			"backchannel_authentication_endpoint": func(address string) int {
				return s.Client(t, "caller").Send(address, callForm("login_hint", "ann")).Status
			},
			"end_session_endpoint": func(address string) int { return s.Browser(t).Get(address).Status },
		}
		for name, value := range doc {
			address, ok := value.(string)
			if !ok || name == "issuer" {
				continue
			}
			try, known := works[name]
			if !known || !strings.HasPrefix(address, s.URL+"/") {
				t.Errorf("%s is %s", name, address)
				continue
			}
			if status := try(address); status != http.StatusOK && status != http.StatusSeeOther {
				t.Errorf("%s answers %d", name, status)
			}
			delete(works, name)
		}
		if len(works) > 0 {
			t.Errorf("there are endpoints that it does not name: %v", works)
		}
	})
	t.Run("grant types", func(t *testing.T) {
		listed := list(t, doc, "grant_types_supported")
		for _, one := range append([]string{"password", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange"}, listed...) {
			if one == "implicit" {
				continue // there is nothing to ask the token endpoint for
			}
			got := c.Token("grant_type", one, "code", "x", "refresh_token", "x", "username", "x", "password", "x", "redirect_uri", c.RedirectURI)
			if served := got.Error != string(oauth.UnsupportedGrantType); served != slices.Contains(listed, one) {
				t.Errorf("%s: %d %s", one, got.Status, got.Error)
			}
		}
	})
	t.Run("response types and modes", func(t *testing.T) {
		open := s.Client(t, "certified")
		listed := list(t, doc, "response_types_supported")
		for _, one := range append([]string{"token", "none", "code id_token device"}, listed...) {
			refused := strings.Contains(open.Login(b, "response_type", one).Header.Get("Location"), "unsupported_response_type")
			if refused == slices.Contains(listed, one) {
				t.Errorf("the type %s is refused: %v", one, refused)
			}
		}
		modes := list(t, doc, "response_modes_supported")
		for _, one := range append([]string{"web_message", "cookie"}, modes...) {
			a := open.Login(b, "response_mode", one)
			answered := strings.Contains(a.Header.Get("Location"), "code=") || strings.Contains(a.Body, `name="code"`) ||
				strings.Contains(a.Header.Get("Location"), "response=") || strings.Contains(a.Body, `name="response"`)
			if answered != slices.Contains(modes, one) {
				t.Errorf("the mode %s: %d %s", one, a.Status, a.Header.Get("Location"))
			}
		}
	})
	t.Run("scopes and claims", func(t *testing.T) {
		if tokens.Scope != strings.Join(list(t, doc, "scopes_supported"), " ") {
			t.Errorf("of all scopes that it lists %q are granted", tokens.Scope)
		}
		listed := list(t, doc, "claims_supported")
		for _, claims := range []map[string]any{idClaims, userinfo} {
			for name := range claims {
				if !slices.Contains(listed, name) {
					t.Errorf("there is a claim %q that it does not list", name)
				}
			}
		}
		if acr, _ := idClaims["acr"].(string); !slices.Contains(list(t, doc, "acr_values_supported"), acr) {
			t.Errorf("acr is %q", acr)
		}
		if types := list(t, doc, "subject_types_supported"); !slices.Equal(types, []string{"public", "pairwise"}) || idClaims["sub"] != "usr_ann" {
			t.Errorf("subjects are %q, and one is %v", types, idClaims["sub"])
		}
	})
	t.Run("prompts", func(t *testing.T) {
		for _, one := range list(t, doc, "prompt_values_supported") {
			if a := b.Follow(b.Get(c.Authorize("prompt", one))); a.Param("error") != "" {
				t.Errorf("%s: %s", one, a.Header.Get("Location"))
			}
		}
		if a := b.Get(c.Authorize("prompt", "create")); a.Param("error") != string(oauth.InvalidRequest) {
			t.Errorf("one that it does not list: %s", a.Header.Get("Location"))
		}
	})
	t.Run("languages", func(t *testing.T) {
		for _, one := range list(t, doc, "ui_locales_supported") {
			fresh := s.Browser(t)
			if a := fresh.Follow(fresh.Get(c.Authorize("ui_locales", one))); !strings.Contains(a.Body, `<html lang="`+one+`"`) {
				t.Errorf("%s: %.200s", one, a.Body)
			}
		}
	})
	t.Run("PKCE", func(t *testing.T) {
		if methods := list(t, doc, "code_challenge_methods_supported"); !slices.Equal(methods, []string{"S256"}) {
			t.Errorf("methods %q", methods)
		}
		if a := b.Get(c.Authorize("code_challenge_method", "plain")); a.Param("error") != string(oauth.InvalidRequest) {
			t.Errorf("plain: %s", a.Header.Get("Location"))
		}
	})
	t.Run("references to request objects", func(t *testing.T) {
		a := b.Get(c.Authorize("request_uri", "https://app.example.com/request.jwt"))
		if doc["request_uri_parameter_supported"] != true || doc["require_request_uri_registration"] != true || a.Param("error") != "invalid_request_uri" {
			t.Errorf("references are %v, and one that is not registered gets %s", doc["request_uri_parameter_supported"], a.Header.Get("Location"))
		}
	})
	t.Run("request objects", func(t *testing.T) {
		if algs := list(t, doc, "request_object_signing_alg_values_supported"); doc["request_parameter_supported"] != true || !slices.Contains(algs, "EdDSA") || !slices.Contains(algs, "none") {
			t.Errorf("%v with %q", doc["request_parameter_supported"], algs)
		}
		signing := s.Client(t, "jwt")
		if a := b.Get("/authorize?" + values("client_id", "jwt", "request", signing.Object(nil)).Encode()); a.Param("code") == "" {
			t.Errorf("a signed one: %d %s", a.Status, a.Header.Get("Location"))
		}
		open := s.Client(t, "certified")
		if a := b.Get(open.Authorize("request", "eyJhbGciOiJub25lIn0.e30.")); a.Param("code") == "" {
			t.Errorf("an unsigned one: %d %s", a.Status, a.Header.Get("Location"))
		}
	})
	t.Run("what it says that there is not", func(t *testing.T) {
		if doc["authorization_response_iss_parameter_supported"] != true || b.Get(c.Authorize()).Param("iss") != s.URL {
			t.Error("iss is in the answers, or listed, and not both")
		}
	})
}

// triedBy says which test holds a member of the metadata to be true.
var triedBy = map[string]string{
	"acr_values_supported":          "TestTheMetadataTellsTheTruth",
	"authorization_encryption_alg":  "TestWhatAClientIsToldIsProtectedAsItWants",
	"authorization_encryption_enc":  "TestWhatAClientIsToldIsProtectedAsItWants",
	"authorization_endpoint":        "TestTheMetadataTellsTheTruth",
	"authorization_response_iss":    "TestTheMetadataTellsTheTruth",
	"authorization_signing_alg":     "TestEachAlgorithmThatTheMetadataListsIsServed",
	"backchannel_authentication":    "TestThePlanOfFAPICIBA",
	"backchannel_logout":            "TestApplicationsAreToldBeforeTheBrowserIsSentOn",
	"backchannel_token_delivery":    "TestAClientThatIsSentItsTokensDoesNotAskForThem",
	"backchannel_user_code":         "TestACallIsAnsweredInTheWordsOfCIBA",
	"claim_types_supported":         "TestClaimsOfOthersArePassedOn",
	"claims_parameter_supported":    "TestAClaimThatIsAskedForByNameIsAllowedByThePerson",
	"claims_supported":              "TestEachStandardClaimComesWithItsScope",
	"code_challenge_methods":        "TestTheMetadataTellsTheTruth",
	"device_authorization_endpoint": "TestTheMetadataTellsTheTruth",
	"display_values_supported":      "TestThePlanBasic",
	"dpop_signing_alg":              "TestDiscoveryHasWhatFAPI2Wants",
	"end_session_endpoint":          "TestTheMetadataTellsTheTruth",
	"frontchannel_logout":           "TestTheBrowserTellsApplicationsOnItsWay",
	"grant_types_supported":         "TestTheMetadataTellsTheTruth",
	"id_token_encryption":           "TestEachAlgorithmThatTheMetadataListsIsServed",
	"id_token_signing_alg":          "TestTheAlgorithmsAreThoseOfTheConfiguration",
	"introspection_encryption":      "TestWhatAClientIsToldIsProtectedAsItWants",
	"introspection_endpoint":        "TestTheMetadataListsHowClientsAuthenticate",
	"introspection_signing_alg":     "TestEachAlgorithmThatTheMetadataListsIsServed",
	"issuer":                        "TestTheMetadataTellsTheTruth",
	"jwks_uri":                      "TestTheMetadataTellsTheTruth",
	"prompt_values_supported":       "TestTheMetadataTellsTheTruth",
	"pushed_authorization_request":  "TestTheMetadataTellsTheTruth",
	"request_object_signing_alg":    "TestEachAlgorithmThatTheMetadataListsIsServed",
	"request_parameter_supported":   "TestTheMetadataTellsTheTruth",
	"request_uri_parameter":         "TestARequestMayStandWhereItsClientHasRegistered",
	"require_request_uri":           "TestARequestMayStandWhereItsClientHasRegistered",
	"response_modes_supported":      "TestTheMetadataTellsTheTruth",
	"response_types_supported":      "TestTheMetadataTellsTheTruth",
	"revocation_endpoint":           "TestTheMetadataListsHowClientsAuthenticate",
	"scopes_supported":              "TestTheMetadataTellsTheTruth",
	"subject_types_supported":       "TestWhatAClientIsToldIsProtectedAsItWants",
	"token_endpoint":                "TestTheMetadataListsHowClientsAuthenticate",
	"ui_locales_supported":          "TestTheMetadataTellsTheTruth",
	"userinfo_encryption":           "TestEachAlgorithmThatTheMetadataListsIsServed",
	"userinfo_endpoint":             "TestTheMetadataTellsTheTruth",
	"userinfo_signing_alg":          "TestEachAlgorithmThatTheMetadataListsIsServed",
}

// 1.E 76: there is no member that nobody holds to be true.
func TestEachMemberOfTheMetadataHasATest(t *testing.T) {
	files, err := filepath.Glob("../../*/*/*_test.go")
	must(t, err)
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		source.Write(text)
	}
	s := workertest.Start(t, workertest.Options{Clients: deviceClients + callingClients})
	unused := maps.Clone(triedBy)
	for name := range jsonOf(t, get(t, s, route.Discovery)) {
		by := ""
		for begins, test := range triedBy {
			if strings.HasPrefix(name, begins) && strings.Contains(source.String(), "func "+test+"(") {
				by = test
				delete(unused, begins)
			}
		}
		if by == "" {
			t.Errorf("no test holds %s to be true", name)
		}
	}
	if len(unused) > 0 {
		t.Errorf("there are no such members, or no such tests: %v", unused)
	}
}

// 1.E 76.
func TestTheMetadataListsHowClientsAuthenticate(t *testing.T) {
	s := workertest.Start(t, workertest.Options{Clients: workertest.SharedClient})
	doc := jsonOf(t, get(t, s, route.Discovery))
	by := map[string]string{
		"client_secret_basic": "app", "client_secret_post": "post", "client_secret_jwt": "shared", "private_key_jwt": "jwt", "none": "spa",
	}
	for name, path := range map[string]string{"token_endpoint": "/token", "revocation_endpoint": "/revoke", "introspection_endpoint": "/introspect"} {
		listed := list(t, doc, name+"_auth_methods_supported")
		for method, id := range by {
			a := s.Client(t, id).Send(path, values("token", "x", "grant_type", "refresh_token", "refresh_token", "x"))
			if served := a.Status != http.StatusUnauthorized; served != slices.Contains(listed, method) {
				t.Errorf("%s at %s: %d %s", method, path, a.Status, a.Body)
			}
		}
		for _, method := range listed {
			if by[method] == "" {
				t.Errorf("%s lists %s, of which there is no client", name, method)
			}
		}
		if algs := list(t, doc, name+"_auth_signing_alg_values_supported"); !slices.Contains(algs, "EdDSA") || slices.Contains(algs, "none") || !slices.Contains(algs, "HS256") {
			t.Errorf("%s lists %q", name, algs)
		}
	}
}

// 1.E 76: with each set of algorithms, metadata, keys and tokens agree.
func TestTheAlgorithmsAreThoseOfTheConfiguration(t *testing.T) {
	for _, algs := range [][]string{{"ES256"}, {"RS256", "ES256"}, {"ES256", "EdDSA"}, {"RS256", "ES256", "EdDSA"}} {
		t.Run(strings.Join(algs, " "), func(t *testing.T) {
			text := "keys: {algorithms: [" + strings.Join(algs, ", ") + "]}\nclients:\n"
			for _, alg := range algs {
				text += fmt.Sprintf("- {id: %s, secret: %s-secret, trusted: true, id_token_alg: %s, redirect_uris: ['https://%s.example.com/cb']}\n", alg, alg, alg, alg)
			}
			_, people, _ := strings.Cut(workertest.BaseConfig, "users:")
			s := workertest.Start(t, workertest.Options{Bare: true, Config: text + "users:" + people})
			if listed := list(t, jsonOf(t, get(t, s, route.Discovery)), "id_token_signing_alg_values_supported"); !slices.Equal(listed, algs) {
				t.Errorf("it lists %q", listed)
			}
			published := map[string]string{} // the algorithm of each key
			for _, key := range jsonOf(t, get(t, s, route.Keys))["keys"].([]any) {
				k := key.(map[string]any)
				published[k["kid"].(string)] = k["alg"].(string)
			}
			if len(published) != len(algs) {
				t.Errorf("the keys are %v", published)
			}
			for _, alg := range algs {
				tokens := s.Client(t, alg).Obtain()
				if h := headerOf(t, tokens.IDToken); h["alg"] != alg || published[h["kid"].(string)] != alg {
					t.Errorf("%s: the header of the ID token is %v", alg, h)
				}
				if h := headerOf(t, tokens.AccessToken); h["alg"] != "ES256" || h["typ"] != "at+jwt" || published[h["kid"].(string)] != "ES256" {
					t.Errorf("%s: the header of the access token is %v", alg, h)
				}
			}
		})
	}
}

// headerOf returns the header of a token. It reads it where claims stand.
func headerOf(t testing.TB, token string) map[string]any {
	t.Helper()
	head, _, _ := strings.Cut(token, ".")
	return workertest.Claims(t, "."+head+".")
}

// 1.E 67.
func TestOnlyPublicMembersArePublished(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	s.Advance(t, 30*24*time.Hour) // so that there are successors too
	members := map[string][]string{
		"RSA": {"alg", "e", "kid", "kty", "n", "use"},
		"EC":  {"alg", "crv", "kid", "kty", "use", "x", "y"},
		"OKP": {"alg", "crv", "kid", "kty", "use", "x"},
	}
	seen := map[string]int{}
	for _, key := range jsonOf(t, get(t, s, route.Keys))["keys"].([]any) {
		var names []string
		for name := range key.(map[string]any) {
			names = append(names, name)
		}
		slices.Sort(names)
		kind, _ := key.(map[string]any)["kty"].(string)
		seen[kind]++
		if !slices.Equal(names, members[kind]) {
			t.Errorf("a key of the kind %q has the members %q", kind, names)
		}
	}
	if len(seen) != len(members) || seen["RSA"] < 2 {
		t.Errorf("the kinds are %v", seen)
	}
}

// 1.E 77.
func TestKeysAndMetadataNeedNoDatabase(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	paths := []string{route.Keys, route.Discovery, route.OAuthMetadata}
	before := map[string]*workertest.Answer{}
	for _, path := range paths {
		before[path] = get(t, s, path)
	}
	worked := s.DB.Work()
	for _, path := range paths {
		for range 50 {
			isOK(t, get(t, s, path))
		}
	}
	if s.DB.Work() != worked {
		t.Errorf("the database is asked: %+v, and before %+v", s.DB.Work(), worked)
	}
	if err := store.Raw(s.DB).Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		a := get(t, s, path)
		if a.Status != http.StatusOK || a.Body != before[path].Body || a.Header.Get("Etag") != before[path].Header.Get("Etag") {
			t.Errorf("%s without a database: %d", path, a.Status)
		}
		etag := a.Header.Get("Etag")
		for _, match := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
			if again := get(t, s, path, [2]string{"If-None-Match", match}); again.Status != http.StatusNotModified || again.Body != "" {
				t.Errorf("%s to whoever has %s: %d", path, match, again.Status)
			}
		}
		if !strings.HasPrefix(a.Header.Get("Cache-Control"), "public, max-age=300") {
			t.Errorf("%s: %s", path, a.Header.Get("Cache-Control"))
		}
		isOK(t, call{method: http.MethodHead, path: path}.send(t, s))
	}
	// What needs it says so, and does not take the worker down.
	if a := (call{path: "/token", headers: [][2]string{basic("app", "app-secret")}, form: forItself()}).send(t, s); a.Status < 500 {
		t.Errorf("the token endpoint without a database: %d %s", a.Status, a.Body)
	}
}

// 1.A 15.
func TestPagesOfOtherOriginsReadWhatTheirClientMayHave(t *testing.T) {
	s := workertest.Start(t, workertest.Options{})
	const own = "https://spa.example.com"
	from := func(origin string) [2]string { return [2]string{"Origin", origin} }
	allowed := func(a *workertest.Answer) string {
		if a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: with credentials", a.URL)
		}
		return a.Header.Get("Access-Control-Allow-Origin")
	}
	foreign := []string{
		"null", "https://evil.example.com", "https://spa.example.com.evil.com", "https://evil-spa.example.com", "http://spa.example.com",
		"https://spa.example.com:8443", "https://spa.example.com/", "https://SPA.example.com", "https://jwt.example.com", "*", s.URL,
	}
	spa, app, jwt := s.Client(t, "spa"), s.Client(t, "app"), s.Client(t, "jwt")
	tokens, others := spa.Obtain(), app.Obtain()
	ask := map[string]func(origin string) *workertest.Answer{
		"token": func(o string) *workertest.Answer {
			return call{path: "/token", headers: [][2]string{from(o)}, form: values("client_id", "spa", "grant_type", "x")}.send(t, s)
		},
		"revoke": func(o string) *workertest.Answer {
			return call{path: "/revoke", headers: [][2]string{from(o)}, form: values("client_id", "spa", "token", "x")}.send(t, s)
		},
		"userinfo": func(o string) *workertest.Answer {
			return get(t, s, "/userinfo", from(o), bearer(tokens.AccessToken))
		},
	}
	for name, send := range ask {
		if a := send(own); allowed(a) != own || a.Header.Get("Vary") != "Origin" {
			t.Errorf("%s from its own origin: %q", name, allowed(a))
		}
		for _, origin := range foreign {
			if got := allowed(send(origin)); got != "" {
				t.Errorf("%s from %s: %q", name, origin, got)
			}
		}
	}
	t.Run("an origin is its client's alone", func(t *testing.T) {
		if got := allowed(get(t, s, "/userinfo", from(own), bearer(others.AccessToken))); got != "" {
			t.Errorf("userinfo with another client's token: %q", got)
		}
		if got := allowed(call{path: "/token", headers: [][2]string{from(own), basic("app", "app-secret")}, form: forItself()}.send(t, s)); got != "" {
			t.Errorf("another client: %q", got)
		}
	})
	t.Run("nobody is believed before they have proven who they are", func(t *testing.T) {
		const origin = "https://jwt.example.com"
		parts := strings.Split(jwt.Assertion(map[string]any{"azp": "jwt"}), ".")
		unsigned := "eyJhbGciOiJub25lIn0." + parts[1] + "."
		for name, form := range map[string]url.Values{
			"an unsigned assertion":   values(asserting(unsigned)...),
			"a bent assertion":        values(asserting(parts[0] + "." + parts[1] + ".AAAA")...),
			"only a name":             values("client_id", "jwt"),
			"the name of nobody else": values("client_id", "nobody"),
		} {
			if got := allowed(call{path: "/token", headers: [][2]string{from(origin)}, form: form}.send(t, s)); got != "" {
				t.Errorf("%s: %q", name, got)
			}
		}
		if got := allowed(get(t, s, "/userinfo", from(own), bearer(tokens.AccessToken+"A"))); got != "" {
			t.Errorf("a bent token: %q", got)
		}
	})
	t.Run("a browser that asks first", func(t *testing.T) {
		preflight := func(path, origin string) *workertest.Answer {
			return call{method: http.MethodOptions, path: path, headers: [][2]string{from(origin), {"Access-Control-Request-Method", "POST"}}}.send(t, s)
		}
		for _, path := range []string{"/token", "/revoke", "/userinfo"} {
			if a := preflight(path, own); allowed(a) != own || !strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "POST") || a.Header.Get("Vary") != "Origin" {
				t.Errorf("%s: %d %q", path, a.Status, allowed(a))
			}
			for _, origin := range foreign {
				if got := allowed(preflight(path, origin)); got != "" && origin != "https://jwt.example.com" {
					t.Errorf("%s from %s: %q", path, origin, got)
				}
			}
		}
		for _, path := range []string{"/introspect", "/authorize", "/login", "/consent", "/logout"} {
			if a := preflight(path, own); allowed(a) != "" || a.Status == http.StatusNoContent {
				t.Errorf("%s: %d %q", path, a.Status, allowed(a))
			}
		}
	})
	t.Run("keys and metadata are everybody's", func(t *testing.T) {
		for _, path := range []string{route.Keys, route.Discovery, route.OAuthMetadata} {
			if got := allowed(get(t, s, path, from("https://anywhere.example.com"))); got != "*" {
				t.Errorf("%s: %q", path, got)
			}
		}
	})
}
