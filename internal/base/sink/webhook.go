package sink

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/secret"
)

// Webhook posts lines to an address, signed as Standard Webhooks has it
// (https://www.standardwebhooks.com): a batch is one message.
type Webhook struct {
	url    string
	host   string // all of the address that may be logged
	key    []byte
	client *http.Client
	clock  clock.Clock
}

// secretPrefix begins a secret, as the standard writes it.
const secretPrefix = "whsec_"

var errWebhookSecret = errors.New(`sink: the secret of a webhook is "whsec_" and 24 to 64 random bytes in base64; "echo whsec_$(openssl rand -base64 32)" makes one`)

// NewWebhook returns the webhook at an address. The client is one of base/outbound.
func NewWebhook(address string, s secret.Value, client *http.Client, c clock.Clock) (*Webhook, error) {
	to, err := url.Parse(address)
	if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http" || to.User != nil {
		return nil, errors.New("sink: the address of a webhook is a URL such as https://log.example.com/dex")
	}
	text, ok := strings.CutPrefix(string(s), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errWebhookSecret
	}
	return &Webhook{url: address, host: to.Host, key: key, client: client, clock: c}, nil
}

// Name implements [Sink].
func (w *Webhook) Name() string { return "webhook " + w.host }

// payload is what is posted.
type payload struct {
	Type      string            `json:"type"`
	Timestamp time.Time         `json:"timestamp"` // of the last line
	Data      []json.RawMessage `json:"data"`
}

// Write implements [Sink]. Nothing but a 2xx means that the lines have arrived.
func (w *Webhook) Write(ctx context.Context, lines []Line) error {
	if len(lines) == 0 {
		return nil
	}
	p := payload{Type: "audit.events", Timestamp: lines[len(lines)-1].At.UTC()}
	ids := sha256.New()
	for _, l := range lines {
		p.Data = append(p.Data, l.JSON)
		ids.Write([]byte(l.ID + "\n"))
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	// The same lines have the same id, however often they are sent.
	return w.post(ctx, "msg_"+hex.EncodeToString(ids.Sum(nil)[:16]), body)
}

func (w *Webhook) post(ctx context.Context, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	at := strconv.FormatInt(w.clock.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "dex")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	r.Header.Set("Webhook-Signature", w.sign(id, at, body))
	answer, err := w.client.Do(r)
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	_ = answer.Body.Close() // what it says beside its status is of no interest
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("sink: %s answers %s", w.host, answer.Status)
	}
	return nil
}

func (w *Webhook) sign(id, at string, body []byte) string {
	mac := hmac.New(sha256.New, w.key)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
