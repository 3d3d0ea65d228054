package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"dex/internal/admin/declare"
	"dex/internal/base/secret"
	"dex/internal/connector/inventory"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// peopled is what there is of people and groups after a plan.
func peopled(after *inventory.Inventory, i inventory.Inventory, p Plan) {
	after.People, after.Groups = slices.Clone(i.People), slices.Clone(i.Groups)
	for _, n := range p.Deeds.NewPeople {
		one := inventory.Person{Declared: n.PasswordHash, Account: user.Account{
			User: n.User, ManagedBy: n.ManagedBy, LoginNames: n.Local.LoginNames, ConnectorID: n.Local.ConnectorID, Profile: n.Local.Profile,
		}}
		if n.PasswordHash != "" {
			one.PasswordAt = now
		}
		after.People = append(after.People, one)
	}
	for n := range after.People {
		one := &after.People[n]
		for _, a := range p.Deeds.ChangedPeople {
			if a.ID == one.ID {
				amended(one, a)
			}
		}
		if slices.Contains(p.Deeds.DisablePeople, one.ID) {
			one.Disabled, one.DisabledBy = true, tenant.ManagedByApply
		}
		one.Version++
	}
	after.Groups = append(after.Groups, p.Deeds.NewGroups...)
	for n := range after.Groups {
		for _, c := range p.Deeds.ChangedGroups {
			if g := &after.Groups[n]; c.ID == g.ID {
				g.Group, g.Members = c.Group, without(slices.Concat(g.Members, c.Join), c.Leave)
			}
		}
	}
	after.Groups = slices.DeleteFunc(after.Groups, func(g inventory.Group) bool { return slices.Contains(p.Deeds.DeleteGroups, g.ID) })
	for _, one := range after.People {
		if one.Role == "owner" && !one.Disabled {
			after.Owners = append(after.Owners, one.ID)
		}
	}
}

func amended(one *inventory.Person, a inventory.Amendment) {
	one.ManagedBy = tenant.ManagedByApply
	if a.Who != nil {
		one.Username, one.Email, one.EmailVerified, one.Name = a.Who.Username, a.Who.Email, a.Who.EmailVerified, a.Who.Name
		one.Profile, one.LoginNames, one.ConnectorID = a.Who.Local.Profile, a.Who.Local.LoginNames, a.Who.Local.ConnectorID
	}
	if a.Role != nil {
		one.Role = *a.Role
	}
	if a.Disabled != nil {
		one.Disabled, one.DisabledBy = *a.Disabled, tenant.ManagedByApply
	}
	if a.PasswordHash != "" {
		one.Declared, one.PasswordAt = a.PasswordHash, now
	}
}

const hash = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"

const staff = `
connectors:
` + peopleLine + `
users:
- {id: ann, username: ann, email: ann@example.com, name: Ann, role: owner}
- {id: bob, username: bob, password_hash: "` + hash + `"}
groups:
- {id: oncall, description: Who is on call, members: [ann, usr_bob]}
- {id: empty}
`

