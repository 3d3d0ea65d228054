package duty

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/mail"
	"dex/internal/domain/outbox"
	"dex/internal/store"
	"dex/internal/store/storetest"
)

// courier carries messages as the test says.
type courier struct {
	mu      sync.Mutex
	carried []string
	says    func(m outbox.Taken) error
}

func (c *courier) Carry(_ context.Context, m outbox.Taken) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.carried = append(c.carried, string(m.Body))
	if c.says != nil {
		return c.says(m)
	}
	return nil
}

// post is a database with an outbox, and whoever empties it.
type post struct {
	*testing.T
	now    *clock.Fake
	db     *store.DB
	tenant *store.Tenant
	courier
}

func openPost(t *testing.T) *post {
	now := &clock.Fake{}
	db, tenant := storetest.OpenTenant(t, storetest.WithClock(now))
	return &post{T: t, now: now, db: db, tenant: tenant}
}

func (p *post) queue(body string) {
	p.Helper()
	if err := p.tenant.Enqueue(p.Context(), outbox.Message{Kind: outbox.Mail, Body: []byte(body)}, p.now.Now()); err != nil {
		p.Fatal(err)
	}
}

func (p *post) duty() Duty {
	return Deliver(p.db, &p.courier, p.now, time.Minute)
}

func (p *post) deliver() string {
	p.Helper()
	did, err := p.duty().Do(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	return did
}

func (p *post) letters() []outbox.Letter {
	p.Helper()
	all, err := p.tenant.Letters(p.Context(), false, "", 100)
	if err != nil {
		p.Fatal(err)
	}
	return all
}

func TestWhatIsQueuedIsDeliveredOnce(t *testing.T) {
	p := openPost(t)
	for i := range 25 { // more than one batch
		p.queue(fmt.Sprint(i))
	}
	if did := p.deliver(); did != "delivered 25 messages, put off 0, gave up 0" {
		t.Errorf("it says %q", did)
	}
	if did := p.deliver(); did != "" || len(p.carried) != 25 || len(p.letters()) != 0 {
		t.Errorf("it says %q; %d carried, %d left", did, len(p.carried), len(p.letters()))
	}
}

func TestOneThatIsGreylistedArrivesTheSecondTime(t *testing.T) {
	p := openPost(t)
	p.queue("a")
	p.says = func(outbox.Taken) error { return errors.New("450 greylisted") }
	p.deliver()
	if l := p.letters(); len(l) != 1 || l[0].Problem != "450 greylisted" || !l[0].DeadAt.IsZero() || l[0].Attempts != 1 {
		t.Fatalf("it stands as %+v", l)
	}
	p.says = nil
	if p.deliver(); len(p.carried) != 1 {
		t.Error("it was tried again at once")
	}
	p.now.Advance(90 * time.Second)
	if p.deliver(); len(p.carried) != 2 || len(p.letters()) != 0 {
		t.Errorf("after the pause: carried %d times, %d left", len(p.carried), len(p.letters()))
	}
}

func TestAMessageDiesAfterTheLastAttemptAndStaysToBeSeen(t *testing.T) {
	p := openPost(t)
	p.queue("a")
	p.says = func(outbox.Taken) error { return errors.New("the server is away") }
	for range 3 * outbox.MaxAttempts {
		p.deliver()
		p.now.Advance(10 * time.Hour)
	}
	l := p.letters()
	if len(p.carried) != outbox.MaxAttempts || len(l) != 1 || l[0].DeadAt.IsZero() || l[0].Problem != "the server is away" {
		t.Errorf("tried %d times; it stands as %+v", len(p.carried), l)
	}
}

func TestAMessageThatIsRefusedDiesAtOnceAndHoldsUpNoOther(t *testing.T) {
	p := openPost(t)
	p.queue("bad")
	p.queue("good")
	p.says = func(m outbox.Taken) error {
		if string(m.Body) == "bad" {
			return outbox.Refuse(errors.New("550 no such mailbox"))
		}
		return nil
	}
	if did := p.deliver(); did != "delivered 1 messages, put off 0, gave up 1" {
		t.Errorf("it says %q", did)
	}
	if l := p.letters(); len(l) != 1 || l[0].DeadAt.IsZero() || l[0].Attempts != 1 {
		t.Errorf("it stands as %+v", l)
	}
}

func TestWhatNobodyHereCanCarryWaitsForSomebodyWhoCan(t *testing.T) {
	p := openPost(t)
	p.queue("a")
	if did, err := TellApplications(p.db, map[outbox.Kind]outbox.Carrier{outbox.Farewell: &p.courier}, p.now, time.Minute).Do(t.Context()); did != "" || err != nil || len(p.carried) != 0 {
		t.Fatalf("who carries other things says %q, %v", did, err)
	}
	if l := p.letters(); len(l) != 1 || l[0].Attempts != 0 {
		t.Errorf("it stands as %+v", l)
	}
	if p.deliver(); len(p.letters()) != 0 {
		t.Error("who can carry it does not")
	}
}

// Two processes may believe that it is their turn. Each message is in the hands of one.
func TestOfTwoDeliverersOneHasEachMessage(t *testing.T) {
	p := openPost(t)
	for i := range 60 {
		p.queue(fmt.Sprint(i))
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := p.duty().Do(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	p.deliver() // who found all taken by the other has left none but what came between
	times := map[string]int{}
	for _, body := range p.carried {
		times[body]++
	}
	for body, n := range times {
		if n != 1 {
			t.Errorf("%s was carried %d times", body, n)
		}
	}
	if len(times) != 60 {
		t.Errorf("%d of 60 were carried", len(times))
	}
}

func TestWhatWasDeliveredWhileWeWereToldToStopIsNotDeliveredAgain(t *testing.T) {
	p := openPost(t)
	p.queue("a")
	ctx, stop := context.WithCancel(t.Context())
	p.says = func(outbox.Taken) error { stop(); return nil }
	if _, err := p.duty().Do(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	p.now.Advance(deliverHold)
	if p.deliver(); len(p.carried) != 1 || len(p.letters()) != 0 {
		t.Errorf("carried %d times, %d left", len(p.carried), len(p.letters()))
	}
}

// dead is a queue whose reader dies before it can say what has arrived.
type dead struct{ *store.DB }

func (dead) Delivered(context.Context, outbox.Taken) error { return errors.New("killed") }

// A deliverer that is killed between the delivery and the note of it delivers again:
// twice is allowed, never is not.
func TestWhoeverDiesAfterTheDeliveryDeliversAgainAndLosesNothing(t *testing.T) {
	p := openPost(t)
	p.queue("a")
	killed := Deliver(dead{p.db}, &p.courier, p.now, time.Minute)
	if _, err := killed.Do(t.Context()); err == nil {
		t.Fatal("it was not killed")
	}
	p.deliver()
	if len(p.letters()) != 1 {
		t.Fatal("the message is lost to everybody while it is in a dead one's hands, and should be there")
	}
	p.now.Advance(deliverHold)
	if p.deliver(); len(p.carried) != 2 || len(p.letters()) != 0 {
		t.Errorf("carried %d times, %d left", len(p.carried), len(p.letters()))
	}
}

func TestMailIsCarriedUntilItsLinkExpires(t *testing.T) {
	p := openPost(t)
	from, err := mail.ParseFrom("login@example.com")
	if err != nil {
		t.Fatal(err)
	}
	folder := mail.Folder{Path: filepath.Join(t.TempDir(), "mail"), From: from, Clock: p.now}
	carrier := MailCarrier{Sender: folder, Clock: p.now}
	body, err := mail.Message{To: "zoe@example.com", Subject: "s", Text: "t", Until: p.now.Now().Add(time.Hour)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	m := outbox.Taken{Message: outbox.Message{ID: "out_1", Kind: outbox.Mail, Body: body}}
	if err := carrier.Carry(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(folder.Path); err != nil || len(files) != 1 {
		t.Errorf("in the folder is %v, %v", files, err)
	}
	p.now.Advance(time.Hour)
	if err := carrier.Carry(t.Context(), m); !outbox.IsRefusal(err) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("too late it says %v", err)
	}
	m.Body = []byte("{")
	if err := carrier.Carry(t.Context(), m); !outbox.IsRefusal(err) {
		t.Errorf("of nonsense it says %v", err)
	}
}
