package outbound

import "net/netip"

// refused are the networks that are nobody's business from in here: not global,
// or of a use that no provider has (IANA's special-purpose registries, RFC 6890).
var refused = prefixes(
	"0.0.0.0/8",         // this network
	"10.0.0.0/8",        // private
	"100.64.0.0/10",     // carriers' NAT, and a cloud's metadata
	"127.0.0.0/8",       // loopback
	"168.63.129.16/32",  // Azure's host
	"169.254.0.0/16",    // link-local, and most clouds' metadata
	"172.16.0.0/12",     // private
	"192.0.0.0/24",      // protocol assignments, and a cloud's metadata
	"192.0.2.0/24",      // documentation
	"192.88.99.0/24",    // 6to4 relays
	"192.168.0.0/16",    // private
	"198.18.0.0/15",     // benchmarks
	"198.51.100.0/24",   // documentation
	"203.0.113.0/24",    // documentation
	"224.0.0.0/4",       // multicast
	"240.0.0.0/4",       // reserved, and broadcast
	"2001::/23",         // protocol assignments, Teredo among them
	"2001:db8::/32",     // documentation
	"3fff::/20",         // documentation
	"2620:4f:8000::/48", // AS112
	"::ffff:0:0:0/96",   // IPv4 translated; beyond 2000::/3, named for the reader
	"64:ff9b:1::/48",    // translation of local use; likewise
	"fc00::/7",          // unique local, two clouds' metadata among them; likewise
	"fe80::/10",         // link-local; likewise
	"ff00::/8",          // multicast; likewise
)

var (
	global = netip.MustParsePrefix("2000::/3")     // all that is routed of IPv6
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo4 = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

func prefixes(all ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(all))
	for i, s := range all {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// isPublic reports whether an address may be called by anybody's choice. What
// embeds an IPv4 address leads there in the end, and is as public as that one.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.Zone() != "" || contains(refused, addr) {
		return false
	}
	if inner, ok := embedded(addr); ok {
		return isPublic(inner)
	}
	return addr.Is4() || global.Contains(addr)
}

// embedded returns the IPv4 address to which a translator or tunnel would carry
// what is sent to an IPv6 address.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if addr.Is4() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	isatap := (b[8] == 0 || b[8] == 2) && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe // RFC 5214, section 6.1
	switch {
	case sixTo4.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case nat64.Contains(addr), isatap:
		return netip.AddrFrom4([4]byte(b[12:16])), true
	default:
		return netip.Addr{}, false
	}
}

// isAllowed reports whether the operator has opened an address that is not
// public. It takes an IPv6 address at its own word, not at that of what it
// embeds. Two kinds are no place at all, and nothing opens them.
func isAllowed(addr netip.Addr, allow []netip.Prefix) bool {
	addr = addr.Unmap()
	return addr.IsValid() && addr.Zone() == "" && !addr.IsUnspecified() && !addr.IsMulticast() && contains(allow, addr)
}

func contains(all []netip.Prefix, addr netip.Addr) bool {
	for _, p := range all {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