func TestAPlanSaysWhatWouldChangeOfPeopleAndGroups(t *testing.T) {
	have := there(t, staff)
	have.People = append(have.People, inventory.Person{Account: user.Account{User: user.User{ID: "usr_jane", Username: "jane"}}})
	known := func(id string, change func(one *inventory.Person)) func(i *inventory.Inventory) {
		return func(i *inventory.Inventory) {
			change(&i.People[slices.IndexFunc(i.People, func(one inventory.Person) bool { return one.ID == id })])
		}
	}
	for _, tt := range []struct {
		name     string
		before   func(i *inventory.Inventory)
		from, to string
		prune    bool
		want     string
		names    string // that bob logs in with afterwards
	}{
		{name: "nothing has changed", prune: true},
		{name: "a name", from: "name: Ann,", to: "name: Anna,", want: "update user usr_ann; name: Ann -> Anna\n"},
		{name: "a role", from: "username: bob,", to: "username: bob, role: support,", want: "update user usr_bob; role:  -> support\n"},
		{name: "a password that is left out stays", from: `, password_hash: "` + hash + `"`, to: ""},
		{name: "another password", from: "aGFzaGhhc2g\"", to: "aGFzaGhhc2c\"", want: "update user usr_bob; password_hash:  -> (changed)\n"},
		{name: "a first password", from: "name: Ann,", to: `name: Ann, password_hash: "` + hash + `",`, want: "update user usr_ann; password_hash:  -> (set)\n"},
		{
			name:   "a password that the person has chosen since gives way to the one of the files",
			before: known("usr_bob", func(one *inventory.Person) { one.Declared = "" }), want: "update user usr_bob; password_hash:  -> (changed)\n",
		},
		{name: "somebody new", from: "- {id: bob,", to: "- {username: cleo}\n- {id: bob,", want: "create user usr_blxnbdqlfrax5ulco6z4tzy2yk; username:  -> cleo\n"},
		{
			name: "another user name takes the old login name along, and leaves what was given by hand", names: "bobby robert",
			before: known("usr_bob", func(one *inventory.Person) { one.LoginNames = []string{"bob", "robert"} }),
			from:   "username: bob", to: "username: bobby", want: "update user usr_bob; username: bob -> bobby\n",
		},
		{name: "somebody is disabled", from: "username: bob", to: "username: bob, disabled: true", want: "update user usr_bob; disabled:  -> true\n"},
		{
			name:   "whom the files have disabled they enable",
			before: known("usr_bob", func(one *inventory.Person) { one.Disabled, one.DisabledBy = true, tenant.ManagedByApply }),
			want:   "update user usr_bob; disabled: true -> \n",
		},
		{
			name:   "whom an operator has disabled stays so",
			before: known("usr_bob", func(one *inventory.Person) { one.Disabled, one.DisabledBy = true, tenant.DisabledByOperator }),
		},
		{name: "who is not named stays", from: `- {id: bob, username: bob, password_hash: "` + hash + `"}`, to: ""},
		{
			name: "and is disabled when it is pruned, but never deleted, and not who came by a login", prune: true,
			from: `- {id: bob, username: bob, password_hash: "` + hash + `"}`, to: "", want: "disable user usr_bob\n",
		},
		{
			name: "what somebody has made by hand is not pruned", prune: true,
			before: known("usr_bob", func(one *inventory.Person) { one.ManagedBy = tenant.ManagedByHand }),
			from:   `- {id: bob, username: bob, password_hash: "` + hash + `"}`, to: "",
		},
		{
			name: "and is the files' from when it differs", before: known("usr_bob", func(one *inventory.Person) { one.ManagedBy = tenant.ManagedByHand }),
			from: "username: bob,", to: "username: bob, name: Bob,", want: "update user usr_bob; name:  -> Bob; managed_by: api -> apply\n",
		},
		{name: "a description", from: "Who is on call", to: "Who wakes up", want: "update group oncall; description: Who is on call -> Who wakes up\n"},
		{name: "members", from: "[ann, usr_bob]", to: "[bob, usr_jane]", want: "update group oncall; members:  -> [+usr_jane, -usr_ann]\n"},
		{name: "a new group", from: "- {id: empty}", to: "- {id: empty}\n- {id: new, members: [ann]}", want: "create group new; members:  -> [+usr_ann]\n"},
		{name: "a group that is not named stays", from: "- {id: empty}", to: ""},
		{name: "and is deleted when it is pruned", from: "- {id: empty}", to: "", prune: true, want: "delete group empty\n"},
		{
			name: "unless somebody has made it by hand", from: "- {id: empty}", to: "", prune: true,
			before: func(i *inventory.Inventory) { i.Groups[1].ManagedBy = tenant.ManagedByHand },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(staff, tt.from) {
				t.Fatalf("%q is not in the files", tt.from)
			}
			i := have
			i.People, i.Groups = slices.Clone(have.People), slices.Clone(have.Groups)
			if tt.before != nil {
				tt.before(&i)
			}
			w := read(t, strings.Replace(staff, tt.from, tt.to, 1))
			p, problems := Make(i, w, Options{Prune: tt.prune, Kinds: kinds, Passwords: "local"})
			if problems != nil || told(p) != tt.want {
				t.Fatalf("%v\n%s\nwant\n%s", problems, told(p), tt.want)
			}
			after := applied(i, p)
			again, problems := Make(after, w, Options{Prune: tt.prune, Kinds: kinds, Passwords: "local"})
			if problems != nil || len(again.Changes) > 0 || !again.Deeds.Empty() {
				t.Errorf("after it was applied: %v\n%s", problems, told(again))
			}
			if tt.names != "" {
				for _, one := range after.People {
					if got := strings.Join(one.LoginNames, " "); one.ID == "usr_bob" && got != tt.names {
						t.Errorf("bob logs in with %s, want %s", got, tt.names)
					}
				}
			}
		})
	}
}

