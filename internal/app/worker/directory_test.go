package worker

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/tenant"
)

// directoryOf makes a directory of issuers. Each tenant is called like its issuer.
func directoryOf(t interface{ Fatal(args ...any) }, issuers ...string) (*directory, []*site) {
	var sites []*site
	for _, issuer := range issuers {
		s, err := newSite(tenant.Tenant{ID: issuer, Issuer: issuer})
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, s)
	}
	return newDirectory(sites)
}

func TestARequestIsForTheTenantWithTheLongestIssuerThatItBeginsWith(t *testing.T) {
	d, hidden := directoryOf(t,
		"https://id.example.com", "https://id.example.com/acme", "https://id.example.com/acme/eu", "https://id.example.com/deep/down/below",
		"https://paths.example.com/one", "https://paths.example.com/two", "https://ports.example.com:8443", "http://127.0.0.1:5556/dex", "http://localhost",
	)
	if len(hidden) != 0 {
		t.Fatalf("%d are hidden", len(hidden))
	}
	for _, test := range []struct{ name, host, path, want, below string }{
		{"no path but the root's", "id.example.com", "/", "https://id.example.com", "/"},
		{"a route of the root's", "id.example.com", "/keys", "https://id.example.com", "/keys"},
		{"another tenant by its path", "id.example.com", "/acme/keys", "https://id.example.com/acme", "/keys"},
		{"the path itself", "id.example.com", "/acme", "https://id.example.com/acme", "/"},
		{"the path and a slash", "id.example.com", "/acme/", "https://id.example.com/acme", "/"},
		{"a tenant below another", "id.example.com", "/acme/eu/keys", "https://id.example.com/acme/eu", "/keys"},
		{"nearly a tenant below another", "id.example.com", "/acme/europe/keys", "https://id.example.com/acme", "/europe/keys"},
		{"the path twice", "id.example.com", "/acme/acme/keys", "https://id.example.com/acme", "/acme/keys"},
		{"a path that only begins like one", "id.example.com", "/acmetoo/keys", "https://id.example.com", "/acmetoo/keys"},
		{"in other letters it is another", "id.example.com", "/ACME/keys", "https://id.example.com", "/ACME/keys"},
		{"only a part of a path", "id.example.com", "/deep/down/keys", "https://id.example.com", "/deep/down/keys"},
		{"all parts of a path", "id.example.com", "/deep/down/below/keys", "https://id.example.com/deep/down/below", "/keys"},
		{"the name in other letters", "ID.Example.com", "/acme/keys", "https://id.example.com/acme", "/keys"},
		{"the port that is implied", "id.example.com:443", "/keys", "https://id.example.com", "/keys"},
		{"another port", "id.example.com:8443", "/keys", "unknown", ""},
		{"a name that ends in a dot", "id.example.com.", "/keys", "unknown", ""},
		{"another name", "evil.example.com", "/keys", "unknown", ""},
		{"no name", "", "/keys", "unknown", ""},
		{"a host without a root, at a path", "paths.example.com", "/two/keys", "https://paths.example.com/two", "/keys"},
		{"a host without a root, at none", "paths.example.com", "/keys", "", ""},
		{"a port", "ports.example.com:8443", "/keys", "https://ports.example.com:8443", "/keys"},
		{"a port that is left out", "ports.example.com", "/keys", "unknown", ""},
		{"a loopback address", "127.0.0.1:5556", "/dex/keys", "http://127.0.0.1:5556/dex", "/keys"},
		{"http and its port", "localhost:80", "/keys", "http://localhost", "/keys"},
		{"the metadata before the path", "id.example.com", "/.well-known/oauth-authorization-server/acme", "https://id.example.com/acme", route.OAuthMetadata},
		{"the metadata before a longer path", "id.example.com", "/.well-known/oauth-authorization-server/acme/eu", "https://id.example.com/acme/eu", route.OAuthMetadata},
		{"the root's metadata", "id.example.com", "/.well-known/oauth-authorization-server", "https://id.example.com", route.OAuthMetadata},
		{"the metadata of a tenant that is none", "paths.example.com", "/.well-known/oauth-authorization-server/three", "", ""},
		{"the metadata after the path", "id.example.com", "/acme/.well-known/openid-configuration", "https://id.example.com/acme", route.Discovery},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, below, known := d.find(test.host, test.path)
			got := ""
			switch {
			case !known:
				got = "unknown"
			case s != nil:
				got = s.id
			}
			if got != test.want || below != test.below {
				t.Errorf("it is for %q, at %q; want %q, at %q", got, below, test.want, test.below)
			}
		})
	}
}

