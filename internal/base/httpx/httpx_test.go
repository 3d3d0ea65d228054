package httpx

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dex/internal/base/fault"
)

// answer is an ErrorFunc as a face would write one.
func answer(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, "answered: "+fault.Of(err).String(), Status(err))
}

// do has h answer a request.
func do(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAHandlerEitherAnswersOrFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		h      HandlerFunc
		status int
		body   string
	}{
		{
			name:   "one that succeeds has answered itself",
			h:      func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, "done"); return err },
			status: 200, body: "done",
		},
		{
			name:   "one that fails is answered for",
			h:      func(http.ResponseWriter, *http.Request) error { return fault.New(fault.NotFound, "There is none.") },
			status: 404, body: "answered: not found\n",
		},
		{
			name:   "one that panics is answered for, as our own failure",
			h:      func(http.ResponseWriter, *http.Request) error { panic("secret detail") },
			status: 500, body: "answered: internal\n",
		},
		{
			name:   "so is one that panics with an error of another kind",
			h:      func(http.ResponseWriter, *http.Request) error { panic(fault.New(fault.Denied, "No.")) },
			status: 500, body: "answered: internal\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := do(Handle(test.h, answer), httptest.NewRequest("GET", "/", nil))
			if body := text(t, got); got.StatusCode != test.status || body != test.body {
				t.Errorf("got %d %q, want %d %q", got.StatusCode, body, test.status, test.body)
			}
		})
	}
}

func TestAPanicOfNetHTTPGoesOn(t *testing.T) {
	for _, v := range []error{http.ErrAbortHandler, fmt.Errorf("wrapped: %w", http.ErrAbortHandler)} {
		func() {
			defer func() {
				if recover() != http.ErrAbortHandler { //nolint:errorlint // the very value is what net/http looks for
					t.Errorf("%v was kept", v)
				}
			}()
			do(Handle(func(http.ResponseWriter, *http.Request) error { panic(v) }, answer), httptest.NewRequest("GET", "/", nil))
		}()
	}
}

func TestNothingFollowsHalfAnAnswer(t *testing.T) {
	failing := Handle(func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "half")
		return errors.New("the other half is missing")
	}, answer)
	panicking := Handle(func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("the other half is missing")
	}, answer)
	mux := http.NewServeMux()
	mux.Handle("/failing", failing)
	mux.Handle("/panicking", panicking)
	log := &logged{}
	s := httptest.NewServer(Log(mux, log.logger()))
	defer s.Close()

	got, err := http.Get(s.URL + "/failing")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	if body := text(t, got); body != "half" {
		t.Errorf("got %q", body)
	}
	got, err = http.Get(s.URL + "/panicking")
	if err == nil {
		defer func() { _ = got.Body.Close() }()
		_, err = io.ReadAll(got.Body)
	}
	if err == nil {
		t.Error("half an answer passes for a whole one after a panic")
	}
	s.Close() // waits for both, so that both are logged
	if all := log.String(); strings.Count(all, "the other half is missing") < 2 {
		t.Errorf("the log does not say why:\n%s", all)
	}
}

func TestEachKindOfErrorHasItsStatus(t *testing.T) {
	for want, err := range map[int]error{
		400: fault.New(fault.Invalid, "x"),
		403: fault.New(fault.Denied, "x"),
		404: fault.New(fault.NotFound, "x"),
		409: fault.New(fault.Conflict, "x"),
		413: fault.Wrap(fault.Invalid, ErrTooLarge, "x"),
		414: fault.Wrap(fault.Invalid, ErrLongAddress, "x"),
		415: fmt.Errorf("around: %w", fault.Wrap(fault.Invalid, ErrContentType, "x")),
		429: fault.New(fault.Throttled, "x"),
		500: errors.New("x"),
		503: fault.New(fault.Unavailable, "x"),
	} {
		if got := Status(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}
