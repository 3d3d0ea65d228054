package oauth

import (
	"strings"
	"testing"
)

func TestChallenges(t *testing.T) {
	const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	if got := ChallengeOf(verifier); got != challenge {
		t.Fatalf("the challenge of RFC 7636, appendix B is %s", got)
	}
	long := strings.Repeat("a-._~Z09", 16)
	for _, test := range []struct {
		name      string
		challenge Challenge
		verifier  string
		ok        bool
	}{
		{"the right one", challenge, verifier, true},
		{"the longest", ChallengeOf(long), long, true},
		{"the shortest", ChallengeOf(long[:43]), long[:43], true},
		{"none", challenge, "", false},
		{"another", challenge, verifier[:42] + "l", false},
		{"the challenge itself", challenge, challenge, false},
		{"one that is too short", ChallengeOf(long[:42]), long[:42], false},
		{"one that is too long", ChallengeOf(long + "a"), long + "a", false},
		{"one beyond ASCII", ChallengeOf(long[:50] + "é"), long[:50] + "é", false},
		{"one with a space", ChallengeOf(long[:50] + " "), long[:50] + " ", false},
		{"one with a plus", ChallengeOf(long[:50] + "+"), long[:50] + "+", false},
		{"one with a line break behind", challenge, verifier + "\n", false},
		{"any for no challenge", "", verifier, false},
		{"none for no challenge", "", "", false},
	} {
		if got := test.challenge.Verify(test.verifier); got != test.ok {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if _, err := ParseChallenge(challenge[:20]+"\n"+challenge[20:], MethodS256); err == nil {
		t.Error("a challenge with a line break is read")
	}
}
