package logout

import (
	"errors"
	"log/slog"
	"net/http"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/connector"
	"dex/internal/connector/roster"
	"dex/internal/domain/session"
	"dex/internal/protocol/oauth"
)

// told takes a provider's word that somebody has signed out there: OpenID Connect
// Back-Channel Logout section 2.5. Our sessions of it end, and whoever had something in
// them is told in turn. Sessions that have ended already are no mistake.
func (h *Handler) told(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	c, err := h.listener(r)
	if err != nil {
		return err
	}
	notice, err := c.Told(r.Context(), form)
	if err != nil {
		return disbelieved(r, err)
	}
	if err := h.heed(r, notice); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store") // section 2.8
	w.WriteHeader(http.StatusOK)
	return nil
}

// shown is told by a browser, in a frame on a page of the provider: Front-Channel Logout
// section 2. No cookie comes with it, and nobody sees the answer, so that any site may
// have it in a frame.
func (h *Handler) shown(w http.ResponseWriter, r *http.Request) error {
	query, err := httpx.Query(r)
	if err != nil {
		return err
	}
	c, err := h.listener(r)
	if err != nil {
		return err
	}
	notice, err := c.Shown(r.Context(), query)
	if err != nil {
		return disbelieved(r, err)
	}
	if err := h.heed(r, notice); err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Del("X-Frame-Options")
	_, err = w.Write([]byte("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>dex</title></head><body></body></html>\n"))
	return err
}

// listener returns the connector that a notice came for.
func (h *Handler) listener(r *http.Request) (*roster.Connector, error) {
	c, err := h.Roster.Connector(r.Context(), r.PathValue("connector"))
	if err == nil {
		httpx.Annotate(r.Context(), slog.String("connector", c.ID))
	}
	return c, err
}

// disbelieved says nothing of why to whoever has sent the notice: the log does.
func disbelieved(r *http.Request, err error) error {
	switch {
	case errors.Is(err, connector.ErrRefused):
		httpx.LogError(r.Context(), err)
		return fault.New(fault.Invalid, "This is no notice that can be believed: its signature, issuer, audience, time, event, subject or session is not as it must be.")
	case errors.Is(err, roster.ErrUnsupported):
		return fault.New(fault.NotFound, "This way to sign in takes no notices.")
	case fault.Of(err) == fault.Internal:
		return fault.Wrap(fault.Unavailable, err, "The notice cannot be verified at the moment.")
	default:
		return err
	}
}

// heed ends the sessions that a notice means.
func (h *Handler) heed(r *http.Request, notice session.Notice) error {
	now := h.Clock.Now()
	ended, err := h.Notices.EndByNotice(r.Context(), notice, now.Add(inHand), now)
	if err != nil {
		return err
	}
	h.tell(r.Context(), ended)
	return nil
}

// refuseNotice answers a provider whose notice came to nothing: Back-Channel Logout
// section 2.8.
func refuseNotice(w http.ResponseWriter, r *http.Request, err error) {
	told, status := oauth.Wrap(oauth.TemporarilyUnavailable, err, "Please try again in a moment."), http.StatusServiceUnavailable
	switch f, _ := errors.AsType[*fault.Error](err); fault.Of(err) {
	case fault.Invalid, fault.NotFound, fault.Conflict:
		told, status = oauth.Wrap(oauth.InvalidRequest, err, "%s", f.Message), http.StatusBadRequest
	}
	if err := httpx.WriteJSON(w, status, told); err != nil {
		httpx.LogError(r.Context(), err)
	}
}
