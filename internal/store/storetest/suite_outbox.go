package storetest

import (
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/seal"
	"dex/internal/domain/audit"
	"dex/internal/domain/outbox"
)

// lapse is for how long the suite takes a message.
const lapse = time.Minute

// queue queues messages, a microsecond apart.
func (w *world) queue(bodies ...string) {
	w.Helper()
	for _, body := range bodies {
		w.ok(w.Enqueue(w.ctx, outbox.Message{Kind: outbox.Mail, Body: []byte(body)}, w.now()))
		w.clock.Advance(time.Microsecond)
	}
}

// everyKind is what a process delivers that has everything.
var everyKind = []outbox.Kind{outbox.Mail, outbox.Notify, outbox.Push, outbox.Farewell}

func (w *world) due(most int) []outbox.Taken {
	w.Helper()
	taken, err := w.db.TakeDue(w.ctx, everyKind, most, w.now().Add(lapse), w.now())
	w.ok(err)
	return taken
}

func (w *world) letters(onlyDead bool) []outbox.Letter {
	w.Helper()
	all, err := w.Letters(w.ctx, onlyDead, "", 100)
	w.ok(err)
	return all
}

func (w *world) deed() audit.By {
	return audit.By{Actor: "usr_operator", RemoteAddr: "192.0.2.9", At: w.now()}
}

