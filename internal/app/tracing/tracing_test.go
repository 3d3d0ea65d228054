package tracing

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"dex/internal/base/httpx"
	"dex/internal/base/measure"
)

// received is what a collector was sent.
type received struct {
	mu    sync.Mutex
	paths []string
	spans []*spans.Span
}

func collect(t *testing.T) (*received, string) {
	t.Helper()
	got := &received{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil {
			t.Errorf("what is sent is no OTLP: %v", err)
		}
		got.mu.Lock()
		defer got.mu.Unlock()
		got.paths = append(got.paths, r.Method+" "+r.URL.Path)
		for _, of := range request.GetResourceSpans() {
			for _, in := range of.GetScopeSpans() {
				got.spans = append(got.spans, in.GetSpans()...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return got, s.URL
}

func TestARequestAndItsPartsAreSentToTheCollector(t *testing.T) {
	got, url := collect(t)
	tr, err := New(t.Context(), url+"/base/", "dex-worker", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := httpx.Log(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, done := tr.Request(r, r.URL.Path, "default")
		defer done(w)
		ctx, ended := measure.Begin(r.Context(), tr, "store", "OpenSession")
		_, inner := measure.Begin(ctx, tr, "connector", "corp")
		inner(errors.New("canary-secret"))
		ended(nil)
		w.WriteHeader(http.StatusServiceUnavailable)
	}), slog.New(slog.DiscardHandler))
	r := httptest.NewRequest("CANARY", "/login/canary-path?code=canary-code", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r.Header.Set("Baggage", "user=canary-baggage")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.paths, []string{"POST /base/v1/traces"}) || len(got.spans) != 3 {
		t.Fatalf("sent to %q: %d spans", got.paths, len(got.spans))
	}
	byName := map[string]*spans.Span{}
	for _, s := range got.spans {
		byName[s.GetName()] = s
		if strings.Contains(s.String(), "canary") || strings.Contains(s.String(), "CANARY") {
			t.Errorf("what a sender chose is in %s", s)
		}
		if string(s.GetTraceId()) != "\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c" {
			t.Errorf("%s is not of the caller's trace", s.GetName())
		}
	}
	request, verb, call := byName["OTHER /login/{connector}"], byName["store OpenSession"], byName["connector corp"]
	if request == nil || verb == nil || call == nil {
		t.Fatalf("got %v", byName)
	}
	if string(verb.GetParentSpanId()) != string(request.GetSpanId()) || string(call.GetParentSpanId()) != string(verb.GetSpanId()) {
		t.Error("the parts do not belong together")
	}
	if request.GetStatus().GetCode() != spans.Status_STATUS_CODE_ERROR || call.GetStatus().GetCode() != spans.Status_STATUS_CODE_ERROR || verb.GetStatus().GetCode() == spans.Status_STATUS_CODE_ERROR {
		t.Error("what failed does not say so, or what did not does")
	}
}

func TestACollectorThatIsAwayHoldsNobodyUp(t *testing.T) {
	tr, err := New(t.Context(), "http://127.0.0.1:1", "dex-worker", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		_, done := tr.Begin(t.Context(), "store", "Redeem")
		done(nil)
	}
	_ = tr.Close() // it says that it could not, within its time
	for _, wrong := range []string{"", "collector", "://"} {
		if _, err := New(t.Context(), wrong, "x", slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q is taken for an address", wrong)
		}
	}
}

func TestNobodyWhoFollowsCostsNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		_, done := measure.Begin(context.Background(), nil, "store", "Redeem")
		done(nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
