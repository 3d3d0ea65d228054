package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dex/internal/admin/apiclient"
	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
	"dex/internal/base/clock"
)

// thing is what the API of these tests manages.
type thing struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Tags    []string `json:"tags"`
	Secret  string   `json:"secret,omitempty"`
	Version int64    `json:"version"`
}

// things is an API that has things.
type things struct {
	t       *testing.T
	all     []thing
	touched func() // when a thing is read
	queries []string
}

func (s *things) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/api/v1/things/")
	at := slices.IndexFunc(s.all, func(x thing) bool { return x.ID == id })
	switch {
	case r.Header.Get("Authorization") != "Bearer given":
		s.problem(w, &resource.Problem{Status: 401, Detail: "There is no token that counts."})
	case r.URL.Path == "/api/v1/things" && r.Method == http.MethodGet:
		s.list(w, r)
	case r.URL.Path == "/api/v1/things" && r.Method == http.MethodPost:
		s.create(w, r)
	case at < 0:
		s.problem(w, &resource.Problem{Status: 404, Detail: fmt.Sprintf("There is no thing %q.", id)})
	case r.Method == http.MethodGet:
		w.Header().Set("ETag", resource.ETag(s.all[at].Version))
		_ = json.NewEncoder(w).Encode(s.all[at])
		if s.touched != nil {
			s.touched()
		}
	case r.Header.Get("If-Match") != "*" && r.Header.Get("If-Match") != resource.ETag(s.all[at].Version):
		s.problem(w, &resource.Problem{Status: 412, Detail: "Somebody has changed it since you read it. Read it again."})
	case r.Method == http.MethodDelete:
		s.all = slices.Delete(s.all, at, at+1)
		w.WriteHeader(http.StatusNoContent)
	default:
		s.replace(w, r, at)
	}
}

