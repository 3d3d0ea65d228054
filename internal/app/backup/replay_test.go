package backup

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/connector"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/key"
	"dex/internal/domain/user"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
	"dex/internal/store"
)

// office is who is in a house, before a backup and after.
type office struct {
	*house
	db     *store.DB
	tenant *store.Tenant
	ids    map[string]string // of people, by their names
	key    string
}

func (o *office) by() audit.By { return audit.By{Actor: "usr_operator", At: time.Now()} }

func (o *office) ok(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// newOffice has people, a group, clients, connectors and a key.
func newOffice(t *testing.T) *office {
	o := &office{house: newHouse(t), ids: map[string]string{}}
	o.db, o.tenant = o.open()
	ctx := t.Context()
	for _, id := range []string{"corp", "elsewhere"} {
		_, err := o.tenant.RegisterConnector(ctx, connector.Registered{Configured: connector.Configured{ID: id, Kind: "oidc", Name: id, Config: []byte(`{}`)}}, o.by())
		o.ok(err)
	}
	for _, name := range []string{"ann", "ben", "cleo", "dan", "eve"} {
		role := map[string]string{"ann": "owner", "dan": "admin", "eve": "auditor"}[name]
		u, err := o.tenant.CreateUser(ctx, user.New{User: user.User{Username: name, Role: role}}, o.by())
		o.ok(err)
		o.ids[name] = u.ID
	}
	o.ok(o.tenant.LinkIdentity(ctx, o.ids["ben"], user.Identity{ConnectorID: "corp", Subject: "b"}, o.by()))
	_, err := o.tenant.CreateGroup(ctx, user.Group{ID: "crew"}, o.by())
	o.ok(err)
	o.ok(o.tenant.AddMembers(ctx, "crew", []string{o.ids["ben"], o.ids["dan"]}, o.by()))
	for _, id := range []string{"app", "old", "two"} {
		first, second := secret.New(secret.ClientPrefix), secret.New(secret.ClientPrefix)
		_, err := o.tenant.RegisterClient(ctx, client.Registered{Notes: []client.SecretNote{client.NoteOf(first, time.Now()), client.NoteOf(second, time.Now())}, Client: client.Client{
			ID: id, Name: id, Profile: client.Standard, AuthMethod: oauth.AuthSecretBasic, Secrets: []secret.Hash{first.Hash(), second.Hash()},
			RedirectURIs: []string{"https://app.example.com/cb"}, GrantTypes: []string{client.AuthorizationCode}, IDTokenAlg: jose.ES256,
		}}, o.by())
		o.ok(err)
	}
	o.ok(o.tenant.KeepConsent(ctx, o.ids["dan"], "app", oauth.Scopes{"openid"}, time.Now()))
	ring := &key.Ring{Store: o.tenant, Clock: clock.System{}, Timing: key.DefaultTiming}
	_, err = ring.Turn(ctx, []jose.Algorithm{jose.ES256})
	o.ok(err)
	all, err := o.tenant.SigningKeys(ctx)
	o.ok(err)
	o.key = all[0].ID
	return o
}

// loses is what is taken away after the backup.
func (o *office) loses() {
	o.Helper()
	ctx, t := o.Context(), o.tenant
	o.ok(t.DisableUser(ctx, o.ids["ben"], o.by()))
	o.ok(t.UnlinkIdentity(ctx, o.ids["ben"], "corp", "b", o.by()))
	o.ok(t.DeleteUser(ctx, o.ids["cleo"], 0, o.by()))
	_, err := t.SetRole(ctx, o.ids["dan"], "", 0, o.by())
	o.ok(err)
	_, err = t.SetRole(ctx, o.ids["eve"], "admin", 0, o.by()) // more than before
	o.ok(err)
	o.ok(t.RemoveMembers(ctx, "crew", []string{o.ids["dan"]}, o.by()))
	o.ok(t.WithdrawConsent(ctx, o.ids["dan"], "app", o.by()))
	o.ok(t.DisableClient(ctx, "app", o.by()))
	o.ok(t.DeleteClient(ctx, "old", 0, o.by()))
	two, err := t.RegisteredClient(ctx, "two")
	o.ok(err)
	_, err = t.RemoveClientSecret(ctx, "two", two.Notes[0].ID, o.by())
	o.ok(err)
	o.ok(t.DisableConnector(ctx, "corp", o.by()))
	o.ok(t.DeleteConnector(ctx, connector.Deletion{ID: "elsewhere"}, o.by()))
	all, err := t.SigningKeys(ctx)
	o.ok(err)
	e, err := key.Compromise(all, o.key, time.Now())
	o.ok(err)
	o.ok(key.Generate(e.Create))
	o.ok(t.CompromiseKey(ctx, e, o.by()))
	// What is taken back is not lost.
	o.ok(t.DisableUser(ctx, o.ids["eve"], o.by()))
	o.ok(t.EnableUser(ctx, o.ids["eve"], o.by()))
}

// record writes what is handed on, and returns the file.
func (o *office) record() string {
	o.Helper()
	events, err := o.db.Unexported(o.Context(), 1000)
	o.ok(err)
	var text bytes.Buffer
	for _, e := range events {
		line, err := e.JSON()
		o.ok(err)
		text.Write(append(line, '\n'))
	}
	file := filepath.Join(o.dir, "audit.jsonl")
	o.ok(os.WriteFile(file, text.Bytes(), 0o600))
	return file
}

// comesBack is a restore from a backup of before the loss.
func (o *office) comesBack() (record string) {
	o.Helper()
	copied := filepath.Join(o.dir, "backup.db")
	o.ok(Take(o.Context(), o.src, copied))
	o.loses()
	record = o.record()
	o.ok(o.db.Close())
	o.move()
	_, err := Restore(o.Context(), o.src, copied)
	o.ok(err)
	return record
}

// standing tells what the house has that it should have lost.
func (o *office) standing() string {
	o.Helper()
	o.db, o.tenant = o.open()
	defer func() { o.ok(o.db.Close()) }()
	ctx, t := o.Context(), o.tenant
	var has []string
	see := func(there bool, what string) {
		if there {
			has = append(has, what)
		}
	}
	ben, err := t.Account(ctx, o.ids["ben"])
	o.ok(err)
	see(!ben.Disabled, "ben")
	see(len(ben.Identities) > 0, "ben's identity")
	_, err = t.Account(ctx, o.ids["cleo"])
	see(err == nil, "cleo")
	dan, err := t.Account(ctx, o.ids["dan"])
	o.ok(err)
	see(dan.Role != "", "dan's role")
	see(slices.Contains(dan.MemberOf, "crew"), "dan in the crew")
	eve, err := t.Account(ctx, o.ids["eve"])
	o.ok(err)
	see(eve.Disabled || eve.Role != "auditor", "another eve")
	consents, err := t.Consents(ctx, o.ids["dan"], "", 10)
	o.ok(err)
	see(len(consents) > 0, "dan's consent")
	app, err := t.RegisteredClient(ctx, "app")
	o.ok(err)
	see(!app.Disabled, "app")
	_, err = t.RegisteredClient(ctx, "old")
	see(err == nil, "old")
	two, err := t.RegisteredClient(ctx, "two")
	o.ok(err)
	see(len(two.Notes) > 1, "the secret of two")
	corp, err := t.RegisteredConnector(ctx, "corp")
	o.ok(err)
	see(!corp.Disabled, "corp")
	_, err = t.RegisteredConnector(ctx, "elsewhere")
	see(err == nil, "elsewhere")
	all, err := t.SigningKeys(ctx)
	o.ok(err)
	see(slices.ContainsFunc(all, func(k key.Key) bool { return k.ID == o.key && k.Published(time.Now()) }), "the key")
	return strings.Join(has, ", ")
}

func TestWhatWasTakenAwayAfterTheBackupIsTakenAwayAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	record := o.comesBack()
	const all = "ben, ben's identity, cleo, dan's role, dan in the crew, dan's consent, app, old, the secret of two, corp, elsewhere, the key"
	if got := o.standing(); got != all {
		t.Fatalf("after the restore there is %s", got)
	}
	r, err := ReplayAudit(t.Context(), o.src, []string{record}, false)
	if err != nil || r.Count(Due) != 13 || r.Count(Left) != 1 || len(r.Torn) != 0 {
		t.Fatalf("it would do %+v, %v", r, err)
	}
	if got := o.standing(); got != all {
		t.Fatalf("to be shown what would be done has done something: %s", got)
	}
	r, err = ReplayAudit(t.Context(), o.src, []string{record, record}, true)
	if err != nil || r.Count(Done) != 13 {
		t.Fatalf("it has done %+v, %v", r, err)
	}
	if got := o.standing(); got != "" {
		t.Errorf("there is %s", got)
	}
	for _, d := range r.Deeds {
		if d.State == Left && (d.ID != o.ids["eve"] || !strings.Contains(d.Says, "more than the backup gives")) {
			t.Errorf("%+v: a record must not make more of anybody", d)
		}
	}

	// What an operator decides afterwards stands, however often it is done again.
	db, tn := o.open()
	o.ok(tn.EnableUser(t.Context(), o.ids["ben"], o.by()))
	o.ok(db.Close())
	r, err = ReplayAudit(t.Context(), o.src, []string{record}, true)
	if err != nil || r.Count(Due) != 0 {
		t.Fatalf("again: %+v, %v", r, err)
	}
	if got := o.standing(); got != "ben" {
		t.Errorf("after that there is %q", got)
	}
}

func TestARecordThatCannotBeReadDoesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	record := filepath.Join(h.dir, "audit.jsonl")
	whole, err := audit.Exported{TenantID: "default", Event: audit.Event{ID: "evt_1", At: time.Now(), Kind: audit.UserDisabled, UserID: "usr_a"}}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	write := func(lines ...string) {
		if err := os.WriteFile(record, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, wrong := range map[string]string{
		"of a newer version": strings.Replace(string(whole), `"tenant"`, `"realm"`, 1),
		"no record":          `{"hello": 1}`,
	} {
		write(string(whole), wrong, "", wrong)
		_, err := ReplayAudit(t.Context(), h.src, []string{record}, true)
		if err == nil || !strings.Contains(err.Error(), record+":2: ") || !strings.Contains(err.Error(), record+":4: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReplayAudit(t.Context(), h.src, []string{record + ".gone"}, true); err == nil {
		t.Error("what is not there was read")
	}
	// A line that a full disk cut short comes again, whole.
	write(string(whole[:len(whole)/2]), string(whole))
	if events, torn, err := readRecords([]string{record}); err != nil || len(events) != 1 || len(torn) != 1 || torn[0] != record+":1" {
		t.Errorf("a line that is cut short: %v, %v, %v", events, torn, err)
	}
}

func TestWithoutAFinalizeNothingIsReplayed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	db, tn := h.open()
	if err := tn.Record(t.Context(), audit.Event{At: time.Now(), Kind: audit.UserDisabled, UserID: "usr_a"}); err != nil {
		t.Fatal(err)
	}
	o := &office{house: h, db: db, tenant: tn}
	record := o.record()
	o.ok(db.Close())
	if _, err := ReplayAudit(t.Context(), h.src, []string{record}, true); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "finalize") {
		t.Errorf("got %v", err)
	}
}

