package grant

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"dex/internal/base/secret"
	"dex/internal/domain/audit"
	"dex/internal/protocol/oauth"
)

// Device is a device without a browser that waits until somebody has let it in from
// another one, RFC 8628.
type Device struct {
	ID          string      // "dev_…"
	Code        secret.Hash // of the device code
	UserCode    secret.Hash // a MAC of what the person types, [oauth.UserCode]
	ClientID    string
	Scopes      oauth.Scopes
	SupportCode string
	RemoteAddr  string // of the device, for the person to recognise it by
	UserAgent   string
	CreatedAt   time.Time
	ExpiresAt   time.Time

	// Network is whose share of those that may wait the device takes; empty if its client
	// has proven who it is, so that no stranger can have sent it.
	Network string

	// A client that asks for somebody in particular says whom, what both screens show,
	// and how it wants to hear of the answer: nil if it asks by itself.
	For     *Addressee
	Message string
	Notice  *Notice
	ACR     []string // any of which it asks for
}

// Approval is the path by which the device is let in.
func (d Device) Approval() Path {
	if d.For != nil {
		return ApproveBackchannel
	}
	return ApproveDevice
}

// NewDeviceID returns a fresh id for a device.
func NewDeviceID() string { return "dev_" + strings.ToLower(rand.Text()) }

// The timing of devices.
const (
	// DeviceLife is how long a person has to let a device in, RFC 8628 section 6.1.
	DeviceLife = 10 * time.Minute
	// DevicePause is how long a device waits between two polls, and by how much longer
	// after it has come too soon: section 3.5.
	DevicePause = 5 * time.Second
	// DeviceFresh is how old the proof of the person may be who lets a device in:
	// whoever finds an open browser cannot be talked into it.
	DeviceFresh = 15 * time.Minute
	// MaxDevices is how many devices of one client may wait at once. They are the only
	// rows that somebody can make who has proven nothing.
	MaxDevices = 1000
	// MaxOfNetwork is how many of them one network may have while there is room, and
	// FewOfNetwork how many it may have when half is taken.
	MaxOfNetwork = 100
	FewOfNetwork = 10
)

// MayWait reports whether one more device may wait, where so many do of its client and so
// many of those are of its network, or for its person. Nobody asks a public client who it is, so that anybody
// could take all places in its name: one network gets no further than its share, and when
// many together have taken half, the other half is for networks that have few. Those are
// people with a device or two.
func (d Device) MayWait(waiting, alike int) bool {
	switch {
	case waiting >= MaxDevices:
		return false
	case d.For != nil:
		return alike < MaxOfPerson
	case d.Network == "":
		return true
	case waiting >= MaxDevices/2:
		return alike < FewOfNetwork
	default:
		return alike < MaxOfNetwork
	}
}

// Standing is how a device stands that asks.
type Standing uint8

// The standings.
const (
	NoSuchDevice Standing = iota + 1 // unknown, or another client's
	Waiting                          // nobody has answered yet
	TooSoon                          // … and the device has to wait longer from now on
	Approved                         // its code can be redeemed
	DeviceDenied
	DeviceExpired
)

// DeviceStore keeps the devices that wait.
type DeviceStore interface {
	// OpenDevice keeps a device. It returns a fault of kind Throttled if it may not wait
	// beside the others, [Device.MayWait], and of kind Conflict if its user code is another's: make a new one.
	OpenDevice(ctx context.Context, d Device) error
	// DeviceByUserCode returns the device that waits under a user code. It returns a
	// fault of kind NotFound if none does.
	DeviceByUserCode(ctx context.Context, userCode secret.Hash, now time.Time) (Device, error)
	// ApproveDevice lets the device in: its code is redeemed like any other from now on.
	// It returns a fault of kind Conflict if it has been answered, or has expired.
	ApproveDevice(ctx context.Context, p Permit, deviceID string, steps []audit.Step, startedAt time.Time) error
	// DenyDevice turns the device away, unless it has been answered.
	DenyDevice(ctx context.Context, deviceID string, now time.Time) error
	// PollDevice says how the device stands that asks with its code.
	PollDevice(ctx context.Context, code secret.Hash, clientID string, now time.Time) (Standing, error)
}
