package oauth

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// executed are the schemes that a browser runs or shows as a page of ours. The
// rules below let none of them pass; they are named so that no rule ever will.
var executed = []string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source"}

// answered are the parameters of our answers. A redirect URI that has one of its
// own would let the client read somebody else's word for ours.
var answered = []string{
	"code", "state", "iss", "error", "error_description", "error_uri", "response", "session_state",
	"access_token", "token_type", "expires_in", "scope", "id_token",
}

// ValidateRedirectURI says why a redirect URI cannot be registered, or returns
// nil. A native client may have a scheme of its own (RFC 8252, section 7.1);
// plain http stays within the machine (section 7.3). Nothing is stripped, decoded
// or forgiven, because browsers and libraries each do so in another way.
func ValidateRedirectURI(uri string, native bool) error {
	if uri == "" || len(uri) > MaxRedirectURI {
		return fmt.Errorf("a redirect URI has 1 to %d characters", MaxRedirectURI)
	}
	if err := checkCharacters(uri); err != nil {
		return err
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || !validScheme(scheme) {
		return errors.New("a redirect URI begins with a scheme in lower case")
	}
	if slices.Contains(executed, scheme) {
		return fmt.Errorf("the scheme %s is never allowed", scheme)
	}
	authority, hierarchical := strings.CutPrefix(rest, "//")
	authority, query, _ := strings.Cut(authority, "?")
	authority, _, _ = strings.Cut(authority, "/")
	if hierarchical && strings.Contains(authority, "@") {
		return errors.New("a redirect URI holds no user name")
	}
	if err := checkQuery(query); err != nil {
		return err
	}
	switch {
	case scheme == "https" || scheme == "http":
		if !hierarchical {
			return fmt.Errorf("two slashes follow %s:", scheme)
		}
		return checkHost(scheme, authority)
	case !strings.Contains(scheme, "."):
		return fmt.Errorf("the scheme must be https, or of a native application that has a domain's name reversed (com.example.app), and not %s", scheme)
	case !native:
		return errors.New("only a native application has a scheme of its own")
	case !strings.HasPrefix(rest, "/"):
		return fmt.Errorf("a slash follows %s:", scheme)
	case hierarchical && authority != "":
		return checkHost(scheme, authority)
	}
	return nil
}

func checkHost(scheme, authority string) error {
	host, _, err := splitHost(authority)
	if err != nil {
		return err
	}
	if scheme == "http" && host != "127.0.0.1" && host != "[::1]" && host != "localhost" {
		return errors.New("plain http is only for 127.0.0.1, [::1] and localhost")
	}
	return nil
}

// checkCharacters lets pass what a URI is made of (RFC 3986, appendix A), less
// the fragment. Names in other scripts are written in punycode, where one can see
// that they are.
func checkCharacters(uri string) error {
	for i := range len(uri) {
		switch c := uri[i]; {
		case c == '#':
			return errors.New("a redirect URI has no fragment")
		case c == '%':
			if i+2 >= len(uri) || !hexadecimal(uri[i+1]) || !hexadecimal(uri[i+2]) {
				return errors.New("two hexadecimal digits follow a percent sign")
			}
		case !alphanumeric(c) && strings.IndexByte("-._~:/?[]@!$&'()*+,;=", c) < 0:
			return fmt.Errorf("the character %q cannot stand in a URI", rune(c))
		}
	}
	return nil
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		lower := 'a' <= c && c <= 'z'
		if !lower && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// checkQuery refuses the parameters of our own answers, also in the array form
// of some languages (code[]=x) and in other cases.
func checkQuery(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the query of a redirect URI is malformed")
	}
	for name := range values {
		name, _, _ = strings.Cut(strings.ToLower(name), "[")
		if slices.Contains(answered, name) {
			return fmt.Errorf("the parameter %s is one of the answer, and cannot be in a redirect URI", name)
		}
	}
	return nil
}

// splitHost reads "host" or "host:port".
func splitHost(authority string) (host, port string, err error) {
	host = authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
		if !validPort(port) {
			return "", "", errors.New("a port is a number from 1 to 65535")
		}
	}
	if !validHost(host) {
		return "", "", errors.New("a redirect URI names a host")
	}
	return host, port, nil
}

func validHost(host string) bool {
	if literal, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(literal, "]"))
		return err == nil && strings.HasSuffix(literal, "]") && ip.Is6() && ip.Zone() == ""
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !alphanumeric(c) && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

func validPort(port string) bool {
	if port == "" || len(port) > 5 || port[0] < '1' || port[0] > '9' {
		return false // no sign, and no zero in front
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// MatchRedirectURI reports whether a client that registered some redirect URIs
// may ask for this one: it must be one of them to the byte (RFC 9700, section
// 2.1). Only the port of a loopback literal is free, because a native application
// gets it from its operating system (RFC 8252, section 7.3). "localhost" may be
// resolved to somewhere else, so that it has no such freedom.
func MatchRedirectURI(registered []string, asked string) bool {
	for _, uri := range registered {
		if uri == asked && uri != "" {
			return true
		}
		host, rest, ok := loopback(uri)
		if !ok {
			continue
		}
		if askedHost, askedRest, ok := loopback(asked); ok && askedHost == host && askedRest == rest {
			return true
		}
	}
	return false
}

// loopback takes a URI on a loopback literal apart, and leaves out its port.
func loopback(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		port, hasPort := strings.CutPrefix(rest[:end], ":")
		if hasPort && validPort(port) || rest[:end] == "" {
			return host, rest[end:], true
		}
	}
	return "", "", false
}

// AppendResponse returns where the browser is sent with an answer. The redirect
// URI stays as it is, to the byte, and the parameters come behind (RFC 6749,
// section 4.1.2). In the mode form_post they go in the body, and not in here.
func AppendResponse(redirectURI string, mode ResponseMode, params url.Values) string {
	_, query, hasQuery := strings.Cut(redirectURI, "?")
	switch {
	case mode == ModeFormPost, len(params) == 0:
		return redirectURI
	case mode == ModeFragment:
		return redirectURI + "#" + params.Encode()
	case !hasQuery:
		return redirectURI + "?" + params.Encode()
	case query == "", strings.HasSuffix(query, "&"):
		return redirectURI + params.Encode()
	default:
		return redirectURI + "&" + params.Encode()
	}
}
