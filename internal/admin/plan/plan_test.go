package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dex/internal/admin/declare"
	"dex/internal/base/secret"
	"dex/internal/base/strict"
	"dex/internal/connector"
	"dex/internal/connector/inventory"
	"dex/internal/connector/oidc"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
)

var (
	now   = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	kinds = []connector.Kind{oidc.Kind, {Name: "local"}}

	options = Options{Kinds: kinds, Passwords: "local"}
)

// read reads files, which must be right.
func read(t interface{ Fatal(...any) }, text string) Wanted {
	r, err := declare.ReadFiles(declare.Source{Name: "stack.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	w, err := Want(r, now)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// applied is what there is after a plan.
func applied(i inventory.Inventory, p Plan) inventory.Inventory {
	after := inventory.Inventory{Clients: slices.Clone(i.Clients), Connectors: slices.Clone(i.Connectors)}
	peopled(&after, i, p)
	put := func(c client.Registered) {
		if slices.Contains(p.Secretless, c.ID) {
			v := secret.New(secret.ClientPrefix)
			c.Secrets, c.Notes = []secret.Hash{v.Hash()}, []client.SecretNote{client.NoteOf(v, now)}
		}
		c.Version++
		after.Clients = slices.DeleteFunc(after.Clients, func(o client.Registered) bool { return o.ID == c.ID })
		after.Clients = append(after.Clients, c)
	}
	for _, c := range slices.Concat(p.Deeds.NewClients, p.Deeds.ChangedClients) {
		put(c)
	}
	after.Clients = slices.DeleteFunc(after.Clients, func(c client.Registered) bool { return slices.Contains(p.Deeds.DeleteClients, c.ID) })
	after.Connectors = append(after.Connectors, p.Deeds.NewConnectors...)
	for i, c := range after.Connectors {
		for _, changed := range p.Deeds.ChangedConnectors {
			if changed.ID == c.ID {
				after.Connectors[i] = changed
			}
		}
		if slices.Contains(p.Deeds.DisableConnectors, c.ID) {
			after.Connectors[i].Disabled, after.Connectors[i].DisabledBy = true, tenant.ManagedByApply
		}
	}
	if len(p.Deeds.Order) > 0 {
		slices.SortFunc(after.Connectors, func(a, b connector.Registered) int {
			return slices.Index(p.Deeds.Order, a.ID) - slices.Index(p.Deeds.Order, b.ID)
		})
	}
	return after
}

// told is a plan as one text.
func told(p Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s %s %s", c.Action, c.Noun, c.ID)
		for _, f := range c.Fields {
			fmt.Fprintf(&b, "; %s: %s -> %s", f.Name, f.Before, f.After)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

const (
	corpLine = `- {id: corp, kind: oidc, name: Corporate, config: {issuer: "https://id.corp.example", client_id: dex, client_secret: s3cret}}
`
	peopleLine = `- {id: people, kind: local}
`
)

const stack = `
connectors:
` + corpLine + peopleLine + `
clients:
- {id: grafana, name: Grafana, redirect_uris: ["https://grafana.example/login"], connectors: [corp]}
- {id: shell, public: true, native: true, redirect_uris: ["http://127.0.0.1/cb"]}
`

// there is an inventory as files have made it.
func there(t *testing.T, text string) inventory.Inventory {
	t.Helper()
	p, problems := Make(inventory.Inventory{}, read(t, text), options)
	if problems != nil {
		t.Fatal(problems)
	}
	return applied(inventory.Inventory{}, p)
}

func TestAPlanSaysWhatWouldChange(t *testing.T) {
	have := there(t, stack)
	byHand := func(id string, change func(c *client.Registered)) func(i *inventory.Inventory) {
		return func(i *inventory.Inventory) {
			for n := range i.Clients {
				if i.Clients[n].ID == id {
					change(&i.Clients[n])
				}
			}
		}
	}
	for _, tt := range []struct {
		name     string
		before   func(i *inventory.Inventory)
		from, to string // in the files
		prune    bool
		want     string
	}{
		{name: "nothing has changed"},
		{name: "another name", from: "name: Grafana", to: "name: Dashboards", want: "update client grafana; name: Grafana -> Dashboards\n"},
		{name: "a list", from: `/login"]`, to: `/login", "https://g.example/"]`, want: "update client grafana; redirect_uris: [https://grafana.example/login] -> [https://grafana.example/login, https://g.example/]\n"},
		{name: "a secret", from: "name: Grafana", to: "name: Grafana, secret: another", want: "update client grafana; secrets:  -> (changed)\n"},
		{name: "a secret of a connector", from: "s3cret", to: "another", want: "update connector corp; config.client_secret:  -> (changed)\n"},
		{name: "a secret that is left out stays", from: ", client_secret: s3cret", to: ""},
		{name: "a setting of a connector", from: "client_id: dex", to: "client_id: dex2", want: "update connector corp; config.client_id: dex -> dex2\n"},
		{
			name: "another order", from: corpLine + peopleLine, to: peopleLine + corpLine,
			want: "reorder connector *; order: [corp, people] -> [people, corp]\n",
		},
		{
			name: "a new one in front", from: corpLine, to: strings.NewReplacer("corp,", "first,", ", name: Corporate", "").Replace(corpLine) + corpLine,
			want: "create connector first; config.client_id:  -> dex; config.issuer:  -> https://id.corp.example; kind:  -> oidc; config.client_secret:  -> (set)\nreorder connector *; order: [corp, people, first] -> [first, corp, people]\n",
		},
		{name: "one is not named any more", from: "- {id: shell,", to: "- {id: bash,", want: "create client bash; native:  -> true; public:  -> true; redirect_uris:  -> [http://127.0.0.1/cb]\n"},
		{
			name: "and pruned", from: "- {id: shell,", to: "- {id: bash,", prune: true,
			want: "create client bash; native:  -> true; public:  -> true; redirect_uris:  -> [http://127.0.0.1/cb]\ndelete client shell\n",
		},
		{name: "a connector is not named any more, and pruned", from: "- {id: people, kind: local}\n", to: "", prune: true, want: "disable connector people\n"},
		{
			name: "what somebody has made by hand is not pruned", from: "- {id: shell,", to: "- {id: bash,", prune: true,
			before: byHand("shell", func(c *client.Registered) { c.ManagedBy = tenant.ManagedByHand }),
			want:   "create client bash; native:  -> true; public:  -> true; redirect_uris:  -> [http://127.0.0.1/cb]\n",
		},
		{
			name:   "what somebody has made by hand, and is the same, stays theirs",
			before: byHand("shell", func(c *client.Registered) { c.ManagedBy = tenant.ManagedByHand }),
		},
		{
			name: "what differs from the files is theirs from then on", from: "name: Grafana", to: "name: Dashboards",
			before: byHand("grafana", func(c *client.Registered) { c.ManagedBy = tenant.ManagedByHand }),
			want:   "update client grafana; name: Grafana -> Dashboards; managed_by: api -> apply\n",
		},
		{
			name:   "what an operator has disabled stays so",
			before: byHand("grafana", func(c *client.Registered) { c.Disabled, c.DisabledBy = true, tenant.DisabledByOperator }),
		},
		{
			name:   "what the files have disabled they enable",
			before: byHand("grafana", func(c *client.Registered) { c.Disabled, c.DisabledBy = true, tenant.ManagedByApply }),
			want:   "update client grafana; disabled: true -> \n",
		},
		{
			name:   "what the servers' configuration declares, and is the same",
			before: byHand("grafana", func(c *client.Registered) { c.ManagedBy = tenant.ManagedByFile }),
		},
		{name: "public becomes confidential", from: "public: true, native: true", to: "native: true", want: "update client shell; public: true -> ; secret:  -> (made when it is applied, and shown once)\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := inventory.Inventory{Clients: slices.Clone(have.Clients), Connectors: slices.Clone(have.Connectors)}
			if tt.before != nil {
				tt.before(&i)
			}
			if !strings.Contains(stack, tt.from) {
				t.Fatalf("%q is not in the files", tt.from)
			}
			w := read(t, strings.Replace(stack, tt.from, tt.to, 1))
			p, problems := Make(i, w, Options{Prune: tt.prune, Kinds: kinds, Passwords: "local"})
			if problems != nil || told(p) != tt.want {
				t.Errorf("%v\n%s\nwant\n%s", problems, told(p), tt.want)
			}
			again, problems := Make(applied(i, p), w, Options{Prune: tt.prune, Kinds: kinds, Passwords: "local"})
			if problems != nil || len(again.Changes) > 0 || !again.Deeds.Empty() {
				t.Errorf("after it was applied: %v\n%s", problems, told(again))
			}
		})
	}
}

func TestAPlanSaysAtOnceWhatStandsInItsWay(t *testing.T) {
	i := there(t, stack)
	i.Clients[0].ManagedBy = tenant.ManagedByFile
	w := read(t, `
connectors:
- {id: corp, kind: local}
clients:
- {id: grafana, name: Changed, redirect_uris: ["https://grafana.example/login"], connectors: [corp, nowhere]}
- {id: shell, public: true, native: true, redirect_uris: ["http://127.0.0.1/cb"], trusted_peers: [nobody]}
`)
	_, problems := Make(i, w, options)
	var got []string
	for _, p := range problems {
		got = append(got, p.Noun+" "+p.ID+" "+p.Field)
	}
	moved := strings.NewReplacer("https://id.corp.example", "https://id.evil.example", ", client_secret: s3cret", "").Replace(stack)
	if _, problems := Make(there(t, stack), read(t, moved), options); len(problems) != 1 || problems[0].Field != "config.client_secret" {
		t.Errorf("a secret would go to another issuer: %v", problems)
	}
	want := []string{"connector corp kind", "client grafana ", "client grafana connectors[1]", "client shell trusted_peers[0]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestThePlanOfAChangedServerHasAnotherBasis(t *testing.T) {
	i, w := there(t, stack), read(t, stack)
	basisOf := func(i inventory.Inventory, w Wanted, prune bool) string {
		p, problems := Make(i, w, Options{Prune: prune, Kinds: kinds, Passwords: "local"})
		if problems != nil {
			t.Fatal(problems)
		}
		return p.Basis
	}
	first := basisOf(i, w, false)
	if again := basisOf(there(t, stack), read(t, stack), false); len(again) != 64 {
		t.Errorf("the basis %q", again)
	}
	if basisOf(i, read(t, stack), false) != first {
		t.Error("the same question has another basis")
	}
	seen := map[string]string{first: "as it was"}
	try := func(name, basis string) {
		if other, ok := seen[basis]; ok {
			t.Errorf("%s: the basis is the same as: %s", name, other)
		}
		seen[basis] = name
	}
	try("pruned", basisOf(i, w, true))
	try("other files", basisOf(i, read(t, strings.Replace(stack, "name: Grafana", "name: G", 1)), false))
	try("another id", basisOf(i, read(t, strings.Replace(stack, "id: shell", "id: bash", 1)), false))
	try("another secret", basisOf(i, read(t, strings.Replace(stack, "s3cret", "other", 1)), false))
	try("another secret of a client", basisOf(i, read(t, strings.Replace(stack, "name: Grafana", "name: Grafana, secret: x", 1)), false))
	changed := inventory.Inventory{Clients: slices.Clone(i.Clients), Connectors: slices.Clone(i.Connectors)}
	changed.Clients[0].Version++
	try("a changed client", basisOf(changed, w, false))
	changed.Clients = changed.Clients[1:]
	try("a client less", basisOf(changed, w, false))
	changed = inventory.Inventory{Clients: i.Clients, Connectors: slices.Clone(i.Connectors)}
	changed.Connectors[0].Version++
	try("a changed connector", basisOf(changed, w, false))
}

// drawn is any client that may be declared.
func drawn(t *rapid.T, id string) declare.Client {
	lists := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,6}`), 0, 3, rapid.ID[string])
	c := declare.Client{
		ID: id, Name: rapid.SampledFrom([]string{id, "A Name", "yes", "1.0", "Ünïcödé: #1", "null"}).Draw(t, "name"),
		Profile: rapid.SampledFrom([]string{"standard", "openid"}).Draw(t, "profile"), GrantTypes: []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{"https://" + id + ".example/cb"}, Groups: lists.Draw(t, "groups"), IDTokenAlg: rapid.SampledFrom([]string{"RS256", "ES256"}).Draw(t, "alg"),
		Trusted: rapid.Bool().Draw(t, "trusted"), Disabled: rapid.Bool().Draw(t, "disabled"), Public: rapid.Bool().Draw(t, "public"),
		AccessTokenTTL: time.Duration(rapid.IntRange(0, 90000).Draw(t, "ttl")) * time.Second,
	}
	if rapid.Bool().Draw(t, "scopes") {
		c.Scopes = append([]string{"openid"}, lists.Draw(t, "more scopes")...)
	}
	if grace := rapid.IntRange(-1, 600).Draw(t, "grace"); grace >= 0 {
		c.RefreshGrace = new(time.Duration(grace) * time.Second)
	}
	c.AuthMethod = "client_secret_basic"
	if c.Public {
		c.AuthMethod = "none"
	} else if rapid.Bool().Draw(t, "secret") {
		c.AuthMethod = rapid.SampledFrom([]string{"client_secret_basic", "client_secret_post"}).Draw(t, "method")
		c.Secrets = []secret.Value{secret.Value("s-" + id)}
	}
	return c
}

// What is exported, written as YAML and read again is what there is.
func TestAPlanOfAnExportFindsNothingToChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Wanted
		for i := range rapid.IntRange(0, 4).Draw(t, "clients") {
			made, err := Want(declare.Resources{Clients: []declare.Client{drawn(t, fmt.Sprintf("c%d", i))}}, now)
			if err != nil {
				t.Fatal(err)
			}
			w.Clients = append(w.Clients, made.Clients...)
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "connectors") {
			config, _ := json.Marshal(map[string]any{
				"issuer": "https://id.example", "client_id": rapid.String().Draw(t, "client_id"), "client_secret": rapid.StringMatching(`[a-z]*`).Draw(t, "secret"),
				"userinfo": rapid.Bool().Draw(t, "userinfo"), "extra_params": map[string]string{"a": rapid.StringMatching(`[ -~]*`).Draw(t, "param")},
			})
			w.Connectors = append(w.Connectors, connector.Configured{ID: fmt.Sprintf("k%d", i), Kind: "oidc", Name: "K", Config: config})
			w.Connectors[i].Policy.CreateOnFirstLogin, w.Connectors[i].Policy.AuthoritativeFor = true, []string{}
		}
		people := drawnPeople(t)
		w.Connectors, w.People, w.Groups = append(w.Connectors, people.Connectors...), people.People, people.Groups
		p, problems := Make(inventory.Inventory{}, w, options)
		if problems != nil {
			t.Fatal(problems)
		}
		have := applied(inventory.Inventory{}, p)
		r, err := Export(have, kinds)
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.YAML()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range have.Clients {
			for _, s := range c.Secrets {
				if strings.Contains(string(text), fmt.Sprintf("%x", s)) {
					t.Fatalf("a secret is told:\n%s", text)
				}
			}
		}
		if strings.Contains(string(text), "$argon2id") {
			t.Fatalf("a password is told:\n%s", text)
		}
		again, err := declare.ReadFiles(declare.Source{Name: "export.yaml", Data: text, Expand: nothing})
		if err != nil {
			t.Fatalf("%v\nin\n%s", err, text)
		}
		want, err := Want(again, now)
		if err != nil {
			t.Fatal(err)
		}
		after, problems := Make(have, want, Options{Prune: true, Kinds: kinds, Passwords: "local"})
		if problems != nil || len(after.Changes) > 0 || !after.Deeds.Empty() {
			t.Fatalf("%v\n%s\nof\n%s", problems, told(after), text)
		}
	})
}

func TestTheOrderOfTheFilesHoldsAmongThoseThatTheyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfDistinct(rapid.StringMatching(`[a-h]`), rapid.ID[string])
		current, desired := ids.Draw(t, "current"), ids.Draw(t, "desired")
		after := Order(current, desired)
		only := func(list []string, keep func(string) bool) []string {
			return slices.DeleteFunc(slices.Clone(list), func(id string) bool { return !keep(id) })
		}
		if got := only(after, func(id string) bool { return slices.Contains(desired, id) }); !slices.Equal(got, desired) {
			t.Errorf("the named ones are in the order %v, want %v", got, desired)
		}
		unnamed := func(id string) bool { return !slices.Contains(desired, id) }
		if got, want := only(after, unnamed), only(current, unnamed); !slices.Equal(got, want) {
			t.Errorf("the others are in the order %v, want %v", got, want)
		}
		if again := Order(after, desired); !slices.Equal(again, after) {
			t.Errorf("once more: %v, and was %v", again, after)
		}
	})
}

// nothing is how dexctl fills in what the values of a file refer to, for a file that
// refers to nothing.
func nothing(text string) (string, error) {
	return strict.Expand(text, func(string) (string, bool) { return "", false }, func(name string, _ int64) ([]byte, error) {
		return nil, fmt.Errorf("the file %s is asked for", name)
	})
}

// Whoever may name an application must not learn what only the operator can read who
// plans an export of it.
func TestAnExportRefersToNothingOfWhoeverAppliesIt(t *testing.T) {
	w := read(t, `
clients: [{id: web, name: "${file:/etc/dex/token} $${HOME} $", redirect_uris: [https://a.example/cb]}]
connectors: [{id: up, kind: oidc, name: Up, config: {issuer: https://id.example, client_id: "${HOME}", extra_params: {"${a}": "${b}"}}}]`)
	p, problems := Make(inventory.Inventory{}, w, options)
	if problems != nil {
		t.Fatal(problems)
	}
	have := applied(inventory.Inventory{}, p)
	r, err := Export(have, kinds)
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := declare.ReadFiles(declare.Source{Name: "export.yaml", Data: text, Expand: nothing})
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	if want, err := Want(again, now); err != nil {
		t.Fatal(err)
	} else if p, problems := Make(have, want, options); problems != nil || len(p.Changes) > 0 {
		t.Errorf("a plan of it finds %+v, %v\nin\n%s", p.Changes, problems, text)
	}
}
