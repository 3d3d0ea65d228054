package mail

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dex/internal/base/clock"
)

func TestAnAddressIsOneAndNothingElse(t *testing.T) {
	for address, ok := range map[string]bool{
		"ann@example.com": true, "a.b+c@sub.example.com": true, "o'hara@example.com": true, "zoë@exämple.de": true,
		"": false, "ann": false, "@example.com": false, "ann@": false, "Ann <ann@example.com>": false, "<ann@example.com>": false,
		"ann@example.com,ben@example.com": false, "ann @example.com": false, " ann@example.com": false, `"a b"@example.com`: false,
		"ann@example.com\n": false, "ann@@example.com": false, strings.Repeat("a", 250) + "@b.example": false,
	} {
		if err := CheckAddress(address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestASenderHasAnAddress(t *testing.T) {
	for s, want := range map[string]From{
		"login@example.com":            {"", "login@example.com"},
		"Example <login@example.com>":  {"Example", "login@example.com"},
		`"A, B" <login@example.com>`:   {"A, B", "login@example.com"},
		"Example":                      {},
		"":                             {},
		"Example <login@example.com\n": {},
	} {
		got, err := ParseFrom(s)
		if (err == nil) != (want != From{}) || err == nil && got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

func TestAMessageKeepsUntilItIsSent(t *testing.T) {
	m := invitation
	m.Until = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(data); err != nil || got != m {
		t.Errorf("got %v, %v", got, err)
	}
	for name, m := range map[string]Message{
		"no text":    {To: "a@b.example", Subject: "s"},
		"no subject": {To: "a@b.example", Text: "t"},
		"no one":     {Subject: "s", Text: "t"},
		"too much":   {To: "a@b.example", Subject: "s", Text: strings.Repeat("t", maxBody+1)},
		"no letters": {To: "a@b.example", Subject: "s", Text: "\xff"},
	} {
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s: kept", name)
		}
	}
	for _, bad := range []string{"", "{}", `{"to":"a@b.example","subject":"s\n","text":"t"}`} {
		if _, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestAFolderStandsInForAMailServer(t *testing.T) {
	from, err := ParseFrom("login@example.com")
	if err != nil {
		t.Fatal(err)
	}
	f := Folder{Path: filepath.Join(t.TempDir(), "mail"), From: from, Clock: &clock.Fake{}}
	for range 2 { // a message that is sent twice is there once
		if err := f.Send(t.Context(), "out_1", invitation); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(f.Path)
	if err != nil || len(files) != 1 || files[0].Name() != "out_1.eml" {
		t.Fatalf("there is %v, %v", files, err)
	}
	info, err := files[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mail may be read by others: %v", info.Mode())
	}
	data, err := os.ReadFile(filepath.Join(f.Path, "out_1.eml"))
	if err != nil || !strings.Contains(string(data), "https://login.example/x") {
		t.Errorf("%s, %v", data, err)
	}
	if err := f.Send(t.Context(), "../out_2", invitation); !errors.Is(err, ErrRefused) {
		t.Errorf("an id leads out of the folder: %v", err)
	}
	blocked := Folder{Path: filepath.Join(f.Path, "out_1.eml"), From: from, Clock: f.Clock}
	if err := blocked.Send(t.Context(), "out_2", invitation); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("a folder that cannot be made: %v", err)
	}
}
