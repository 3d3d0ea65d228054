package duty

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2" //nolint:depguard // It spreads load, and guards nothing.
	"slices"
	"sync"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/mail"
	"dex/internal/domain/outbox"
)

const (
	// deliverBatch is how many messages are taken at once, and deliverHold for how
	// long: long enough for each to meet a server that is slow.
	deliverBatch = 10
	deliverHold  = 10 * time.Minute
)

// Deliver brings out the mail that is queued, one letter after the other.
func Deliver(queue outbox.Queue, mail outbox.Carrier, c clock.Clock, every time.Duration) Duty {
	d := deliverer{queue: queue, carriers: map[outbox.Kind]outbox.Carrier{outbox.Mail: mail}, clock: c}
	return Duty{Name: "deliver", Every: every, Do: d.all}
}

// TellApplications brings applications what they are told, many at once: one that does
// not answer is not to hold up the others.
func TellApplications(queue outbox.Queue, carriers map[outbox.Kind]outbox.Carrier, c clock.Clock, every time.Duration) Duty {
	d := deliverer{queue: queue, carriers: carriers, clock: c, together: true}
	return Duty{Name: "tell applications", Every: every, Do: d.all}
}

// Deliverer delivers messages that are in the caller's hands already.
type Deliverer struct {
	Queue    outbox.Queue
	Carriers map[outbox.Kind]outbox.Carrier
	Clock    clock.Clock
}

// Deliver delivers the messages, all at once, for as long as the context lasts. What
// has not arrived by then is due again when the time is up for which the caller has it.
func (d Deliverer) Deliver(ctx context.Context, messages []outbox.Taken) error {
	var total outcome
	return deliverer{queue: d.Queue, carriers: d.Carriers, clock: d.Clock, together: true}.batch(ctx, messages, &total)
}

// deliverer delivers messages of the kinds that it has a carrier for. The others wait
// for somebody who has: another process may be of a newer version, or know a mail server.
type deliverer struct {
	queue    outbox.Queue
	carriers map[outbox.Kind]outbox.Carrier
	clock    clock.Clock
	together bool // the messages of a batch are delivered at the same time
}

// outcome counts what came of the messages of one turn.
type outcome struct{ delivered, putOff, dead int }

func (o outcome) String() string {
	if o == (outcome{}) {
		return ""
	}
	return fmt.Sprintf("delivered %d messages, put off %d, gave up %d", o.delivered, o.putOff, o.dead)
}

// all delivers what is due, batch by batch, until nothing is.
func (d deliverer) all(ctx context.Context) (string, error) {
	var total outcome
	for ctx.Err() == nil {
		now := d.clock.Now()
		taken, err := d.queue.TakeDue(ctx, slices.Sorted(maps.Keys(d.carriers)), deliverBatch, now.Add(deliverHold), now)
		if err != nil {
			return total.String(), err
		}
		if err := d.batch(ctx, taken, &total); err != nil {
			return total.String(), err
		}
		if len(taken) == 0 {
			break
		}
	}
	return total.String(), ctx.Err()
}

// batch delivers messages that were taken.
func (d deliverer) batch(ctx context.Context, taken []outbox.Taken, total *outcome) error {
	if !d.together {
		for _, m := range taken {
			if err := d.one(ctx, m, total); err != nil {
				return err
			}
		}
		return nil
	}
	outcomes, errs := make([]outcome, len(taken)), make([]error, len(taken))
	var all sync.WaitGroup
	for i, m := range taken {
		all.Go(func() { errs[i] = d.one(ctx, m, &outcomes[i]) })
	}
	all.Wait()
	for _, o := range outcomes {
		total.delivered, total.putOff, total.dead = total.delivered+o.delivered, total.putOff+o.putOff, total.dead+o.dead
	}
	return errors.Join(errs...)
}

// one delivers a message, or says what becomes of it.
func (d deliverer) one(ctx context.Context, m outbox.Taken, total *outcome) error {
	err := d.carriers[m.Kind].Carry(ctx, m)
	pause, more := outbox.Pause(m.Attempts, rand.Float64())
	switch {
	case err == nil:
		total.delivered++
		// Even if we are told to stop meanwhile, so that it does not arrive twice.
		noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
		defer cancel()
		return d.queue.Delivered(noting, m)
	case ctx.Err() != nil:
		// Who is told to stop has not failed: the message is due again when the time is up
		// for which it was taken.
		return ctx.Err()
	case outbox.IsRefusal(err) || !more:
		total.dead++
		return d.queue.GiveUp(ctx, m, err.Error(), d.clock.Now())
	default:
		total.putOff++
		return d.queue.PutOff(ctx, m, err.Error(), d.clock.Now().Add(pause))
	}
}

// MailCarrier carries mail.
type MailCarrier struct {
	Sender mail.Sender
	Clock  clock.Clock
}

var errTooLate = errors.New("the link in the message has expired before it could be sent")

// Carry implements [outbox.Carrier].
func (c MailCarrier) Carry(ctx context.Context, m outbox.Taken) error {
	letter, err := mail.Decode(m.Body)
	if err != nil {
		return outbox.Refuse(err)
	}
	if !letter.Until.IsZero() && !letter.Until.After(c.Clock.Now()) {
		return outbox.Refuse(errTooLate)
	}
	err = c.Sender.Send(ctx, m.ID, letter)
	if errors.Is(err, mail.ErrRefused) {
		return outbox.Refuse(err)
	}
	return err
}