func TestAPlanSaysWhatStandsInTheWayOfPeopleAndGroups(t *testing.T) {
	have := there(t, staff)
	have.People = append(have.People,
		inventory.Person{Account: user.Account{User: user.User{ID: "usr_jane", Username: "jane"}}},
		inventory.Person{Account: user.Account{User: user.User{ID: "usr_file", Username: "file"}, ManagedBy: tenant.ManagedByFile, LoginNames: []string{"file"}}})
	for _, tt := range []struct {
		name, from, to string
		prune          bool
		want           string // noun, id, field, and a part of the message
	}{
		{"who came by a login", "- {id: bob,", "- {id: jane, username: jane}\n- {id: bob,", false, "user usr_jane  came by a login"},
		{"whom dex.yaml declares", "- {id: bob,", "- {id: file, username: file, name: X}\n- {id: bob,", false, "user usr_file  dex.yaml"},
		{"somebody else's login name", "- {id: bob,", "- {id: eve, username: ann@example.com}\n- {id: bob,", false, "declared"},
		{"the login name of somebody who is not in the files", "- {id: bob,", "- {id: eve, username: file}\n- {id: bob,", false, "user usr_eve username the id usr_file"},
		{"groups of a user", "username: bob,", "username: bob, groups: [oncall],", false, "user usr_bob groups at the group"},
		{"a password in clear", `password_hash: "` + hash + `"`, "password: mild-otter-wears-eleven-violins", false, "user usr_bob password password_hash"},
		{"a member who is nobody", "usr_bob]", "nobody]", false, "group oncall members there is no user \"usr_nobody\""},
		{"the last owner's role", "role: owner", "role: admin", false, "user usr_ann role last owner"},
		{"the last owner disabled", "role: owner", "role: owner, disabled: true", false, "user usr_ann role last owner"},
		{"the last owner pruned", "- {id: ann, username: ann, email: ann@example.com, name: Ann, role: owner}", "", true, "user usr_ann role last owner"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(staff, tt.from) {
				t.Fatalf("%q is not in the files", tt.from)
			}
			r, err := declare.ReadFiles(declare.Source{Name: "stack.yaml", Data: []byte(strings.Replace(staff, tt.from, tt.to, 1))})
			if err != nil {
				if tt.want != "declared" {
					t.Fatal(err)
				}
				return
			}
			w, err := Want(r, now)
			if err != nil {
				t.Fatal(err)
			}
			p, problems := Make(have, w, Options{Prune: tt.prune, Kinds: kinds, Passwords: "local"})
			if len(problems) != 1 || !strings.HasPrefix(problems[0].Noun+" "+problems[0].ID+" "+problems[0].Field, strings.Join(strings.SplitN(tt.want, " ", 4)[:3], " ")) ||
				!strings.Contains(problems[0].Message, strings.SplitN(tt.want, " ", 4)[3]) || len(p.Changes) > 0 {
				t.Errorf("%v, want %s", problems, tt.want)
			}
		})
	}
	// Somebody may take the name that another gives up, in the same step.
	w := read(t, strings.NewReplacer("username: bob,", "username: bobby,", "- {id: ann,", "- {id: new, username: bob}\n- {id: ann,").Replace(staff))
	if _, problems := Make(have, w, options); problems != nil {
		t.Error(problems)
	}
	// A new owner may take over in the same step.
	w = read(t, strings.NewReplacer("role: owner", "role: admin", "username: bob,", "username: bob, role: owner,").Replace(staff))
	if _, problems := Make(have, w, options); problems != nil {
		t.Error(problems)
	}
	w = read(t, strings.Replace(staff, peopleLine, corpLine, 1))
	if _, problems := Make(inventory.Inventory{}, w, options); len(problems) != 2 || !strings.Contains(problems[0].Message, "kind local") {
		t.Errorf("without a place for passwords: %v", problems)
	}
}

