package token

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/route"
	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

// userCodeTries is how often a user code is made anew that another device has.
const userCodeTries = 4

// device lets a device wait until somebody has let it in, RFC 8628 section 3.1.
func (h *Handler) device(w http.ResponseWriter, r *http.Request) error {
	form, err := httpx.ReadForm(w, r, httpx.DefaultFormLimit)
	if err != nil {
		return err
	}
	c, err := h.authenticate(w, r, form)
	if err != nil {
		return err
	}
	req, err := oauth.ParseDeviceRequest(form)
	if err != nil {
		return err
	}
	if !c.May(client.DeviceCode) || c.Disabled {
		return oauth.Errorf(oauth.UnauthorizedClient, "This client may not let devices in.")
	}
	for _, s := range req.Scopes {
		// Whether an audience trusts the client the gate asks when the device is let in.
		if _, ok := oauth.CrossClientAudience(s); !ok && !c.Scopes.Contains(s) {
			return oauth.Errorf(oauth.InvalidScope, "This client may not ask for the scope %s.", s)
		}
	}
	if len(req.Scopes) == 0 {
		return oauth.Errorf(oauth.InvalidScope, "The parameter scope is missing: the person has to be told what they allow.")
	}
	answer, err := h.wait(r, c, req.Scopes)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, answer)
}

// wait keeps the device, under codes of its own.
func (h *Handler) wait(r *http.Request, c client.Client, scopes oauth.Scopes) (oauth.DeviceResponse, error) {
	now := h.Clock.Now()
	code := secret.New(secret.DevicePrefix)
	d := grant.Device{
		ID: grant.NewDeviceID(), Code: code.Hash(), ClientID: c.ID, Scopes: scopes, SupportCode: audit.NewSupportCode(),
		RemoteAddr: httpx.Addr(r).String(), UserAgent: r.UserAgent(),
		CreatedAt: now, ExpiresAt: now.Add(grant.DeviceLife),
	}
	if c.Public {
		d.Network = httpx.Network(httpx.Addr(r)).String()
	}
	httpx.Annotate(r.Context(), slog.String("support_code", d.SupportCode))
	var shown oauth.UserCode
	var err error
	for range userCodeTries {
		shown = oauth.NewUserCode(randomByte)
		d.UserCode = h.UserCodes.Sum(string(shown))
		if err = h.Devices.OpenDevice(r.Context(), d); !fault.Is(err, fault.Conflict) {
			break
		}
	}
	if err != nil {
		return oauth.DeviceResponse{}, err
	}
	page := h.Issuer + route.Device
	return oauth.DeviceResponse{
		DeviceCode: string(code), UserCode: shown,
		VerificationURI: page, VerificationURIComplete: page + "?" + url.Values{"user_code": {string(shown)}}.Encode(),
		ExpiresIn: oauth.Seconds(grant.DeviceLife.Seconds()), Interval: oauth.Seconds(grant.DevicePause.Seconds()),
	}, nil
}

func randomByte() byte {
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return b[0]
}
