package secret

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

var prefixes = []string{CodePrefix, RefreshPrefix, SessionPrefix, ClientPrefix}

func TestASecretIsKnownBySight(t *testing.T) {
	seen := map[Value]bool{}
	for _, prefix := range prefixes {
		for range 1000 {
			v := New(prefix)
			if seen[v] {
				t.Fatal("a secret came twice")
			}
			seen[v] = true
			for _, other := range prefixes {
				if v.Is(other) != (other == prefix) {
					t.Fatalf("a secret of the kind %s is of the kind %s: %v", prefix, other, v.Is(other))
				}
			}
		}
	}
}

func TestOnlyTheFormThatWeGiveIsTaken(t *testing.T) {
	good := string(New(CodePrefix))
	random := strings.TrimPrefix(good, CodePrefix)
	for name, v := range map[string]string{
		"nothing": "", "the prefix alone": CodePrefix, "no prefix": random, "another prefix": RefreshPrefix + random,
		"a character less": good[:len(good)-1], "a character more": good + "A", "small letters": CodePrefix + strings.ToLower(random),
		"a digit that base32 has not": good[:len(good)-1] + "1", "a padding": good[:len(good)-1] + "=", "a space in front": " " + good,
		"a line break": good[:len(good)-1] + "\n", "a zero byte": good[:len(good)-1] + "\x00", "the prefix twice": CodePrefix + good,
		"the prefix in capitals": strings.ToUpper(CodePrefix) + random, "as many letters beyond ASCII": CodePrefix + strings.Repeat("Ａ", randomLength/2),
	} {
		if Value(v).Is(CodePrefix) {
			t.Errorf("%s: taken for a code", name)
		}
	}
	if !Value(good).Is(CodePrefix) {
		t.Error("a good one is not taken")
	}
}

func TestASecretIsRandomThroughout(t *testing.T) {
	const n = 2000
	counts := make([]map[byte]int, randomLength)
	for i := range counts {
		counts[i] = map[byte]int{}
	}
	for range n {
		for i, c := range []byte(strings.TrimPrefix(string(New(CodePrefix)), CodePrefix)) {
			counts[i][c]++
		}
	}
	for i, count := range counts {
		for c, times := range count {
			// 62.5 are expected of each; 200 is beyond seventeen standard deviations.
			if times > 200 {
				t.Errorf("character %d is %q in %d of %d secrets", i, c, times, n)
			}
		}
	}
}

func TestASecretDoesNotShow(t *testing.T) {
	v := New(ClientPrefix)
	holder := struct {
		V Value
		P *Value
		L []Value
		M map[string]Value
	}{v, &v, []Value{v}, map[string]Value{"k": v}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s", "%-80v"} {
		fmt.Fprintf(&out, verb, v)
		fmt.Fprintf(&out, verb, holder)
	}
	fmt.Fprint(&out, v, holder, fmt.Errorf("with %v", v))
	for _, logger := range []*slog.Logger{slog.New(slog.NewJSONHandler(&out, nil)), slog.New(slog.NewTextHandler(&out, nil))} {
		logger.Info("x", "v", v, "holder", holder, slog.Group("g", slog.Any("v", &v)))
	}
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	if err := xml.NewEncoder(&out).Encode(v); err != nil {
		t.Fatal(err)
	}
	random := strings.TrimPrefix(string(v), ClientPrefix)
	for _, trace := range []string{random, random[:10], fmt.Sprintf("%x", random), fmt.Sprintf("%X", random)} {
		if strings.Contains(out.String(), trace) {
			t.Errorf("the secret shows:\n%s", out.String())
		}
	}
	if !strings.Contains(out.String(), "[secret]") {
		t.Error("nothing says that a secret was left out")
	}
}

func TestAHashIsOfOneSecret(t *testing.T) {
	v, w := New(CodePrefix), New(CodePrefix)
	if !v.Hash().Equal(v.Hash()) || v.Hash().Equal(w.Hash()) || v.Hash().Equal(Hash{}) {
		t.Error("hashes are not told apart")
	}
	// The hash is stored, so it must never change.
	if got := fmt.Sprintf("%x", Value("dxc_test").Hash()); got != "d48bd14b0af09414b94ee6ca0c8dbc734a5b30adba25b375356afc75d8a9dced" {
		t.Errorf("the hash is %s", got)
	}
}
