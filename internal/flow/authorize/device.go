package authorize

import (
	"net/http"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/domain/grant"
	"dex/web"
)

// devicePage asks whether a device may be let in. Somebody else may have sent the
// person its code, so the page says what it knows of the device: RFC 8628 section 5.4.
type devicePage struct {
	consentPage
	UserCode, RemoteAddr, UserAgent string
	Age                             int // seconds
}

func (devicePage) Template() string { return "device/confirm.html" }

// calledPage asks the same for a client that has called by the back channel. Whoever did
// it need not be the person, so the page shows what the other screen has to show: CIBA
// section 7.1.
type calledPage struct {
	consentPage
	Message string
	Age     int // seconds
}

func (calledPage) Template() string { return "approvals/confirm.html" }

// waiting is the page that asks the person for whom something waits.
func (p consentPage) waiting(d grant.Waits, now time.Time) web.Page {
	if d.Called {
		return calledPage{consentPage: p, Message: d.Message, Age: int(now.Sub(d.Since) / time.Second)}
	}
	return p.about(d, now)
}

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
		return &grant.Stalled{Request: req, StartAgain: h.Base + startOf(req), Err: err}
	}
	if err != nil {
		return err
	}
	h.Jar.Drop(w, r, req.ID)
	return httpx.SeeOther(w, r, h.Base+startOf(req)+"?done=approved")
}

// turnAway ends the wait of a device that the person, or the gate, does not let in.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, req grant.Request) error {
	if err := h.Devices.DenyDevice(r.Context(), req.Device.ID, h.Clock.Now()); err != nil {
		return err
	}
	return httpx.SeeOther(w, r, h.Base+startOf(req)+"?done=denied")
}

// startOf is the page that the person came from who lets something in that waits.
func startOf(req grant.Request) string {
	if req.Device.Called {
		return route.Approvals
	}
	return route.Device
}
