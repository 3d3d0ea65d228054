package user

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"dex/internal/base/fault"
)

var (
	before = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)
	now    = before.Add(time.Hour)
)

func TestResolve(t *testing.T) {
	profile := Profile{Username: "ann", Name: "Ann", Email: "ann@corp.example", EmailVerified: true}
	ann := Identity{ConnectorID: "corp", Subject: "1", Profile: profile}
	claimed := ann
	claimed.Profile.EmailVerified = false
	elsewhere := ann
	elsewhere.Profile.Email = "ann@evil.example"
	account := &User{ID: "u1", Username: "ann", Name: "Ann", Email: "ann@corp.example", EmailVerified: true, CreatedAt: before, UpdatedAt: before}
	unverified, disabled := *account, *account
	unverified.EmailVerified, disabled.Disabled = false, true
	open := Policy{CreateOnFirstLogin: true}
	trusted := Policy{CreateOnFirstLogin: true, AuthoritativeFor: []string{"corp.example"}}
	linking := Policy{AuthoritativeFor: []string{"corp.example"}}

	tests := []struct {
		name            string
		id              Identity
		known, sameMail *User
		policy          Policy
		want            string // the account's ID; "" is a new one
		refused         bool
	}{
		{name: "known", id: ann, known: account, want: "u1"},
		{name: "known, whatever the policy", id: ann, known: account, policy: trusted, want: "u1"},
		{name: "known, and somebody else has the mail address", id: ann, known: account, sameMail: &User{ID: "u2", EmailVerified: true}, policy: trusted, want: "u1"},
		{name: "known but disabled", id: ann, known: &disabled, refused: true},
		{name: "linked where the connector has the last word", id: ann, sameMail: account, policy: trusted, want: "u1"},
		{name: "linked although nobody new is let in", id: ann, sameMail: account, policy: linking, want: "u1"},
		{name: "linking does not revive a disabled account", id: ann, sameMail: &disabled, policy: trusted, refused: true},
		{name: "a mail address alone is no proof", id: ann, sameMail: account, policy: open, want: ""},
		{name: "nor is one that the connector has not verified", id: claimed, sameMail: account, policy: trusted, want: ""},
		{name: "nor is one that we have not", id: ann, sameMail: &unverified, policy: trusted, want: ""},
		{name: "nor is one of another domain", id: elsewhere, sameMail: account, policy: trusted, want: ""},
		{name: "an address alone lets nobody new in either", id: claimed, sameMail: account, policy: linking, refused: true},
		{name: "new and welcome", id: ann, policy: open, want: ""},
		{name: "new and not welcome", id: ann, refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Resolve(tt.id, tt.known, tt.sameMail, tt.policy, now)
			if tt.refused {
				if !fault.Is(err, fault.Denied) || got.ID != "" || got.Email != "" {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if err != nil || got.ID != tt.want {
				t.Fatalf("%+v, %v, want %q", got, err, tt.want)
			}
			if got.ID == "" && !got.CreatedAt.Equal(now) {
				t.Errorf("a new account is of %v", got.CreatedAt)
			}
			if got.Email != tt.id.Profile.Email {
				t.Errorf("not brought up to date: %+v", got)
			}
			if proven := tt.id.Profile.EmailVerified && tt.policy.Trusts(got.Email); got.ID == "" && got.EmailVerified != proven {
				t.Errorf("the address of a new account is proven: %v, want %v", got.EmailVerified, proven)
			}
		})
	}
}

func TestAnAccountFollowsItsConnector(t *testing.T) {
	u := User{ID: "u1", Username: "ann", Email: "old@corp.example", EmailVerified: true, NotBefore: before, CreatedAt: before, UpdatedAt: before}
	same := Identity{Profile: Profile{Username: "ann", Email: "old@corp.example", EmailVerified: true}}
	got, err := Resolve(same, &u, nil, Policy{}, now)
	if diff := cmp.Diff(u, got); err != nil || diff != "" {
		t.Errorf("nothing is new: %v %s", err, diff)
	}
	moved := Identity{Profile: Profile{Username: "ann", Name: "Ann", Email: "new@corp.example"}}
	want := u
	want.Name, want.Email, want.EmailVerified, want.UpdatedAt = "Ann", "new@corp.example", false, now
	got, err = Resolve(moved, &u, nil, Policy{AuthoritativeFor: []string{"corp.example"}}, now)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	// One that does not speak for the domain takes a proven address from nobody.
	want.Email, want.EmailVerified = u.Email, true
	got, err = Resolve(moved, &u, nil, Policy{AuthoritativeFor: []string{"other.example"}}, now)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// Somebody who gets any provider to vouch for an address must not have its owner
// linked to their account later.
func TestNobodyWaitsForTheOwnerOfAnAddress(t *testing.T) {
	said := Profile{Username: "boss", Email: "boss@corp.example", EmailVerified: true}
	attacker, err := Resolve(Identity{ConnectorID: "anywhere", Subject: "x", Profile: said}, nil, nil, Policy{CreateOnFirstLogin: true}, now)
	if err != nil || attacker.EmailVerified {
		t.Fatalf("a connector without authority has proven an address: %+v, %v", attacker, err)
	}
	attacker.ID = "attacker"
	corp := Policy{CreateOnFirstLogin: true, AuthoritativeFor: []string{"corp.example"}}
	owner, err := Resolve(Identity{ConnectorID: "corp", Subject: "1", Profile: said}, nil, &attacker, corp, now)
	if err != nil || owner.ID == attacker.ID {
		t.Errorf("the owner was linked to %+v, %v", owner, err)
	}
}

func TestWhomAConnectorIsBelieved(t *testing.T) {
	p := Policy{AuthoritativeFor: []string{"corp.example", "xn--bcher-kva.example"}}
	for email, want := range map[string]bool{
		"ann@corp.example": true, "Ann@CORP.example": true, "ann@bücher.example": true,
		"ann@evil.example": false, "ann@sub.corp.example": false, "ann@corp.example.evil.example": false, "ann@evilcorp.example": false,
		"a@evil.example@corp.example": false, `"a@evil.example"@corp.example`: false, "@corp.example": false, "corp.example": false,
		"ann@corp.example.": false, "ann@corp。example": false, "": false, "ann@": false, "Ann <ann@corp.example>": false,
	} {
		if got := p.Trusts(email); got != want {
			t.Errorf("%q: %v", email, got)
		}
	}
	if (Policy{}).Trusts("ann@corp.example") {
		t.Error("without being declared")
	}
}

func TestNewIDsDiffer(t *testing.T) {
	a, b := NewID(), NewID()
	if a == b || !strings.HasPrefix(a, "usr_") || a != strings.ToLower(a) || len(a) < 26 {
		t.Errorf("%q, %q", a, b)
	}
}
