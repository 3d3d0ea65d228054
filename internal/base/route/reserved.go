package route

import (
	"slices"
	"strings"
)

// all are the routes of the public server.
var all = []string{
	Discovery, Keys, Authorize, Consent, Login, Callback, Device, Token, PushRequest, DeviceRequest, Approvals, Backchannel, Userinfo, Register, Revoke, Introspect,
	Logout, CheckSession, AccountPassword, Static, Live, Ready,
}

// Reserved reports whether a part of a path is the first part of a route. No issuer
// has such a part in its path: a tenant there would stand in the way of another's
// routes.
func Reserved(part string) bool {
	for _, r := range all {
		if first, _, _ := strings.Cut(r[1:], "/"); first == part {
			return true
		}
	}
	return false
}

// forClients are the routes that clients come to by themselves, without a browser.
var forClients = []string{Token, PushRequest, DeviceRequest, Backchannel, Userinfo, Revoke, Introspect}

// IsForClients reports whether a route is one that clients come to by themselves.
func IsForClients(r string) bool { return slices.Contains(forClients, r) }
