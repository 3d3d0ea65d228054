package ctl

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"time"

	"dex/internal/base/fault"
)

// deviceGrant is the grant type of RFC 8628 section 3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// deviceAnswer is what a device is given, RFC 8628 section 3.2.
type deviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Address    string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
}

// The pace of asking, RFC 8628 sections 3.2 and 3.5.
const (
	devicePace = 5 * time.Second
	slowDown   = 5 * time.Second
	deviceMost = 5 * time.Minute // between two questions
)

// byDevice lets the person log in with a browser on any machine, by a code.
func (w World) byDevice(ctx context.Context, a authority, t Target) (Token, error) {
	as := applicant{id: t.ClientID}
	began := w.Clock.Now()
	var got deviceAnswer
	if err := a.post(ctx, a.Device, as, url.Values{"scope": {a.wanted(true)}}, &got); err != nil {
		return Token{}, err
	}
	if got.DeviceCode == "" || got.UserCode == "" || checkEndpoint(cmp.Or(got.Address, "-")) != nil {
		return Token{}, errors.New("the issuer's answer to the device flow cannot be used")
	}
	w.say("To log in, open this address in a browser, on any machine:\n\n    %s\n\nand enter the code\n\n    %s\n", Plain(got.Address), Plain(got.UserCode))
	if checkEndpoint(got.Complete) == nil && got.Complete != "" {
		w.say("or open this one, and compare the code:\n\n    %s\n", Plain(got.Complete))
	}
	w.say("Waiting …")
	return w.poll(ctx, a, t, as, got, began)
}

// poll asks whether the person has answered, until they have or the time is up.
func (w World) poll(ctx context.Context, a authority, t Target, as applicant, got deviceAnswer, began time.Time) (Token, error) {
	pace := cmp.Or(time.Duration(max(0, got.Interval))*time.Second, devicePace)
	ends := began.Add(time.Duration(got.ExpiresIn) * time.Second)
	form := url.Values{"grant_type": {deviceGrant}, "device_code": {got.DeviceCode}}
	for {
		if err := w.Wait(ctx, pace); err != nil {
			return Token{}, err
		}
		if got.ExpiresIn > 0 && !w.Clock.Now().Before(ends) {
			return Token{}, errDeviceExpired
		}
		token, err := a.obtain(ctx, t, as, form, w.Clock.Now)
		refused, isAnswer := errors.AsType[*answerError](err)
		switch {
		case err == nil:
			return token, nil
		case isAnswer && refused.Code == "authorization_pending":
		case isAnswer && refused.Code == "slow_down":
			pace += slowDown
		case isAnswer && refused.Code == "expired_token":
			return Token{}, errDeviceExpired
		case isAnswer && refused.Code == "access_denied":
			return Token{}, fault.New(fault.Denied, "The login was refused.")
		case fault.Is(err, fault.Unavailable): // RFC 8628 section 3.5: back off
			pace = min(2*pace, deviceMost)
		default:
			return Token{}, err
		}
	}
}

var errDeviceExpired = fault.New(fault.Denied, "The code has expired before anybody entered it. Run dexctl login again.")
