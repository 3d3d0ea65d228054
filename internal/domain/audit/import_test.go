package audit

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func exported() Exported {
	at := time.Date(2026, 5, 1, 12, 0, 0, 123456000, time.UTC)
	return Exported{TenantID: "default", Event: Event{
		ID: NewEventID(at), At: at, Kind: UserRoleChanged, Actor: "usr_ann", UserID: "usr_ben", RemoteAddr: "192.0.2.7", Detail: map[string]string{"role": ""},
	}}
}

func TestWhatWasHandedOnIsReadAsItWas(t *testing.T) {
	text, err := exported().JSON()
	if err != nil {
		t.Fatal(err)
	}
	want := exported()
	got, err := ParseJSON(text)
	want.ID = got.ID
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range len(text) {
		if _, err := ParseJSON(text[:n]); !errors.Is(err, ErrTorn) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestWhatIsNoEventIsNotRead(t *testing.T) {
	text, err := exported().JSON()
	if err != nil {
		t.Fatal(err)
	}
	whole := string(text)
	for name, text := range map[string]string{
		"two on a line":            whole + whole,
		"something behind":         whole + " 1",
		"a member nobody knows":    strings.Replace(whole, `"actor"`, `"who"`, 1),
		"a kind nobody knows":      strings.Replace(whole, string(UserRoleChanged), "user.enlarged", 1),
		"no time":                  strings.Replace(whole, "2026-05-01T", "", 1),
		"no tenant":                strings.Replace(whole, `"tenant":"default",`, "", 1),
		"no id":                    strings.Replace(whole, `"id":"evt_`, `"id":"`, 1),
		"a number as somebody":     strings.Replace(whole, `"usr_ben"`, "7", 1),
		"a list":                   "[" + whole + "]",
		"nothing":                  "null",
		"a detail that is no text": strings.Replace(whole, `{"role":""}`, `{"role":{}}`, 1),
	} {
		if e, err := ParseJSON([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	text, err := exported().JSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"id":"evt_","at":"2026-05-01T12:00:00Z","kind":"user.deleted","tenant":"t","user":"u"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ParseJSON(text)
		if err != nil {
			return
		}
		again, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		second, err := ParseJSON(again)
		e.At = e.At.Truncate(time.Microsecond) // no finer than it is written
		if len(e.Detail) == 0 {
			e.Detail = nil
		}
		if err != nil || !reflect.DeepEqual(e, second) {
			t.Errorf("%s: read %+v, written and read again %+v, %v", text, e, second, err)
		}
	})
}
