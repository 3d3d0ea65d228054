package doctor

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"dex/internal/domain/client"
	"dex/internal/domain/role"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
)

// What is soon, or long ago.
const (
	certificateSoon = 14 * 24 * time.Hour
	secretOld       = 365 * 24 * time.Hour
	rotationLong    = 30 * 24 * time.Hour
	connectorSlow   = 2 * time.Second
)

func files(f Facts) (all []Finding) {
	for _, file := range f.Files {
		if file.Open {
			all = append(all, Finding{Severity: Unsafe, Code: "file-open", About: file.Path, Says: fmt.Sprintf("others on this machine can read %s.", file.Holds), Cure: "chmod 600 " + file.Path + "; if others may have read it, replace what it holds."})
		}
		if file.BesideDB && f.Settings != nil && forOthers(f.Settings) {
			all = append(all, Finding{Severity: Weak, Code: "key-beside-database", About: "key_secrets", Says: fmt.Sprintf("the secret that seals the database lies beside it, in %s: whoever copies the folder has both.", file.Path), Cure: "Keep it elsewhere and say where by key_secrets: [file:PATH]; put what the file holds there first."})
		}
	}
	return all
}

func clocks(f Facts) (all []Finding) {
	for _, s := range f.Skews {
		if s.By.Abs() > 5*time.Second {
			all = append(all, Finding{Severity: Weak, Code: "clock-off-yours", About: s.About, Says: fmt.Sprintf("your clock is off its by %s: one of the two is wrong.", s.By.Round(time.Second)), Cure: "Let NTP set both."})
		}
	}
	return all
}

func certificates(f Facts) (all []Finding) {
	for _, c := range f.Certificates {
		all = append(all, certificate(c, f.Now)...)
	}
	return all
}

// certificate looks whether what a server shows counts.
func certificate(c Certificate, now time.Time) (all []Finding) {
	add := func(severity Severity, code, says, cure string) {
		all = append(all, Finding{Severity: severity, Code: code, About: c.About, Says: says, Cure: cure})
	}
	switch left := c.NotAfter.Sub(now); {
	case c.Err != "":
		add(Broken, "certificate", c.Err, "Give a certificate chain and its key in PEM.")
		return all
	case left <= 0:
		add(Broken, "certificate-expired", fmt.Sprintf("the certificate expired %s ago, on %s.", days(-left), c.NotAfter.UTC().Format(time.DateOnly)), "Renew it, and start the server again.")
	case left < certificateSoon:
		add(Weak, "certificate-expires", fmt.Sprintf("the certificate expires in %s, on %s.", days(left), c.NotAfter.UTC().Format(time.DateOnly)), "Renew it, and see why it was not renewed by itself.")
	case now.Before(c.NotBefore):
		add(Broken, "certificate-early", "the certificate counts only from "+c.NotBefore.UTC().Format(time.RFC3339)+".", "See that the clock is right.")
	}
	if c.Host != "" && !c.Covers {
		add(Broken, "certificate-host", fmt.Sprintf("the certificate is for %s, and the issuer's host is %s.", strings.Join(c.Names, ", "), c.Host), "Get one for the issuer's host, unless a proxy before the server has it.")
	}
	return all
}

// keyTimeline looks whether keys are announced and switched in time.
func keyTimeline(f Facts) (all []Finding) {
	plan := f.KeyPlan
	if !f.KeysKnown || plan == nil {
		return nil
	}
	for _, alg := range plan.Algorithms {
		about := "keys of " + alg
		signs, next := false, false
		var since time.Time
		for _, k := range f.Keys {
			switch {
			case string(k.Alg) != alg:
			case k.SignFrom.After(f.Now):
				next = true
			case k.SignUntil.IsZero() || f.Now.Before(k.SignUntil):
				signs, since = true, k.SignFrom
			}
		}
		switch late := f.Now.Sub(since.Add(plan.Rotation)); {
		case !signs:
			all = append(all, Finding{Severity: Broken, Code: "no-key", About: about, Says: "no key of this algorithm is in use: nobody gets a token in it, and nothing can be encrypted to it.", Cure: "Start a worker with duties: true or an overlord, which makes one; its log says why it could not."})
		case !next && late > -plan.Lead/2 && late <= 0:
			all = append(all, Finding{Severity: Weak, Code: "key-late", About: about, Says: "the next key should have been announced by now. The old one goes on signing, and nobody notices yet.", Cure: "See that an overlord runs, or a worker with duties: true."})
		case !next && late > 0:
			all = append(all, Finding{Severity: Weak, Code: "key-late", About: about, Says: fmt.Sprintf("the key should have been replaced %s ago. It goes on signing, so that logins work.", days(late)), Cure: "See that an overlord runs, or a worker with duties: true."})
		}
	}
	return all
}

