package process

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"dex/internal/base/fault"
)

func TestWhatMayYetComeIsWaitedFor(t *testing.T) {
	down := fault.Wrap(fault.Unavailable, errors.New("dial db.internal"), "The database does not answer.")
	wrong := errors.New("the key secret is another")
	for _, test := range []struct {
		name     string
		comes    []error // of one attempt after another
		want     error
		says     string
		warnings int
	}{
		{"all is there", []error{nil}, nil, "it has just been started", 0},
		{"it is down for a while, which is said once", []error{down, down, down, nil}, nil, "The database does not answer.", 1},
		{"what will not come by waiting ends it", []error{down, wrong}, wrong, "The database does not answer.", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				var w Waiting
				left := test.comes
				err := w.Until(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) error {
					next := left[0]
					left = left[1:]
					return next
				})
				if !errors.Is(err, test.want) || len(left) > 0 {
					t.Errorf("it ends with %v, and %d attempts were left", err, len(left))
				}
				if w.For() != test.says {
					t.Errorf("it says %q", w.For())
				}
				if n := strings.Count(log.String(), "msg=waiting"); n != test.warnings {
					t.Errorf("the log says %d times:\n%s", n, log.String())
				}
			})
		})
	}
}

func TestNobodyWaitsWhoIsToldToStop(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var w Waiting
	err := w.Until(ctx, slog.New(slog.DiscardHandler), func(context.Context) error {
		stop()
		return fault.New(fault.Unavailable, "The database does not answer.")
	})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}
