package key_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/domain/key"
	"dex/internal/protocol/jose"
)

// shelf keeps keys in memory.
type shelf []key.Key

func (s *shelf) SigningKeys(context.Context) ([]key.Key, error) { return *s, nil }

func (s *shelf) ApplyKeys(_ context.Context, c key.Changes, _ time.Time) error {
	*s = append(*s, c.Create...)
	for _, r := range c.Retire {
		for i := range *s {
			if (*s)[i].ID == r.ID {
				(*s)[i].SignUntil, (*s)[i].UnpublishAt = r.SignUntil, r.UnpublishAt
			}
		}
	}
	return nil
}

// Keys that others encrypt to live in the ring beside those that sign, and neither does
// what the other is for.
func TestTheRingDecryptsWhatIsEncryptedToIt(t *testing.T) {
	clk := &clock.Fake{}
	var kept shelf
	ring := &key.Ring{Store: &kept, Clock: clk, Timing: key.DefaultTiming}
	turn := func() {
		t.Helper()
		if _, err := ring.Turn(t.Context(), []jose.Algorithm{jose.ES256, jose.EncryptEC}); err != nil {
			t.Fatal(err)
		}
		if err := ring.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := ring.Decrypt("e30.e30.e30.e30.e30"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("before there are keys: %v", err)
	}
	turn()
	set, err := jose.MarshalJWKS(ring.Published())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := jose.ParseEncryptionJWKS(set)
	if err != nil || len(theirs) != 1 {
		t.Fatal(theirs, err)
	}
	to, err := jose.EncryptTo(theirs, jose.ECDHESA256KW)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.Encrypt([]byte("signed"), "JWT", to, jose.A256GCM)
	if err != nil {
		t.Fatal(err)
	}
	if content, h, err := ring.Decrypt(token); err != nil || string(content) != "signed" || h.ContentType != "JWT" {
		t.Errorf("%q, %+v, %v", content, h, err)
	}
	if _, err := ring.Sign(jose.EncryptEC, "JWT", struct{}{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("it signs with a key that is encrypted to: %v", err)
	}
	if !ring.Ready([]jose.Algorithm{jose.ES256, jose.EncryptEC}) {
		t.Error("it is not ready")
	}
	// What is encrypted to a key that signs is for nobody.
	var signing jose.EncryptionKey
	for _, k := range ring.Published() {
		if k.Alg == jose.ES256 {
			signing = jose.EncryptionKey{KID: k.KID, Alg: jose.ECDHES, Public: k.Public}
		}
	}
	astray, err := jose.Encrypt([]byte("x"), "", signing, jose.A128GCM)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ring.Decrypt(astray); !errors.Is(err, jose.ErrDecrypt) {
		t.Errorf("it decrypts with a key that signs: %v", err)
	}
	// Its successor stands in the set alone, and the old one decrypts for another day.
	clk.Advance(29 * 24 * time.Hour)
	turn()
	clk.Advance(25 * time.Hour)
	if set, err = jose.MarshalJWKS(ring.Published()); err != nil {
		t.Fatal(err)
	}
	if theirs, err = jose.ParseEncryptionJWKS(set); err != nil || len(theirs) != 1 || theirs[0].KID == to.KID {
		t.Errorf("published are %+v, %v", theirs, err)
	}
	if _, _, err := ring.Decrypt(token); err != nil {
		t.Errorf("just after the switch: %v", err)
	}
	clk.Advance(26 * time.Hour)
	if _, _, err := ring.Decrypt(token); !errors.Is(err, jose.ErrDecrypt) {
		t.Errorf("a day and two hours after it: %v", err)
	}
}
