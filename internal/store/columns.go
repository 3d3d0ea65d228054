package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
)

// instant is a time in a column. The zero time is NULL. Postgres keeps it as
// TIMESTAMPTZ, SQLite as the number of microseconds since 1970, which sorts and
// compares alike; as the text that its driver would make of it, it would not.
type instant time.Time

// Scan implements [sql.Scanner].
func (i *instant) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*i = instant{}
	case time.Time:
		*i = instant(v.UTC())
	case int64:
		*i = instant(time.UnixMicro(v).UTC())
	default:
		return fmt.Errorf("a time as %T", src)
	}
	return nil
}

func (i instant) value() any {
	if t := time.Time(i); !t.IsZero() {
		return t.UTC().Truncate(time.Microsecond)
	}
	return nil
}

// document is a value as JSON in a column of text. Read into, it holds a pointer.
type document struct{ v any }

// Scan implements [sql.Scanner].
func (d document) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(v), d.v)
	case []byte:
		return json.Unmarshal(v, d.v)
	default:
		return fmt.Errorf("a document as %T", src)
	}
}

func (d document) value() (any, error) {
	text, err := json.Marshal(d.v)
	return string(text), err
}

// values returns what the drivers are given for the arguments of a statement.
// Text that Postgres could not keep is refused on both engines.
func values(args []any) ([]any, error) {
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			if !storable(v) {
				return nil, fault.New(fault.Invalid, "There are characters in it that cannot be kept.")
			}
		case instant:
			args[i] = v.value()
		case document:
			text, err := v.value()
			if err != nil {
				return nil, err
			}
			args[i] = text
		case secret.Hash:
			args[i] = v[:]
		case []byte:
			if v == nil {
				args[i] = nil
			}
		}
	}
	return args, nil
}

func storable(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// remark returns a text that comes from outside and is kept only for people to
// read: shortened, and without what a database cannot keep.
func remark(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// emailKey returns an address as it is looked up. Only ASCII letters are folded:
// more would make one of addresses that belong to different people, such as
// those with a K and with the sign for Kelvin.
func emailKey(email string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, email)
}
