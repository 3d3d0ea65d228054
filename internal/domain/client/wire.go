package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// Misfit is metadata that a client cannot be registered with, RFC 7591 section 3.2.2.
type Misfit struct {
	Name    string // of the metadata
	Because string // begins with a verb
}

// Error implements error.
func (m *Misfit) Error() string { return m.Name + " " + m.Because }

func misfit(name, format string, args ...any) *Misfit {
	return &Misfit{Name: name, Because: fmt.Sprintf(format, args...)}
}

// ReadMetadata takes what a client says of itself into c, which holds what it has where
// it says nothing. What we do not know is passed over (RFC 7591, section 2), and null is
// as if nothing were said (RFC 7592, section 2.2). The error is a [*Misfit].
func ReadMetadata(said map[string]json.RawMessage, o Offer, c Client) (Client, error) {
	for _, m := range Metadata {
		raw, ok := said[m.Name]
		if !ok || bytes.Equal(raw, []byte("null")) {
			continue
		}
		if err := json.Unmarshal(raw, m.at(&c)); err != nil {
			if found, ok := errors.AsType[*Misfit](err); ok {
				return c, found
			}
			return c, misfit(m.Name, "is not what it should be: %s", m.Is)
		}
		if m.Values == nil {
			continue
		}
		read, err := json.Marshal(m.at(&c)) // in the order in which we have it
		if err != nil {
			return c, err
		}
		offered := m.Values(o)
		for _, v := range valuesOf(read) {
			if v != "" && !slices.Contains(offered, v) {
				return c, misfit(m.Name, "has %.100q, which is not supported here", v)
			}
		}
	}
	return c, nil
}

// valuesOf are the texts in a value or a list.
func valuesOf(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	var all []string
	_ = json.Unmarshal(raw, &all) // what is neither has no texts
	return all
}

// TellMetadata is what is registered of a client, under the names of registration. What
// it has not is left out.
func TellMetadata(c Client) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, m := range Metadata {
		raw, err := json.Marshal(m.at(&c))
		if err != nil {
			return nil, err
		}
		switch string(raw) {
		case `""`, "null", "false", "[]":
		default:
			all[m.Name] = raw
		}
	}
	return all, nil
}

// NameOf is the name in registration of a setting that is in conflict.
func NameOf(setting string) string {
	for _, m := range Metadata {
		if m.Setting == setting {
			return m.Name
		}
	}
	return setting
}

// spaced is a list that is written as one text, with spaces between.
type spaced struct{ scopes *oauth.Scopes }

func (s *spaced) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	*s.scopes = strings.Fields(text)
	return nil
}

func (s spaced) MarshalJSON() ([]byte, error) { return json.Marshal(strings.Join(*s.scopes, " ")) }

// applicationType says in a word whether a client is native.
type applicationType struct{ native *bool }

func (t *applicationType) UnmarshalJSON(raw []byte) error {
	var word string
	if err := json.Unmarshal(raw, &word); err != nil {
		return err
	}
	if word != "web" && word != "native" {
		return misfit("application_type", "must be web or native")
	}
	*t.native = word == "native"
	return nil
}

func (t applicationType) MarshalJSON() ([]byte, error) {
	if *t.native {
		return json.Marshal("native")
	}
	return json.Marshal("web")
}

// responseTypes are read in whatever order their words stand, OAuth 2.0 Multiple
// Response Type Encoding Practices section 3.
type responseTypes struct{ types *[]oauth.ResponseType }

func (t *responseTypes) UnmarshalJSON(raw []byte) error {
	var all []string
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	*t.types = nil
	for _, one := range all {
		words := strings.Fields(one)
		slices.Sort(words)
		*t.types = append(*t.types, oauth.ResponseType(strings.Join(words, " ")))
	}
	return nil
}

func (t responseTypes) MarshalJSON() ([]byte, error) { return json.Marshal(*t.types) }

// ParseKeys reads the keys of a client out of its key set: those that verify what it
// signs, and those to encrypt for it.
func ParseKeys(set []byte) ([]jose.Key, []jose.EncryptionKey, error) {
	keys, err := jose.ParseJWKS(set)
	if err != nil {
		return nil, nil, err
	}
	encryption, err := jose.ParseEncryptionJWKS(set)
	return keys, encryption, err
}

// keySet are the keys of a client, as a JWK Set.
type keySet struct{ of *Client }

func (s *keySet) UnmarshalJSON(raw []byte) error {
	keys, encryption, err := ParseKeys(raw)
	switch {
	case err != nil:
		return misfit("jwks", "must be a JWK Set of public keys")
	case len(keys)+len(encryption) == 0:
		return misfit("jwks", "holds no key that can be used: RSA of 2048 bits or more, P-256, P-384, P-521 and Ed25519 can, without their private part")
	}
	s.of.Keys, s.of.EncryptionKeys = keys, encryption
	return nil
}

func (s keySet) MarshalJSON() ([]byte, error) {
	if len(s.of.Keys)+len(s.of.EncryptionKeys) == 0 {
		return []byte("null"), nil
	}
	return jose.MarshalForeignJWKS(s.of.Keys, s.of.EncryptionKeys)
}
