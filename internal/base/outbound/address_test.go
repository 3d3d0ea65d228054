package outbound

import (
	"net/netip"
	"testing"
)

func TestOnlyPublicAddressesAreEverybodysChoice(t *testing.T) {
	for _, test := range []struct {
		name, addr string
		public     bool
	}{
		{"a public address", "8.8.8.8", true},
		{"a public address of IPv6", "2606:4700::1111", true},
		{"a public address written as IPv6", "::ffff:8.8.8.8", true},
		{"a public address behind NAT64", "64:ff9b::808:808", true},
		{"a public address behind 6to4", "2002:808:808::1", true},
		{"just before a private network", "172.15.255.255", true},
		{"just behind a private network", "172.32.0.0", true},
		{"just before the carriers' NAT", "100.63.255.255", true},
		{"just behind the carriers' NAT", "100.128.0.0", true},
		{"just before multicast", "223.255.255.255", true},

		{"loopback", "127.0.0.1", false},
		{"the far end of loopback", "127.255.255.254", false},
		{"loopback of IPv6", "::1", false},
		{"loopback written as IPv6", "::ffff:127.0.0.1", false},
		{"loopback as IPv6 once was compatible", "::127.0.0.1", false},
		{"loopback translated", "::ffff:0:127.0.0.1", false},
		{"loopback behind NAT64", "64:ff9b::7f00:1", false},
		{"loopback behind a NAT64 of local use", "64:ff9b:1::7f00:1", false},
		{"loopback behind 6to4", "2002:7f00:1::", false},
		{"loopback behind Teredo", "2001:0:4136:e378:8000:63bf:80ff:fffe", false},
		{"loopback behind ISATAP", "2606:4700::5efe:7f00:1", false},
		{"loopback behind ISATAP with the universal bit", "2606:4700::200:5efe:7f00:1", false},
		{"unspecified", "0.0.0.0", false},
		{"this network", "0.1.2.3", false},
		{"unspecified of IPv6", "::", false},
		{"private, 10", "10.1.2.3", false},
		{"private, 172.16", "172.16.0.1", false},
		{"private, 172.31", "172.31.255.255", false},
		{"private, 192.168", "192.168.1.1", false},
		{"private behind NAT64", "64:ff9b::a01:203", false},
		{"private behind 6to4", "2002:c0a8:101::1", false},
		{"the carriers' NAT", "100.64.0.1", false},
		{"a cloud's metadata", "169.254.169.254", false},
		{"a cloud's metadata written as IPv6", "::ffff:169.254.169.254", false},
		{"a cloud's metadata behind NAT64", "64:ff9b::a9fe:a9fe", false},
		{"a cloud's metadata of IPv6", "fd00:ec2::254", false},
		{"another cloud's metadata of IPv6", "fd20:ce::254", false},
		{"a cloud's metadata in the carriers' NAT", "100.100.100.200", false},
		{"a cloud's metadata in the assignments", "192.0.0.192", false},
		{"a cloud's host", "168.63.129.16", false},
		{"link-local of IPv6", "fe80::1", false},
		{"link-local with a zone", "fe80::1%eth0", false},
		{"a public address with a zone", "2606:4700::1111%eth0", false},
		{"unique local", "fc00::1", false},
		{"site-local of old", "fec0::1", false},
		{"multicast", "224.0.0.1", false},
		{"multicast of IPv6", "ff02::1", false},
		{"broadcast", "255.255.255.255", false},
		{"reserved", "240.0.0.1", false},
		{"documentation", "192.0.2.1", false},
		{"documentation, the second", "198.51.100.1", false},
		{"documentation, the third", "203.0.113.1", false},
		{"documentation of IPv6", "2001:db8::1", false},
		{"documentation of IPv6, the newer", "3fff::1", false},
		{"benchmarks", "198.18.0.1", false},
		{"6to4 relays", "192.88.99.1", false},
		{"discard", "100::1", false},
		{"segment routing", "5f00::1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := isPublic(netip.MustParseAddr(test.addr)); got != test.public {
				t.Errorf("%s: public is %v", test.addr, got)
			}
		})
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address at all is public")
	}
}

func TestTheOperatorOpensWhatIsNamedAndNoMore(t *testing.T) {
	allow := prefixes("10.1.0.0/16", "fd00:1::/64", "64:ff9b::/96", "0.0.0.0/0", "::/0")
	few := allow[:2]
	for _, test := range []struct {
		name, addr string
		allow      []netip.Prefix
		want       bool
	}{
		{"inside", "10.1.2.3", few, true},
		{"inside, written as IPv6", "::ffff:10.1.2.3", few, true},
		{"beside", "10.2.2.3", few, false},
		{"inside, of IPv6", "fd00:1::5", few, true},
		{"inside, but carried there by NAT64", "64:ff9b::a01:203", few, false},
		{"inside, but with a zone", "fd00:1::5%eth0", few, false},
		{"a NAT64 that is named itself", "64:ff9b::a01:203", allow[:3], true},
		{"unspecified, even if all is open", "0.0.0.0", allow, false},
		{"unspecified of IPv6, even if all is open", "::", allow, false},
		{"multicast, even if all is open", "224.0.0.1", allow, false},
		{"nothing is open", "10.1.2.3", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := isAllowed(netip.MustParseAddr(test.addr), test.allow); got != test.want {
				t.Errorf("%s: got %v", test.addr, got)
			}
		})
	}
}

func TestWhatAnotherParserTakesForANumberIsNoName(t *testing.T) {
	for host, want := range map[string]bool{
		"2130706433": true, "0x7f000001": true, "0X7F.1": true, "0177.0.0.1": true, "127.1": true, "127.0.0.1.": true,
		"1.2.3.4.5": true, "0x": true, "256.256.256.256": true, "": true, ".": true, "0x7f.0.0.0x1": true,
		"example.com": false, "example.com.": false, "1.example": false, "127.0.0.1.nip.io": false, "0x7f.example": false,
		"abc": false, "0xcafe.example": false, "4chan": false, "0xylophone": false,
	} {
		if got := looksLikeNumber(host); got != want {
			t.Errorf("%q: got %v", host, got)
		}
	}
}

// Whatever is public by our lists must be ordinary by those of the standard
// library, in every form that an address can be given.
func FuzzIsPublic(f *testing.F) {
	for _, s := range []string{"8.8.8.8", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1", "2001:db8::1", "::", "2606:4700::5efe:7f00:1"} {
		b := netip.MustParseAddr(s).As16()
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		addr, ok := netip.AddrFromSlice(b)
		if !ok || !isPublic(addr) {
			return
		}
		if isPublic(addr) != isPublic(addr.Unmap()) {
			t.Errorf("%s and %s differ", addr, addr.Unmap())
		}
		for a, more := addr.Unmap(), true; more; a, more = embedded(a) {
			if a.IsPrivate() || a.IsLoopback() || a.IsMulticast() || a.IsUnspecified() || a.IsLinkLocalUnicast() || !a.IsGlobalUnicast() {
				t.Errorf("%s is public, but stands for %s", addr, a)
			}
		}
	})
}
