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

// Delivery is what an application is sent that has asked for somebody by the back channel
// and does not come for the answer, CIBA section 10.3. What is sent is made when it is sent,
// and again if it has to be sent again, so that nobody keeps a token here.
type Delivery struct {
	ClientID  string    `json:"client_id"`
	Bearer    string    `json:"bearer"` // a secret of the application's, by which it knows us
	AuthReqID string    `json:"auth_req_id"`
	GrantID   string    `json:"grant,omitempty"` // whose tokens it gets; empty: it is told if nobody has answered in time
	Until     time.Time `json:"until"`           // afterwards it is not tried any more
}

// Message returns the delivery as a message.
func (d Delivery) Message() (Message, error) {
	body, err := json.Marshal(d)
	return Message{Kind: Push, Body: body}, err
}

// ReadDelivery returns the delivery that a message is.
func ReadDelivery(m Message) (Delivery, error) {
	var d Delivery
	if err := json.Unmarshal(m.Body, &d); err != nil {
		return d, fmt.Errorf("a delivery that makes no sense: %w", err)
	}
	return d, nil
}
