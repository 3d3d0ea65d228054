package storetest

import (
	"strings"
	"testing"

	"dex/internal/base/fault"
	"dex/internal/connector/inventory"
	"dex/internal/domain/audit"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// applied is somebody whom files manage.
func applied(name, role string) user.New {
	n := person(name)
	n.User.ID, n.User.Role, n.ManagedBy = "usr_"+name, role, tenant.ManagedByApply
	return n
}

// of is what the inventory holds of somebody.
func of(i inventory.Inventory, id string) inventory.Person {
	for _, one := range i.People {
		if one.ID == id {
			return one
		}
	}
	return inventory.Person{}
}

var inventoryPeoplePromises = []promise{
	{"people and groups of files are one step with the rest", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		w.login("zoe")
		hand := w.made("hand")
		w.ok(w.reconcile(inventory.Deeds{
			NewPeople: []user.New{applied("una", "owner"), applied("bea", "")},
			NewGroups: []inventory.Group{{Group: user.Group{ID: "oncall", Description: "On call", ManagedBy: tenant.ManagedByApply}, Members: []string{"usr_una", hand.ID}}},
		}))
		i := w.inventory()
		same(w, "people", len(i.People), 2)
		una := of(i, "usr_una")
		same(w, "una", una.Username+" "+una.ManagedBy+" "+una.Role+" "+strings.Join(una.LoginNames, ",")+" "+una.Declared, "una apply owner una,una@example.com $argon2id$of-una")
		same(w, "what applications hear", una.Profile.GivenName, "una")
		alike(w, "owners", i.Owners, []string{"usr_una"})
		same(w, "groups", len(i.Groups), 1)
		same(w, "who is in it", len(i.Groups[0].Members), 2)
		same(w, "as a login finds it", w.memberOf(hand.ID), "oncall")
		named, err := w.Inventory(w.ctx, inventory.Named{Users: []string{"usr_nobody"}, LoginNames: []string{"hand@example.com"}})
		w.ok(err)
		same(w, "with whom files name", of(named, hand.ID).ManagedBy, tenant.ManagedByHand)

		bea := of(i, "usr_bea")
		g := i.Groups[0].Group
		g.Description = "Who wakes up"
		w.ok(w.reconcile(inventory.Deeds{
			ChangedPeople: []inventory.Amendment{
				{ID: bea.ID, Version: bea.Version, Role: new("support"), PasswordHash: "$argon2id$other", Who: &user.Edit{
					ID: bea.ID, Username: "hand", Name: "Bob", Local: user.Local{ConnectorID: local, LoginNames: []string{"hand"}},
				}},
				{ID: hand.ID, Who: &user.Edit{ID: hand.ID, Username: "bea", Local: user.Local{ConnectorID: local, LoginNames: []string{"bea"}}}},
			},
			ChangedGroups: []inventory.Regrouping{{Group: g, Join: []string{bea.ID}, Leave: []string{hand.ID}}},
		}))
		i = w.inventory()
		bea = of(i, "usr_bea")
		same(w, "bea", bea.Name+" "+bea.Role+" "+bea.Declared+" "+strings.Join(bea.LoginNames, ","), "Bob support $argon2id$other hand")
		same(w, "who was made by hand is of the files now", of(i, hand.ID).ManagedBy, tenant.ManagedByApply)
		same(w, "the group", i.Groups[0].Description+" "+strings.Join(i.Groups[0].Members, ","), "Who wakes up usr_bea,usr_una")
		same(w, "out of it", w.memberOf(hand.ID), "")

		w.ok(w.reconcile(inventory.Deeds{DisablePeople: []string{bea.ID}, DeleteGroups: []string{"oncall"}}))
		i = w.inventory()
		same(w, "disabled", of(i, bea.ID).DisabledBy, tenant.ManagedByApply)
		same(w, "groups afterwards", len(i.Groups), 0)
		same(w, "in it", w.memberOf("usr_una"), "")
		same(w, "disabling is recorded", w.events()[string(audit.UserDisabled)], 1)
		bea = of(i, bea.ID)
		w.ok(w.reconcile(inventory.Deeds{ChangedPeople: []inventory.Amendment{{ID: bea.ID, Version: bea.Version, Disabled: new(false)}}}))
		same(w, "enabled", of(w.inventory(), bea.ID).Disabled, false)
	}},
	{"if one of the people or groups cannot be, nothing is done", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		hand := w.made("hand")
		w.ok(w.reconcile(inventory.Deeds{NewPeople: []user.New{applied("una", "owner")}}))
		taken := applied("bea", "")
		taken.Local.LoginNames = []string{"hand"}
		before := w.dump()
		for name, d := range map[string]inventory.Deeds{
			"a login name of another":       {NewPeople: []user.New{applied("cleo", ""), taken}},
			"an account that is there":      {NewPeople: []user.New{applied("cleo", ""), applied("una", "")}},
			"an account that has changed":   {NewPeople: []user.New{applied("cleo", "")}, ChangedPeople: []inventory.Amendment{{ID: hand.ID, Version: 9, Role: new("admin")}}},
			"the last owner disabled":       {NewPeople: []user.New{applied("cleo", "")}, DisablePeople: []string{"usr_una"}},
			"the last owner's role":         {ChangedPeople: []inventory.Amendment{{ID: "usr_una", Version: 1, Role: new("")}}},
			"the last owner, by a standing": {ChangedPeople: []inventory.Amendment{{ID: "usr_una", Version: 1, Disabled: new(true)}}},
		} {
			w.refuses(fault.Conflict, w.reconcile(d))
			same(w, name+": changed", w.dump() == before, true)
		}
		w.refuses(fault.NotFound, w.reconcile(inventory.Deeds{NewGroups: []inventory.Group{{Group: user.Group{ID: "g"}, Members: []string{"usr_nobody"}}}}))
		same(w, "a member who is nobody: changed", w.dump() == before, true)
		w.ok(w.reconcile(inventory.Deeds{
			NewPeople:     []user.New{applied("cleo", "owner")},
			ChangedPeople: []inventory.Amendment{{ID: "usr_una", Version: 1, Role: new("admin")}},
		}))
	}},
}
