package duty

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2" //nolint:depguard // It spreads load, and guards nothing.
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

// Deliver brings out what is queued. What nobody here can carry waits for somebody
// who can: another process may be of a newer version, or know a mail server.
func Deliver(queue outbox.Queue, carriers map[outbox.Kind]outbox.Carrier, c clock.Clock, every time.Duration) Duty {
	d := deliverer{queue: queue, carriers: carriers, clock: c}
	return Duty{Name: "deliver", Every: every, Do: d.all}
}

type deliverer struct {
	queue    outbox.Queue
	carriers map[outbox.Kind]outbox.Carrier
	clock    clock.Clock
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
		taken, err := d.queue.TakeDue(ctx, deliverBatch, now.Add(deliverHold), now)
		if err != nil {
			return total.String(), err
		}
		for _, m := range taken {
			if err := d.one(ctx, m, &total); err != nil {
				return total.String(), err
			}
		}
		if len(taken) == 0 {
			break
		}
	}
	return total.String(), ctx.Err()
}

// one delivers a message, or says what becomes of it.
func (d deliverer) one(ctx context.Context, m outbox.Taken, total *outcome) error {
	err := d.carry(ctx, m)
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

func (d deliverer) carry(ctx context.Context, m outbox.Taken) error {
	carrier := d.carriers[m.Kind]
	if carrier == nil {
		return fmt.Errorf("nothing is set up here that could deliver %q", m.Kind)
	}
	return carrier.Carry(ctx, m.Message)
}

// MailCarrier carries mail.
type MailCarrier struct {
	Sender mail.Sender
	Clock  clock.Clock
}

var errTooLate = errors.New("the link in the message has expired before it could be sent")

// Carry implements [outbox.Carrier].
func (c MailCarrier) Carry(ctx context.Context, m outbox.Message) error {
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
