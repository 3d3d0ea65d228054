package route

import "strings"

// Other stands for a path that leads nowhere.
const Other = "other"

var patterns = []string{
	Home, Discovery, OAuthMetadata, Keys, Authorize, Consent, Login, LoginConnector, Callback, Device, Token, DeviceRequest, Approvals, Backchannel,
	Userinfo, Register, RegisterClient, WebFinger, ProtectedUser, Revoke, Introspect, Logout, LogoutConfirm, LogoutDone, CheckSession, Static, AccountPassword,
}

// exact are the patterns that are paths themselves.
var exact = func() map[string]string {
	all := map[string]string{}
	for _, p := range patterns {
		if !strings.Contains(p, "{") {
			all[p] = p
		}
	}
	return all
}()

// Patterns returns the patterns of all routes below an issuer.
func Patterns() []string { return append([]string(nil), patterns...) }

// Pattern returns the pattern of a path below the issuer, or [Other]. Whatever is
// asked for, it is one of a few.
func Pattern(path string) string {
	if p, ok := exact[path]; ok {
		return p
	}
	for _, of := range []struct{ prefix, pattern string }{
		{Login + "/", LoginConnector}, {"/callback/", Callback}, {Register + "/", RegisterClient}, {Static, Static},
	} {
		if rest, ok := strings.CutPrefix(path, of.prefix); ok && rest != "" {
			return of.pattern
		}
	}
	return Other
}
