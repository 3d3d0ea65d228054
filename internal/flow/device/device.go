// Package device is where somebody lets in a device that has no browser, by the code
// that the device shows: RFC 8628 section 3.3.
//
// It only finds the device. From there on it is an authorization like any other: the
// person logs in, is asked, and passes the gate in flow/authorize.
package device

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"dex/internal/base/carry"
	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/seal"
	"dex/internal/base/secret"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/tenant"
	"dex/internal/protocol/oauth"
	"dex/web"
)

// Handler serves the page on which a code is typed.
type Handler struct {
	Issuer    string
	Base      string // the path of the issuer, before every route
	Origin    string // of the issuer
	Lifetimes tenant.Lifetimes

	Clients   client.Store
	Devices   grant.DeviceStore
	Guesses   credential.Store
	UserCodes *seal.MACKey
	Jar       carry.Jar[grant.Request]
	Pages     *web.Renderer
	Clock     clock.Clock
}

// Routes adds the flow to a mux. Errors end at onError.
func (h *Handler) Routes(mux *http.ServeMux, onError httpx.ErrorFunc) {
	mux.Handle("GET "+route.Device, httpx.Handle(h.show, onError))
	mux.Handle("POST "+route.Device, httpx.Handle(httpx.SameOrigin(h.Origin, h.find), onError))
}

// enterPage asks for the code.
type enterPage struct {
	Action  string
	Code    string
	Scan    string // the address of this page with the code, for another screen; empty if there is none
	Problem string // a message key
	Wait    int    // seconds
}

func (enterPage) Template() string { return "device/enter.html" }

// donePage says that the device has its answer.
type donePage struct{ Denied bool }

func (donePage) Template() string { return "device/done.html" }

// show asks for the code. An address that holds it fills it in, and no more: the
// person still has to say that it is the one that their device shows. They may do so on
// another screen than the one that the device has opened: nothing is known of the code
// yet, so that showing it again tells nobody whether there is such a device.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) error {
	params, err := httpx.Query(r)
	if err != nil {
		return err
	}
	switch params.Get("done") {
	case "approved":
		return h.Pages.Render(w, r, web.View{Page: donePage{}})
	case "denied":
		return h.Pages.Render(w, r, web.View{Page: donePage{Denied: true}})
	}
	page := enterPage{}
	if code, ok := oauth.ParseUserCode(params.Get("user_code")); ok {
		page.Code = string(code)
		page.Scan = h.Issuer + route.Device + "?" + url.Values{"user_code": {page.Code}}.Encode()
	}
	return h.ask(w, r, http.StatusOK, page)
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, status int, page enterPage) error {
	page.Action = h.Base + route.Device
	return h.Pages.Render(w, r, web.View{Status: status, Page: page, LeadsOut: true}) // to a provider, in the end
}

// find takes the code and begins an authorization for the device that waits under it.
func (h *Handler) find(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	typed := form.Get("user_code")
	code, ok := oauth.ParseUserCode(typed)
	if !ok { // it can be nobody's, so nobody has guessed
		return h.ask(w, r, http.StatusUnprocessableEntity, enterPage{Code: typed[:min(len(typed), 32)], Problem: "device.problem.form"})
	}
	now := h.Clock.Now()
	buckets := guesses(r, now)
	wait, err := h.wait(r.Context(), buckets, now)
	if err != nil {
		return err
	}
	if wait > 0 {
		return h.ask(w, r, http.StatusTooManyRequests, enterPage{Code: string(code), Problem: "device.problem.wait", Wait: int(wait.Round(time.Second) / time.Second)})
	}
	d, err := h.Devices.DeviceByUserCode(r.Context(), h.UserCodes.Sum(string(code)), now)
	if fault.Is(err, fault.NotFound) {
		if err := h.Guesses.RecordFailure(r.Context(), buckets, now); err != nil {
			return err
		}
		return h.ask(w, r, http.StatusUnprocessableEntity, enterPage{Code: string(code), Problem: "device.problem.unknown"})
	}
	if err != nil {
		return err
	}
	return h.begin(w, r, d, code, now)
}

// begin starts the authorization.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, d grant.Device, code oauth.UserCode, now time.Time) error {
	fresh := oauth.Seconds(grant.DeviceFresh / time.Second)
	req := grant.Request{
		ID: carry.NewID(now), SupportCode: d.SupportCode, CSRF: rand.Text(),
		StartedAt: now, ExpiresAt: earlier(d.ExpiresAt, now.Add(h.Lifetimes.Attempt)),
		Asked: oauth.Authorization{ClientID: d.ClientID, Scopes: d.Scopes, MaxAge: &fresh},
		Device: &grant.Waits{
			ID: d.ID, UserCode: string(code), RemoteAddr: d.RemoteAddr, UserAgent: d.UserAgent, Since: d.CreatedAt,
		},
	}
	httpx.Annotate(r.Context(), slog.String("support_code", d.SupportCode), slog.String("client", d.ClientID))
	req.Note(now, "device", "its code was typed; it waits for "+d.ClientID+" with "+d.Scopes.String())
	if err := h.Jar.Put(w, r, req.ID, req); err != nil {
		return err
	}
	return httpx.SeeOther(w, r, h.Base+route.Authorize+"?attempt="+req.ID)
}

// guesses are where wrong codes are counted: those of this network first, and those of
// all together. A code has 34 bits and lives for ten minutes.
func guesses(r *http.Request, now time.Time) []credential.Bucket {
	span := now.UTC().Truncate(credential.EverywhereSpan).Format(time.RFC3339)
	return []credential.Bucket{
		{Kind: credential.Account, Key: secret.Value("user code\x00" + httpx.Network(httpx.Addr(r)).String()).Hash()},
		{Kind: credential.Everywhere, Key: secret.Value("user code everywhere\x00" + span).Hash()},
	}
}

// wait returns how long whoever guesses has to wait. Those whose network has not failed
// wait for nobody: who types the code right the first time is not kept out by others who
// guess, however many they are, and a guesser has one try of each network more by it.
func (h *Handler) wait(ctx context.Context, buckets []credential.Bucket, now time.Time) (time.Duration, error) {
	states, err := h.Guesses.Candidate(ctx, "", buckets) // nobody's, for the counts alone
	if err != nil {
		return 0, err
	}
	var wait time.Duration
	if own := states.Throttle[0]; own.Failures == 0 || now.Sub(own.LastAt) >= buckets[0].Kind.Forget() {
		return 0, nil
	}
	for i, b := range buckets {
		wait = max(wait, states.Throttle[i].Wait(b.Kind, now))
	}
	return wait, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
