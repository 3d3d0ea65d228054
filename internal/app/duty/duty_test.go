package duty

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/domain/key"
	"dex/internal/domain/system"
	"dex/internal/protocol/jose"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// counting is a duty that counts how often it is done.
func counting(name string, times *int) Duty {
	return Duty{Name: name, Every: time.Minute, Do: func(context.Context) (string, error) {
		*times++
		return "counted", nil
	}}
}

// process is one of several processes that have the duties.
func process(turns Turns, c clock.Clock, duties ...Duty) (*Roster, *bytes.Buffer) {
	log := &bytes.Buffer{}
	return &Roster{Turns: turns, Duties: duties, Clock: c, Log: slog.New(slog.NewTextHandler(log, nil))}, log
}

// everybody lets each do what it likes.
type everybody struct{}

func (everybody) TakeTurn(context.Context, string, string, time.Time, time.Time) (bool, error) {
	return true, nil
}

func TestProcessesTakeTurnsAndWhoeverDiesIsReplaced(t *testing.T) {
	now := &clock.Fake{}
	db := storetest.Open(t, storetest.WithClock(now))
	var a, b int
	first, _ := process(db, now)
	second, _ := process(db, now)
	first.holder, second.holder = "first", "second"
	step := func(d time.Duration, wantA, wantB int, why string) {
		t.Helper()
		now.Advance(d)
		first.once(t.Context(), counting("the duty", &a))
		second.once(t.Context(), counting("the duty", &b))
		if a != wantA || b != wantB {
			t.Errorf("%s: the first did it %d times, the second %d; want %d and %d", why, a, b, wantA, wantB)
		}
	}
	step(0, 1, 0, "who comes first has the turn")
	step(time.Minute, 2, 0, "and keeps it")
	step(20*time.Second, 2, 0, "and does it no sooner than it is due")
	// The first is gone. Its turn lasts three beats and a second more.
	now.Advance(30 * time.Second)
	second.once(t.Context(), counting("the duty", &b))
	if b != 0 {
		t.Error("the second did not wait until the first is given up")
	}
	now.Advance(time.Second)
	second.once(t.Context(), counting("the duty", &b))
	if b != 1 {
		t.Error("nobody does what the first has left")
	}
	second.once(t.Context(), counting("the duty", &b))
	first.once(t.Context(), counting("the duty", &a))
	if a != 2 || b != 1 {
		t.Errorf("done %d and %d times", a, b)
	}
	now.Advance(time.Minute)
	second.once(t.Context(), counting("the duty", &b))
	first.once(t.Context(), counting("the duty", &a))
	if a != 2 || b != 2 {
		t.Errorf("it is the second's now, even if the first returns; done %d and %d times", a, b)
	}
	second.giveUp(t.Context(), counting("the duty", &b))
	first.once(t.Context(), counting("the duty", &a))
	if a != 3 {
		t.Error("whoever ends in peace does not let go of the turn")
	}
}

func TestTwoDutiesAreTwoTurns(t *testing.T) {
	now := &clock.Fake{}
	db := storetest.Open(t, storetest.WithClock(now))
	var one, other int
	first, _ := process(db, now)
	second, _ := process(db, now)
	first.holder, second.holder = "first", "second"
	first.once(t.Context(), counting("one", &one))
	second.once(t.Context(), counting("other", &other))
	if one != 1 || other != 1 {
		t.Errorf("%d and %d", one, other)
	}
}

func TestEveryDutyBeginsAtOnceAndIsDoneAgain(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	times := map[string]int{}
	stuck := make(chan struct{})
	duty := func(name string) Duty {
		return Duty{Name: name, Every: time.Hour, Do: func(ctx context.Context) (string, error) {
			mu.Lock()
			times[name]++
			done := times["one"] >= 3 && times["other"] >= 3
			mu.Unlock()
			if done {
				stop()
			}
			if name == "stuck" {
				close(stuck)
				<-ctx.Done() // it never gets anywhere, and holds up nobody
				return "", ctx.Err()
			}
			return "", nil
		}}
	}
	now := &clock.Fake{}
	r, log := process(everybody{}, now, duty("stuck"), duty("one"), duty("other"))
	r.Wait = func(ctx context.Context, d time.Duration) bool {
		if d != beat {
			t.Errorf("waits %v", d)
		}
		now.Advance(time.Hour)
		return ctx.Err() == nil
	}
	r.Run(ctx)
	<-stuck
	if times["one"] < 3 || times["other"] < 3 || times["stuck"] != 1 {
		t.Errorf("done %v", times)
	}
	if log.Len() != 0 {
		t.Errorf("to be told to stop is no failure: %s", log)
	}
}

func TestADutyThatFailsIsToldAndTriedAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(context.Context) (string, error)
		told string
	}{
		{name: "by an error", do: func(context.Context) (string, error) { return "", errors.New("the disk is full") }, told: "the disk is full"},
		{name: "by a panic", do: func(context.Context) (string, error) { panic("a mistake of ours") }, told: "a mistake of ours"},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := &clock.Fake{}
			r, log := process(everybody{}, now, Duty{Name: "the duty", Every: time.Minute, Do: test.do})
			turns := 0
			r.Wait = func(context.Context, time.Duration) bool { turns++; now.Advance(time.Minute); return turns < 3 }
			r.Run(t.Context())
			if n := strings.Count(log.String(), test.told); n != 3 || !strings.Contains(log.String(), `duty="the duty"`) {
				t.Errorf("told %d times of 3: %s", n, log)
			}
			if err := r.Once(t.Context()); err == nil || !strings.Contains(err.Error(), test.told) {
				t.Errorf("done once it says %v", err)
			}
		})
	}
}

func TestTheRecordSaysHowADutyStands(t *testing.T) {
	now := &clock.Fake{}
	db := storetest.Open(t, storetest.WithClock(now))
	said, fails := "", errors.New("the disk is full")
	d := Duty{Name: "the duty", Every: time.Minute, Do: func(ctx context.Context) (string, error) {
		if all, err := db.Duties(ctx); err != nil || len(all) != 1 || !all[0].Running(now.Now()) {
			t.Errorf("while it is done the record says %+v, %v", all, err)
		}
		return said, fails
	}}
	r, _ := process(db, now, d)
	r.Record, r.holder = db, "us"
	var told []Outcome
	r.Told = func(o Outcome) { told = append(told, o) }
	stands := func() system.Duty {
		t.Helper()
		r.once(t.Context(), d)
		all, err := db.Duties(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0]
	}
	if got := stands(); !got.Failing() || got.Problem != "the disk is full" || got.Failures != 1 || got.Runs != 1 || got.Holder != "us" {
		t.Errorf("it failed, and the record says %+v", got)
	}
	now.Advance(time.Minute)
	said, fails = "counted", nil
	if got := stands(); got.Failing() || got.Problem != "" || got.Said != "counted" || got.Runs != 2 || got.Running(now.Now()) {
		t.Errorf("it was done, and the record says %+v", got)
	}
	now.Advance(time.Minute)
	said = ""
	if got := stands(); got.Said != "counted" || !got.DoneAt.Equal(now.Now()) {
		t.Errorf("there was nothing to do, and the record says %+v", got)
	}
	if len(told) != 3 || told[0].Err == nil || told[1].Did != "counted" {
		t.Errorf("told was %+v", told)
	}
	now.Advance(time.Second)
	if _, err := r.Now(t.Context(), "the duty"); err != nil {
		t.Errorf("done at once: %v", err)
	}
	if _, err := r.Now(t.Context(), "another"); !errors.Is(err, ErrNoSuchDuty) {
		t.Errorf("a duty that nobody has: %v", err)
	}
}

func TestWhileADutyRestsItIsStillSaidToFailAndAnOperatorMayTryIt(t *testing.T) {
	now := &clock.Fake{}
	db := storetest.Open(t, storetest.WithClock(now))
	fails, resting := errors.New("the sink is away"), false
	d := Duty{
		Name: "the duty", Every: time.Second,
		Do:    func(context.Context) (string, error) { return "", fails },
		Rests: func(time.Time) bool { return resting },
	}
	r, _ := process(db, now, d)
	r.Record = db
	for _, step := range []struct {
		name    string
		do      func()
		failing bool
		runs    int64
	}{
		{"it fails", func() { r.once(t.Context(), d) }, true, 1},
		{"it rests", func() { resting, fails = true, nil; r.once(t.Context(), d) }, true, 1},
		{"an operator has mended it", func() { _, _ = r.Now(t.Context(), "the duty") }, false, 2},
	} {
		now.Advance(time.Second)
		step.do()
		all, err := db.Duties(t.Context())
		if err != nil || len(all) != 1 || all[0].Failing() != step.failing || (all[0].Problem != "") != step.failing || all[0].Runs != step.runs {
			t.Errorf("%s: %+v, %v", step.name, all, err)
		}
	}
}

// lost is a database that cannot be reached.
type lost struct{}

func (lost) TakeTurn(context.Context, string, string, time.Time, time.Time) (bool, error) {
	return false, errors.New("the database is away")
}

func TestNothingIsDoneOutOfTurn(t *testing.T) {
	times := 0
	r, log := process(lost{}, &clock.Fake{}, counting("the duty", &times))
	r.Wait = func(context.Context, time.Duration) bool { return false }
	r.Run(t.Context())
	if times != 0 || !strings.Contains(log.String(), "the database is away") {
		t.Errorf("done %d times; %s", times, log)
	}
}

func TestOnceDoesEverythingWhateverFails(t *testing.T) {
	times := 0
	broken := Duty{Name: "broken", Do: func(context.Context) (string, error) { return "", errors.New("broken") }}
	r, log := process(lost{}, &clock.Fake{}, broken, counting("the duty", &times), broken)
	if err := r.Once(t.Context()); err == nil || err.Error() != "broken\nbroken" {
		t.Errorf("got %v", err)
	}
	if times != 1 || !strings.Contains(log.String(), "did=counted") {
		t.Errorf("done %d times; %s", times, log)
	}
}