func connectors(f Facts) (all []Finding) {
	outside := f.Settings == nil || forOthers(f.Settings)
	enabled := 0
	for _, c := range f.Connectors {
		add := func(severity Severity, code, says, cure string) {
			all = append(all, Finding{Severity: severity, Code: code, About: "connector " + c.ID, Says: says, Cure: cure})
		}
		if c.Disabled {
			continue
		}
		enabled++
		if c.Kind == "mock" {
			severity := Note
			if outside {
				severity = Unsafe
			}
			add(severity, "mock-connector", "it lets everybody in, as whoever they say they are.", "Disable it: it is for tests.")
		}
		switch {
		case c.Err != "":
			add(Broken, "connector-out", "it does not work: "+c.Err, "See that the provider runs and that its address, client_id and certificate are right; until then the login page says that it is out.")
		case c.Checked && c.Took > connectorSlow:
			add(Weak, "connector-slow", fmt.Sprintf("it took %s to answer, and people wait for it.", c.Took.Round(10*time.Millisecond)), "See what is slow on the way to the provider.")
		}
		if c.Plaintext != "" {
			add(Unsafe, "connector-in-the-clear", c.Plaintext+" is spoken to without TLS: whoever stands on the way can be anybody.", "Use the provider's https address.")
		}
		if len(c.Policy.AuthoritativeFor) > 0 {
			add(Note, "authoritative", fmt.Sprintf("it speaks for the mail domains %s: who comes by it with an address there gets the account that has it.", strings.Join(c.Policy.AuthoritativeFor, ", ")), "See that the provider lets nobody choose such an address by themselves.")
		}
	}
	if len(f.Connectors) > 0 && enabled == 0 {
		all = append(all, Finding{Severity: Broken, Code: "no-connector", About: "connectors", Says: "every connector is disabled: nobody can log in.", Cure: "Enable one: dexctl connectors enable ID."})
	}
	return all
}

func clients(f Facts) (all []Finding) {
	used := map[string]string{} // redirect URIs and their first client
	for _, c := range f.Clients {
		if c.Disabled {
			continue
		}
		add := func(severity Severity, code, says, cure string) {
			all = append(all, Finding{Severity: severity, Code: code, About: "client " + c.ID, Says: says, Cure: cure})
		}
		redirects(c.Client, used, add)
		secrets(c, f.Now, add)
		if !c.RequirePKCE && c.May(client.AuthorizationCode) {
			add(Weak, "no-pkce", "it may leave PKCE out, so that a code which leaks can be redeemed by whoever has its secret, and put into somebody else's login.", "Set require_pkce: true when the application can; most libraries do.")
		}
		if c.Public && c.Trusted && !c.Native {
			add(Note, "public-trusted", "it keeps no secret and asks for no consent: its redirect URIs alone tell it from others.", "See that each of them is the application's own.")
		}
		if c.AccessTTL > time.Hour {
			add(Weak, "long-lived", fmt.Sprintf("its access tokens are believed for %s, even when they are revoked.", days(c.AccessTTL)), "Shorten access_token_ttl; refresh tokens do the rest.")
		}
		if n := administrative(c.Scopes); n > 0 && c.ID != "dexctl" {
			add(Note, "administers", fmt.Sprintf("it may have %d scopes of the administrators' API.", n), "See that it needs each of them.")
		}
	}
	return all
}

func administrative(scopes oauth.Scopes) (n int) {
	for _, s := range scopes {
		if role.IsAdministrative(s) {
			n++
		}
	}
	return n
}

func redirects(c client.Client, used map[string]string, add func(severity Severity, code, says, cure string)) {
	for i, uri := range c.RedirectURIs {
		u, err := url.Parse(uri)
		if err != nil {
			continue
		}
		switch other := used[uri]; {
		case slices.Contains(c.RedirectURIs[:i], uri):
			add(Note, "redirect-twice", uri+" is registered twice.", "Take one out.")
			continue
		case other != "" && u.Scheme != "http":
			add(Weak, "redirect-shared", fmt.Sprintf("%s is registered for %s too: the codes of one arrive where the other reads.", uri, other), "Give each application an address of its own.")
		case other == "":
			used[uri] = c.ID
		}
		switch {
		case strings.Contains(uri, "*"):
			add(Unsafe, "redirect-wildcard", uri+" looks like a pattern. It is compared letter by letter, so that it matches nothing; elsewhere such a pattern lets codes out to any host.", "Register each address.")
		case u.Scheme == "http" && !tenant.Loopback(u.Hostname()):
			add(Unsafe, "redirect-in-the-clear", "codes are sent to "+uri+" in the clear.", "Use https.")
		case u.Scheme == "http" && !c.Native:
			add(Weak, "redirect-loopback", uri+" leads to the machine of whoever logs in, where any program may listen; the client is not a native one.", "Take it out of a client that is for others, or set native: true if it runs on people's machines.")
		case u.Scheme == "http" && u.Hostname() == "localhost":
			add(Note, "redirect-localhost", uri+" is looked up by name, which can lead elsewhere (RFC 8252 section 8.3).", "Register 127.0.0.1 and [::1].")
		case u.Scheme != "https" && u.Scheme != "http":
			add(Note, "redirect-scheme", "any application on a device may claim the scheme of "+uri+".", "Prefer an https address that the platform ties to the application.")
		}
	}
}

func secrets(c client.Registered, now time.Time, add func(severity Severity, code, says, cure string)) {
	var newest time.Time
	for _, n := range c.Notes {
		if n.CreatedAt.After(newest) {
			newest = n.CreatedAt
		}
	}
	switch age := now.Sub(newest); {
	case newest.IsZero():
	case age > secretOld:
		add(Weak, "old-secret", fmt.Sprintf("its newest secret is %s old.", days(age)), "Give it a second one by dexctl clients add-secret "+c.ID+", change the application, and take the first away by dexctl clients remove-secret.")
	case len(c.Secrets) > 1 && age > rotationLong:
		add(Note, "two-secrets", fmt.Sprintf("two of its secrets have counted for %s.", days(age)), "Take the old one away, if the application has the new one.")
	}
}
