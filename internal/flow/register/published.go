package register

import (
	"context"
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strings"

	"dex/internal/base/fault"
	"dex/internal/domain/client"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
)

// Published are the clients that are kept, and those that are kept nowhere: whose id is
// the https URL of a document that says what they are (OAuth Client ID Metadata Document).
// They are fetched only from hosts that the operator has named. One that an operator has
// registered under the same id, such as one that is disabled, goes before its document.
type Published struct {
	client.Store
	Documents *client.Documents
	Offer     client.Offer
	Known     func() tenant.Tenant
}

// Client implements [client.Store].
func (p Published) Client(ctx context.Context, id string) (client.Client, error) {
	c, err := p.Store.Client(ctx, id)
	if !fault.Is(err, fault.NotFound) || !isDocument(id) || !p.Documents.MayName(id) {
		return c, err
	}
	c, fetchErr := p.Documents.Client(ctx, id, func(text []byte) (client.Client, error) { return p.read(id, text) })
	if fetchErr != nil {
		return client.Client{}, fault.Wrap(fault.NotFound, fetchErr, "There is no client %q.", id)
	}
	return c, nil
}

// isDocument reports whether an id is the URL of a client's document: https, with a path
// that can be written in one way, and nothing that a browser would leave out.
func isDocument(id string) bool {
	u, err := url.Parse(id)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && !strings.Contains(id, "#") &&
		len(u.Path) > 1 && (path.Clean(u.Path) == u.Path || path.Clean(u.Path)+"/" == u.Path) && u.String() == id
}

// read makes a client of its document. It proves itself by its keys, or not at all:
// a secret that stands where everybody reads it is none.
func (p Published) read(id string, text []byte) (client.Client, error) {
	said, err := parse(text)
	if err != nil {
		return client.Client{}, err
	}
	var named string
	if json.Unmarshal(said["client_id"], &named) != nil || named != id {
		return client.Client{}, wrong("client_id", "is not the address of the document")
	}
	for _, name := range []string{"client_secret", "client_secret_expires_at", "software_statement"} {
		if _, ok := said[name]; ok {
			return client.Client{}, wrong(name, "has no place in a document that everybody reads")
		}
	}
	if _, ok := said["token_endpoint_auth_method"]; !ok {
		said["token_endpoint_auth_method"] = json.RawMessage(`"none"`)
	}
	var policy tenant.Registration
	if r := p.Known().Registration; r != nil {
		policy = *r
	}
	offer := p.Offer
	offer.AuthMethods = slices.DeleteFunc(slices.Clone(offer.AuthMethods), func(m oauth.AuthMethod) bool {
		return strings.HasPrefix(string(m), "client_secret")
	})
	c, err := decide(said, policy, offer)
	if err != nil {
		return c, err
	}
	for _, one := range called(c) {
		if one.uri != "" && !p.Documents.MayName(one.uri) {
			return c, wrong(one.name, "is on a host that the operator has not allowed")
		}
	}
	c.ID = id
	if c.Name == "" {
		c.Name = id
	}
	return c, nil
}
