package load

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestARunIsSummedUpOverAllClients(t *testing.T) {
	var logs [2]runLog
	for i := range 100 {
		logs[i%2].took = append(logs[i%2].took, time.Duration(100-i)*time.Millisecond)
	}
	for range 2 {
		logs[1].fail(errors.New("refused"))
	}
	logs[1].fail(fmt.Errorf("come back: %w", unexpected(Request{Method: "GET", Path: "/a?secret"}, &Response{Status: 429, Body: []byte("later")})))
	want := Result{
		Operations: 100, Elapsed: time.Second, P50: 50 * time.Millisecond, P99: 99 * time.Millisecond,
		Failed: 3, Waiting: 1, Failures: []string{`come back: GET /a: 429 "later"`, "refused"},
	}
	got := summarize(logs[:], time.Second)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Err() == nil {
		t.Error("a run with failures passed")
	}
	if (Result{}).Err() == nil {
		t.Error("a run in which nothing was done passed")
	}
}

func TestAQuantileIsAValueThatWasSeen(t *testing.T) {
	for _, tt := range []struct {
		n, p int
		want time.Duration
	}{{0, 50, 0}, {1, 50, 1}, {1, 99, 1}, {2, 50, 1}, {3, 50, 2}, {100, 99, 99}, {101, 99, 100}, {1000, 99, 990}} {
		var sorted []time.Duration
		for i := range tt.n {
			sorted = append(sorted, time.Duration(i+1))
		}
		if got := quantile(sorted, tt.p); got != tt.want {
			t.Errorf("the %d%% of %d values: %d, want %d", tt.p, tt.n, got, tt.want)
		}
	}
}

func TestARaceCountsWhoGotWhat(t *testing.T) {
	got := count([]answer{{200, "a"}, {200, "b"}, {200, "a"}, {400, ""}, {401, ""}, {500, ""}, {0, ""}, {303, ""}})
	want := Round{Succeeded: 3, Refused: 2, ServerErrors: 1, Broken: 2, Successors: 2}
	if got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestATokenAnswerNeedsABearerToken(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"access_token":"a","token_type":"Bearer","expires_in":600}`: true,
		`{"access_token":"a","token_type":"bearer"}`:                  true,
		`{"access_token":"a","token_type":"DPoP"}`:                    false,
		`{"token_type":"Bearer"}`:                                     false,
		`{"error":"invalid_grant"}`:                                   false,
		`<html>`:                                                      false,
	} {
		if _, err := parseTokens([]byte(body), bearer); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}
