package discovery

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/protocol/oauth"
)

// relIssuer is what somebody asks for who seeks the provider of a person, OpenID Connect
// Discovery section 2.
const relIssuer = "http://openid.net/specs/connect/1.0/issuer"

// descriptor is a JSON Resource Descriptor, RFC 7033 section 4.4.
type descriptor struct {
	Subject string `json:"subject"`
	Links   []link `json:"links"`
}

type link struct {
	Rel  string `json:"rel"`
	Href string `json:"href"`
}

// webFinger says who the provider of a person is: we, for everybody who is named by our
// host. Whether there is such a person it does not say.
func (h *Handler) webFinger(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if len(q["resource"]) != 1 || len(q.Get("resource")) > oauth.MaxRedirectURI {
		return httpx.WriteJSON(w, http.StatusBadRequest, oauth.Errorf(oauth.InvalidRequest, "The parameter resource is missing, or given more than once."))
	}
	if !ours(q.Get("resource"), h.Issuer) {
		return httpx.WriteJSON(w, http.StatusNotFound, oauth.Errorf(oauth.InvalidRequest, "Nothing is known of this resource here."))
	}
	d := descriptor{Subject: q.Get("resource"), Links: []link{}}
	if rel := q["rel"]; len(rel) == 0 || slices.Contains(rel, relIssuer) {
		d.Links = append(d.Links, link{Rel: relIssuer, Href: h.Issuer})
	}
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return httpx.ServeDocument(w, r, httpx.NewDocument("application/jrd+json", body, metadataMaxAge))
}

// ours reports whether a resource is named by the issuer's host: acct:joe@host, or a URL
// there.
func ours(resource, issuer string) bool {
	host := ""
	if u, err := url.Parse(issuer); err == nil {
		host = u.Host
	}
	if account, ok := strings.CutPrefix(resource, "acct:"); ok {
		i := strings.LastIndexByte(account, '@')
		return i > 0 && strings.EqualFold(account[i+1:], host)
	}
	u, err := url.Parse(resource)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && strings.EqualFold(u.Host, host)
}

// protected says who issues the tokens that userinfo takes, RFC 9728 section 2.
type protected struct {
	Resource      string   `json:"resource"`
	Issuers       []string `json:"authorization_servers"`
	Scopes        []string `json:"scopes_supported"`
	BearerMethods []string `json:"bearer_methods_supported"`
}

func (h *Handler) protected() protected {
	return protected{
		Resource: h.Issuer + route.Userinfo, Issuers: []string{h.Issuer},
		Scopes: h.metadata().ScopesSupported, BearerMethods: []string{"header", "body"},
	}
}