func TestOfTwoAtOnePlaceTheFirstIsServed(t *testing.T) {
	d, hidden := directoryOf(t, "https://a.example.com/x", "https://A.example.com:443/x", "https://a.example.com/x/", "https://a.example.com/y")
	if len(hidden) != 2 || hidden[0].id != "https://A.example.com:443/x" {
		t.Errorf("%d are hidden", len(hidden))
	}
	if s, _, _ := d.find("a.example.com", "/x/keys"); s == nil || s.id != "https://a.example.com/x" {
		t.Errorf("served is %v", s)
	}
	if d.byID["https://A.example.com:443/x"] != nil || d.byIssuer["https://a.example.com/y"] == nil {
		t.Error("what is hidden is found by its id, or the others by their issuer are not")
	}
	for _, none := range []string{"", "x", "https://", "/path", "https:opaque", "://"} {
		if s, err := newSite(tenant.Tenant{ID: "t", Issuer: none}); err == nil {
			t.Errorf("%q makes a site at %v", none, s.url)
		}
	}
}

// byHand finds a tenant the slow way: it looks at each issuer there is.
func byHand(issuers []string, name, path string) string {
	var fit []string
	for _, issuer := range issuers {
		u, err := url.Parse(issuer)
		if err != nil || !slices.Contains(httpx.Names(u), strings.ToLower(name)) {
			continue
		}
		if path == u.Path || strings.HasPrefix(path, u.Path+"/") {
			fit = append(fit, issuer)
		}
		if u.Path != "" && path == route.OAuthMetadata+u.Path {
			return issuer
		}
	}
	if len(fit) == 0 {
		return ""
	}
	return slices.MaxFunc(fit, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
}

func TestTheQuickWayToATenantLeadsWhereTheSlowOneDoes(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "b", "aa", "ab", "keys", ".well-known", "oauth-authorization-server", "A"})
	hosts := rapid.SampledFrom([]string{"one.example.com", "two.example.com", "two.example.com:8443", "three.example.com:443"})
	path := rapid.Custom(func(t *rapid.T) string {
		p := ""
		for _, s := range rapid.SliceOfN(part, 0, 4).Draw(t, "parts") {
			p += "/" + s
		}
		return p
	})
	issuer := rapid.Custom(func(t *rapid.T) string {
		return "https://" + strings.TrimSuffix(hosts.Draw(t, "host"), ":443") + path.Draw(t, "path")
	})
	rapid.Check(t, func(t *rapid.T) {
		issuers := rapid.SliceOfNDistinct(issuer, 0, 12, rapid.ID[string]).Draw(t, "issuers")
		d, hidden := directoryOf(t, issuers...)
		if len(hidden) != 0 {
			t.Fatalf("%d are hidden, although no two are alike", len(hidden))
		}
		name := hosts.Draw(t, "name")
		asked := rapid.SampledFrom([]string{"", route.OAuthMetadata}).Draw(t, "before") + path.Draw(t, "asked") +
			rapid.SampledFrom([]string{"", "/", "/keys"}).Draw(t, "after")
		if asked == "" {
			asked = "/"
		}
		got := ""
		s, below, _ := d.find(name, asked)
		if s != nil {
			got = s.issuer
		}
		if want := byHand(issuers, name, asked); got != want {
			t.Fatalf("%s%s is for %q; want %q", name, asked, got, want)
		}
		if s != nil && below != route.OAuthMetadata && s.base+strings.TrimSuffix(below, "/") != strings.TrimSuffix(asked, "/") {
			t.Fatalf("%s%s becomes %q below %q", name, asked, below, s.base)
		}
	})
}

func FuzzDirectory(f *testing.F) {
	f.Add("id.example.com", "/acme/keys")
	f.Add("ID.example.com:443", "/acme/eu")
	f.Add("id.example.com", route.OAuthMetadata+"/acme")
	f.Add("", "/")
	f.Add("id.example.com", "//acme//")
	issuers := []string{"https://id.example.com", "https://id.example.com/acme", "https://id.example.com/acme/eu", "https://only.example.com/path"}
	d, _ := directoryOf(f, issuers...)
	f.Fuzz(func(t *testing.T, name, path string) {
		if !strings.HasPrefix(path, "/") {
			return // such a request is refused before
		}
		s, below, known := d.find(name, path)
		if s == nil {
			return
		}
		if !known || !slices.Contains(httpx.Names(s.url), strings.ToLower(name)) {
			t.Errorf("%q is for %s", name, s.issuer)
		}
		if !strings.HasPrefix(below, "/") {
			t.Errorf("%q below %s is %q", path, s.issuer, below)
		}
		if want := byHand(issuers, name, path); want != s.issuer {
			t.Errorf("%s%s is for %s; want %s", name, path, s.issuer, want)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{1, 1000} {
		issuers := []string{"https://id.example.com"}
		for i := range n - 1 {
			issuers = append(issuers, fmt.Sprintf("https://id.example.com/tenant-%d", i))
		}
		d, _ := directoryOf(b, issuers...)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d.find("id.example.com", "/keys")
			}
		})
	}
}
