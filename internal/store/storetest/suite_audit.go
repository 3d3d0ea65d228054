package storetest

import (
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/domain/audit"
	"dex/internal/protocol/oauth"
)

var auditPromises = []promise{
	{"an event is kept with all that it says", func(_ *testing.T, w *world) {
		e := audit.Event{
			At: w.now(), Kind: audit.LoginRefused, Actor: "somebody", UserID: "u", ClientID: "c", ConnectorID: "k", SessionID: "s",
			GrantID: "g", SupportCode: "code", RemoteAddr: "192.0.2.1", Detail: map[string]string{"why": "because\x00\xff"},
		}
		w.ok(w.Record(w.ctx, e))
		row := tableRows(w, w.db, "audit_events")[0]
		same(w, "row", strings.Join([]string{
			row["kind"], row["actor"], row["user_id"], row["client_id"], row["connector_id"], row["session_id"], row["grant_id"],
			row["support_code"], row["remote_addr"], row["detail"],
		}, " "), "auth.login.refused somebody u c k s g code 192.0.2.1 {\"why\":\"because\uFFFD\"}")
		same(w, "has an id", strings.HasPrefix(row["id"], "evt_"), true)
	}},
	{"a trace is what was kept of an attempt, as it was written, whatever the clocks of two workers say", func(_ *testing.T, w *world) {
		start := w.now()
		w.ok(w.KeepTrace(w.ctx, "K7QX-9WDM-3T", start, []audit.Step{{At: 5, What: "request", Said: "checked"}, {At: 900, What: "account"}}))
		w.ok(w.KeepTrace(w.ctx, "K7QX-9WDM-3T", start, []audit.Step{{At: 400, What: "connector", Said: "said \"no\"\nand more\x00"}}))
		w.ok(w.KeepTrace(w.ctx, "K7QX-9WDM-3T", start, nil))
		tr, err := w.Trace(w.ctx, "K7QX-9WDM-3T")
		w.ok(err)
		alike(w, "trace", tr, audit.Trace{SupportCode: "K7QX-9WDM-3T", StartedAt: start, Steps: []audit.Step{
			{At: 5, What: "request", Said: "checked"}, {At: 900, What: "account"}, {At: 400, What: "connector", Said: "said \"no\"\nand more"},
		}})
	}},
	{"a trace tells what became of its grants", func(_ *testing.T, w *world) {
		_, s := w.login("zoe")
		i := w.issue(s, oauth.ScopeOffline)
		w.redeem(i)
		_, err := w.rotate(i, 1)
		w.ok(err)
		w.ok(w.Revoke(w.ctx, i.ID, audit.RefreshReused, w.now()))
		tr, err := w.Trace(w.ctx, i.SupportCode)
		w.ok(err)
		alike(w, "trace", tr, audit.Trace{
			SupportCode: i.SupportCode, StartedAt: w.now().Add(-time.Second), Steps: []audit.Step{{At: 10, What: "code", Said: "issued"}},
			Grants: []audit.GrantStory{{
				ID: i.ID, ClientID: app, UserID: s.UserID, Scopes: "openid offline_access", IssuedAt: w.now(), RedeemedAt: w.now(),
				Generation: 1, RotatedAt: w.now(), RevokedAt: w.now(), Reason: string(audit.RefreshReused),
			}},
		})
	}},
	{"nothing is known of a code that was never given out", func(_ *testing.T, w *world) {
		for _, code := range []string{"", "AAAA-BBBB-CC", "\x00", "\xff"} {
			_, err := w.Trace(w.ctx, code)
			w.refuses(fault.NotFound, err)
		}
	}},
	{"a trace stops growing", func(_ *testing.T, w *world) {
		many := make([]audit.Step, 1000)
		for i := range many {
			many[i] = audit.Step{What: "request", Said: strings.Repeat("x", 10_000)}
		}
		for range 5 {
			w.ok(w.KeepTrace(w.ctx, "K7QX-9WDM-3T", w.now(), many))
		}
		row := tableRows(w, w.db, "traces")[0]
		if n := len(row["steps"]); n > 16<<10 {
			w.Errorf("%d bytes", n)
		}
	}},
}
