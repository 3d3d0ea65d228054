package fault

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// ledger is what all clients together know for sure: what they were told was done.
type ledger struct {
	mu     sync.Mutex
	counts map[string]int
	wrong  []string // answers that must not be

	logins   map[string]int     // of each person, those that led to a code
	codes    map[string]int     // how often each was redeemed
	families map[string]*family // by the id of the grant
	left     []*leaver          // who has logged out
}

// family is one authorization as its client sees it.
type family struct {
	id, token  string // the last refresh token
	access     string
	generation int // of the token
	revoked    bool
	uncertain  bool // it may have been revoked: the answer was lost
}

// leaver is a browser that has been told that its session is over.
type leaver struct {
	session string
	had     []*http.Cookie
}

func newLedger() *ledger {
	return &ledger{counts: map[string]int{}, logins: map[string]int{}, codes: map[string]int{}, families: map[string]*family{}}
}

// count counts something for the table.
func (l *ledger) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
}

// unanswered are the requests that failed by what may pass.
var unanswered = []string{"requests without an answer", "requests with half an answer", "503: try again later"}

// failures is how many requests have failed so far.
func (l *ledger) failures() int {
	n := 0
	for _, what := range unanswered {
		n += l.done(what)
	}
	return n
}

// wrongly notes an answer that must not be.
func (l *ledger) wrongly(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

func (l *ledger) loggedIn(person string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logins[person]++
	l.counts["logins"]++
}

// redeemed notes that a code was exchanged for tokens.
func (l *ledger) redeemed(code string, f *family) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codes[code]++
	l.counts["codes redeemed"]++
	if l.codes[code] > 1 {
		l.wrong = append(l.wrong, "a code was redeemed twice")
	}
	l.families[f.id] = f
}

func (l *ledger) loggedOut(session string, had []*http.Cookie) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts["logouts"]++
	l.left = append(l.left, &leaver{session, had})
}

// all returns the families in the order of their ids.
func (l *ledger) all() []*family {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*family
	for _, id := range slices.Sorted(maps.Keys(l.families)) {
		all = append(all, l.families[id])
	}
	return all
}

func (l *ledger) done(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[what]
}

// table shows the counts.
func (l *ledger) table() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(l.counts)) {
		fmt.Fprintf(&b, "  %-42s %6d\n", what, l.counts[what])
	}
	return b.String()
}
