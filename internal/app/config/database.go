package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"

	"dex/internal/base/secret"
)

// Database says where the database is: sqlite:FILE, postgres://… or
// postgresql://…. It may hold a password, so that it prints without; whoever
// means to open it writes string(d).
type Database string

const sqlitePrefix = "sqlite:"

// File returns the file of an SQLite database, or nothing for any other.
func (d Database) File() string {
	file, _ := strings.CutPrefix(string(d), sqlitePrefix)
	if len(file) == len(d) {
		return ""
	}
	return file
}

// Postgres reports whether it is a Postgres database.
func (d Database) Postgres() bool {
	return strings.HasPrefix(string(d), "postgres://") || strings.HasPrefix(string(d), "postgresql://")
}

// String returns the database without its password.
func (d Database) String() string {
	if !d.Postgres() {
		return string(d)
	}
	u, err := url.Parse(string(d))
	if err != nil {
		return "postgres://"
	}
	// The query is where the rest of the secrets would be: password, sslpassword.
	u.RawQuery, u.ForceQuery = "", false
	return u.Redacted()
}

// Format keeps the password out of everything that is printed.
func (d Database) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// LogValue keeps the password out of the log.
func (d Database) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText keeps the password out of everything that is encoded.
func (d Database) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Database) UnmarshalText(text []byte) error {
	*d = Database(text)
	return d.valid()
}

func (d Database) valid() error {
	switch {
	case d.Postgres():
		// What is wrong with the URL is not told: the reason repeats it.
		if u, err := url.Parse(string(d)); err != nil || u.Fragment != "" {
			return errors.New("is no URL: characters of the password other than letters and digits must be written as %XX")
		}
		return nil
	case !strings.HasPrefix(string(d), sqlitePrefix):
		return errors.New("must be sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME")
	case d.File() == "":
		return errors.New("names no file: write sqlite:dex.db")
	case d.File() == ":memory:":
		return errors.New("is a database in memory: no_db is the setting for that")
	case strings.HasPrefix(d.File(), "//"), strings.ContainsAny(d.File(), "?#"):
		// What follows a question mark are options of the driver, on some of
		// which durability depends. They are not for the configuration.
		return errors.New("must be sqlite: and the path of a file, without options")
	}
	return nil
}

// KeyFile returns the file in which a key secret is made and kept when no other
// was given: beside an SQLite database. It returns nothing in every other case.
func (s *Settings) KeyFile() string { return keyFile(s.DB, s.KeySecrets) }

func keyFile(db Database, secrets []secret.Value) string {
	file := db.File()
	if file == "" || len(secrets) > 0 {
		return ""
	}
	return file + ".key"
}