func (s *things) problem(w http.ResponseWriter, p *resource.Problem) {
	w.Header().Set("Content-Type", resource.ProblemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

func (s *things) list(w http.ResponseWriter, r *http.Request) {
	s.queries = append(s.queries, r.URL.RawQuery)
	var limit, from int
	_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
	_, _ = fmt.Sscan(r.URL.Query().Get("cursor"), &from)
	limit = min(limit, 2) // a server may give less than it is asked for
	page := resource.List[thing]{Items: s.all[from:min(len(s.all), from+limit)]}
	if from+limit < len(s.all) {
		page.Next = fmt.Sprint(from + limit)
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (s *things) read(w http.ResponseWriter, r *http.Request) (x thing, ok bool) {
	text, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(text, &x); err != nil {
		s.problem(w, &resource.Problem{Status: 400, Detail: err.Error()})
		return x, false
	}
	if x.Name == "" {
		s.problem(w, &resource.Problem{Status: 422, Detail: "The thing has mistakes.", Errors: []resource.Mistake{{Location: "body.name", Message: "must not be empty"}, {Location: "body.tags[1]", Message: "is\x1b[31m red"}}})
		return x, false
	}
	return x, true
}

func (s *things) create(w http.ResponseWriter, r *http.Request) {
	x, ok := s.read(w, r)
	switch {
	case !ok:
	case r.Header.Get("Idempotency-Key") == "":
		s.t.Error("a thing is made without a key to send it again by")
	case slices.ContainsFunc(s.all, func(o thing) bool { return o.ID == x.ID }):
		s.problem(w, &resource.Problem{Status: 409, Detail: fmt.Sprintf("There is a thing %q.", x.ID)})
	default:
		x.Version = 1
		s.all = append(s.all, x)
		x.Secret = "dxk_secret"
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(x)
	}
}

func (s *things) replace(w http.ResponseWriter, r *http.Request, at int) {
	if x, ok := s.read(w, r); ok {
		x.ID, x.Version = s.all[at].ID, s.all[at].Version+1
		s.all[at] = x
		_ = json.NewEncoder(w).Encode(x)
	}
}

// said is what a run of dexctl has come to.
type said struct {
	status   ctl.Status
	out, err string
}

// run runs dexctl with the noun of these tests.
func (s *things) run(input string, env map[string]string, args ...string) said {
	s.t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	var out, errs bytes.Buffer
	t := &tool{
		World: ctl.World{Clock: &clock.Fake{}, Err: &errs, Getenv: func(name string) string {
			switch value, ok := env[name]; {
			case ok:
				return value
			case name == ctl.EnvAPI:
				return server.URL
			case name == ctl.EnvToken:
				return "given"
			case name == ctl.EnvConfig:
				return filepath.Join(s.t.TempDir(), "config.yaml")
			}
			return ""
		}},
		In: strings.NewReader(input), Out: &out, Interactive: env["interactive"] != "", Progress: env["progress"] != "",
	}
	root := t.command()
	root.AddCommand(noun[thing]{
		one: "thing", many: "things", short: "Things", path: "/things",
		id: func(x thing) string { return x.ID },
		columns: []column[thing]{
			{title: "ID", of: func(x thing) string { return x.ID }},
			{title: "NAME", of: func(x thing) string { return x.Name }},
			{title: "TAGS", of: func(x thing) string { return strings.Join(x.Tags, ",") }, wide: true},
		},
		filters: []filter{{flag: "tag", query: "tag", usage: "only those with a tag"}},
		fields:  []field{{flag: "id", member: "id", usage: "its id"}, {flag: "name", member: "name", usage: "its name"}, {flag: "tag", member: "tags", usage: "its tags", kind: list}},
		form:    without[thing]("id", "version"),
		once:    []string{"secret"},
		acts: []act{
			{verb: "touch", short: "Touch a thing", done: "%s is touched.", call: func(id string) apiclient.Request {
				return apiclient.Request{Method: http.MethodGet, Path: apiclient.Path("things", id)}
			}},
			{verb: "reset", short: "Reset a thing", done: "%s is reset.", asks: "Reset %s?", once: []string{"id"}, call: func(id string) apiclient.Request {
				return apiclient.Request{Method: http.MethodGet, Path: apiclient.Path("things", id)}
			}},
		},
		removable: true, loses: "What hangs on it goes too.",
	}.command(t))
	status := t.run(s.t.Context(), root, args)
	return said{status, out.String(), errs.String()}
}

func five(t *testing.T) *things {
	s := &things{t: t}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		s.all = append(s.all, thing{ID: id, Name: strings.ToUpper(id), Tags: []string{"x", id}, Version: 1})
	}
	return s
}

// expect holds a run to what it should have come to.
func (got said) expect(t *testing.T, status ctl.Status, out string, says ...string) {
	t.Helper()
	if got.status != status || out != "*" && got.out != out {
		t.Errorf("status %d, want %d; output\n%s\nwant\n%s\nerror %s", got.status, status, got.out, out, got.err)
	}
	for _, want := range says {
		if !strings.Contains(got.err, want) {
			t.Errorf("it does not say %q: %s", want, got.err)
		}
	}
}

func TestAListIsWrittenForPeopleAndForScripts(t *testing.T) {
	s := five(t)
	s.run("", nil, "things", "list").expect(t, ctl.Done, "ID  NAME\na   A\nb   B\n", "--cursor 2")
	s.run("", nil, "things", "list", "--cursor", "2").expect(t, ctl.Done, "ID  NAME\nc   C\nd   D\n", "--cursor 4")
	s.run("", nil, "things", "list", "--cursor", "4", "-o", "wide", "--no-headers").expect(t, ctl.Done, "e  E  x,e\n")
	s.run("", map[string]string{"progress": "1"}, "things", "list", "--all", "-o", "name").expect(t, ctl.Done, "a\nb\nc\nd\ne\n", "4 things so far")
	if got := s.run("", nil, "things", "list", "--all", "-o", "json"); got.status != ctl.Done || got.err != "" {
		t.Errorf("got %+v", got)
	} else {
		var all []thing
		if err := json.Unmarshal([]byte(got.out), &all); err != nil || len(all) != 5 {
			t.Errorf("%v: %s", err, got.out)
		}
	}
	s.run("", nil, "things", "list", "-o", "yaml", "--cursor", "4").expect(t, ctl.Done, "- id: e\n  name: E\n  tags:\n  - x\n  - e\n  version: 1\n")
	s.queries = nil
	s.run("", nil, "things", "list", "--tag", "x&y", "--limit", "7").expect(t, ctl.Done, "*")
	if len(s.queries) != 1 || s.queries[0] != "limit=7&tag=x%26y" {
		t.Errorf("asked by %q", s.queries)
	}
	s.all = nil
	s.run("", nil, "things", "list").expect(t, ctl.Done, "ID  NAME\n", "There are no things.")
	s.run("", nil, "things", "list", "-o", "json").expect(t, ctl.Done, "[]\n")
}

func TestOneThingIsShownWhole(t *testing.T) {
	s := five(t)
	s.run("", nil, "things", "get", "a").expect(t, ctl.Done, "id: a\nname: A\ntags:\n- x\n- a\nversion: 1\n")
	s.run("", nil, "things", "get", "a", "b", "-o", "table").expect(t, ctl.Done, "ID  NAME\na   A\nb   B\n")
	s.run("", nil, "things", "get", "../users").expect(t, ctl.Failed, "", "There is no thing")
	s.run("", map[string]string{ctl.EnvToken: "stolen"}, "things", "get", "a").expect(t, ctl.Denied, "")
}

func TestThingsAreMadeByFlagsAndByFiles(t *testing.T) {
	s := five(t)
	s.run("", nil, "things", "create", "--id", "f", "--name", "F", "--tag", "x,y").expect(t, ctl.Done, "dxk_secret\n", "Thing f is made.", "Keep its secret now")
	s.run("id: g\nname: G\n---\n{\"id\": \"h\", \"name\": \"H\"}\n", nil, "things", "create", "-f", "-", "-o", "name").expect(t, ctl.Done, "g\nh\n")
	if got := s.all[5]; !slices.Equal(got.Tags, []string{"x", "y"}) || len(s.all) != 8 {
		t.Errorf("there are %+v", s.all)
	}
	s.run("", nil, "things", "create", "--id", "a", "--name", "A").expect(t, ctl.Conflict, "", `There is a thing "a".`)
	s.run("", nil, "things", "create").expect(t, ctl.BadUse, "", "--file", "--id")
	s.run("", nil, "things", "create", "-f", "x.yaml", "--id", "f").expect(t, ctl.BadUse, "", "leave out")
	s.run("", nil, "things", "create", "-f", "nowhere.yaml").expect(t, ctl.BadUse, "", "nowhere.yaml")
	s.run("id: [", nil, "things", "create", "-f", "-").expect(t, ctl.BadUse, "", "standard input")
}

func TestAMistakeIsShownWhereItStands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "things.yaml")
	if err := os.WriteFile(file, []byte("- id: i\n  name: I\n- id: j\n  name: ''\n  tags:\n  - a\n  - b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := five(t)
	got := s.run("", nil, "things", "create", "-f", file)
	// What was made before stays, and is told.
	got.expect(t, ctl.Failed, "dxk_secret\n", "Thing i is made.", "The thing has mistakes.", file+":4:9: name: must not be empty", file+":7:5: tags[1]: is")
	if strings.Contains(got.err, "\x1b") {
		t.Errorf("a terminal would obey %q", got.err)
	}
}

// editor is a program that replaces one text by another in the file it is given.
func editor(t *testing.T, from, to string) map[string]string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nsed -i \"s/$1/$2/\" \"$3\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"EDITOR": script + " " + from + " " + to}
}

func TestAThingIsEdited(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	left := func() []string {
		files, _ := filepath.Glob(filepath.Join(os.TempDir(), "dexctl-*"))
		return files
	}
	s := five(t)
	s.run("", editor(t, "name:.A", "name:Better"), "things", "edit", "a").expect(t, ctl.BadUse, "", "kept in")
	for _, file := range left() {
		_ = os.Remove(file)
	}
	s.run("", editor(t, "A", "Better"), "things", "edit", "a").expect(t, ctl.Done, "", "Thing a is changed.")
	if s.all[0].Name != "Better" || s.all[0].Version != 2 || len(left()) > 0 {
		t.Errorf("it is %+v, and there is left %s", s.all[0], left())
	}
	s.run("", editor(t, "nothing", "something"), "things", "edit", "a").expect(t, ctl.Done, "", "Nothing has been changed.")
	s.run("", map[string]string{"EDITOR": "false"}, "things", "edit", "a").expect(t, ctl.Failed, "", "nothing is changed")
	s.run("", nil, "things", "edit", "a").expect(t, ctl.BadUse, "", "set EDITOR")
	if s.all[0].Version != 2 || len(left()) > 0 {
		t.Errorf("it is %+v, and there is left %s", s.all[0], left())
	}

	t.Run("what the server refuses is kept, and can be sent again", func(t *testing.T) {
		got := s.run("", editor(t, "Better", "''"), "things", "edit", "a")
		got.expect(t, ctl.Failed, "", "must not be empty", "kept in")
		kept := left()
		if len(kept) != 1 || !strings.Contains(got.err, kept[0]+":2:7: name") {
			t.Fatalf("kept are %s; %s", kept, got.err)
		}
		s.run("name: Mended\n", nil, "things", "edit", "a", "-f", "-").expect(t, ctl.Done, "", "Thing a is changed.")
		_ = os.Remove(kept[0])
	})

	t.Run("what somebody else has changed meanwhile is not overwritten", func(t *testing.T) {
		s.touched = func() { s.all[0].Name, s.all[0].Version = "Theirs", 9 }
		got := s.run("", editor(t, "Mended", "Mine"), "things", "edit", "a")
		got.expect(t, ctl.Conflict, "", "Somebody has changed it", "kept in")
		if s.all[0].Name != "Theirs" {
			t.Errorf("it is %+v", s.all[0])
		}
		if kept := left(); len(kept) != 1 {
			t.Errorf("kept are %s", kept)
		} else if text, _ := os.ReadFile(kept[0]); !regexp.MustCompile(`(?m)^name: Mine$`).Match(text) {
			t.Errorf("what was written is lost: %s", text)
		}
	})
}

func TestWhatCannotBeUndoneIsAskedFor(t *testing.T) {
	s := five(t)
	s.run("", nil, "things", "delete", "a").expect(t, ctl.BadUse, "", "--yes")
	there := map[string]string{"interactive": "1"}
	s.run("n\n", there, "things", "delete", "a").expect(t, ctl.Failed, "", "Delete thing a? What hangs on it goes too. [y/N]", "Nothing is done.")
	s.run("", there, "things", "delete", "a").expect(t, ctl.Failed, "", "Nothing is done.")
	if len(s.all) != 5 {
		t.Fatalf("there are %d", len(s.all))
	}
	s.run("y\n", there, "things", "delete", "a").expect(t, ctl.Done, "", "Thing a is deleted.")
	s.run("", nil, "things", "delete", "b", "nobody", "c", "--yes").expect(t, ctl.Failed, "", "Thing b is deleted.", `There is no thing "nobody".`, "Thing c is deleted.")
	if len(s.all) != 2 {
		t.Errorf("there are %+v", s.all)
	}
}

func TestAnActIsOneCall(t *testing.T) {
	s := five(t)
	s.run("", nil, "things", "touch", "a", "nobody", "b").expect(t, ctl.Failed, "", "a is touched.", `There is no thing "nobody".`, "b is touched.")
	s.run("", nil, "things", "reset", "a").expect(t, ctl.BadUse, "", "--yes")
	s.run("", nil, "things", "reset", "a", "-y").expect(t, ctl.Done, "a\n", "a is reset.", "Keep its id now")
	s.run("", nil, "__complete", "things", "touch", "a").expect(t, ctl.Done, "a\n:4\n")
}

func TestIDsAreCompleted(t *testing.T) {
	s := five(t)
	s.all = s.all[:2]
	s.run("", nil, "__complete", "things", "get", "").expect(t, ctl.Done, "a\nb\n:4\n")
	s.run("", nil, "__complete", "things", "delete", "a", "").expect(t, ctl.Done, "b\n:4\n")
	s.run("", nil, "__complete", "things", "get", "z").expect(t, ctl.Done, ":4\n")
	s.run("", map[string]string{ctl.EnvToken: "stolen"}, "__complete", "things", "get", "").expect(t, ctl.Done, ":4\n")
	s.run("", nil, "__complete", "things", "list", "-o", "").expect(t, ctl.Done, "table\nwide\njson\nyaml\nname\n:4\n")
}

func TestBadUseEndsWithTwo(t *testing.T) {
	s := five(t)
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"a command that is none":       {[]string{"thinks"}, `did you mean "things"?`},
		"a verb that is none":          {[]string{"things", "lost"}, `did you mean "list"?`},
		"a flag that is none":          {[]string{"things", "list", "--frob"}, "--frob"},
		"an argument too many":         {[]string{"things", "list", "a"}, "a"},
		"an argument too few":          {[]string{"things", "get"}, "1 arg"},
		"a form that is none":          {[]string{"things", "list", "-o", "xml"}, "table, wide, json, yaml, name"},
		"flags that contradict":        {[]string{"things", "list", "--all", "--limit", "3"}, "all"},
		"a shell that nobody has":      {[]string{"completion", "csh"}, "csh"},
		"an address in the clear":      {[]string{"things", "list", "--api", "http://dex.example.com"}, "ssh -L"},
		"a context that nobody has":    {[]string{"things", "list", "--context", "nowhere"}, "nowhere"},
		"a limit that is not a number": {[]string{"things", "list", "--limit", "many"}, "many"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.run("", nil, tt.args...)
			got.expect(t, got.status, "", tt.says)
			if want := ctl.BadUse; got.status != want && !strings.Contains(name, "address") && !strings.Contains(name, "context") {
				t.Errorf("status %d", got.status)
			}
			if !strings.HasPrefix(got.err, "dexctl: ") {
				t.Errorf("it does not say who speaks: %q", got.err)
			}
		})
	}
}
