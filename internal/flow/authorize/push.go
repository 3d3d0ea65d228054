package authorize

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"dex/internal/base/httpx"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// pushAnswer is what a client gets for a request that it has pushed, RFC 9126 section
// 2.2.
type pushAnswer struct {
	RequestURI string        `json:"request_uri"`
	ExpiresIn  oauth.Seconds `json:"expires_in"`
}

// Push takes the request of a client that has authenticated itself, before any browser
// comes with it: RFC 9126 section 2.1. It is held to all that the authorization
// endpoint would hold it to, so that what is wrong is heard by whoever can mend it.
func (h *Handler) Push(w http.ResponseWriter, r *http.Request, c client.Client, form url.Values, proven oauth.Binding) error {
	if form.Get("request_uri") != "" {
		return oauth.Errorf(oauth.InvalidRequest, "A pushed request cannot be a reference to another one.")
	}
	form.Set("client_id", c.ID) // which it may have left to its assertion
	asked, by, wrong := h.read(r.Context(), form)
	if told, ok := errors.AsType[*oauth.Error](wrong); ok {
		return told // whoever asks hears it, and no browser does
	}
	c, err := h.client(r.Context(), asked, wrong)
	if err != nil {
		return err
	}
	by.Pushed = []byte{} // it will be
	if asked, err = h.vet(r.Context(), asked, by, c, wrong); err != nil {
		if told, ok := errors.AsType[*forClient](err); ok {
			return told.err
		}
		return err
	}
	if proven.JKT != "" {
		// The proof says by itself which key the code will be for: RFC 9449 section 10.1.
		if asked.JKT != "" && asked.JKT != proven.JKT {
			return oauth.Errorf(oauth.InvalidDPoPProof, "The dpop_jkt is not the key that signed the DPoP proof.")
		}
		asked.JKT = proven.JKT
	}
	p := grant.Pushed{
		ClientID: c.ID, Asked: asked, Signed: by.Signed,
		CreatedAt: h.Clock.Now(), ExpiresAt: h.Clock.Now().Add(grant.PushedLife),
	}
	handle, err := h.keep(r, c, p)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, pushAnswer{
		RequestURI: oauth.RequestURIPrefix + string(handle), ExpiresIn: oauth.Seconds(grant.PushedLife.Seconds()),
	})
}

// keep keeps a request, and returns the handle by which it is found again.
func (h *Handler) keep(r *http.Request, c client.Client, p grant.Pushed) (secret.Value, error) {
	if !c.Public {
		handle := secret.New(secret.PushedPrefix)
		p.Hash = handle.Hash()
		return handle, h.Pushed.KeepPushed(r.Context(), p)
	}
	plain, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	handle := secret.Value(h.Sealed.SealText(plain, c.ID))
	if len(handle) > longestQuery {
		return "", oauth.Errorf(oauth.InvalidRequest, "The request is too large.")
	}
	return handle, nil
}
