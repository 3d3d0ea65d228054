package worker

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/tenant"
)

// site is one tenant as this worker serves it: where it is found, and what has
// been put together for it.
type site struct {
	id, issuer string
	url        *url.URL
	base       string // the path of the issuer, which stands before every route

	parts  atomic.Pointer[parts]   // nil until somebody has asked
	failed atomic.Pointer[failure] // why it could not be put together, the last time
	usedAt atomic.Int64            // the count of [sites] when somebody asked last
	mu     sync.Mutex              // held by the one who puts it together
}

// newSite returns the site of a tenant.
func newSite(t tenant.Tenant) (*site, error) {
	u, err := url.Parse(t.Issuer)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the issuer %q of the tenant %s is no address", t.Issuer, t.ID)
	}
	return &site{id: t.ID, issuer: t.Issuer, url: u, base: strings.TrimSuffix(u.Path, "/")}, nil
}

// secure reports whether the site is reached by https.
func (s *site) secure() bool { return s.url.Scheme == "https" }

// directory tells which tenant a request is for. It is made anew when a tenant
// comes, goes or moves, and is not changed itself.
type directory struct {
	sites    []*site
	byID     map[string]*site
	byIssuer map[string]*site
	hosts    map[string]*host // by each way in which it may be named
}

// host is the tenants that share one.
type host struct {
	sites map[string]*site // by the path of the issuer
	depth int              // how many parts the longest of these paths has
}

// newDirectory makes a directory. Of two sites that would be found at the same
// place the first is; the others are returned.
func newDirectory(sites []*site) (d *directory, hidden []*site) {
	d = &directory{byID: map[string]*site{}, byIssuer: map[string]*site{}, hosts: map[string]*host{}}
	for _, s := range sites {
		names := httpx.Names(s.url)
		h := d.hosts[names[0]]
		if h == nil {
			h = &host{sites: map[string]*site{}}
			for _, name := range names {
				d.hosts[name] = h
			}
		}
		if h.sites[s.base] != nil {
			hidden = append(hidden, s)
			continue
		}
		h.sites[s.base] = s
		h.depth = max(h.depth, strings.Count(s.base, "/"))
		d.sites = append(d.sites, s)
		d.byID[s.id], d.byIssuer[s.issuer] = s, s
	}
	return d, hidden
}

// find returns the tenant that a request is for, and the path below its issuer.
// What counts is the host, and the longest issuer that the path begins with, part
// by part and as it is written. It returns no tenant if none is there, and reports
// whether the host is one of ours at all.
func (d *directory) find(name, path string) (s *site, below string, known bool) {
	h := d.hosts[name]
	if h == nil {
		if h = d.hosts[strings.ToLower(name)]; h == nil {
			return nil, "", false
		}
	}
	// The address of this document has the well-known part before the issuer's path:
	// RFC 8414 section 3.1.
	if base, ok := strings.CutPrefix(path, route.OAuthMetadata+"/"); ok {
		if s := h.sites["/"+base]; s != nil {
			return s, route.OAuthMetadata, true
		}
	}
	for base := cut(path, h.depth); ; base = base[:strings.LastIndexByte(base, '/')] {
		if s := h.sites[base]; s != nil {
			if below = path[len(base):]; below == "" {
				below = route.Home
			}
			return s, below, true
		}
		if base == "" {
			return nil, "", true
		}
	}
}

// cut returns the first parts of a path, at most so many.
func cut(path string, parts int) string {
	end := 0
	for range parts {
		if end == len(path) {
			break
		}
		next := strings.IndexByte(path[end+1:], '/')
		if next < 0 {
			return path
		}
		end += 1 + next
	}
	return path[:end]
}
