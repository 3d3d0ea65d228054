package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func ring(t testing.TB, secrets ...Secret) *Ring {
	t.Helper()
	r, err := NewRing(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsSealedOpensAgain(t *testing.T) {
	box := ring(t, NewSecret()).Box("cookie")
	for _, size := range []int{0, 1, 600, 1 << 16} {
		plain := bytes.Repeat([]byte{'x'}, size)
		sealed := box.Seal(plain, "dex_session")
		if len(sealed) != size+Overhead {
			t.Errorf("%d bytes sealed are %d, want %d more", size, len(sealed), Overhead)
		}
		got, err := box.Open(sealed, "dex_session")
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("opening %d bytes: %v", size, err)
		}
		got, err = box.OpenText(box.SealText(plain))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("opening a text of %d bytes: %v", size, err)
		}
	}
}

func TestNoTwoSealingsAreAlike(t *testing.T) {
	box := ring(t, NewSecret()).Box("cookie")
	a, b := box.Seal([]byte("same")), box.Seal([]byte("same"))
	if bytes.Equal(a[1+idSize:headerSize], b[1+idSize:headerSize]) || bytes.Equal(a[headerSize:], b[headerSize:]) {
		t.Error("the salt or the ciphertext repeats")
	}
	if bytes.Contains(a, []byte("same")) {
		t.Error("the plaintext shows")
	}
}

