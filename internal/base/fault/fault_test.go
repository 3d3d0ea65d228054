package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestAnErrorIsOfTheKindOfItsFirstFault(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want Kind
	}{
		{"a fault", New(Denied, "No."), Denied},
		{"a fault with a cause", Wrap(Unavailable, io.EOF, "Later."), Unavailable},
		{"a fault somewhere below", fmt.Errorf("reading: %w", New(NotFound, "None.")), NotFound},
		{"a fault beside another error", errors.Join(io.EOF, New(Conflict, "Changed.")), Conflict},
		{"a fault around a fault", Wrap(Invalid, New(Denied, "Inner."), "Outer."), Invalid},
		{"an error that is no fault is our own", io.EOF, Internal},
		{"nothing", nil, Internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Of(test.err); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestIsNeedsAnError(t *testing.T) {
	if Is(nil, Internal) {
		t.Error("nothing is an internal fault")
	}
	if !Is(io.EOF, Internal) || !Is(New(Throttled, "x"), Throttled) || Is(New(Throttled, "x"), Internal) {
		t.Error("the kind is not recognised")
	}
}

func TestTheCauseIsForTheLogAndTheMessageForThePerson(t *testing.T) {
	err := Wrap(Invalid, io.ErrUnexpectedEOF, "The %s is incomplete.", "form")
	if err.Message != "The form is incomplete." {
		t.Errorf("message %q", err.Message)
	}
	if got := err.Error(); got != "The form is incomplete.: unexpected EOF" {
		t.Errorf("for the log: %q", got)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause cannot be found")
	}
	if got := New(Invalid, "Plain.").Error(); got != "Plain." {
		t.Errorf("without a cause: %q", got)
	}
}

func TestEachKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for k := Internal; k <= Unavailable; k++ {
		name := k.String()
		if name == "" || seen[name] || name[0] == 'k' {
			t.Errorf("kind %d is named %q", uint8(k), name)
		}
		seen[name] = true
	}
	if got := Kind(200).String(); got != "kind(200)" {
		t.Errorf("an unknown kind is named %q", got)
	}
}
