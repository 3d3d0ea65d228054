package httpx

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks of the proxies in front of us, whose word about who
// is behind them we take.
type Proxies []netip.Prefix

func (p Proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// ClientAddr returns the address that a request really came from. That is the
// other end of the connection, unless that is one of our proxies: then it is the
// last address in X-Forwarded-For that none of our proxies has. Whatever stands
// left of it was written by the sender and may be invented.
//
// Of the headers that proxies add this is the only one we read, and the address
// the only thing we learn from it: scheme and host are the issuer's. Forwarded
// (RFC 7239) is ignored, since a proxy that sets the one may hand on the
// sender's own version of the other.
func ClientAddr(r *http.Request, trusted Proxies) netip.Addr {
	addr := parseHop(r.RemoteAddr)
	if !trusted.trusts(addr) {
		return addr
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var hop string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				hop, more = rest, false
			}
			next := parseHop(strings.Trim(hop, " \t"))
			if !next.IsValid() {
				return addr // the proxy that wrote this is the last we know of
			}
			if addr = next; !trusted.trusts(addr) {
				return addr
			}
		}
	}
	return addr
}

// parseHop reads an address with or without a port, and returns it in the one
// form in which addresses can be compared. What is no address gives the zero
// address.
func parseHop(s string) netip.Addr {
	if with, err := netip.ParseAddrPort(s); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

type addrKey struct{}

// RealAddr finds out the real address once, for [Addr] to tell to all inside.
func RealAddr(next http.Handler, trusted Proxies) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr := ClientAddr(r, trusted)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), addrKey{}, addr)))
	})
}

// Addr returns the address that a request really came from, if [RealAddr] is
// around the handler, and the other end of the connection if not.
func Addr(r *http.Request) netip.Addr {
	if addr, ok := r.Context().Value(addrKey{}).(netip.Addr); ok {
		return addr
	}
	return parseHop(r.RemoteAddr)
}

// Network returns the network that counts as one sender when attempts are
// counted: a /24 of IPv4, a /48 of IPv6, which is what one customer is given.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // of an address that is none
	}
	return prefix
}
