package role

import (
	"slices"
	"testing"

	"dex/internal/protocol/oauth"
)

func TestARoleHasItsScopesAndNoOther(t *testing.T) {
	for _, tt := range []struct {
		name   string
		role   Role
		scopes oauth.Scopes
		want   bool
	}{
		{"an owner writes everything", Owner, All(), true},
		{"an admin writes people", Admin, oauth.Scopes{Write(Users), Write(Groups)}, true},
		{"but not keys", Admin, oauth.Scopes{Write(Keys)}, false},
		{"nor whom to believe who somebody is", Admin, oauth.Scopes{Write(Connectors)}, false},
		{"nor tenants", Admin, oauth.Scopes{Write(Tenants)}, false},
		{"support ends sessions", Support, oauth.Scopes{Write(Sessions), Links}, true},
		{"but disables nobody", Support, oauth.Scopes{Write(Users)}, false},
		{"an auditor reads everything", Auditor, reads(Nouns...), true},
		{"and writes nothing", Auditor, oauth.Scopes{Links}, false},
		{"nobody has nothing", "", oauth.Scopes{Read(Users)}, false},
		{"a role that nobody knows has nothing", "wizard", oauth.Scopes{Read(Users)}, false},
		{"other scopes are no business of a role", "", oauth.Scopes{"openid", "email"}, true},
		{"what is not a scope yet is nobody's", Owner, oauth.Scopes{"dex:moon:write"}, false},
	} {
		if got := tt.role.Has(tt.scopes); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
		if got := tt.role.Within(tt.scopes); tt.want != slices.Equal(got, tt.scopes) {
			t.Errorf("%s: what is within it is %q", tt.name, got)
		}
	}
}

func TestEachRoleHasLessThanTheOneBefore(t *testing.T) {
	for _, r := range Roles[1:] {
		if !Owner.Has(r.Scopes()) || r.Has(Owner.Scopes()) {
			t.Errorf("%s is as mighty as the owner", r)
		}
	}
	for _, r := range Roles {
		if !r.Known() || len(r.Scopes()) == 0 {
			t.Errorf("%s is listed, and has nothing", r)
		}
	}
	if !Role("").Known() || Role("wizard").Known() {
		t.Error("a role is known that is none, or none is not")
	}
}

func TestNobodyChangesARoleByWhatItReturns(t *testing.T) {
	Support.Scopes()[0] = Write(Keys)
	if Support.Has(oauth.Scopes{Write(Keys)}) {
		t.Error("support has got the keys")
	}
}