func TestTheBasisHoldsPeopleAndGroups(t *testing.T) {
	have, w := there(t, staff), read(t, staff)
	have.People = append(have.People, inventory.Person{Account: user.Account{User: user.User{ID: "usr_jane"}}})
	basisOf := func(change func(i *inventory.Inventory), w Wanted) string {
		i := have
		i.People, i.Groups = slices.Clone(have.People), slices.Clone(have.Groups)
		change(&i)
		return basis(i, w, options)
	}
	same := func(*inventory.Inventory) {}
	seen := map[string]string{basisOf(same, w): "as it was"}
	if other := basisOf(func(i *inventory.Inventory) { i.People[2].Version++ }, w); seen[other] == "" {
		t.Error("a login of somebody whom no file names makes the plan stale")
	}
	for name, b := range map[string]string{
		"an account has changed":  basisOf(func(i *inventory.Inventory) { i.People[0].Version++ }, w),
		"a password has changed":  basisOf(func(i *inventory.Inventory) { i.People[1].Declared = "" }, w),
		"a group has changed":     basisOf(func(i *inventory.Inventory) { i.Groups[0].Version++ }, w),
		"a member less":           basisOf(func(i *inventory.Inventory) { i.Groups[0].Members = i.Groups[0].Members[1:] }, w),
		"another name is wanted":  basisOf(same, read(t, strings.Replace(staff, "name: Ann", "name: A", 1))),
		"another hash is wanted":  basisOf(same, read(t, strings.Replace(staff, "aGFzaGhhc2g\"", "aGFzaGhhc2c\"", 1))),
		"other members":           basisOf(same, read(t, strings.Replace(staff, "usr_bob]", "]", 1))),
		"another group is wanted": basisOf(same, read(t, strings.Replace(staff, "id: empty", "id: full", 1))),
	} {
		if seen[b] != "" {
			t.Errorf("%s: the basis is the same as: %s", name, seen[b])
		}
		seen[b] = name
	}
}

// drawnPeople are any people and groups that may be declared.
func drawnPeople(t *rapid.T) Wanted {
	r := declare.Resources{Connectors: []declare.Connector{{ID: "people", Kind: "local", Name: "people"}}}
	var ids []string
	for i := range rapid.IntRange(0, 4).Draw(t, "users") {
		name := fmt.Sprintf("u%d", i)
		u := declare.User{
			Username: name, Name: rapid.SampledFrom([]string{"", "null", "Ünïcödé: #1", "007"}).Draw(t, "full name"),
			GivenName: rapid.SampledFrom([]string{"", "yes"}).Draw(t, "given name"), Locale: rapid.SampledFrom([]string{"", "en-GB", "no"}).Draw(t, "locale"),
			Role: rapid.SampledFrom([]string{"", "owner", "support"}).Draw(t, "role"), Disabled: rapid.Bool().Draw(t, "disabled"),
		}
		if rapid.Bool().Draw(t, "with an id") {
			u.ID = fmt.Sprintf("%d", i)
		}
		if rapid.Bool().Draw(t, "with an address") {
			u.Email, u.EmailVerified = name+"@example.com", rapid.Bool().Draw(t, "verified")
			if rapid.Bool().Draw(t, "only") {
				u.Username = u.Email
			}
		}
		if rapid.Bool().Draw(t, "password") {
			u.PasswordHash = secret.Value(hash)
		}
		r.Users, ids = append(r.Users, u), append(ids, u.Username)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "groups") {
		g := declare.Group{ID: fmt.Sprintf("g%d", i), Description: rapid.SampledFrom([]string{"", "- a", "x: y\nz"}).Draw(t, "description")}
		if len(ids) > 0 {
			g.Members = rapid.SliceOfDistinct(rapid.SampledFrom(ids), rapid.ID[string]).Draw(t, "members")
		}
		r.Groups = append(r.Groups, g)
	}
	w, err := Want(r, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}
