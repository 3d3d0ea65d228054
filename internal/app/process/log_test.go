package process

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLinesOfTheLogGatherForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		buffer := &logBuffer{out: &out}
		written := func() string {
			buffer.mu.Lock()
			defer buffer.mu.Unlock()
			return out.String()
		}
		log := newLog("info", "text", buffer).With("of", "a test").WithGroup("g")
		log.Info("one")
		log.Info("two")
		if got := written(); got != "" {
			t.Errorf("written at once: %s", got)
		}
		time.Sleep(2 * logEvery)
		synctest.Wait()
		if got := strings.Count(written(), "\n"); got != 2 {
			t.Errorf("after a moment there are %d lines", got)
		}
		log.Info("three")
		log.Warn("four")
		if got := strings.Count(written(), "\n"); got != 4 {
			t.Errorf("a warning waits, or leaves something behind: %d lines", got)
		}
		log.Info("five")
		buffer.Flush()
		if !strings.Contains(written(), "msg=five") {
			t.Errorf("the last line is lost: %s", written())
		}
		time.Sleep(2 * logEvery) // nobody is left waiting
	})
}

func TestALogThatIsFullDoesNotWait(t *testing.T) {
	buffer := &logBuffer{out: io.Discard}
	log := slog.New(promptly{slog.NewTextHandler(buffer, nil), buffer})
	for range 2000 {
		log.Info("a line", "of", strings.Repeat("x", 100))
	}
	buffer.mu.Lock()
	defer buffer.mu.Unlock()
	if len(buffer.pending) >= logFull {
		t.Errorf("%d bytes are pending", len(buffer.pending))
	}
}