func TestADatabaseThatIsNotThereIsNotMadeByAReplay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	record := filepath.Join(h.dir, "audit.jsonl")
	if err := os.WriteFile(record, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReplayAudit(t.Context(), h.src, []string{record}, true); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(h.file + "*"); len(left) != 0 {
		t.Errorf("there is %v, in the way of a restore", left)
	}
}

func TestEveryEventMeansSomethingForARestore(t *testing.T) {
	t.Parallel()
	for _, m := range audit.Meanings {
		got, ok := meanings[m.Kind]
		if !ok {
			t.Errorf("%s: nobody has said what it means for a database that does not know of it", m.Kind)
		}
		if _, there := acts[got.act]; got.act != "" && (!there || !slices.Contains(rank, got.act)) {
			t.Errorf("%s: nobody can %s", m.Kind, got.act)
		}
	}
}

func TestWhatWasTakenBackIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	n := 0
	event := func(kind audit.Kind, user string, detail ...string) audit.Exported {
		n++
		e := audit.Exported{TenantID: "default", Event: audit.Event{ID: fmt.Sprintf("evt_%03d", n), Kind: kind, UserID: user, Detail: map[string]string{}}}
		for i := 0; i+1 < len(detail); i += 2 {
			e.Detail[detail[i]] = detail[i+1]
		}
		return e
	}
	for _, tt := range []struct {
		name   string
		events []audit.Exported
		want   string
	}{
		{"disabled", []audit.Exported{event(audit.UserDisabled, "a")}, "disable user a"},
		{"disabled and enabled", []audit.Exported{event(audit.UserDisabled, "a"), event(audit.UserEnabled, "a")}, ""},
		{"enabled and disabled", []audit.Exported{event(audit.UserEnabled, "a"), event(audit.UserDisabled, "a")}, "disable user a"},
		{"somebody else enabled", []audit.Exported{event(audit.UserDisabled, "a"), event(audit.UserEnabled, "b")}, "disable user a"},
		{"the last role counts", []audit.Exported{event(audit.UserRoleChanged, "a", "role", "owner"), event(audit.UserRoleChanged, "a", "role", "auditor")}, "set role a auditor"},
		{"out of one group, into another", []audit.Exported{event(audit.MemberRemoved, "a", "group", "x"), event(audit.MemberAdded, "a", "group", "y")}, "remove group member x a"},
		{"deleted and made anew", []audit.Exported{event(audit.GroupDeleted, "", "group", "x"), event(audit.GroupCreated, "", "group", "x")}, "delete group x"},
		{"a key first, a deletion last", []audit.Exported{event(audit.UserDeleted, "a"), event(audit.UserDisabled, "b"), event(audit.KeyCompromised, "", "key", "k")}, "compromise key k, disable user b, delete user a"},
		{"a login", []audit.Exported{event(audit.LoginSucceeded, "a")}, ""},
	} {
		reversed := slices.Clone(tt.events)
		slices.Reverse(reversed)
		for _, events := range [][]audit.Exported{tt.events, reversed, append(slices.Clone(tt.events), tt.events...)} {
			deeds, _ := weigh(events)
			var got []string
			for _, d := range deeds {
				got = append(got, strings.Join(strings.Fields(fmt.Sprint(d.Act, " ", d.ID, " ", d.Of, " ", d.Role)), " "))
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("%s: %q", tt.name, got)
			}
		}
	}
}
