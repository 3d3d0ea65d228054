package attack

import (
	"cmp"
	"encoding/base64"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"dex/internal/base/clock"
	"dex/internal/protocol/jose"
	"dex/internal/store/storetest"
)

func newClock() *clock.Fake { return &clock.Fake{} }

func b64decode(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

func TestNothingHostileIsTaken(t *testing.T) {
	w := newWorld(t)
	for _, c := range w.consumers() {
		t.Run(c.name, func(t *testing.T) { w.play(t, c) })
	}
	t.Run("ID token of another provider", w.playUpstream)
	t.Run("keys", w.playKeys)
	t.Run("encrypted request object", w.playEncrypted)
	t.Run("certificate", w.playCertificates)
	t.Run("handle", w.playHandles)
	t.Run("registration", w.playDocuments)
	if n := w.sang.Load(); n > 0 {
		t.Errorf("%d addresses that a token names were asked", n)
	}
}

// play plays every attack to a consumer, and a good token before and after.
func (w *world) play(t *testing.T, c consumer) {
	good := c.good().signed()
	cost := w.measure(func() {
		if got := c.send(good); got != c.yes {
			t.Fatalf("a good token: %s\n%s", got, w.log.took())
		}
	})
	attacks := corpus
	if c.claims {
		attacks = append(attacks[:len(attacks):len(attacks)], claims...)
	}
	rows := storetest.Counts(t, w.s.DB)
	for _, a := range attacks {
		hostile := a.forge(w, c.good().clone())
		if hostile == "" || c.takes[a.name] != "" {
			continue
		}
		var got string
		w.log.took()
		paid := w.measure(func() { got = c.send(hostile) })
		log := w.log.took()
		want := cmp.Or(c.other[a.name], c.no)
		if got != want && (isToken(hostile, c.longest) || !slices.Contains(c.malformed, got)) {
			t.Errorf("%s: %q, want %q\n%s", a.name, got, want, log)
		}
		if paid.statements > cost.statements+2 || paid.bytes > 8*cost.bytes+2<<20 {
			t.Errorf("%s: it costs %+v, and a good one %+v", a.name, paid, cost)
		}
		if len(hostile) > 24 && strings.Contains(log, hostile[len(hostile)-24:]) {
			t.Errorf("%s: it stands in the log: %s", a.name, log)
		}
	}
	for table, n := range storetest.Counts(t, w.s.DB) {
		if n != rows[table] && !c.keeps {
			t.Errorf("there are %d rows of %s, and were %d", n, table, rows[table])
		}
	}
	if got := c.send(c.good().signed()); got != c.yes {
		t.Errorf("a good token afterwards: %s", got)
	}
}

// isToken reports whether a text could be a token by its characters and its length.
func isToken(s string, longest int) bool {
	return len(s) <= cmp.Or(longest, jose.MaxToken) && !strings.ContainsFunc(s, func(r rune) bool {
		return r >= utf8.RuneSelf || !strings.ContainsRune("-._", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// work is what something has cost: counted, and not timed.
type work struct {
	statements int64
	bytes      uint64
}

func (w *world) measure(do func()) work {
	var before, after runtime.MemStats
	statements := w.s.DB.Work().Statements
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return work{w.s.DB.Work().Statements - statements, after.TotalAlloc - before.TotalAlloc}
}
