package authorize

import (
	"net/http"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/grant"
)

// devicePage asks whether a device may be let in. Somebody else may have sent the
// person its code, so the page says what it knows of the device: RFC 8628 section 5.4.
type devicePage struct {
	consentPage
	UserCode, RemoteAddr, UserAgent string
	Age                             int // seconds
}

func (devicePage) Template() string { return "device/confirm.html" }

// about adds to the question for consent what is known of the device.
func (p consentPage) about(d grant.Waits, now time.Time) devicePage {
	return devicePage{
		consentPage: p, UserCode: d.UserCode, RemoteAddr: d.RemoteAddr, UserAgent: d.UserAgent,
		Age: int(now.Sub(d.Since) / time.Second),
	}
}

// letIn gives the device what it waits for. It hears of it when it asks again.
func (h *Handler) letIn(w http.ResponseWriter, r *http.Request, req grant.Request, permit grant.Permit) error {
	err := h.Devices.ApproveDevice(r.Context(), permit, req.Device.ID, req.Steps, req.StartedAt)
	if fault.Is(err, fault.Conflict) {
		return &grant.Stalled{Request: req, StartAgain: h.Base + route.Device, Err: err}
	}
	if err != nil {
		return err
	}
	h.Jar.Drop(w, r, req.ID)
	return httpx.SeeOther(w, r, h.Base+route.Device+"?done=approved")
}

// turnAway ends the wait of a device that the person, or the gate, does not let in.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, req grant.Request) error {
	if err := h.Devices.DenyDevice(r.Context(), req.Device.ID, h.Clock.Now()); err != nil {
		return err
	}
	return httpx.SeeOther(w, r, h.Base+route.Device+"?done=denied")
}
