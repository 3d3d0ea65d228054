package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"dex/internal/domain/credential"
	"dex/internal/domain/user"
)

// The limits of what a user can be called. A subject is at most 255 characters
// of ASCII (OpenID Connect Core 1.0, 2).
const maxName = 255

var (
	connectorID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	domainName  = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
	languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
)

func checkConnectors(s *Settings, f *findings) {
	if len(s.Connectors) == 0 {
		s.Connectors = []Connector{{ID: "local", Kind: "local", Name: "Password"}}
		return
	}
	ids, open := map[string]bool{}, false
	var local string
	for i := range s.Connectors {
		c, at := &s.Connectors[i], fmt.Sprintf("connectors[%d]", i)
		switch {
		case c.ID == "":
			f.add(at+".id", "is not set")
		case !connectorID.MatchString(c.ID):
			f.add(at+".id", "must be small letters, digits and dashes, 63 at most, and not begin with a dash")
		case ids[c.ID]:
			f.add(at+".id", "another connector has this id")
		}
		ids[c.ID] = true
		switch {
		case c.Kind == "":
			f.add(at+".kind", "is not set")
		case c.Kind == "mock" && public(s, f):
			f.add(at+".kind", "mock lets everybody in: it needs no_db or an issuer on a loopback host")
		case c.Kind == "local" && local != "":
			f.add(at+".kind", "connector %q is local already, and there is one table of passwords", local)
		case c.Kind == "local":
			local = c.ID
		}
		for j, domain := range c.AuthoritativeDomains {
			if !domainName.MatchString(domain) {
				f.add(fmt.Sprintf("%s.authoritative_domains[%d]", at, j), "must be a domain in small letters, such as example.com")
			}
		}
		if c.Name == "" {
			c.Name = c.ID
		}
		open = open || !c.Disabled
	}
	if !open {
		f.add("connectors", "are all disabled, so that nobody could log in")
	}
	if local == "" && len(s.Users) > 0 {
		f.add("users", "log in through a connector of kind local, and there is none")
	}
}

func checkUsers(s *Settings, f *findings) {
	// A name to log in with means one person, whether it is theirs as a user name
	// or as an address: otherwise an address could be taken by a user name.
	owners, ids := map[string]int{}, map[string]int{}
	for i := range s.Users {
		u, at := &s.Users[i], fmt.Sprintf("users[%d]", i)
		checkProfile(u, at, f)
		checkPassword(s, u, at, f)
		if u.ID != "" {
			if first, taken := ids[u.ID]; taken {
				f.add(at+".id", "users[%d] has this id", first)
			} else if !visibleASCII(u.ID, maxName) {
				f.add(at+".id", "must be visible ASCII characters, %d at most", maxName)
			}
			ids[u.ID] = i
		}
		for _, name := range []struct{ path, value string }{{".username", u.Username}, {".email", u.Email}} {
			if name.value == "" {
				continue
			}
			key, err := credential.Canonical(name.value)
			if err != nil {
				if name.path == ".username" && printable(name.value) {
					f.add(at+name.path, "cannot serve to log in: letters of one script, digits and signs, without invisible ones")
				}
				continue
			}
			if first, taken := owners[key]; taken && first != i {
				f.add(at+name.path, "users[%d] logs in with the same name", first)
			}
			owners[key] = i
		}
	}
}

// checkProfile looks at what is told of a user.
func checkProfile(u *User, at string, f *findings) {
	if u.Username == "" {
		u.Username = u.Email
	}
	switch {
	case u.Username == "":
		f.add(at+".username", "is not set, nor is email: one of them is needed to log in")
	case !printable(u.Username):
		f.add(at+".username", "must be %d visible characters at most, without spaces around them", maxName)
	}
	if u.Email != "" && !validEmail(u.Email) {
		f.add(at+".email", "must be an e-mail address such as ann@example.com")
	}
	if u.EmailVerified && u.Email == "" {
		f.add(at+".email_verified", "needs email")
	}
	if u.Picture != "" && !webURL(u.Picture) {
		f.add(at+".picture", "must be an https URL")
	}
	if u.Locale != "" && !languageTag.MatchString(u.Locale) {
		f.add(at+".locale", "must be a language such as de or en-GB")
	}
	for j, group := range u.Groups {
		if !printable(group) {
			f.add(fmt.Sprintf("%s.groups[%d]", at, j), "must be %d visible characters at most, without spaces around them", maxName)
		}
	}
	if again, ok := duplicate(u.Groups); ok {
		f.add(fmt.Sprintf("%s.groups[%d]", at, again), "stands there twice")
	}
}

func checkPassword(s *Settings, u *User, at string, f *findings) {
	switch {
	case f.given(at+".password") && f.given(at+".password_hash"):
		f.add(at+".password", "contradicts password_hash: take one of them out")
	case f.given(at+".password") && u.Password == "":
		f.add(at+".password", "must not be empty")
	case f.given(at+".password") && public(s, f):
		f.add(at+".password", `use password_hash; "dex-worker hash-password" makes one`)
	case f.given(at + ".password_hash"):
		// A hash is known good before the first login, and none is so expensive that a
		// login stops the server.
		if err := credential.ParseHash(string(u.PasswordHash)); err != nil {
			f.add(at+".password_hash", `is no hash that can be checked (%s); "dex-worker hash-password" makes one`, err)
		}
	}
}

// printable reports whether a name shows as what it is.
func printable(s string) bool {
	if s == "" || utf8.RuneCountInString(s) > maxName || s != strings.TrimSpace(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func visibleASCII(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

func validEmail(s string) bool {
	_, err := user.ParseEmail(s)
	return err == nil
}

// webURL reports whether a page may send people to a URL: https, or http on this
// machine.
func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}
