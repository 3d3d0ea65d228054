package outbound

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fetch returns a function that gets a document by a client, and says for how long its
// server says that it is good; zero if it says nothing.
func Fetch(client *http.Client) func(ctx context.Context, uri string) ([]byte, time.Duration, error) {
	return func(ctx context.Context, uri string) (text []byte, fresh time.Duration, err error) {
		place, _, _ := strings.Cut(uri, "#")
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
		if err != nil {
			return nil, 0, err
		}
		r.Header.Set("Accept", "application/json, */*;q=0.5")
		answer, err := client.Do(r)
		if err != nil {
			return nil, 0, err
		}
		defer func() { _ = answer.Body.Close() }() // what matters of it is read
		if answer.StatusCode != http.StatusOK {
			return nil, 0, fmt.Errorf("outbound: the server answers %d", answer.StatusCode)
		}
		text, err = io.ReadAll(answer.Body)
		return text, freshness(answer.Header.Get("Cache-Control")), err
	}
}

// freshness is for how long a response may be kept, RFC 9111 section 5.2.2.1. What must
// not be kept at all is good for a moment, which is not to say that nothing was said.
func freshness(control string) time.Duration {
	for directive := range strings.SplitSeq(strings.ToLower(control), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return time.Nanosecond
		case "max-age":
			if seconds, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && seconds >= 0 {
				return max(time.Duration(min(seconds, 1<<31))*time.Second, time.Nanosecond)
			}
		}
	}
	return 0
}
