package certificate

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Names is by which of its names a client is known that has its certificate from an
// authority (RFC 8705, section 2.1.2). Exactly one of them is set.
type Names struct {
	SubjectDN string // RFC 4514
	SANDNS    string
	SANURI    string
	SANIP     string
	SANEmail  string
}

// Match reports whether a certificate has the name.
func (n Names) Match(c *x509.Certificate) bool {
	switch {
	case n.SubjectDN != "":
		return matchSubject(n.SubjectDN, c.RawSubject)
	case n.SANDNS != "":
		return slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, n.SANDNS) })
	case n.SANURI != "":
		return slices.ContainsFunc(c.URIs, func(u *url.URL) bool { return u.String() == n.SANURI })
	case n.SANIP != "":
		want, err := netip.ParseAddr(n.SANIP)
		if err != nil {
			return false
		}
		for _, ip := range c.IPAddresses {
			if got, ok := netip.AddrFromSlice(ip); ok && got.Unmap() == want.Unmap() {
				return true
			}
		}
		return false
	case n.SANEmail != "":
		return slices.Contains(c.EmailAddresses, n.SANEmail)
	default:
		return false
	}
}

// Check says what is wrong with the names that a client is registered by, or returns
// nil.
func (n Names) Check() error {
	set := 0
	for _, name := range []string{n.SubjectDN, n.SANDNS, n.SANURI, n.SANIP, n.SANEmail} {
		if name != "" {
			set++
		}
	}
	if set != 1 {
		return errors.New("exactly one of the names of a certificate must be given")
	}
	if n.SubjectDN != "" {
		_, err := parseDN(n.SubjectDN)
		return err
	}
	if n.SANIP != "" {
		_, err := netip.ParseAddr(n.SANIP)
		return err
	}
	return nil
}

// matchSubject compares a distinguished name with that of a certificate: names of the
// same kind in the same order, in whatever letters and with whatever spaces between
// the words (RFC 4514; RFC 5280, section 7.1). As a string it is written from the
// last to the first.
func matchSubject(want string, subject []byte) bool {
	wanted, err := parseDN(want)
	if err != nil {
		return false
	}
	var has pkix.RDNSequence
	if rest, err := asn1.Unmarshal(subject, &has); err != nil || len(rest) > 0 {
		return false
	}
	slices.Reverse(has)
	return slices.EqualFunc(wanted, has, func(a rdn, b pkix.RelativeDistinguishedNameSET) bool { return a.equal(b) })
}

// attribute is one part of a name. Its value is text, or what it is encoded as.
type attribute struct {
	kind, text string
	der        []byte
}

type rdn []attribute

// equal reports whether the parts are those of a certificate's name, in any order.
func (r rdn) equal(of pkix.RelativeDistinguishedNameSET) bool {
	if len(r) != len(of) {
		return false
	}
	left := slices.Clone(r)
	for _, has := range of {
		i := slices.IndexFunc(left, func(a attribute) bool { return a.equal(has) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

func (a attribute) equal(has pkix.AttributeTypeAndValue) bool {
	if a.kind != has.Type.String() {
		return false
	}
	if a.der != nil {
		der, err := asn1.Marshal(has.Value)
		return err == nil && bytes.Equal(a.der, der)
	}
	text, ok := has.Value.(string)
	return ok && fold(text) == fold(a.text)
}

// fold takes the letters' case and the number of spaces out of a comparison.
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// kinds are the names of the kinds of attribute, as strings have them (RFC 4514,
// section 3, and those in use beside).
var kinds = map[string]string{
	"CN": "2.5.4.3", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8", "STREET": "2.5.4.9",
	"O": "2.5.4.10", "OU": "2.5.4.11", "POSTALCODE": "2.5.4.17", "DC": "0.9.2342.19200300.100.1.25",
	"UID": "0.9.2342.19200300.100.1.1", "EMAILADDRESS": "1.2.840.113549.1.9.1", "E": "1.2.840.113549.1.9.1",
	"ORGANIZATIONIDENTIFIER": "2.5.4.97", "BUSINESSCATEGORY": "2.5.4.15",
	"JURISDICTIONCOUNTRYNAME": "1.3.6.1.4.1.311.60.2.1.3",
}

const (
	maxDN    = 1 << 10
	maxParts = 32
)

// parseDN reads a distinguished name that is written as a string (RFC 4514, section 3).
func parseDN(s string) ([]rdn, error) {
	if s == "" || len(s) > maxDN {
		return nil, fmt.Errorf("a distinguished name has from 1 to %d bytes", maxDN)
	}
	var names []rdn
	var current rdn
	for parts := 0; ; parts++ {
		if parts == maxParts {
			return nil, fmt.Errorf("a distinguished name has at most %d parts", maxParts)
		}
		a, rest, err := parseAttribute(s)
		if err != nil {
			return nil, err
		}
		current = append(current, a)
		if rest == "" {
			return append(names, current), nil
		}
		if rest[0] == ',' {
			names, current = append(names, current), nil
		}
		s = strings.TrimLeft(rest[1:], " ")
	}
}

// parseAttribute reads the first attribute, and returns what follows it from the comma
// or the plus sign on.
func parseAttribute(s string) (attribute, string, error) {
	name, rest, ok := strings.Cut(s, "=")
	name = strings.TrimRight(name, " ")
	kind := name
	if known, ok := kinds[strings.ToUpper(name)]; ok {
		kind = known
	} else if name == "" || strings.Trim(name, "0123456789.") != "" {
		return attribute{}, "", fmt.Errorf("%.20q is no attribute of a distinguished name", name)
	}
	if !ok {
		return attribute{}, "", errors.New("an attribute of a distinguished name has no value")
	}
	rest = strings.TrimLeft(rest, " ")
	if encoded, ok := strings.CutPrefix(rest, "#"); ok {
		end := strings.IndexAny(encoded, ",+")
		if end < 0 {
			end = len(encoded)
		}
		der, err := hex.DecodeString(strings.TrimRight(encoded[:end], " "))
		if err != nil || len(der) == 0 {
			return attribute{}, "", errors.New("an encoded value in a distinguished name is not in hexadecimal")
		}
		return attribute{kind: kind, der: der}, encoded[end:], nil
	}
	text, rest, err := parseValue(rest)
	return attribute{kind: kind, text: text}, rest, err
}

// parseValue reads a value up to the comma or the plus sign that ends it.
func parseValue(s string) (value, rest string, err error) {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ',' || c == '+':
			return string(out), s[i:], nil
		case c == '\\' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b, err := hex.DecodeString(s[i+1 : i+3])
			if err != nil {
				return "", "", err
			}
			out, i = append(out, b...), i+2
		case c == '\\' && i+1 < len(s) && strings.IndexByte(` "#+,;<=>\`, s[i+1]) >= 0:
			out, i = append(out, s[i+1]), i+1
		case strings.IndexByte(`";<>\`, c) >= 0 || c < ' ':
			return "", "", fmt.Errorf("a value in a distinguished name holds %q, which must be escaped", c)
		default:
			out = append(out, c)
		}
	}
	return string(out), "", nil
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }
