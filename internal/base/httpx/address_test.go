package httpx

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

var ours = Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func TestTheRealAddressIsTheLastThatNobodyOfOursHas(t *testing.T) {
	for _, test := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"nobody in between", "192.0.2.1:55", nil, "192.0.2.1"},
		{"nobody in between, whatever the sender says", "192.0.2.1:55", []string{"198.51.100.1"}, "192.0.2.1"},
		{"one proxy", "10.0.0.1:55", []string{"192.0.2.1"}, "192.0.2.1"},
		{"one proxy of IPv6", "[fd00::1]:55", []string{"2001:db8::7"}, "2001:db8::7"},
		{"two proxies", "10.0.0.1:55", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"two proxies in two lines", "10.0.0.1:55", []string{"192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"what the sender has put in front is not believed", "10.0.0.1:55", []string{"198.51.100.1, 192.0.2.1"}, "192.0.2.1"},
		{"nor if it poses as a proxy", "10.0.0.1:55", []string{"198.51.100.1, 10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		{"nor in a line of its own", "10.0.0.1:55", []string{"127.0.0.1", "192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"somebody inside", "10.0.0.1:55", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"a proxy that says nothing", "10.0.0.1:55", nil, "10.0.0.1"},
		{"a proxy that says an empty thing", "10.0.0.1:55", []string{""}, "10.0.0.1"},
		{"a proxy that says something else", "10.0.0.1:55", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		{"a hole in the list ends it", "10.0.0.1:55", []string{"192.0.2.1,, 10.0.0.2"}, "10.0.0.2"},
		{"a port in the list", "10.0.0.1:55", []string{"192.0.2.1:4711"}, "192.0.2.1"},
		{"brackets in the list", "10.0.0.1:55", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"brackets and a port in the list", "10.0.0.1:55", []string{"[2001:db8::7]:80"}, "2001:db8::7"},
		{"IPv4 written as IPv6 at the socket", "[::ffff:10.0.0.1]:55", []string{"192.0.2.1"}, "192.0.2.1"},
		{"IPv4 written as IPv6 in the list", "10.0.0.1:55", []string{"::ffff:192.0.2.1, ::ffff:10.0.0.2"}, "192.0.2.1"},
		{"a zone", "[fd00::1%eth0]:55", []string{"192.0.2.1"}, "192.0.2.1"},
		{"tabs and spaces", "10.0.0.1:55", []string{" \t192.0.2.1\t , 10.0.0.2 "}, "192.0.2.1"},
		{"a socket without addresses", "@", []string{"192.0.2.1"}, "invalid IP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = test.remote
			r.Header["X-Forwarded-For"] = test.forwarded
			r.Header.Set("Forwarded", "for=203.0.113.9")
			r.Header.Set("X-Real-Ip", "203.0.113.9")
			var inside netip.Addr
			do(RealAddr(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = Addr(r) }), ours), r)
			if got := ClientAddr(r, ours).String(); got != test.want || inside.String() != test.want {
				t.Errorf("got %s, inside %s, want %s", got, inside, test.want)
			}
		})
	}
}

func TestANetworkIsWhatOneSenderHas(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.77":           "192.0.2.0/24",
		"::ffff:192.0.2.77":    "192.0.2.0/24",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1::/48",
	} {
		if got := Network(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	if Network(netip.Addr{}).IsValid() {
		t.Error("no address has a network")
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1:1", "192.0.2.1, 10.0.0.2")
	f.Add("192.0.2.1:1", "10.0.0.1")
	f.Add("[fd00::1]:1", "[::1]:80,,%")
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		got := ClientAddr(r, ours)
		if peer := parseHop(remote); !ours.trusts(peer) && got != peer {
			t.Errorf("%s is not ours, and %s was believed", peer, got)
		}
		if got.Zone() != "" || got.Is4In6() {
			t.Errorf("%s is not in plain form", got)
		}
	})
}
