package authorize

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"dex/internal/base/fault"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/jose"
	"dex/internal/protocol/oauth"
)

// read returns what a client asks, and how it has come: in plain parameters, in an
// object, by a reference to one, or pushed before. What is wrong comes with what can
// be said of where the answer goes, as with [oauth.ParseAuthorization].
func (h *Handler) read(ctx context.Context, params url.Values) (oauth.Authorization, grant.Delivery, error) {
	ref, wrong := oauth.ParseReference(params)
	if wrong == nil && !ref.Plain() && ref.ClientID != "" {
		c, err := h.registered(ctx, ref.ClientID)
		if err != nil {
			return oauth.Authorization{}, grant.Delivery{}, err
		}
		if ref.Pushed != "" {
			return h.pushed(ctx, c, ref.Pushed, params)
		}
		return h.unfold(ctx, c, ref, params)
	}
	asked, err := oauth.ParseAuthorization(params)
	return asked, grant.Delivery{}, orElse(err, wrong)
}

// orElse returns what is wrong with where an answer goes, if something is, else what
// is wrong with how the request came, else what is wrong with the request. Where the
// answer goes nowhere else, it is told how the request came.
func orElse(err, wrong error) error {
	if _, person := errors.AsType[*fault.Error](err); person && wrong != nil {
		return errors.Join(err, wrong)
	}
	return cmp.Or(wrong, err)
}

// unfold reads a request that stands in an object.
func (h *Handler) unfold(ctx context.Context, c client.Client, ref oauth.Reference, outer url.Values) (oauth.Authorization, grant.Delivery, error) {
	params, signed := outer, false
	c, object, wrong := h.object(ctx, c, ref)
	if wrong == nil {
		params, signed, wrong = client.ReadRequestObject(c, object, outer, h.Issuer, h.Clock.Now())
	}
	if params.Get("client_id") != c.ID {
		params = outer // whatever it says, it is not this client's
	}
	asked, err := oauth.ParseAuthorization(params)
	if asked.RedirectURI == "" && outer.Get("redirect_uri") != "" {
		// Beside the object it counts for nothing but to say so there.
		wrong = cmp.Or(wrong, error(oauth.Errorf(oauth.InvalidRequestObject, "The redirect_uri is missing in the request object.")))
		asked, err = oauth.ParseAuthorization(outer)
	}
	return asked, grant.Delivery{Signed: signed}, orElse(err, wrong)
}

// object returns the object of a request, from wherever it is and decrypted if need be,
// and the client with the keys that may have signed it. Why it cannot be had the log has:
// who asks would see into networks that are not theirs.
func (h *Handler) object(ctx context.Context, c client.Client, ref oauth.Reference) (client.Client, string, error) {
	object := ref.Object
	if ref.URI != "" {
		var err error
		if object, err = h.Documents.RequestObject(ctx, c, ref.URI); err != nil {
			return c, "", oauth.Wrap(oauth.InvalidRequestURI, err, "The request_uri cannot be used.")
		}
	}
	if jose.Encrypted(object) {
		content, _, err := h.Ring.Decrypt(object)
		if err != nil {
			return c, "", oauth.Wrap(oauth.InvalidRequestObject, err, "The request object cannot be decrypted.")
		}
		object = string(content)
	}
	if jose.Unsigned(object) {
		return c, object, nil
	}
	known, err := h.Documents.WithKeys(ctx, c, jose.NamedKey(object))
	if err != nil {
		return c, "", oauth.Wrap(oauth.InvalidRequestObject, err, "The request object is not one that this client has signed.")
	}
	return known, object, nil
}

// pushed returns a request that the client has pushed. What stands beside the reference
// does not count, RFC 9126 section 4.
func (h *Handler) pushed(ctx context.Context, c client.Client, handle string, outer url.Values) (oauth.Authorization, grant.Delivery, error) {
	p, err := h.find(ctx, c, secret.Value(handle))
	by := grant.Delivery{Pushed: p.Hash[:], Signed: p.Signed}
	switch {
	case fault.Is(err, fault.NotFound):
		asked, wrong := oauth.ParseAuthorization(outer)
		return asked, grant.Delivery{}, orElse(wrong, oauth.Errorf(oauth.InvalidRequestURI, "There is no such request, or it is too old."))
	case err != nil:
		return oauth.Authorization{}, grant.Delivery{}, err
	case p.Ended:
		return p.Asked, by, oauth.Errorf(oauth.InvalidRequestURI, "This request has been answered already.")
	case !h.Clock.Now().Before(p.ExpiresAt):
		return p.Asked, by, oauth.Errorf(oauth.InvalidRequestURI, "This request is too old.")
	default:
		return p.Asked, by, nil
	}
}

// find returns a pushed request by its handle. That of a public client is the request
// itself, sealed: nothing is stored for somebody who has proven nothing.
func (h *Handler) find(ctx context.Context, c client.Client, handle secret.Value) (grant.Pushed, error) {
	if handle.Is(secret.PushedPrefix) {
		return h.Pushed.Pushed(ctx, handle.Hash(), c.ID)
	}
	plain, err := h.Sealed.OpenText(string(handle), c.ID)
	if err != nil {
		return grant.Pushed{}, fault.Wrap(fault.NotFound, err, "The client has pushed no such request.")
	}
	p := grant.Pushed{ClientID: c.ID}
	if err := json.Unmarshal(plain, &p); err != nil {
		return grant.Pushed{}, err // we sealed it ourselves
	}
	p.Hash = handle.Hash()
	return p, nil
}
