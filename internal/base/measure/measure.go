// Package measure is what happens, told to whoever counts it. Those who tell know
// nothing of who listens, or whether anybody does.
package measure

// Result is how an attempt to log in went on.
type Result string

// The results.
const (
	Success   Result = "success"   // a session was opened
	Wrong     Result = "wrong"     // what was typed was wrong
	Throttled Result = "throttled" // it was not even looked at, because there were too many
	Refused   Result = "refused"   // it was proven who it is, and they may not come in
	Cancelled Result = "cancelled" // the person or their provider said no
	Failed    Result = "failed"    // the connector could not, or we could not
	HungUp    Result = "hung_up"   // whoever asked did not wait for the answer
)

// Meter listens. Every name that it is told is one that is configured, or empty:
// nothing that a sender can invent.
type Meter interface {
	// Login is told how an attempt to log in went on, by a connector and for a client.
	Login(connector, client string, result Result)
	// Token is told how a request for tokens ended. The code is that of the error, or
	// [HungUp], and empty if there was none; the grant type and the client are empty if they were
	// not known.
	Token(grantType, client, code string)
}

// Login tells the meter, if there is one.
func Login(m Meter, connector, client string, result Result) {
	if m != nil {
		m.Login(connector, client, result)
	}
}

// Token tells the meter, if there is one.
func Token(m Meter, grantType, client, code string) {
	if m != nil {
		m.Token(grantType, client, code)
	}
}
