package delivery

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dex/internal/app/config"
	"dex/internal/base/clock"
	"dex/internal/base/mail"
	"dex/internal/domain/audit"
	"dex/internal/domain/outbox"
	"dex/internal/domain/system"
	"dex/internal/store/storetest"
)

func TestWithoutSettingsNothingIsDelivered(t *testing.T) {
	if duties := Duties(storetest.Open(t), Settings{}, nil, &clock.Fake{}); len(duties) != 0 {
		t.Errorf("got %v", duties)
	}
}

func TestWhatCannotBeSetUpFailsWhereOperatorsLookAndNothingElseDoes(t *testing.T) {
	s := Settings{
		Mail:  config.Mail{From: "login@example.com", Folder: t.TempDir()},
		Audit: config.Audit{File: filepath.Join(t.TempDir(), "audit.jsonl"), Webhook: "https://hook.example", WebhookSecret: "nonsense"},
	}
	duties := Duties(storetest.Open(t), s, nil, &clock.Fake{})
	if len(duties) != 2 {
		t.Fatalf("%d duties", len(duties))
	}
	if _, err := duties[0].Do(t.Context()); err != nil {
		t.Errorf("mail: %v", err)
	}
	if _, err := duties[1].Do(t.Context()); duties[1].Name != system.ExportAudit || err == nil {
		t.Errorf("%s with a secret that is none: %v", duties[1].Name, err)
	}
}

func TestWhatIsSetUpIsDelivered(t *testing.T) {
	now := &clock.Fake{}
	db, tenant := storetest.OpenTenant(t, storetest.WithClock(now))
	var posted bytes.Buffer
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(&posted, r.Body) }))
	defer hook.Close()
	dir := t.TempDir()
	s := Settings{
		Mail: config.Mail{From: "login@example.com", Folder: filepath.Join(dir, "mail")},
		Audit: config.Audit{
			File: filepath.Join(dir, "audit.jsonl"), Webhook: hook.URL, WebhookSecret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		},
		AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
	duties := Duties(db, s, nil, now)
	if len(duties) != 2 {
		t.Fatalf("%d duties", len(duties))
	}
	body, err := mail.Message{To: "zoe@example.com", Subject: "s", Text: "t"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := tenant.Enqueue(t.Context(), outbox.Message{Kind: outbox.Mail, Body: body}, now.Now()); err != nil {
		t.Fatal(err)
	}
	if err := tenant.Record(t.Context(), audit.Event{At: now.Now(), Kind: audit.KeyCreated}); err != nil {
		t.Fatal(err)
	}
	for _, d := range duties {
		if _, err := d.Do(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if mails, err := os.ReadDir(s.Mail.Folder); err != nil || len(mails) != 1 {
		t.Errorf("mails: %v, %v", mails, err)
	}
	if data, err := os.ReadFile(s.Audit.File); err != nil || !strings.Contains(string(data), "key.created") {
		t.Errorf("the file: %s, %v", data, err)
	}
	if !strings.Contains(posted.String(), "key.created") {
		t.Errorf("posted: %s", &posted)
	}
	for _, d := range duties {
		if d.Every < time.Second {
			t.Errorf("%s is done every %v", d.Name, d.Every)
		}
	}
}

func TestAServerOfMailIsSpokenToAsSetUp(t *testing.T) {
	for name, ok := range map[string]bool{"mail.example.com": true, "mail.example.com:2525": true} {
		if _, err := Sender(config.Mail{From: "login@example.com", Server: name, Security: "starttls"}, &clock.Fake{}); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
