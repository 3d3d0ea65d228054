package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"dex/internal/base/clock"
	"dex/internal/base/outbound"
	"dex/internal/domain/outbox"
)

// Notifications tells applications that they have been answered and may ask for the
// answer: CIBA section 10.2. It implements [outbox.Carrier].
type Notifications struct {
	Client *http.Client
	Clock  clock.Clock
}

var errNothingToAsk = errors.New("the application has nothing to ask for any more")

// Carry implements [outbox.Carrier]. An application that refuses what it is told is not
// told again, and no redirect is followed: only one that does not answer, or cannot just
// now, is tried again.
func (n Notifications) Carry(ctx context.Context, m outbox.Taken) error {
	told, err := outbox.ReadNotification(m.Message)
	if err != nil {
		return outbox.Refuse(err)
	}
	if !n.Clock.Now().Before(told.Until) {
		return outbox.Refuse(errNothingToAsk)
	}
	return tell(ctx, n.Client, told)
}

// tell sends an application what it is told. What answers with another status than those
// of success and of a bad moment has refused it.
func tell(ctx context.Context, client *http.Client, told outbox.Notification) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, told.URL, bytes.NewReader(told.Body))
	if err != nil {
		return outbox.Refuse(errors.New("the address of the application is none"))
	}
	req.Header.Set("Authorization", "Bearer "+told.Bearer)
	req.Header.Set("Content-Type", told.ContentType)
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, outbound.ErrRedirect):
		return outbox.Refuse(fmt.Errorf("tell %s: %w", req.URL.Host, err))
	case err != nil:
		return fmt.Errorf("tell %s: %w", req.URL.Host, err)
	}
	defer func() { _ = resp.Body.Close() }() // nothing is lost: only the status counts
	_, _ = io.Copy(io.Discard, resp.Body)    // so that the connection serves again
	switch resp.StatusCode / 100 {
	case 2:
		return nil
	case 5:
		return fmt.Errorf("tell %s: it answers with status %d", req.URL.Host, resp.StatusCode)
	default:
		return outbox.Refuse(fmt.Errorf("tell %s: it answers with status %d", req.URL.Host, resp.StatusCode))
	}
}
