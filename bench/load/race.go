package load

import (
	"fmt"
	"sync"
)

// Race sends the same request from many connections at the same moment, round
// after round.
type Race struct {
	browser *Browser
	conns   []*Conn
}

// NewRace signs in and opens the connections.
func NewRace(t *Target, requests int) (*Race, error) {
	r := &Race{browser: NewBrowser(t)}
	if _, err := r.browser.Login(1, ScopesOffline); err != nil {
		r.browser.Close()
		return nil, fmt.Errorf("sign in for the race: %w", err)
	}
	for range requests {
		r.conns = append(r.conns, NewConn(t.Issuer.Host))
	}
	return r, nil
}

// Close closes all connections.
func (r *Race) Close() {
	r.browser.Close()
	for _, c := range r.conns {
		c.Close()
	}
}

// Round is what came of one round.
type Round struct {
	Succeeded    int // answers with tokens
	Refused      int // 4xx
	ServerErrors int // 5xx
	Broken       int // no answer, or one that is neither
	Successors   int // different refresh tokens among the answers
}

// Code lets everybody redeem one and the same code.
func (r *Race) Code() (Round, error) {
	a, err := r.browser.Authorize(ScopesOffline)
	if err != nil {
		return Round{}, err
	}
	return r.all(a.redemption(r.browser.target)), nil
}

// Refresh lets everybody use one and the same refresh token, which nobody has
// used before.
func (r *Race) Refresh() (Round, error) {
	tokens, err := r.browser.Resume(ScopesOffline)
	if err != nil {
		return Round{}, err
	}
	return r.all(refreshing(tokens.RefreshToken)), nil
}

// all sends a token request on every connection. Each has all of it but the last
// byte before anyone gets that, so what the server must do begins at once.
func (r *Race) all(body string) Round {
	request := r.browser.target.tokenRequest(body)
	answers := make([]answer, len(r.conns))
	var sent, done sync.WaitGroup
	release := make(chan struct{})
	for i, c := range r.conns {
		sent.Add(1)
		done.Go(func() {
			err := c.send(request, 1)
			sent.Done()
			<-release
			answers[i] = c.await(err)
		})
	}
	sent.Wait()
	close(release)
	done.Wait()
	return count(answers)
}

// answer is one of a race: its status, 0 if there was none, and its refresh token.
type answer struct {
	status    int
	successor string
}

func (c *Conn) await(err error) answer {
	if err == nil {
		err = c.release()
	}
	if err != nil {
		c.Close()
		return answer{}
	}
	resp, err := c.receive("POST")
	if err != nil {
		return answer{}
	}
	a := answer{status: resp.Status}
	if a.status == 200 {
		tokens, err := parseTokens(resp.Body, bearer)
		if err != nil {
			return answer{}
		}
		a.successor = tokens.RefreshToken
	}
	return a
}

func count(answers []answer) Round {
	var round Round
	successors := map[string]bool{}
	for _, a := range answers {
		switch {
		case a.status == 200:
			round.Succeeded++
			successors[a.successor] = true
		case a.status >= 400 && a.status < 500:
			round.Refused++
		case a.status >= 500 && a.status < 600:
			round.ServerErrors++
		default:
			round.Broken++
		}
	}
	round.Successors = len(successors)
	return round
}
