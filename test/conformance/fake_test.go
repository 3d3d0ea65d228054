package conformance

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// fake is a suite that speaks as the real one does and knows a few modules, each of
// which wants something else of whoever drives it.
type fake struct {
	t      *testing.T
	server *httptest.Server
	issuer string // that it plays

	mu      sync.Mutex
	modules []string
	running map[string]*fakeModule
	config  map[string]any
	rotated bool
	stopped []string
}

// fakeModule is a module that runs.
type fakeModule struct {
	name             string
	looks            int
	started, visited bool
	picture          string
}

func newFake(t *testing.T, modules ...string) *fake {
	f := &fake{t: t, modules: modules, running: map[string]*fakeModule{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/plan", f.plan)
	mux.HandleFunc("POST /api/runner", f.create)
	mux.HandleFunc("GET /api/info/{id}", f.with(f.info))
	mux.HandleFunc("GET /api/runner/{id}", f.with(f.runner))
	mux.HandleFunc("POST /api/runner/{id}", f.with(func(m *fakeModule, _ *http.Request) any { m.started = true; return object{} }))
	mux.HandleFunc("DELETE /api/runner/{id}", f.with(func(m *fakeModule, _ *http.Request) any {
		f.stopped = append(f.stopped, m.name)
		return object{}
	}))
	mux.HandleFunc("POST /api/runner/browser/{id}/visit", f.with(func(m *fakeModule, r *http.Request) any {
		m.visited = r.URL.Query().Get("url") == "https://dex.example.com/authorize?x=1"
		return object{}
	}))
	mux.HandleFunc("GET /api/log/{id}", f.with(f.log))
	mux.HandleFunc("POST /api/log/{id}/images/{name}", f.with(func(m *fakeModule, r *http.Request) any {
		picture, _ := io.ReadAll(r.Body)
		m.picture = r.PathValue("name") + " " + string(picture)
		return object{}
	}))
	f.server = httptest.NewServer(mux)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fake) suite() *Suite {
	return &Suite{URL: f.server.URL, Token: "t0ken", HTTP: f.server.Client()}
}

// with serves what is about one module that runs.
func (f *fake) with(do func(*fakeModule, *http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		m, known := f.running[r.PathValue("id")]
		if !known || r.Header.Get("Authorization") != "Bearer t0ken" {
			http.Error(w, "there is no such module, or no token", http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(do(m, r))
	}
}

func (f *fake) plan(w http.ResponseWriter, r *http.Request) {
	var variant map[string]string
	if err := json.Unmarshal([]byte(r.URL.Query().Get("variant")), &variant); err != nil || r.URL.Query().Get("planName") == "" {
		http.Error(w, "no such plan", http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := json.NewDecoder(r.Body).Decode(&f.config); err != nil {
		f.t.Error(err)
	}
	modules := list{}
	for _, name := range f.modules {
		modules = append(modules, object{"testModule": name, "variant": object{}})
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(object{"id": "the-plan", "name": r.URL.Query().Get("planName"), "modules": modules})
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := r.URL.Query().Get("test")
	if r.URL.Query().Get("plan") != "the-plan" {
		f.t.Errorf("%s is of plan %q", name, r.URL.Query().Get("plan"))
	}
	id := "run-" + name
	f.running[id] = &fakeModule{name: name}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(object{"id": id, "name": name})
}

// info is how a module stands. Each has its own way to an end.
func (f *fake) info(m *fakeModule, _ *http.Request) any {
	m.looks++
	ended := func(result string) object { return object{"status": "FINISHED", "result": result} }
	waiting := object{"status": "WAITING"}
	switch {
	case m.looks == 1:
		return object{"status": "CREATED"}
	case m.name == "hangs":
		return object{"status": "RUNNING"}
	case m.name == "is-interrupted":
		return object{"status": "INTERRUPTED", "result": "FAILED"}
	case m.name == "oidcc-server-rotate-keys":
		if !m.started {
			return object{"status": "CONFIGURED"}
		} else if !f.rotated {
			return ended("FAILED")
		}
	case m.name == "wants-a-picture":
		if m.picture == "" {
			return waiting
		}
		return ended("REVIEW")
	case m.name == "warns":
		return ended("WARNING")
	case m.name == "is-skipped":
		return ended("SKIPPED")
	case strings.HasPrefix(m.name, "oidcc-client-") && m.looks < 4:
		return waiting
	}
	return ended("PASSED")
}

func (f *fake) runner(m *fakeModule, _ *http.Request) any {
	urls := list{}
	if m.name == "wants-a-picture" {
		urls = append(urls, "https://dex.example.com/authorize?x=1")
	}
	return object{"browser": object{"urls": urls}, "exposed": object{"issuer": f.issuer}}
}

func (f *fake) log(m *fakeModule, _ *http.Request) any {
	switch m.name {
	case "wants-a-picture":
		if m.visited {
			return list{object{"src": m.name, "msg": "Show the page", "upload": "place-1"}}
		}
	case "warns":
		return list{
			object{"src": "CheckSomething", "result": "SUCCESS", "msg": "fine"},
			object{"src": "CheckDiscovery", "result": "WARNING", "msg": "an unknown member"},
		}
	case "is-interrupted":
		return list{object{"src": "CheckAll", "result": "FAILURE", "msg": "it broke"}}
	}
	return list{}
}
