package delivery

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/outbound"
	"dex/internal/domain/outbox"
)

// TestAnApplicationIsToldOnceThatItHasBeenAnswered mirrors fapi-ciba-id1-ping-*: an
// answer of 401, 403 or a redirect is the last word.
func TestAnApplicationIsToldOnceThatItHasBeenAnswered(t *testing.T) {
	now := &clock.Fake{}
	for _, tt := range []struct {
		name    string
		status  int
		until   time.Duration
		calls   int
		fails   bool
		forGood bool
	}{
		{name: "with a body", status: 200, until: time.Minute, calls: 1},
		{name: "without one", status: 204, until: time.Minute, calls: 1},
		{name: "it knows us not", status: 401, until: time.Minute, calls: 1, fails: true, forGood: true},
		{name: "it refuses", status: 403, until: time.Minute, calls: 1, fails: true, forGood: true},
		{name: "it sends us elsewhere", status: 302, until: time.Minute, calls: 1, fails: true, forGood: true},
		{name: "it cannot just now", status: 503, until: time.Minute, calls: 1, fails: true},
		{name: "too late", status: 200, until: 0, calls: 0, fails: true, forGood: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls++
				body, _ := io.ReadAll(r.Body)
				if r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer theirs" || r.Header.Get("Content-Type") != "application/json" || string(body) != `{"auth_req_id":"x"}` {
					t.Errorf("%s %v %s", r.Method, r.Header, body)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
			}))
			defer s.Close()
			m, err := outbox.Notification{URL: s.URL, Bearer: "theirs", ContentType: "application/json", Body: []byte(`{"auth_req_id":"x"}`), Until: now.Now().Add(tt.until)}.Message()
			if err != nil {
				t.Fatal(err)
			}
			client := outbound.New(outbound.Options{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
			err = Notifications{Client: client, Clock: now}.Carry(t.Context(), outbox.Taken{Message: m})
			if (err != nil) != tt.fails || outbox.IsRefusal(err) != tt.forGood || calls != tt.calls {
				t.Errorf("%d calls, error %v, for good: %v", calls, err, outbox.IsRefusal(err))
			}
		})
	}
	for _, body := range []string{"", "{", `{"url": "://"}`} {
		if err := (Notifications{Clock: now}).Carry(t.Context(), outbox.Taken{Message: outbox.Message{Body: []byte(body)}}); !outbox.IsRefusal(err) {
			t.Errorf("%q: %v", body, err)
		}
	}
}
