package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/app/ctl"
	"dex/internal/base/clock"
)

// Events that are written late, by a transaction that took its time, are shown too, and
// none is shown twice.
func TestTheRecordIsFollowed(t *testing.T) {
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	event := func(id string, after time.Duration) resource.Event {
		return resource.Event{ID: id, At: noon.Add(after), Kind: "user.disabled", Actor: "usr_1", UserID: id, Detail: map[string]string{"why": "a\x1bb"}}
	}
	record := []resource.Event{event("before", -time.Second), event("old", 0)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var list resource.List[resource.Event]
		since, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
		for _, e := range slices.Backward(record) {
			if !e.At.Before(since) && r.URL.Query().Get("kind") == "user.disabled" {
				list.Items = append(list.Items, e)
			}
		}
		_ = json.NewEncoder(w).Encode(list)
	}))
	defer server.Close()
	arrive := [][]resource.Event{
		{event("one", time.Second)}, {}, {event("late", 500*time.Millisecond), event("two", 2*time.Second)}, {event("three", time.Hour)},
	}
	var out, errs bytes.Buffer
	tool := &tool{Out: &out, World: ctl.World{Clock: &clock.Fake{}, Err: &errs,
		Getenv: func(name string) string {
			return map[string]string{ctl.EnvAPI: server.URL, ctl.EnvToken: "given", ctl.EnvConfig: filepath.Join(t.TempDir(), "c")}[name]
		},
		Wait: func(context.Context, time.Duration) error {
			if len(arrive) == 0 {
				return context.Canceled
			}
			record = append(record, arrive[0]...)
			arrive = arrive[1:]
			return nil
		},
	}}
	if status := tool.run(t.Context(), tool.command(), []string{"audit", "list", "--follow", "--kind", "user.disabled"}); status != ctl.Done || errs.Len() > 0 {
		t.Errorf("status %d, %s", status, errs.String())
	}
	want := "" +
		"2026-06-01 12:00:01  user.disabled            usr_1                        user one  why=a�b\n" +
		"2026-06-01 12:00:00  user.disabled            usr_1                        user late  why=a�b\n" +
		"2026-06-01 12:00:02  user.disabled            usr_1                        user two  why=a�b\n" +
		"2026-06-01 13:00:00  user.disabled            usr_1                        user three  why=a�b\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestFollowingTheRecordEndsInPeaceEvenWhileTheServerIsAsked(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked > 1 {
			interrupt()
			<-r.Context().Done()
		}
		_ = json.NewEncoder(w).Encode(resource.List[resource.Event]{})
	}))
	defer server.Close()
	var errs bytes.Buffer
	tool := &tool{Out: &errs, World: ctl.World{Clock: &clock.Fake{}, Err: &errs, Getenv: func(name string) string {
		return map[string]string{ctl.EnvAPI: server.URL, ctl.EnvToken: "given", ctl.EnvConfig: filepath.Join(t.TempDir(), "c")}[name]
	}}}
	if status := tool.run(ctx, tool.command(), []string{"audit", "list", "--follow"}); status != ctl.Done || errs.Len() > 0 {
		t.Errorf("status %d, %s", status, errs.String())
	}
}
