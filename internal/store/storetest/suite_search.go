package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dex/internal/base/fault"
	"dex/internal/domain/user"
	"dex/internal/store"
)

// listed returns the user names of a whole list, page by page, each page as long as is
// said.
func (w *world) listed(f user.Filter, most int) string {
	w.Helper()
	var names []string
	after := ""
	for range 200 {
		page, next, err := w.Users(w.ctx, f, after, most)
		w.ok(err)
		if len(page) > most {
			w.Fatalf("%d of at most %d", len(page), most)
		}
		for _, a := range page {
			names = append(names, a.Username)
		}
		if after = next; next == "" {
			slices.Sort(names)
			return strings.Join(names, " ")
		}
	}
	w.Fatal("the list has no end")
	return ""
}

var searchPromises = []promise{
	{"people are found by the beginning of any word", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		w.made("ann.smith", func(n *user.New) { n.User.Name, n.User.Email = "Ann Smith", "Ann.Smith@one.example" })
		w.made("anna", func(n *user.New) { n.User.Name, n.User.Email = "Anna Jones", "anna@two.example" })
		w.made("bob", func(n *user.New) { n.User.Name, n.User.Email = "Bob Smithers", "bob@one.example" })
		for _, c := range []struct{ text, want string }{
			{"ann", "ann.smith anna"}, {"ANN", "ann.smith anna"}, {"ann.smith@one.example", "ann.smith"}, {"smith", "ann.smith bob"},
			{"smith bob", "bob"}, {"one.ex", "ann.smith bob"}, {"ann jones", "anna"}, {"ann smith bob", ""}, {"nobody", ""},
			{"", "ann ann.smith anna bob"}, {"!!", ""}, {"n", ""}, {"%", ""}, {"\xff\x00", ""},
		} {
			if c.text == "" {
				_, err := w.db.IndexPeople(w.ctx, 100)
				w.ok(err)
			}
			for _, most := range []int{1, 2, 100} {
				same(w, fmt.Sprintf("%q, %d at a time", c.text, most), w.listed(user.Filter{Text: c.text}, most), c.want)
			}
		}
	}},
	{"a list is of those who are meant, each once", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		w.login("zoe")
		_, err := w.CreateGroup(w.ctx, user.Group{ID: "staff"}, w.by())
		w.ok(err)
		var members []string
		for i := range 25 {
			members = append(members, w.made(fmt.Sprintf("p%02d", i), func(n *user.New) {
				n.User.Disabled = i%5 == 0
				if i%10 == 0 {
					n.User.Role = "support"
				}
			}).ID)
		}
		w.ok(w.AddMembers(w.ctx, "staff", members[:12], w.by()))
		yes, no := true, false
		for _, c := range []struct {
			name string
			f    user.Filter
			want int
		}{
			{"all", user.Filter{}, 27}, {"of the file", user.Filter{ManagedBy: "file"}, 1}, {"of operators", user.Filter{ManagedBy: "api"}, 25},
			{"disabled", user.Filter{Disabled: &yes}, 5}, {"not disabled", user.Filter{Disabled: &no}, 22},
			{"with a role", user.Filter{Role: "support"}, 3}, {"of a group", user.Filter{GroupID: "staff"}, 12},
			{"of a group with a role", user.Filter{GroupID: "staff", Role: "support"}, 2}, {"who came by a connector", user.Filter{ConnectorID: upstream}, 1},
			{"of a group by a word", user.Filter{GroupID: "staff", Text: "p1"}, 2}, {"by a word, disabled", user.Filter{Text: "p", Disabled: &yes}, 5},
			{"of no such group", user.Filter{GroupID: "no such"}, 0}, {"with no such role", user.Filter{Role: "wizard"}, 0},
		} {
			for _, most := range []int{1, 7, 1000} {
				got := strings.Fields(w.listed(c.f, most))
				if len(got) != c.want || len(slices.Compact(got)) != c.want {
					w.Errorf("%s, %d at a time: %q, want %d", c.name, most, got, c.want)
				}
			}
		}
	}},
	{"of two words that very many have, the rarer one leads", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		u := w.made("zoe", func(n *user.New) { n.User.Username, n.User.Email, n.User.Name = "zoe", "", "common rarer" })
		for _, q := range []string{
			`INSERT INTO users (tenant_id, id, created_at, updated_at) SELECT tenant_id, 'usr_' || (100000 + n), created_at, updated_at FROM users, numbers WHERE id = $1`,
			`INSERT INTO user_words (tenant_id, word, user_id) SELECT tenant_id, word, 'usr_' || (100000 + n) FROM user_words, numbers
				WHERE user_id = $1 AND (n > 2900 AND LENGTH(word) = LENGTH('rarer') OR LENGTH(word) = LENGTH('common'))`,
		} {
			_, err := store.Raw(w.db).ExecContext(w.ctx, `
				WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4000) `+q, u.ID)
			w.ok(err)
		}
		before := w.db.Work().Statements
		found, _, err := w.Users(w.ctx, user.Filter{Text: "common rarer"}, "", 50)
		w.ok(err)
		same(w, "found", len(found), 50)
		same(w, "statements, two of them to choose", w.db.Work().Statements-before, 3)
	}},
	{"a list cannot be continued from elsewhere", func(_ *testing.T, w *world) {
		for _, after := range []string{"x", "w", "w9 61 usr", "w-1 61 usr", "wx", "g usr", "r usr", "i", "i "} {
			_, _, err := w.Users(w.ctx, user.Filter{}, after, 10)
			w.refuses(fault.Invalid, err)
		}
	}},
	{"who came by a login, a file or an older version is found after a while", func(_ *testing.T, w *world) {
		w.declare(withLocal("1"))
		o, _ := w.login("zoe")
		same(w, "before", w.listed(user.Filter{Text: "zoe"}, 10), "")
		for _, want := range []int{1, 1, 0} {
			n, err := w.db.IndexPeople(w.ctx, 1)
			w.ok(err)
			same(w, "at a time", n, want)
		}
		same(w, "after", w.listed(user.Filter{Text: "zoe"}, 10), "zoe")
		same(w, "of the file", w.listed(user.Filter{Text: "ann"}, 10), "ann")
		changed := w.again(o, o.Session)
		changed.Changed, changed.User.Username, changed.Identity = true, "zora", o.Identity
		_, err := w.keep(changed)
		w.ok(err)
		d := withLocal("2")
		d.Users[0].User.Name = "Annabelle"
		w.declare(d)
		n, err := w.db.IndexPeople(w.ctx, 100)
		w.ok(err)
		same(w, "changed since", n, 2)
		same(w, "by the new name", w.listed(user.Filter{Text: "zora"}, 10), "zora")
		same(w, "by the file's new one", w.listed(user.Filter{Text: "annabelle"}, 10), "ann")
	}},
	{"several who write the words get in nobody's way", func(_ *testing.T, w *world) {
		for i := range 12 {
			w.login(fmt.Sprint("zoe", i))
		}
		w.atOnce(4, func(int) {
			for range 6 {
				if _, err := w.db.IndexPeople(w.ctx, 5); err != nil {
					w.Error(err)
				}
			}
		})
		same(w, "found", len(strings.Fields(w.listed(user.Filter{Text: "zoe"}, 5))), 12)
	}},
}
