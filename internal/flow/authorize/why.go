package authorize

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"dex/internal/domain/audit"
	"dex/internal/domain/client"
	"dex/internal/domain/credential"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
)

// seen is what a decision was made of: the session of this browser, if it has one, and
// the gate's word against it.
type seen struct {
	known  *session.Known
	denial *grant.Denial
}

// reasons tells for the trace why a step is the next one, and which setting or
// parameter has decided it.
func reasons(r grant.Request, c client.Client, s seen, chosen step, now time.Time) []audit.Step {
	switch {
	case chosen == stepLogin && s.known != nil:
		said, why := passedOver(r, s, now)
		return []audit.Step{{What: "session", Said: said, Why: why}}
	case chosen == stepConsent:
		return []audit.Step{{What: "consent", Said: "is asked for", Why: whyAsked(r, c)}}
	case chosen == stepRespond:
		return answered(r, c, s.known, now)
	}
	return nil
}

// passedOver tells why a session does not answer for its person.
func passedOver(r grant.Request, s seen, now time.Time) (said, why string) {
	k := s.known.Session
	switch {
	case s.denial != nil:
		return "does not count: " + string(s.denial.Reason), cmp.Or(s.denial.Setting, "the gate")
	case r.Asked.ConnectorID != "" && r.Asked.ConnectorID != k.ConnectorID:
		return "is of another connector: " + k.ConnectorID, "connector_id=" + r.Asked.ConnectorID
	case r.About != "" && r.About != s.known.User.ID:
		return "is of somebody else than is asked about", "id_token_hint"
	case r.Claimed != "" && r.Claimed != s.known.User.ID:
		return "is of somebody else than is asked about", "claims"
	case !now.Before(k.ExpiresAt):
		return "has ended", "expiry.sessions"
	case !now.Before(k.IdleUntil):
		return "has ended, unused", "expiry.sessions_idle"
	case r.Answered.Switch:
		return "is passed over", "the person wants another account"
	case r.Asked.Prompt.Login:
		return "is passed over: a new login is asked for", "prompt=login"
	case r.Asked.Prompt.SelectAccount:
		return "is passed over: a choice of account is asked for", "prompt=select_account"
	case tooWeak(r, s.known):
		return "is passed over: its login is only of the class " + credential.Class(k.Methods), "acr_values=" + strings.Join(wanted(r.Asked), " ")
	default:
		return fmt.Sprintf("is passed over: the last login was %s ago", now.Sub(k.AuthTime).Round(time.Second)), fmt.Sprintf("max_age=%d", int64(r.MaxAge().Seconds()))
	}
}

// whyAsked tells why consent is asked for.
func whyAsked(r grant.Request, c client.Client) string {
	switch {
	case r.Asked.Prompt.Consent:
		return "prompt=consent"
	case r.Device != nil:
		return "the device flow always asks"
	case r.PrivateUse():
		return "a redirect URI with a scheme of its own always asks"
	case !c.Native && mayBeAnother(r, c):
		return "public: true of client " + c.ID + ", and a redirect URI on the person's own machine: administrative scopes always ask"
	case !remembers(r, c):
		return "public: true and native: true of client " + c.ID + ": nothing is remembered"
	default:
		return "trusted: false of client " + c.ID
	}
}

// answered tells what has made the rest unnecessary.
func answered(r grant.Request, c client.Client, k *session.Known, now time.Time) (all []audit.Step) {
	if k.Session.ID != r.Answered.SessionID {
		all = append(all, audit.Step{
			What: "session",
			Said: fmt.Sprintf("answers for %s: the last login was %s ago, by %s", k.User.ID, now.Sub(k.Session.AuthTime).Round(time.Second), k.Session.ConnectorID),
			Why:  "neither prompt nor max_age asks for a new login",
		})
	}
	switch {
	case len(r.Answered.Consent) > 0 && r.Answered.ConsentBy == k.User.ID: // the person has just said so
	case c.Trusted:
		all = append(all, audit.Step{What: "consent", Said: "is not asked for", Why: "trusted: true of client " + c.ID})
	default:
		all = append(all, audit.Step{What: "consent", Said: "is not asked for", Why: "the person has allowed it before"})
	}
	return all
}
