package mint

import (
	"math"
	"strings"
	"testing"

	"dex/internal/base/secret"
)

var family = RefreshTokens{Key: []byte("a key of thirty-two bytes, or so"), Tenant: "default"}

func TestARefreshTokenIsTheSameHoweverOftenItIsMade(t *testing.T) {
	for _, want := range []RefreshToken{
		{"gra_abc", 1}, {"gra_abc", 2}, {"gra_abcdefghijklmnopqrstuvwxyz", 1_000_000}, {"gra_x", math.MaxInt},
	} {
		first, again := family.Token(want), family.Token(want)
		if first != again {
			t.Errorf("%v is two tokens", want)
		}
		if got, ok := family.Read(first); !ok || got != want {
			t.Errorf("%v comes back as %v: %v", want, got, ok)
		}
		if !strings.HasPrefix(string(first), secret.RefreshPrefix) {
			t.Errorf("%v cannot be told from other secrets", want)
		}
	}
	if a, b := family.Token(RefreshToken{"gra_abc", 1}), family.Token(RefreshToken{"gra_abc", 2}); a == b {
		t.Error("two generations have the same token")
	}
}

// 1.E 73: each bit of a refresh token counts.
func TestARefreshTokenIsReadToTheLastBit(t *testing.T) {
	good := string(family.Token(RefreshToken{"gra_abcdefghijklmnopqrstuvwxyz", 12}))
	refused := func(how, text string) {
		t.Helper()
		if got, ok := family.Read(secret.Value(text)); ok {
			t.Errorf("%s: it is read as %v", how, got)
		}
	}
	for i := range len(good) {
		refused("cut off", good[:i])
		refused("cut off in front", good[i+1:])
		refused("a byte missing", good[:i]+good[i+1:])
		refused("a byte twice", good[:i]+good[i:i+1]+good[i:])
		for bit := range 8 {
			bent := []byte(good)
			bent[i] ^= 1 << bit
			refused("a bit turned", string(bent))
		}
	}
	for _, more := range []string{"A", "=", "==", ".", ".1", "\n", " ", "\x00", "%3D"} {
		refused("something behind it", good+more)
		refused("something in front of it", more+good)
	}
	head, code := good[:strings.LastIndex(good, ".")+1], good[strings.LastIndex(good, ".")+1:]
	for _, number := range []string{"012", "+12", "0x0c", "12e0", "1_2", " 12", "-12", "0", "13", "", "１２", "99999999999999999999999999"} {
		refused("another spelling of the generation", strings.Replace(head, ".12.", "."+number+".", 1)+code)
	}
	refused("other letters", strings.ToUpper(good))
	refused("nothing", "")
	refused("a prefix alone", secret.RefreshPrefix)
	refused("dots", secret.RefreshPrefix+"..")
}

func TestARefreshTokenBelongsToItsKeyAndTenant(t *testing.T) {
	token := family.Token(RefreshToken{"gra_abc", 1})
	for name, other := range map[string]RefreshTokens{
		"another tenant": {Key: family.Key, Tenant: "other"},
		"another key":    {Key: []byte("a key of thirty-two bytes, or sp"), Tenant: family.Tenant},
		"no key":         {Tenant: family.Tenant},
	} {
		if _, ok := other.Read(token); ok {
			t.Errorf("it is good for %s", name)
		}
	}
}

func FuzzReadRefreshToken(f *testing.F) {
	for _, token := range []RefreshToken{{"gra_abc", 1}, {"gra_", 1}, {"gra_a.b", 7}, {"abc", 1}, {"gra_x", math.MaxInt}} {
		f.Add(string(family.Token(token)))
	}
	f.Add("")
	f.Add(secret.RefreshPrefix + "a.1.")
	f.Add(secret.RefreshPrefix + "a.01." + strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := family.Read(secret.Value(text))
		switch {
		case !ok && got != (RefreshToken{}):
			t.Errorf("what is refused is read as %v", got)
		case ok && string(family.Token(got)) != text:
			t.Errorf("a second spelling of %v is read", got)
		case ok && got.Generation < 1:
			t.Errorf("the generation %d is read", got.Generation)
		}
	})
}
