package declare

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"dex/internal/base/strict"
	"dex/internal/connector"
	"dex/internal/connector/oidc"
	"dex/internal/domain/client"
	"dex/internal/domain/user"
)

const webClient = `
id: web
secret: hunter2
redirect_uris: [https://a.example/cb]
`

// byAPI are the rules of the administrators' API.
var byAPI Rules

func mistakes(t *testing.T, err error) strict.Mistakes {
	t.Helper()
	all, ok := errors.AsType[strict.Mistakes](err)
	if !ok {
		t.Fatalf("a %T: %v", err, err)
	}
	return all
}

// A document of one thing names its settings without what stands around them in a
// file.
func TestEveryMistakeOfOneDocumentIsToldByItsPath(t *testing.T) {
	for _, test := range []struct {
		name string
		read func() error
		want string
	}{
		{
			"a client", func() error {
				_, err := byAPI.ReadClient([]byte(`{"redirect_uri": ["x"], "grant_types": ["authorization_code", "authorization_code"], "public": "maybe"}`))
				return err
			},
			"id: is not set\nredirect_uri: unknown setting; did you mean \"redirect_uris\"?\ngrant_types[1]: stands there twice\npublic: must be true or false",
		},
		{
			"a connector", func() error {
				_, err := byAPI.ReadConnector([]byte("id: Up\nkind: mock\nauthoritative_domains: [Example.com]"))
				return err
			},
			"id: must be small letters, digits and dashes, 63 at most, and not begin with a dash\nkind: mock lets everybody in: it needs no_db or an issuer on a loopback host\nauthoritative_domains[0]: must be a domain in small letters, such as example.com",
		},
		{
			"a user", func() error {
				_, err := byAPI.ReadUser([]byte(`{"username": "ann", "password": "ann", "role": "root", "email": "ann"}`))
				return err
			},
			"password: A password must have 12 characters at least. Several words that have nothing to do with each other make a good one.\nrole: must be one of owner, admin, support, auditor\nemail: must be an e-mail address such as ann@example.com",
		},
		{
			"a group", func() error {
				_, err := byAPI.ReadGroup([]byte(`{"id": " x", "members": ["a", "a", ""]}`))
				return err
			},
			"id: must be 255 visible characters at most, without spaces around them\nmembers[1]: stands there twice\nmembers[2]: must be the id of a user",
		},
		{"no section", func() error { _, err := byAPI.ReadGroup([]byte(`[]`)); return err }, "must be a section of settings, not a list"},
		{"nothing", func() error { _, err := byAPI.ReadGroup(nil); return err }, "id: is not set"},
		{"half a document", func() error { _, err := byAPI.ReadGroup([]byte(`{"id": "x"`)); return err }, "is no YAML: did not find expected ',' or '}' while parsing a flow mapping"},
		{"too deep", func() error {
			_, err := byAPI.ReadGroup([]byte(`{"id":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`))
			return err
		}, "is no JSON that can be read: it is nested too deeply"},
		{"twice", func() error { _, err := byAPI.ReadGroup([]byte(`{"id": "x", "id": "y"}`)); return err }, "id: is set twice, first on line 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := mistakes(t, test.read()).Error(); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

func TestJSONIsReadAsWhoeverWroteItMeans(t *testing.T) {
	g, err := byAPI.ReadGroup([]byte(`{"id": "007", "description": "gr\u00fc\u00dfe \ud83d\ude00 \/ ${NOT_FILLED_IN}", "members": ["usr_1"]}`))
	if err != nil || g.ID != "007" || g.Description != "grüße 😀 / ${NOT_FILLED_IN}" || g.Members[0] != "usr_1" {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestNoClientIsCalledAsTheRecordCallsSomethingElse(t *testing.T) {
	for _, id := range []string{"usr_ann", "bootstrap", "Bootstrap", "file", "keys", "dex-overlord", "dex-overlord recover-admin"} {
		_, err := byAPI.ReadClient([]byte(strings.Replace(webClient, "id: web", "id: "+id, 1)))
		if err == nil || !strings.HasPrefix(mistakes(t, err).Error(), "id: must") {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// What no address of the API can name could not be disabled or deleted there.
func TestWhatIsMadeCanStandInAnAddressOfTheAPI(t *testing.T) {
	for _, id := range []string{"a/b", `a\b`, "..", ".", "https://app.example"} {
		quoted := string(strict.Quote(id))
		for what, doc := range map[string]string{
			"clients": `{"id":` + quoted + `,"redirect_uris":["https://a.example/cb"],"secret":"hunter2hunter2"}`,
			"users":   `{"id":` + quoted + `,"username":"ann","password_hash":"$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}`,
			"groups":  `{"id":` + quoted + `}`,
		} {
			files := Source{Data: []byte(`{"` + what + `":[` + doc + `]}`)}
			if _, err := byAPI.ReadFiles(files); err == nil || !strings.HasPrefix(mistakes(t, err).Error(), what+"[0].id: must have no slashes") {
				t.Errorf("%s: %s is taken: %v", what, id, err)
			}
			// In a configuration file it is disabled where it stands.
			if _, err := (Rules{Whole: true}).ReadFiles(files); what != "groups" && strings.Contains(err.Error(), "slashes") {
				t.Errorf("%s: %s in a configuration file: %v", what, id, err)
			}
		}
	}
}

func TestOnlyATrustedClientMayAskForScopesOfTheAdministratorsAPI(t *testing.T) {
	for _, test := range []struct{ name, scopes, more, want string }{
		{"of an application of one's own", "openid, dex:users:read", "trusted: true", ""},
		{"of somebody else", "openid, dex:users:read", "", "scopes[1]: is of the administrators' API, which only a client with trusted: true may ask for"},
		{"one that is misspelt", "openid, dex:user:read", "trusted: true", `scopes[1]: the administrators' API has no such scope; did you mean "dex:users:read"?`},
		{"nobody writes the record", "openid, dex:audit:write", "trusted: true", "scopes[1]: the administrators' API has no such scope"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := byAPI.ReadClient([]byte(webClient + "scopes: [" + test.scopes + "]\n" + test.more))
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && !strings.HasPrefix(mistakes(t, err).Error(), test.want):
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestAClientThatIsToldAgainIsTheSame(t *testing.T) {
	for name, doc := range map[string]string{
		"confidential": webClient,
		"public":       "id: spa\npublic: true\nname: Ours\nredirect_uris: [https://a.example/cb]\nrefresh_grace: 0s\nid_token_alg: ES256\nallowed_origins: [https://a.example]",
		"certified":    "id: c\nprofile: openid\nsecrets: [a, b]\nredirect_uris: [https://a.example/cb]\nrequire_pkce: true\nauth_method: client_secret_post\naccess_token_ttl: 5m",
		"machine":      "id: m\njwks: {keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}\ngrant_types: [client_credentials]\nscopes: [a, b]\ngroups: [g]\nconnectors: [c]\ntrusted_peers: [p]",
		"elsewhere":    "id: x\nsecret: hunter2\nredirect_uris: [https://a.example/cb]\ngrant_types: [authorization_code, 'urn:ietf:params:oauth:grant-type:token-exchange']\nid_jag_audiences: [{issuer: https://chat.example, client_id: there, scopes: [chat]}, {issuer: https://mail.example, client_id: x}]",
		"encrypted":    "id: e\nsecret: hunter2\njwks: {keys: [{kty: EC, crv: P-256, use: enc, kid: e1, alg: ECDH-ES+A256KW, x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, y: 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}]}\nredirect_uris: [https://a.example/cb]\nid_token_encryption_alg: ECDH-ES+A256KW\nuserinfo_encryption_alg: ECDH-ES+A256KW\nuserinfo_encryption_enc: A256GCM",
		"disabled":     webClient + "disabled: true\nnative: true\ntrusted: true\npolicy_url: https://a.example/p\nterms_url: https://a.example/t\nid_token_ttl: 30d\nrefresh_grace: 90s\npost_logout_redirect_uris: [https://a.example/]\nscopes: [openid, 'dex:users:read']",
	} {
		t.Run(name, func(t *testing.T) {
			made := makeClient(t, doc)
			told, err := ClientOf(made)
			if err != nil {
				t.Fatal(err)
			}
			text, err := strict.Show{}.YAML(told)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "[secret]") {
				t.Errorf("a secret:\n%s", text)
			}
			if hasSecret := len(made.Secrets) > 0; hasSecret != strings.Contains(string(text), "and not told") {
				t.Errorf("it does not say that there is a secret:\n%s", text)
			}
			asJSON, err := json.Marshal(told)
			if err != nil {
				t.Fatal(err)
			}
			var heard Client
			if err := json.Unmarshal(asJSON, &heard); err != nil {
				t.Fatal(err)
			}
			if back, err := json.Marshal(heard); err != nil || string(back) != string(asJSON) {
				t.Errorf("over JSON %s became %s, %v", asJSON, back, err)
			}
			again := makeClient(t, string(text))
			again.Secrets, again.AuthMethod = made.Secrets, made.AuthMethod // without a secret, another would follow
			if !reflect.DeepEqual(again, made) {
				t.Errorf("it became\n%+v\nfrom\n%+v\nby\n%s", again, made, text)
			}
		})
	}
}

func makeClient(t *testing.T, doc string) client.Client {
	t.Helper()
	c, err := byAPI.ReadClient([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.Make()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestWhatAKindKeepsSecretIsNotTold(t *testing.T) {
	c := connector.Configured{
		ID: "up", Kind: "oidc", Name: "Up", Policy: user.Policy{AuthoritativeFor: []string{"example.com"}},
		Config: json.RawMessage(`{"issuer":"https://up.example","client_secret":"hunter2","scopes":["a","b"],"n":1.5}`),
	}
	told, err := ConnectorOf(c, []connector.Kind{oidc.Kind})
	if err != nil {
		t.Fatal(err)
	}
	text, err := Resources{Connectors: []Connector{told}}.YAML()
	const want = `connectors:
  - id: up
    kind: oidc
    name: Up
    authoritative_domains:
      - example.com
    # config.client_secret is set, and not told.
    config:
      issuer: https://up.example
      n: 1.5
      scopes:
        - a
        - b
`
	if err != nil || string(text) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
	if all, err := ReadFiles(Source{Name: "out.yaml", Data: text}); err != nil || string(all.Connectors[0].Config) != `{"issuer":"https://up.example","n":1.5,"scopes":["a","b"]}` {
		t.Errorf("it is read as %s, %v", []byte(all.Connectors[0].Config), err)
	}
	unknown, err := ConnectorOf(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(unknown); err != nil || strings.Contains(string(text), "config") {
		t.Errorf("of a kind that nobody knows it tells %s, %v", text, err)
	}
}

// What was read from a file may hold a secret anywhere.
func TestWhatWasReadIsNotPrinted(t *testing.T) {
	c, err := byAPI.ReadConnector([]byte("id: up\nkind: oidc\nconfig: {client_secret: hunter2}"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(c)
	if err != nil || strings.Contains(string(text), "hunter2") {
		t.Errorf("%s, %v", text, err)
	}
	all := Resources{Connectors: []Connector{c}, Users: []User{{Username: "ann", Password: "violet rope climbs"}}}
	text, err = all.Handover()
	if err != nil || !strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), "violet rope climbs") {
		t.Errorf("handed over is %s, %v", text, err)
	}
	if back, err := ReadFiles(Source{Data: text}); err != nil || !reflect.DeepEqual(back.Connectors, all.Connectors) || back.Users[0].Password != "violet rope climbs" {
		t.Errorf("it comes as %+v, %v", back, err)
	}
}

func TestAUserThatIsToldAgainIsTheSame(t *testing.T) {
	d, err := byAPI.ReadUser([]byte("email: ann@example.com\nname: Ann\ngroups: [a]\nrole: support\nemail_verified: true\nlocale: de"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.Make()
	if err != nil {
		t.Fatal(err)
	}
	if made.User.Role != "support" || !strings.HasPrefix(made.User.ID, "usr_") || !reflect.DeepEqual(made.LoginNames, []string{"ann@example.com", "ann@example.com"}) {
		t.Errorf("%+v", made)
	}
	text, err := strict.Show{}.YAML(UserOf(made.User, made.Profile, true))
	if err != nil || !strings.Contains(string(text), "# password_hash is set") {
		t.Fatalf("%s, %v", text, err)
	}
	again, err := byAPI.ReadUser(text)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := again.Make(); err != nil || !reflect.DeepEqual(back, made) {
		t.Errorf("%+v, %v; want %+v", back, err, made)
	}
}

func TestFilesAreReadAsOne(t *testing.T) {
	all, err := ReadFiles(
		Source{Name: "a.yaml", Data: []byte("clients:\n- {id: web, redirect_uris: [https://a.example/cb], trusted_peers: [other]}\ngroups: [{id: g}]")},
		Source{Name: "b.yaml", Data: []byte("clients:\n- {id: other, redirect_uris: [https://a.example/cb]}\nusers: [{username: ann}]\nconnectors: [{id: up, kind: oidc}]")},
		Source{Name: "empty.yaml"},
	)
	if err != nil || len(all.Clients) != 2 || len(all.Users) != 1 || len(all.Connectors) != 1 || len(all.Groups) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestWhatStandsInTwoFilesNamesBothPlaces(t *testing.T) {
	_, err := ReadFiles(
		Source{Name: "a.yaml", Data: []byte("clients:\n- {id: web, redirect_uris: [https://a.example/cb]}\nusers: [{username: ann}]")},
		Source{Name: "b.yaml", Data: []byte("users: [{username: ben, email: ann}, {username: ANN}]\nclients:\n- {id: web, redirect_uris: [https://a.example/cb]}\ngroups: [{id: g}, {id: g}]")},
		Source{Name: "c.yaml", Data: []byte("staticClients: []\n")},
		Source{Name: "d.yaml", Data: []byte("- x\n")},
	)
	const want = `d.yaml:1:1: must be a section of settings, not a list
b.yaml:1:32: users[0].email: must be an e-mail address such as ann@example.com
b.yaml:1:49: users[1].username: a.yaml:3:20 logs in with the same name
b.yaml:3:8: clients[0].id: a.yaml:2:8 has this id
b.yaml:4:24: groups[1].id: groups[0] has this id
c.yaml:1:1: staticClients: unknown setting; did you mean "clients"?`
	if got := mistakes(t, err).Error(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestALifetimeIsWrittenAsItIsRead(t *testing.T) {
	text, err := strict.Show{}.YAML(Client{ID: "a", AccessTokenTTL: 90 * time.Minute})
	if err != nil || !strings.Contains(string(text), "access_token_ttl: 90m") && !strings.Contains(string(text), "access_token_ttl: 1h30m") {
		t.Errorf("%s, %v", text, err)
	}
}

// FuzzReadFiles holds that whatever a file says, reading it ends, with resources
// that are read the same again when they have been handed over, or with mistakes.
func FuzzReadFiles(f *testing.F) {
	f.Add("clients: [{id: web, secret: x, redirect_uris: [https://a.example/cb]}]\nusers: [{username: ann, role: owner}]")
	f.Add(`{"connectors": [{"id": "up", "kind": "oidc", "config": {"a": [1, 1.5e3, null, true, "\ud83d\ude00"]}}]}`)
	f.Add(`{"groups": [{"id": "g", "members": ["a"]}], "groups": []}`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ReadFiles(Source{Name: "x.yaml", Data: []byte(text)})
		if err != nil {
			if len(mistakes(t, err)) == 0 {
				t.Fatal("no mistakes, and an error")
			}
			return
		}
		handed, err := all.Handover()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadFiles(Source{Data: handed})
		if err != nil {
			t.Fatalf("%v\n%s", err, handed)
		}
		twice, err := again.Handover()
		if err != nil || string(twice) != string(handed) {
			t.Errorf("%s became %s, %v", handed, twice, err)
		}
	})
}
