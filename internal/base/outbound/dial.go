package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrRefusedAddress says that a call was not made because of where it would have
// gone.
var ErrRefusedAddress = errors.New("outbound: the address may not be called")

// Resolver knows the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// dialer reaches the addresses that the options permit.
type dialer struct {
	Options
	onlyPrivate bool // what it reaches is spoken to in the clear
}

// dial connects to one of the addresses of a host. It asks for them once, checks
// all of them and dials those very addresses, so that a name which changes its
// answer (DNS rebinding) gains nothing by it. One bad address among good ones
// spoils the name: no honest name has both.
func (d dialer) dial(ctx context.Context, _, hostport string) (net.Conn, error) {
	host, port, err := splitPort(hostport)
	if err != nil {
		return nil, err
	}
	if len(d.Ports) > 0 && !slices.Contains(d.Ports, port) {
		return nil, fmt.Errorf("%w: %s is not on a port that may be called", ErrRefusedAddress, hostport)
	}
	ctx, cancel := context.WithTimeout(ctx, d.Connect)
	defer cancel()
	addrs, err := d.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	for i, addr := range addrs {
		if addrs[i] = addr.Unmap(); !d.permits(addr) {
			return nil, d.refusal(host, addr)
		}
	}
	return d.dialAny(ctx, addrs, port)
}

func splitPort(hostport string) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", 0, fmt.Errorf("%w: %w", ErrRefusedAddress, err)
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%w: %q is no port", ErrRefusedAddress, service)
	}
	return host, uint16(n), nil
}

func (d dialer) permits(addr netip.Addr) bool {
	return isAllowed(addr, d.AllowPrivate) || !d.onlyPrivate && isPublic(addr)
}

func (d dialer) refusal(host string, addr netip.Addr) error {
	why := "it is not public, and the operator has not allowed it"
	if d.onlyPrivate && isPublic(addr) {
		why = "http is only for private addresses that the operator has allowed"
	}
	if host == addr.String() {
		return fmt.Errorf("%w: %s: %s", ErrRefusedAddress, host, why)
	}
	return fmt.Errorf("%w: %s is at %s: %s", ErrRefusedAddress, host, addr, why)
}

// addresses returns where a host is to be found.
func (d dialer) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	if looksLikeNumber(host) {
		return nil, fmt.Errorf("%w: %q is neither a name nor an address", ErrRefusedAddress, host)
	}
	addrs, err := d.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return slices.Clone(addrs), nil
}

// looksLikeNumber reports whether some parser may take a host for an IPv4
// address in an unusual dress: 2130706433, 0177.0.0.1, 0x7f.1. By the URL
// standard (section 3.5, "ends in a number checker") its last label tells; no
// top-level domain is a number.
func looksLikeNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

// dialAny tries the addresses one after the other. Each gets its share of the
// time that is left, so that a dead first one does not use up all.
func (d dialer) dialAny(ctx context.Context, addrs []netip.Addr, port uint16) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	network := net.Dialer{ControlContext: d.control}
	var failures []error
	for i, addr := range addrs {
		share := time.Until(deadline) / time.Duration(len(addrs)-i)
		attempt, cancel := context.WithTimeout(ctx, share)
		conn, err := network.DialContext(attempt, "tcp", netip.AddrPortFrom(addr, port).String())
		cancel()
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// control looks at the address a last time, as the socket is given it.
func (d dialer) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefusedAddress, err)
	}
	if !d.permits(target.Addr()) {
		return d.refusal(target.Addr().String(), target.Addr())
	}
	return nil
}
