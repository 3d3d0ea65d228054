package jose

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
)

// Claims are the registered claims of a token (RFC 7519, section 4.1). A type
// with more of them embeds it.
type Claims struct {
	Issuer    string      `json:"iss,omitempty"`
	Subject   string      `json:"sub,omitempty"`
	Audience  Audience    `json:"aud,omitempty"`
	Expiry    NumericDate `json:"exp,omitempty"`
	NotBefore NumericDate `json:"nbf,omitempty"`
	IssuedAt  NumericDate `json:"iat,omitempty"`
	ID        string      `json:"jti,omitempty"`
}

// Unmarshal reads the claims of a token. Unlike encoding/json it refuses a member
// that comes twice, and does not take "AUD" for "aud": another reader of the same
// token might have seen the other one. Claims are always a JSON object, in UTF-8.
func Unmarshal(payload []byte, claims any) error {
	if err := legible(payload); err != nil {
		return err
	}
	if trimmed := bytes.TrimLeft(payload, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("jose: the claims are not a JSON object")
	}
	if err := json.Unmarshal(payload, claims); err != nil {
		return fmt.Errorf("jose: claims: %w", err)
	}
	return nil
}

// maxDepth is how deep JSON may be nested, its outermost object included.
const maxDepth = 32

// legible says why JSON is not looked at further: it is no text, so that each reader
// could take it for another one (RFC 8259, section 8.1), or nested deeper than anything
// that somebody means, and a decoder works for each level. Whether it is JSON at all is
// for the decoder to say.
func legible(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("jose: it is not in UTF-8")
	}
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("jose: it is nested deeper than %d", maxDepth)
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return nil
}

// Why claims are refused. [ErrExpired] is only ever said when everything else
// holds, so that whoever may take an expired token (an id_token_hint) can.
var (
	ErrIssuer      = errors.New("jose: the token is of another issuer")
	ErrAudience    = errors.New("jose: the token is for another audience")
	ErrNoExpiry    = errors.New("jose: the token never expires")
	ErrNotYetValid = errors.New("jose: the token is of the future")
	ErrExpired     = errors.New("jose: the token has expired")
)

// Validate says why the claims do not hold now: they must be of the issuer and
// for the audience, to the byte, and neither of the future nor of the past by
// more than the skew that another's clock is granted.
func (c Claims) Validate(now time.Time, issuer, audience string, skew time.Duration) error {
	switch {
	case issuer == "" || c.Issuer != issuer:
		return ErrIssuer
	case audience == "" || !slices.Contains(c.Audience, audience):
		return ErrAudience
	case c.Expiry == 0:
		return ErrNoExpiry
	case now.Add(skew).Before(c.NotBefore.Time()), now.Add(skew).Before(c.IssuedAt.Time()):
		return ErrNotYetValid
	case !now.Before(c.Expiry.Time().Add(skew)):
		return ErrExpired
	default:
		return nil
	}
}

// Audience is whom a token is for. One recipient is written as a string and
// several as an array; both are read.
type Audience []string

// MarshalJSON implements [stdjson.Marshaler].
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return stdjson.Marshal(a[0])
	}
	return stdjson.Marshal([]string(a))
}

// UnmarshalJSON implements [stdjson.Unmarshaler]. Nothing but a string or an
// array of strings is an audience.
func (a *Audience) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var one string
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		*a = Audience{one}
		return nil
	}
	var many []*string
	if err := json.Unmarshal(data, &many); err != nil || len(many) == 0 || slices.Contains(many, nil) {
		return errors.New(`"aud" is neither a string nor a list of strings`)
	}
	*a = make(Audience, len(many))
	for i, s := range many {
		(*a)[i] = *s
	}
	return nil
}

// SingleAudience returns the audience of claims that name it in one JSON string.
// A client assertion must do so: one that is for several servers could be played
// to each of them (draft-ietf-oauth-rfc7523bis; FAPI 2.0, section 5.3.2.1).
func SingleAudience(payload []byte) (string, bool) {
	var c struct {
		Audience json.RawMessage `json:"aud"`
	}
	if Unmarshal(payload, &c) != nil || len(c.Audience) == 0 || c.Audience[0] != '"' {
		return "", false
	}
	var one string
	err := json.Unmarshal(c.Audience, &one)
	return one, err == nil
}

// NumericDate is a time in whole seconds since 1970 (RFC 7519, section 2). Zero
// is absent.
type NumericDate int64

// DateOf returns t as a NumericDate.
func DateOf(t time.Time) NumericDate { return NumericDate(t.Unix()) }

// Time returns d as a time, which is the zero time for an absent one.
func (d NumericDate) Time() time.Time {
	if d == 0 {
		return time.Time{}
	}
	return time.Unix(int64(d), 0).UTC()
}

// lastSecond is that of the year 9999. Whatever claims to be later would
// overflow where times are added.
const lastSecond = 253402300799

// UnmarshalJSON implements [stdjson.Unmarshaler]. A fraction is cut off.
func (d *NumericDate) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '-' && (data[0] < '0' || data[0] > '9') {
		return errors.New("a date is not a number")
	}
	f, err := strconv.ParseFloat(string(data), 64)
	if err != nil || math.Abs(f) > lastSecond {
		return errors.New("a date is out of range")
	}
	*d = NumericDate(math.Floor(f))
	return nil
}