var outboxPromises = []promise{
	{"a message is taken with what is in it, and is gone when it has arrived", func(_ *testing.T, w *world) {
		at := w.now()
		w.queue("Dear Zoe")
		taken := w.due(10)
		same(w, "taken", len(taken), 1)
		m := taken[0]
		same(w, "body", string(m.Body), "Dear Zoe")
		same(w, "kind", m.Kind, outbox.Mail)
		same(w, "tenant", m.TenantID, w.ID())
		same(w, "attempts", m.Attempts, 1)
		w.sameTime("queued", m.CreatedAt, at)
		w.ok(w.db.Delivered(w.ctx, m))
		w.ok(w.db.Delivered(w.ctx, m))
		w.clock.Advance(time.Hour)
		same(w, "left", len(w.due(10))+len(w.letters(false)), 0)
	}},
	{"what has been taken is nobody else's until the time is up", func(_ *testing.T, w *world) {
		w.queue("a")
		first := w.due(10)
		same(w, "taken again", len(w.due(10)), 0)
		w.clock.Advance(lapse)
		second := w.due(10)
		same(w, "taken when the time is up", len(second), 1)
		// The first was too slow: what it says of the failure counts no more.
		w.ok(w.db.GiveUp(w.ctx, first[0], "the first gives up", w.now()))
		w.ok(w.db.PutOff(w.ctx, first[0], "the first puts it off", w.now().Add(time.Hour)))
		same(w, "problem", w.letters(false)[0].Problem, "")
		same(w, "dead", w.letters(false)[0].DeadAt.IsZero(), true)
		w.ok(w.db.PutOff(w.ctx, second[0], "greylisted", w.now().Add(2*lapse)))
		same(w, "problem", w.letters(false)[0].Problem, "greylisted")
		w.clock.Advance(lapse)
		same(w, "due before it is to be tried again", len(w.due(10)), 0)
		w.clock.Advance(lapse)
		again := w.due(10)
		same(w, "due then", len(again), 1)
		same(w, "attempts", again[0].Attempts, 3)
	}},
	{"the longest due come first, and no more than asked for", func(_ *testing.T, w *world) {
		w.queue("a", "b", "c")
		got := map[string]bool{}
		for _, m := range w.due(2) {
			got[string(m.Body)] = true
		}
		alike(w, "taken", got, map[string]bool{"a": true, "b": true})
		same(w, "then", string(w.due(2)[0].Body), "c")
	}},
	{"of many deliverers one has each message", func(_ *testing.T, w *world) {
		for i := range 40 {
			w.queue(strings.Repeat("x", i+1))
		}
		taken := counter[string]{}
		w.atOnce(8, func(int) {
			for {
				all, err := w.db.TakeDue(w.ctx, everyKind, 3, w.now().Add(lapse), w.now())
				if err != nil {
					w.Error(err)
					return
				}
				if len(all) == 0 {
					return
				}
				for _, m := range all {
					taken.add(m.ID)
				}
			}
		})
		// Who finds the first rows gone while it looks may see none, and rests; what it
		// leaves is due the next time.
		for _, m := range w.due(40) {
			taken.add(m.ID)
		}
		same(w, "messages", len(taken.count), 40)
		for id, n := range taken.count {
			if n != 1 {
				w.Errorf("%s was taken by %d", id, n)
			}
		}
	}},
	{"what is dead stays until somebody has it tried again or drops it", func(_ *testing.T, w *world) {
		w.queue("a", "b")
		for _, m := range w.due(10) {
			w.ok(w.db.GiveUp(w.ctx, m, "no such mailbox", w.now()))
			w.clock.Advance(time.Second)
		}
		w.clock.Advance(1000 * time.Hour)
		same(w, "due", len(w.due(10)), 0)
		dead := w.letters(true)
		same(w, "dead", len(dead), 2)
		same(w, "why", dead[0].Problem, "no such mailbox")
		b, err := w.db.Backlog(w.ctx)
		w.ok(err)
		alike(w, "backlog", b, outbox.Backlog{Dead: 2})
		w.ok(w.RetryLetter(w.ctx, dead[0].ID, w.deed()))
		w.ok(w.DropLetter(w.ctx, dead[1].ID, w.deed()))
		same(w, "dead now", len(w.letters(true)), 0)
		again := w.due(10)
		same(w, "tried again", len(again), 1)
		same(w, "as if for the first time", again[0].Attempts, 1)
		same(w, "recorded", w.events()[string(audit.OutboxRetried)]+w.events()[string(audit.OutboxDropped)], 2)
		for _, id := range []string{dead[1].ID, ""} {
			w.refuses(fault.NotFound, w.DropLetter(w.ctx, id, w.deed()))
			w.refuses(fault.NotFound, w.RetryLetter(w.ctx, id, w.deed()))
		}
	}},
	{"a tenant's desk sees its own letters alone, page by page", func(_ *testing.T, w *world) {
		other, err := w.db.EnsureTenant(w.ctx, "other", "https://other.example")
		w.ok(err)
		w.ok(other.Enqueue(w.ctx, outbox.Message{Kind: outbox.Mail, Body: []byte("theirs")}, w.now()))
		w.queue("a", "b", "c")
		first, err := w.Letters(w.ctx, false, "", 2)
		w.ok(err)
		same(w, "first page", len(first), 2)
		rest, err := w.Letters(w.ctx, false, first[1].ID, 2)
		w.ok(err)
		same(w, "second page", len(rest), 1)
		theirs, err := other.Letters(w.ctx, false, "", 10)
		w.ok(err)
		same(w, "theirs", len(theirs), 1)
		w.refuses(fault.NotFound, w.DropLetter(w.ctx, theirs[0].ID, w.deed()))
		b, err := w.db.Backlog(w.ctx)
		w.ok(err)
		same(w, "waiting in all", b.Waiting, 4)
		same(w, "oldest", b.Oldest.IsZero(), false)
	}},
	{"what is in a message cannot be read in a copy of the database", func(_ *testing.T, w *world) {
		w.queue("a-link-that-opens-an-account")
		same(w, "in the clear", strings.Contains(Dump(w, w.db), "a-link-that-opens-an-account"), false)
	}},
	{"a message whose key secret is missing waits, and holds up no other", func(_ *testing.T, w *world) {
		first, _ := w.pair()
		w.ok(first.Enqueue(w.ctx, outbox.Message{Kind: outbox.Mail, Body: []byte("sealed under the old secret")}, w.now()))
		ring, err := seal.NewRing(seal.NewSecret())
		w.ok(err)
		without := Again(w, first.db, WithKeys(ring))
		taken, err := without.TakeDue(w.ctx, everyKind, 10, w.now().Add(lapse), w.now())
		w.ok(err)
		same(w, "taken", len(taken), 0)
		letters, err := first.Letters(w.ctx, false, "", 10)
		w.ok(err)
		same(w, "says why", strings.Contains(letters[0].Problem, "key secret"), true)
		w.clock.Advance(lapse)
		taken, err = first.db.TakeDue(w.ctx, everyKind, 10, w.now().Add(lapse), w.now())
		w.ok(err)
		same(w, "who has the secret can", len(taken), 1)
	}},
}
