package declare

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"dex/internal/base/strict"
	"dex/internal/domain/credential"
	"dex/internal/domain/tenant"
	"dex/internal/domain/user"
)

// maxDescription is what people still read.
const maxDescription = 1000

// maxAddress is the longest line of an address, or all of it, in bytes.
const maxAddress = 1000

// The limits of what a user can be called. A subject is at most 255 characters
// of ASCII (OpenID Connect Core 1.0, 2).
const maxName = 255

var (
	connectorID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	domainName  = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
	birthdate   = regexp.MustCompile(`^\d{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))?$`)
	timeZone    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$`)
	phoneNumber = regexp.MustCompile(`^\+?[0-9][0-9 ()./-]{1,30}[0-9](;ext=[0-9]{1,15})?$`)
	languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
)

func (c *checker) connector(p *part, i int) {
	one, at, f := &p.Connectors[i], p.at("connectors", i), p.Findings
	switch {
	case one.ID == "":
		f.Add(at+"id", "is not set")
	case !connectorID.MatchString(one.ID):
		f.Add(at+"id", "must be small letters, digits and dashes, 63 at most, and not begin with a dash")
	default:
		c.connectors.take(one.ID, owner{p, "connectors", i, at + "id"}, "%s has this id")
	}
	switch {
	case one.Kind == "":
		f.Add(at+"kind", "is not set")
	case one.Kind == "mock" && !c.rules.Local:
		f.Add(at+"kind", "mock lets everybody in: it needs no_db or an issuer on a loopback host")
	case one.Kind == "local" && c.local != "":
		f.Add(at+"kind", "connector %q is local already, and there is one table of passwords", c.local)
	case one.Kind == "local":
		c.local = one.ID
	}
	for j, domain := range one.AuthoritativeDomains {
		if !domainName.MatchString(domain) {
			f.Add(fmt.Sprintf("%sauthoritative_domains[%d]", at, j), "must be a domain in small letters, such as example.com")
		}
	}
	if one.Name == "" {
		one.Name = one.ID
	} else if !printable(one.Name) {
		f.Add(at+"name", "must be %d visible characters at most, without spaces around them", maxName)
	}
}

// user looks at one user. A name to log in with means one person, whether it is
// theirs as a user name or as an address: otherwise an address could be taken by a
// user name.
func (c *checker) user(p *part, i int) {
	u, at, f := &p.Users[i], p.at("users", i), p.Findings
	checkProfile(u, at, f)
	c.password(u, at, f)
	switch {
	case u.ID == "":
	case !visibleASCII(u.ID, maxName):
		f.Add(at+"id", "must be visible ASCII characters, %d at most", maxName)
	case !c.rules.Whole && !addressable(u.ID):
		f.Add(at+"id", unaddressable)
	default:
		c.users.take(u.ID, owner{p, "users", i, at + "id"}, "%s has this id")
	}
	for _, name := range []struct{ path, value string }{{"username", u.Username}, {"email", u.Email}} {
		if name.value == "" {
			continue
		}
		key, err := credential.Canonical(name.value)
		switch {
		case err == nil:
			c.names.take(key, owner{p, "users", i, at + name.path}, "%s logs in with the same name")
		case name.path == "username" && printable(name.value):
			f.Add(at+name.path, "cannot serve to log in: letters of one script, digits and signs, without invisible ones")
		}
	}
}

const unaddressable = "must have no slashes, nor be . or ..: it stands in the addresses of the administrators' API"

// addressable reports whether an id can stand in an address of the administrators' API.
// What cannot could be made, and neither disabled nor deleted there. Only a configuration
// file may name it, for what stands in one is disabled in the file.
func addressable(id string) bool {
	return !strings.ContainsAny(id, `/\`) && id != "." && id != ".."
}

func (c *checker) group(p *part, i int) {
	g, at, f := &p.Groups[i], p.at("groups", i), p.Findings
	switch {
	case g.ID == "":
		f.Add(at+"id", "is not set")
	case !printable(g.ID):
		f.Add(at+"id", "must be %d visible characters at most, without spaces around them", maxName)
	case !addressable(g.ID):
		f.Add(at+"id", unaddressable)
	default:
		c.groups.take(g.ID, owner{p, "groups", i, at + "id"}, "%s has this id")
	}
	if utf8.RuneCountInString(g.Description) > maxDescription || strings.ContainsRune(g.Description, 0) {
		f.Add(at+"description", "must be %d characters at most", maxDescription)
	}
	for j, member := range g.Members {
		if !visibleASCII(member, maxName) {
			f.Add(fmt.Sprintf("%smembers[%d]", at, j), "must be the id of a user")
		}
	}
	if again, ok := Duplicate(g.Members); ok {
		f.Add(fmt.Sprintf("%smembers[%d]", at, again), "stands there twice")
	}
}

// checkProfile looks at what is told of a user.
func checkProfile(u *User, at string, f *strict.Findings) {
	if u.Username == "" {
		u.Username = u.Email
	}
	switch {
	case u.Username == "":
		f.Add(at+"username", "is not set, nor is email: one of them is needed to log in")
	case !printable(u.Username):
		f.Add(at+"username", "must be %d visible characters at most, without spaces around them", maxName)
	}
	if u.Email != "" && !validEmail(u.Email) {
		f.Add(at+"email", "must be an e-mail address such as ann@example.com")
	}
	if u.EmailVerified && u.Email == "" {
		f.Add(at+"email_verified", "needs email")
	}
	for _, page := range []struct{ setting, url string }{{"picture", u.Picture}, {"profile", u.ProfileURL}, {"website", u.Website}} {
		if page.url != "" && !webURL(page.url) {
			f.Add(at+page.setting, "must be an https URL")
		}
	}
	if u.Birthdate != "" && !birthdate.MatchString(u.Birthdate) {
		f.Add(at+"birthdate", "must be a day such as 1985-12-30, 0000-12-30 without its year, or a year alone")
	}
	if u.ZoneInfo != "" && !timeZone.MatchString(u.ZoneInfo) {
		f.Add(at+"zoneinfo", "must be a time zone such as Europe/Paris")
	}
	if u.Phone != "" && !phoneNumber.MatchString(u.Phone) {
		f.Add(at+"phone_number", "must be a telephone number such as +49 30 123456")
	}
	if u.PhoneVerified && u.Phone == "" {
		f.Add(at+"phone_number_verified", "needs phone_number")
	}
	checkAddress(u.Address, at+"address.", f)
	if u.Locale != "" && !languageTag.MatchString(u.Locale) {
		f.Add(at+"locale", "must be a language such as de or en-GB")
	}
	for j, group := range u.Groups {
		if !printable(group) {
			f.Add(fmt.Sprintf("%sgroups[%d]", at, j), "must be %d visible characters at most, without spaces around them", maxName)
		}
	}
	if again, ok := Duplicate(u.Groups); ok {
		f.Add(fmt.Sprintf("%sgroups[%d]", at, again), "stands there twice")
	}
}

// checkAddress looks at where a user is reached by letter.
func checkAddress(a Address, at string, f *strict.Findings) {
	for _, line := range []struct{ name, text string }{
		{"formatted", a.Formatted}, {"street_address", a.StreetAddress}, {"locality", a.Locality},
		{"region", a.Region}, {"postal_code", a.PostalCode}, {"country", a.Country},
	} {
		if len(line.text) > maxAddress || strings.ContainsRune(line.text, 0) {
			f.Add(at+line.name, "must be %d bytes at most", maxAddress)
		}
	}
}

func (c *checker) password(u *User, at string, f *strict.Findings) {
	switch {
	case f.Given(at+"password") && f.Given(at+"password_hash"):
		f.Add(at+"password", "contradicts password_hash: take one of them out")
	case f.Given(at+"password") && u.Password == "":
		f.Add(at+"password", "must not be empty")
	case f.Given(at+"password") && c.rules.Whole && !c.rules.Local:
		f.Add(at+"password", `use password_hash; "dex-worker hash-password" makes one`)
	case f.Given(at+"password") && !c.rules.Whole:
		if err := credential.CheckPassword(string(u.Password), u.Username, u.Email); err != nil {
			f.Add(at+"password", "%s", err)
		}
	case f.Given(at + "password_hash"):
		// A hash is known good before the first login, and none is so expensive that a
		// login stops the server.
		if err := credential.ParseHash(string(u.PasswordHash)); err != nil {
			f.Add(at+"password_hash", `is no hash that can be checked (%s); "dex-worker hash-password" makes one`, err)
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
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && tenant.Loopback(u.Hostname()))
}
