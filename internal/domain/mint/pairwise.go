package mint

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"dex/internal/domain/client"
)

// Subjects are the names that clients know people by, OpenID Connect Core section 8.
//
// A public one is the account's id. A pairwise one is the id encrypted under a key of
// the tenant and for one sector, so that two sectors cannot tell that they know the same
// person, and so that we need not remember which name was whose: the encryption is
// deterministic, in the way of RFC 5297 (the initialisation vector is a MAC of sector
// and id).
type Subjects struct {
	Key []byte // of the tenant, and never replaced: the names follow from it
}

// pairwisePrefix begins a pairwise subject. No account's id does.
const pairwisePrefix = "pws_"

// Of returns the name that a client knows somebody by.
func (s Subjects) Of(c client.Client, userID string) string {
	if c.SubjectType != client.SubjectPairwise || userID == "" {
		return userID
	}
	iv := s.vector(Sector(c), userID)
	return pairwisePrefix + base64.RawURLEncoding.EncodeToString(append(iv, s.crypt(iv, []byte(userID))...))
}

// User returns the account that a client means by a subject: nobody, if it is not the
// name that the client's sector knows somebody by.
func (s Subjects) User(c client.Client, subject string) (userID string, ok bool) {
	if userID, ok = s.decrypt(subject); !ok || !hmac.Equal([]byte(s.Of(c, userID)), []byte(subject)) {
		return "", false
	}
	return userID, true
}

// Account returns the account that a subject in a token of ours is of, whoever's name for
// it it is.
func (s Subjects) Account(subject string) string {
	userID, _ := s.decrypt(subject)
	return userID
}

// decrypt returns the account that a subject is of, whoever's name for it it is.
func (s Subjects) decrypt(subject string) (userID string, ok bool) {
	text, pairwise := strings.CutPrefix(subject, pairwisePrefix)
	if !pairwise {
		return subject, subject != ""
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) <= aes.BlockSize {
		return "", false
	}
	return string(s.crypt(sealed[:aes.BlockSize], sealed[aes.BlockSize:])), true
}

func (s Subjects) vector(sector, userID string) []byte {
	return s.mac("pairwise subject\x00" + sector + "\x00" + userID)[:aes.BlockSize]
}

func (s Subjects) crypt(iv, text []byte) []byte {
	block, err := aes.NewCipher(s.mac("key of pairwise subjects"))
	if err != nil {
		panic(err) // a MAC has the length of a key
	}
	out := make([]byte, len(text))
	cipher.NewCTR(block, iv).XORKeyStream(out, text)
	return out
}

func (s Subjects) mac(text string) []byte {
	h := hmac.New(sha256.New, s.Key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Sector is who shares pairwise subjects with a client: those whose list of redirect
// URIs is at the same host, and without such a list those who are themselves, OpenID
// Connect Core section 8.1. A client without redirect URIs is on its own.
func Sector(c client.Client) string {
	for _, uri := range append([]string{c.SectorURI}, c.RedirectURIs...) {
		if u, err := url.Parse(uri); err == nil && u.Hostname() != "" {
			return strings.ToLower(u.Hostname())
		}
	}
	return "client " + c.ID
}