// heap is a store with so many stale rows of each table.
type heap struct {
	rows  map[string]int
	calls int
	err   error
}

func (h *heap) ClearAway(_ context.Context, _ time.Time, batch int) (map[string]int, error) {
	h.calls++
	cleared := map[string]int{}
	for table, n := range h.rows {
		cleared[table] = min(n, batch)
		h.rows[table] -= cleared[table]
	}
	return cleared, h.err
}

func TestClearingAwayGoesOnUntilNothingIsLeft(t *testing.T) {
	for _, test := range []struct {
		name  string
		rows  map[string]int
		calls int
		did   string
	}{
		{name: "nothing", rows: map[string]int{"grants": 0}, calls: 1, did: ""},
		{name: "less than a batch", rows: map[string]int{"grants": 7, "sessions": 2}, calls: 1, did: "cleared away 7 grants, 2 sessions"},
		{name: "a batch exactly", rows: map[string]int{"grants": clearBatch}, calls: 2, did: "cleared away 1000 grants"},
		{name: "many batches of one table", rows: map[string]int{"grants": 3*clearBatch + 1, "sessions": 1}, calls: 4, did: "cleared away 3001 grants, 1 sessions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &heap{rows: test.rows}
			did, err := ClearAway(h, &clock.Fake{}, time.Minute).Do(t.Context())
			if did != test.did || err != nil || h.calls != test.calls {
				t.Errorf("did %q, %v in %d calls; want %q in %d", did, err, h.calls, test.did, test.calls)
			}
		})
	}
	t.Run("a failure ends it, and what was done is told", func(t *testing.T) {
		h := &heap{rows: map[string]int{"grants": 5 * clearBatch}, err: errors.New("away")}
		did, err := ClearAway(h, &clock.Fake{}, time.Minute).Do(t.Context())
		if err == nil || did != "" && !strings.HasPrefix(did, "cleared away") || h.calls != 1 {
			t.Errorf("did %q, %v in %d calls", did, err, h.calls)
		}
	})
	t.Run("whoever is told to stop stops", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		h := &heap{rows: map[string]int{"grants": 5 * clearBatch}}
		if did, err := ClearAway(h, &clock.Fake{}, time.Minute).Do(ctx); did != "" || err != nil || h.calls != 0 {
			t.Errorf("did %q, %v in %d calls", did, err, h.calls)
		}
	})
}

func TestRotatingKeysMakesTheFirstAndThenOnlyWhatIsDue(t *testing.T) {
	now := &clock.Fake{}
	db, first := storetest.OpenTenant(t, storetest.WithClock(now))
	algs := []jose.Algorithm{jose.ES256, jose.EdDSA}
	var opened []string
	d := RotateKeys(Rotation{
		Timelines: db.Timelines, Algorithms: algs, Timing: key.DefaultTiming, Clock: now,
		Store: func(ctx context.Context, id string) (key.Store, error) {
			if opened = append(opened, id); id == "broken" {
				return nil, errors.New("sealed under another secret")
			}
			return db.Tenant(ctx, id)
		},
	})
	do := func(why, want string) {
		t.Helper()
		did, err := d.Do(t.Context())
		if err != nil || did != want {
			t.Errorf("%s: did %q, %v", why, did, err)
		}
	}
	published := func(tn *store.Tenant) int {
		t.Helper()
		ring := &key.Ring{Store: tn, Clock: now, Timing: key.DefaultTiming}
		if err := ring.Refresh(t.Context()); err != nil || !ring.Ready(algs) {
			t.Errorf("%s cannot sign: %v", tn.ID(), err)
		}
		return len(ring.Published())
	}
	do("there is no key yet", "the timeline of the signing keys went on, of default")
	one := published(first)
	do("all is well", "")
	now.Advance(time.Hour)
	second, err := db.EnsureTenant(t.Context(), "acme", "https://acme.example.com")
	if err != nil {
		t.Fatal(err)
	}
	opened = nil
	do("another tenant has come", "the timeline of the signing keys went on, of acme")
	if !slices.Equal(opened, []string{"acme"}) || published(second) != one {
		t.Errorf("opened were %q, who have nothing to do too", opened)
	}
	now.Advance(key.DefaultTiming.Rotation - time.Hour)
	do("the successors are due", "the timeline of the signing keys went on, of acme, default")
	if n := published(first); n != 2*one {
		t.Errorf("%d keys are published, want the %d old and as many new", n, one)
	}
	for _, id := range []string{"broken", "e1", "e2", "e3", "e4", "e5", "e6"} {
		if _, err := db.EnsureTenant(t.Context(), id, "https://"+id+".example.com"); err != nil {
			t.Fatal(err)
		}
	}
	did, err := d.Do(t.Context())
	if err == nil || !strings.Contains(err.Error(), "tenant broken: sealed under another secret") || !strings.Contains(did, "of 6 tenants") {
		t.Errorf("one that cannot be turned: did %q, %v", did, err)
	}
}
