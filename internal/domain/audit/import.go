package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ErrTorn says that a line was cut short: a full disk or a crash has done so, and the
// event comes again, whole.
var ErrTorn = errors.New("the line is cut short")

// ParseJSON reads an event as [Exported.JSON] has written it. It takes nothing that it
// does not know: what a newer version has written may mean more than is seen here.
func ParseJSON(text []byte) (Exported, error) {
	if !json.Valid(text) {
		return Exported{}, ErrTorn
	}
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return Exported{}, fmt.Errorf("it is no event as this version writes them: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Exported{}, errors.New("something stands behind the event")
	}
	at, err := time.Parse(time.RFC3339Nano, l.At)
	switch {
	case err != nil:
		return Exported{}, fmt.Errorf("its time %q is none", l.At)
	case !strings.HasPrefix(l.ID, "evt_") || l.Tenant == "":
		return Exported{}, errors.New("it has no id of an event, or no tenant")
	case !slices.ContainsFunc(Meanings, func(m Meaning) bool { return m.Kind == l.Kind }):
		return Exported{}, fmt.Errorf("the kind %q is not known to this version: use the dexctl of the version that wrote it", l.Kind)
	}
	return Exported{TenantID: l.Tenant, Event: Event{
		ID: l.ID, At: at.UTC(), Kind: l.Kind, Actor: l.Actor, UserID: l.User, ClientID: l.Client, ConnectorID: l.Connector,
		SessionID: l.Session, GrantID: l.Grant, SupportCode: l.SupportCode, RemoteAddr: l.RemoteAddr, Detail: l.Detail,
	}}, nil
}
