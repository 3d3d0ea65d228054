package outbox

import (
	"encoding/json"
	"fmt"
	"time"
)

// Notification is what an application is told at an address of its own: that it has
// been answered, and may ask for the answer.
type Notification struct {
	URL         string    `json:"url"`
	Bearer      string    `json:"bearer"` // a secret of the application's, by which it knows us
	ContentType string    `json:"content_type"`
	Body        []byte    `json:"body"`
	Until       time.Time `json:"until"` // afterwards there is nothing to ask for any more
}

// Message returns the notification as a message.
func (n Notification) Message() (Message, error) {
	body, err := json.Marshal(n)
	return Message{Kind: Notify, Body: body}, err
}

// ReadNotification returns the notification that a message is.
func ReadNotification(m Message) (Notification, error) {
	var n Notification
	if err := json.Unmarshal(m.Body, &n); err != nil {
		return n, fmt.Errorf("a notification that makes no sense: %w", err)
	}
	return n, nil
}
