// Package calls stands between a program and the driver of its database, and
// decides of each call whether it gets there and whether its answer comes back.
//
// A call that fails here takes its connection along, as a broken line does: what
// was begun on it and not committed is gone, and the pool opens another. So a test
// can let the n-th call fail for every n, before the database hears of it or after
// it has done what was asked, and look at what is left.
package calls

import (
	"context"
	"database/sql/driver"
	"sync"
)

// Fate is what becomes of a call.
type Fate int

// The fates.
const (
	Pass    Fate = iota // nothing befalls it
	Before              // it never reaches the database
	After               // the database does it, and the answer is lost
	Refused             // it never reaches the database, and the connection outlives it, unless it was a commit
)

// Judge decides what becomes of a call: "connect", "prepare", "begin", "commit",
// "exec" or "query". It may take its time, which is the call's.
type Judge func(call string) Fate

// Line is the way to a database.
type Line struct {
	// Lost is the error of a call that fails: what the engine says of a database that
	// is away.
	Lost error

	mu    sync.Mutex
	judge Judge
}

// SetJudge says who decides from now on; nil lets everything pass.
func (l *Line) SetJudge(j Judge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.judge = j
}

// Between puts the line before a driver.
func (l *Line) Between(c driver.Connector) driver.Connector { return connector{c, l} }

func (l *Line) fate(call string) Fate {
	l.mu.Lock()
	judge := l.judge
	l.mu.Unlock()
	if judge == nil {
		return Pass
	}
	return judge(call)
}

type connector struct {
	driver.Connector
	line *Line
}

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.line.fate("connect") != Pass { // a connection that nobody hears of is none
		return nil, c.line.Lost
	}
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: inner, line: c.line}, nil
}

// Nth lets the n-th call fail, in one of the ways, and counts them. The zero value
// only counts.
type Nth struct {
	N    int
	Fate Fate
	// Leave is what happens in the place of a failure, if it is set: the n-th call
	// passes, and whoever asked for it is gone.
	Leave func()

	mu   sync.Mutex
	made int
	what string
}

// Judge implements [Judge].
func (n *Nth) Judge(call string) Fate {
	if call == "connect" {
		return Pass // a pool connects when it likes, so it is nothing to count by
	}
	n.mu.Lock()
	n.made++
	hit := n.made == n.N
	if hit {
		n.what = call
	}
	n.mu.Unlock()
	switch {
	case !hit:
		return Pass
	case n.Leave != nil:
		n.Leave()
		return Pass
	default:
		return n.Fate
	}
}

// Hit returns which call it was that failed, and whether there was an n-th one.
func (n *Nth) Hit() (call string, hit bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.what, n.what != ""
}
