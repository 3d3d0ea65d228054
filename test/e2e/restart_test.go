package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const authStyleNone = oauth2.AuthStyleInParams

// clientCredentials fetches a token for the client itself.
func clientCredentials(t *testing.T, p *party) (*oauth2.Token, error) {
	t.Helper()
	c := clientcredentials.Config{
		ClientID: p.oauth.ClientID, ClientSecret: p.oauth.ClientSecret, TokenURL: p.oauth.Endpoint.TokenURL, AuthStyle: oauth2.AuthStyleInHeader,
	}
	return c.Token(t.Context())
}

// notesConfig is a dex with one person and one application.
const notesConfig = `
users:
  - {id: ann, username: ann, email: ann@example.com, email_verified: true, name: Ann Example, groups: [staff], password: ann-likes-dex}
clients:
  - id: notes
    name: Notes
    secret: notes-secret
    redirect_uris: ["` + callback + `"]
    post_logout_redirect_uris: ["` + byebye + `"]
`

// loggedIn logs ann in, with consent that is remembered.
func loggedIn(p *party, v *visitor) tokens {
	return p.login(v, func(page *page) *page {
		return v.press(v.signIn(page, "ann", "ann-likes-dex"), "allow", "remember", "1")
	})
}

// stillThere makes sure that a login has outlived the process that it was made by.
func stillThere(t *testing.T, s *site, v *visitor, before tokens) {
	t.Helper()
	p := newParty(t, s.url, "notes") // with what it remembers of keys thrown away
	if _, err := p.verifier.Verify(t.Context(), before.raw); err != nil {
		t.Errorf("the ID token: %v", err)
	}
	if _, err := p.userinfo(before.AccessToken); err != nil {
		t.Errorf("the access token: %v", err)
	}
	next, err := p.refresh(before.RefreshToken)
	if err != nil {
		t.Fatalf("the refresh token: %v", err)
	}
	if next.id.Subject != before.id.Subject {
		t.Errorf("the person is %q, and was %q", next.id.Subject, before.id.Subject)
	}
	// The session and the consent: nothing is asked.
	again := p.login(v, func(page *page) *page { return page }, oauth2.SetAuthURLParam("prompt", "none"))
	if again.claims(t).SessionID != before.claims(t).SessionID {
		t.Errorf("the session is %q, and was %q", again.claims(t).SessionID, before.claims(t).SessionID)
	}
}

func TestASecondStartFindsWhatTheFirstHasLeft(t *testing.T) {
	s := newSite(t)
	s.configure(notesConfig)
	first := s.start()
	v := newVisitor(t)
	k := loggedIn(newParty(t, s.url, "notes"), v)
	first.Stop()
	s.start()
	stillThere(t, s, v, k)
}

func TestAStartAfterACrashFindsWhatWasAnswered(t *testing.T) {
	s := newSite(t)
	s.configure(notesConfig)
	first := s.start()
	v := newVisitor(t)
	k := loggedIn(newParty(t, s.url, "notes"), v)
	first.Kill()
	s.start()
	stillThere(t, s, v, k)
}

// Promise 2 of the design: a client that comes again with its last refresh token
// never loses its session to a crash of ours, wherever in its request that falls.
func TestACrashUnderLoadCostsNobodyTheSession(t *testing.T) {
	s := newSite(t)
	s.configure(notesConfig)
	dex := s.start()
	p := newParty(t, s.url, "notes")
	v := newVisitor(t)
	const clients, crashes = 6, 3
	last := make([]string, clients)
	last[0] = loggedIn(p, v).RefreshToken
	for i := 1; i < clients; i++ {
		last[i] = p.login(v, func(page *page) *page { return page }).RefreshToken
	}
	for range crashes {
		var all sync.WaitGroup
		answered := make(chan struct{}, 1000)
		for i := range clients {
			all.Go(func() {
				for {
					k, err := p.refresh(last[i])
					if err != nil {
						return // it has crashed; whether the token is spent cannot be known
					}
					last[i] = k.RefreshToken
					answered <- struct{}{}
				}
			})
		}
		for range 3 * clients {
			<-answered
		}
		dex.Kill()
		all.Wait()
		dex = s.start()
		for i := range clients {
			k, err := p.refresh(last[i])
			if err != nil {
				t.Fatalf("client %d has lost its session: %v", i, err)
			}
			last[i] = k.RefreshToken
		}
	}
}

func TestWhatIsUnderWayEndsWellWhenTheServerStops(t *testing.T) {
	s := newSite(t)
	s.configure(notesConfig)
	dex := s.start()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const body = "grant_type=client_credentials"
	fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", s.address, len(body))
	answers := bufio.NewReader(conn)
	// The server says that it is reading the body: from here the request is under way.
	if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("got %v (%v)", resp, err)
	}
	dex.Signal(syscall.SIGTERM)
	for refusing := false; !refusing; {
		c, err := net.Dial("tcp", s.address)
		if refusing = err != nil; !refusing {
			_ = c.Close()
			time.Sleep(5 * time.Millisecond)
		}
	}
	fmt.Fprint(conn, body)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the request was cut off: %v", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("it was answered with %d", resp.StatusCode)
	}
	if status := dex.Wait(); status != 0 {
		t.Errorf("the server ends with status %d\n%s", status, dex.Log)
	}
}

func TestASecondSignalEndsItAtOnce(t *testing.T) {
	s := newSite(t)
	s.configure(notesConfig)
	dex := s.start()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", s.address)
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("got %v (%v)", resp, err)
	}
	// It waits for the request that hangs, until it is told again.
	for ended := false; !ended; {
		dex.Signal(syscall.SIGINT)
		select {
		case <-dex.Done:
			ended = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	if ws, ok := dex.Cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() {
		t.Errorf("it ended with %v", dex.Cmd.ProcessState)
	}
}
