package tenant

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"

	"dex/internal/base/route"
)

// Loopback reports whether a host is this machine and nobody else's.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == "" && a.Unmap().IsLoopback()
}

// CheckIssuer says what is wrong with an issuer (OpenID Connect Discovery 1.0, 3;
// RFC 8414, 2). Applications compare it character by character, so that each
// spelling that means the same is a trap; there is only one that passes.
func CheckIssuer(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return errors.New("must be a URL such as https://login.example.com")
	}
	_, port, _ := net.SplitHostPort(u.Host)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
		return errors.New("must have a port from 1 to 65535, or none")
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must be an https URL")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return errors.New("must be https: http is for loopback hosts only")
	case u.User != nil:
		return errors.New("must not hold a user name or a password")
	case strings.ContainsAny(raw, "?#"):
		return errors.New("must have neither a query nor a fragment")
	case strings.HasSuffix(raw, "/"):
		return fmt.Errorf("must not end in a slash: did you mean %s?", strings.TrimRight(raw, "/"))
	case u.Host != strings.ToLower(u.Host) || strings.HasSuffix(u.Hostname(), "."):
		return errors.New("must have its host in small letters, without a dot at the end")
	case u.Scheme == "https" && port == "443", u.Scheme == "http" && port == "80", strings.HasSuffix(u.Host, ":"):
		return errors.New("must leave out the port that its scheme implies")
	case u.Path != "" && u.Path != path.Clean(u.Path), u.EscapedPath() != u.Path, u.String() != raw:
		return errors.New("must have a plain path, without //, . or .. and without escapes")
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if route.Reserved(part) {
			return fmt.Errorf("must not have %q in its path, where an issuer without a path has a page of its own", part)
		}
	}
	return nil
}