func TestEveryBitCounts(t *testing.T) {
	box := ring(t, NewSecret()).Box("cookie")
	sealed := box.Seal([]byte("a message of some length"), "place")
	for i := range len(sealed) * 8 {
		changed := bytes.Clone(sealed)
		changed[i/8] ^= 1 << (i % 8)
		_, err := box.Open(changed, "place")
		if _, missing := errors.AsType[*MissingKeyError](err); !missing && !errors.Is(err, ErrTampered) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
	for i := range sealed {
		if _, err := box.Open(sealed[:i], "place"); !errors.Is(err, ErrTampered) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	if _, err := box.Open(append(bytes.Clone(sealed), 0), "place"); !errors.Is(err, ErrTampered) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestEveryCharacterCounts(t *testing.T) {
	box := ring(t, NewSecret()).Box("cookie")
	// Of each length modulo 3, because that decides what the last character holds.
	for _, plain := range []string{"", "1", "12"} {
		sealed := box.SealText([]byte(plain))
		for i := range sealed {
			for _, c := range []byte("AB-_=+/ \n\r\x00") {
				if sealed[i] == c {
					continue
				}
				if _, err := box.OpenText(sealed[:i] + string(c) + sealed[i+1:]); err == nil {
					t.Fatalf("opens with character %d replaced by %q", i, c)
				}
			}
		}
		// The last character holds unused bits, which Strict wants to be zero.
		last := sealed[len(sealed)-1]
		for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
			if _, err := box.OpenText(sealed[:len(sealed)-1] + string(c)); err == nil && c != last {
				t.Errorf("opens with %q at the end instead of %q", c, last)
			}
		}
		for _, other := range []string{sealed + "=", sealed + "\n", "\n" + sealed, sealed[:8] + "\r\n" + sealed[8:], " " + sealed} {
			if _, err := box.OpenText(other); !errors.Is(err, ErrTampered) {
				t.Errorf("opens in another spelling: %q", other)
			}
		}
	}
}

func TestWhatIsSealedOpensOnlyWhereItBelongs(t *testing.T) {
	r := ring(t, NewSecret())
	box := r.Box("row")
	sealed := box.Seal([]byte("seed"), "default", "totp", "seed", "usr_1")
	for _, test := range []struct {
		name string
		box  *Box
		at   []string
	}{
		{"in another row", box, []string{"default", "totp", "seed", "usr_2"}},
		{"in another column", box, []string{"default", "totp", "backup", "usr_1"}},
		{"in another table", box, []string{"default", "users", "seed", "usr_1"}},
		{"in another tenant", box, []string{"other", "totp", "seed", "usr_1"}},
		{"nowhere", box, nil},
		{"in a place with less to say", box, []string{"default", "totp", "seed"}},
		{"in a place with more to say", box, []string{"default", "totp", "seed", "usr_1", ""}},
		{"with the border between two parts moved", box, []string{"default", "totp", "see", "dusr_1"}},
		{"with two parts joined", box, []string{"default", "totp", "seedusr_1"}},
		{"in another order", box, []string{"totp", "default", "seed", "usr_1"}},
		{"for another purpose", r.Box("cookie"), []string{"default", "totp", "seed", "usr_1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.box.Open(sealed, test.at...); !errors.Is(err, ErrTampered) {
				t.Errorf("got %v, want ErrTampered", err)
			}
		})
	}
}

func TestSwappedRowsDoNotOpen(t *testing.T) {
	box := ring(t, NewSecret()).Box("row")
	one, two := box.Seal([]byte("1"), "keys", "1"), box.Seal([]byte("2"), "keys", "2")
	for _, err := range []error{second(box.Open(one, "keys", "2")), second(box.Open(two, "keys", "1"))} {
		if !errors.Is(err, ErrTampered) {
			t.Errorf("got %v, want ErrTampered", err)
		}
	}
}

func second(_ []byte, err error) error { return err }

func TestOneSecretFollowsAnother(t *testing.T) {
	old, fresh := NewSecret(), NewSecret()
	before := ring(t, old).Box("row")
	during := ring(t, fresh, old).Box("row")
	after := ring(t, fresh).Box("row")

	sealed := before.Seal([]byte("kept"), "1")
	if before.Stale(sealed) {
		t.Error("stale under its own secret")
	}
	if !during.Stale(sealed) {
		t.Error("not stale under a later secret")
	}
	plain, err := during.Open(sealed, "1")
	if err != nil || string(plain) != "kept" {
		t.Fatalf("the earlier secret does not open: %v", err)
	}
	_, err = after.Open(sealed, "1")
	missing, ok := errors.AsType[*MissingKeyError](err)
	if !ok || missing.ID != old.ID() || !strings.Contains(err.Error(), old.ID()) {
		t.Errorf("got %v, want an error that names the secret %s", err, old.ID())
	}
	again := during.Seal(plain, "1")
	if during.Stale(again) {
		t.Error("stale as soon as it is sealed")
	}
	if _, err := after.Open(again, "1"); err != nil {
		t.Errorf("what was sealed anew does not open without the earlier secret: %v", err)
	}
	if !during.Stale(nil) || !during.Stale([]byte("rubbish")) {
		t.Error("what was never sealed is not stale")
	}
}

func TestASecretIsReadInEachWayOfWritingIt(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xff, 0x01, 0x80}, 8) // has + and / in the standard alphabet
	want, err := ParseSecret(base64.StdEncoding.EncodeToString(raw))
	if err != nil {
		t.Fatal(err)
	}
	if len(want.ID()) != 8 {
		t.Errorf("the id %q has not 8 digits", want.ID())
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		got, err := ParseSecret(encoding.EncodeToString(raw) + "\n")
		if err != nil || got != want {
			t.Errorf("%s: %v", encoding.EncodeToString(raw), err)
		}
	}
	if got, err := ParseSecret(want.Reveal()); err != nil || got != want {
		t.Errorf("what Reveal returns is not read: %v", err)
	}
	if s := NewSecret(); s == NewSecret() || s.ID() == want.ID() {
		t.Error("secrets repeat")
	}
}

func TestWhatIsNoSecretIsRefusedWithoutRepeatingIt(t *testing.T) {
	for name, s := range map[string]string{
		"nothing":         "",
		"a word":          "changeme-changeme",
		"31 bytes":        base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"33 bytes":        base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 33)),
		"32 zeroes":       base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"hex":             strings.Repeat("ab", 32),
		"two signs more":  base64.RawStdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)) + "==",
		"a line break":    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAB=",
		"a loose bit end": strings.Repeat("A", 42) + "B=",
	} {
		_, err := ParseSecret(s)
		if err == nil {
			t.Errorf("%s: taken for a secret", name)
		} else if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%s: the error repeats it: %v", name, err)
		}
	}
}

func TestARingNeedsSecretsThatDiffer(t *testing.T) {
	s := NewSecret()
	for name, secrets := range map[string][]Secret{"none": nil, "an empty one": {s, {}}, "one twice": {s, s}} {
		if _, err := NewRing(secrets...); err == nil {
			t.Errorf("%s: made a ring", name)
		}
	}
	other := NewSecret()
	if got := ring(t, s, other).IDs(); !slices.Equal(got, []string{s.ID(), other.ID()}) {
		t.Errorf("ids %v", got)
	}
}

func TestASecretDoesNotShow(t *testing.T) {
	s := NewSecret()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "many", []Secret{s})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S Secret }{s})
	encoded, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(encoded) + fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s, s, s, s, struct{ S *Secret }{&s})
	for _, trace := range []string{s.Reveal(), s.Reveal()[:20], fmt.Sprintf("%x", s.key), fmt.Sprint(s.key)} {
		if strings.Contains(all, trace) {
			t.Errorf("the secret shows in %s", all)
		}
	}
}

func TestAMACProvesItsMessageAndNoOther(t *testing.T) {
	old, fresh := NewSecret(), NewSecret()
	r := ring(t, old)
	key := r.MACKey("csrf")
	sum := key.Sum("attempt", "1")
	for _, test := range []struct {
		name  string
		key   *MACKey
		parts []string
		want  bool
	}{
		{"the same message", key, []string{"attempt", "1"}, true},
		{"after a secret was added in front", ring(t, fresh, old).MACKey("csrf"), []string{"attempt", "1"}, true},
		{"after the secret was removed", ring(t, fresh).MACKey("csrf"), []string{"attempt", "1"}, false},
		{"another message", key, []string{"attempt", "2"}, false},
		{"the border between parts moved", key, []string{"attempt1", ""}, false},
		{"another purpose", r.MACKey("other"), []string{"attempt", "1"}, false},
		{"nothing", key, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.key.Verify(sum[:], test.parts...); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if key.Verify(sum[:16], "attempt", "1") || key.Verify(nil, "attempt", "1") {
		t.Error("a part of the proof proves")
	}
	if bytes.Equal(r.keys("seal", "x")[0].key, r.keys("mac", "x")[0].key) {
		t.Error("one key both seals and makes proofs")
	}
}

// The format is a promise to every row and cookie that exists: this message was
// sealed when it was settled.
const (
	settledSecret = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
	settledID     = "42e96bec"
	settledText   = "AULpa-xtTF2sxrYwG4Ns1ntl0IthBkVDIilN_ZTdlcqxQvIMlAH29ILq-cB_CnGPFpgk9Q" // "settled", for "test", at "table", "1"
)

func TestAMessageSealedLongAgoOpens(t *testing.T) {
	s, err := ParseSecret(settledSecret)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ring(t, s).Box("test").OpenText(settledText, "table", "1")
	if err != nil || string(got) != "settled" {
		t.Errorf("got %q, %v", got, err)
	}
	if s.ID() != settledID {
		t.Errorf("the secret's id is %s", s.ID())
	}
}

func FuzzOpen(f *testing.F) {
	s, err := ParseSecret(settledSecret)
	if err != nil {
		f.Fatal(err)
	}
	box := ring(f, s).Box("test")
	f.Add(settledText, "table", "1")
	f.Add(settledText, "table", "2")
	f.Add(settledText, "table1", "")
	f.Add(settledText[:len(settledText)-1], "table", "1")
	f.Add("", "", "")
	f.Add(strings.Repeat("A", 60), "table", "1")
	f.Add(strings.Repeat("_", 4096), "", "")
	f.Fuzz(func(t *testing.T, text, table, row string) {
		genuine := text == settledText && table == "table" && row == "1"
		if _, err := box.OpenText(text, table, row); (err == nil) != genuine {
			t.Errorf("opening %q at %q, %q: %v", text, table, row, err)
		}
		sealed := box.Seal([]byte(text), table, row)
		if got, err := box.Open(sealed, table, row); err != nil || string(got) != text {
			t.Errorf("what was sealed does not open: %v", err)
		}
		if _, err := box.Open(sealed, table, row+"x"); err == nil {
			t.Error("opened elsewhere")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	box := ring(b, NewSecret()).Box("bench")
	plain := make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		box.Seal(plain, "dex_attempt_x")
	}
}

func BenchmarkOpen(b *testing.B) {
	box := ring(b, NewSecret()).Box("bench")
	sealed := box.Seal(make([]byte, 600), "dex_attempt_x")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := box.Open(sealed, "dex_attempt_x"); err != nil {
			b.Fatal(err)
		}
	}
}
