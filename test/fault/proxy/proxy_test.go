package proxy

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience ends what hangs; nothing is measured by it.
const patience = 30 * time.Second

// echo is a server that says everything again, and tells how connections end.
func echo(t *testing.T) (address string, ends <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, err := io.Copy(c, c)
				ended <- err
				_ = c.Close()
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String(), ended
}

// between is a proxy before a server that says everything again.
func between(t *testing.T) (p *Proxy, ends <-chan error) {
	t.Helper()
	address, ends := echo(t)
	p, err := Listen(address, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if n := p.Open(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
	return p, ends
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("heard %q (%v), want %q", got[:n], err, want)
	}
}

// ends waits until a connection ends, and returns what was heard and how.
func ends(c net.Conn) (heard string, how error) {
	all, err := io.ReadAll(c)
	return string(all), err
}

// silent makes sure that nothing comes.
func silent(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[net.Error](err); n != 0 || !ok || !timeout.Timeout() {
		t.Fatalf("got %d bytes and %v, want silence", n, err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutFaultsEverythingPasses(t *testing.T) {
	p, _ := between(t)
	c := dial(t, p)
	long := strings.Repeat("all of it, in order. ", 20_000)
	go func() {
		_, _ = io.WriteString(c, long)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	if heard, err := ends(c); err != nil || heard != long {
		t.Errorf("heard %d of %d bytes: %v", len(heard), len(long), err)
	}
	if n := p.Opened(); n != 1 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestLatencyHoldsBackEachWay(t *testing.T) {
	p, _ := between(t)
	c := dial(t, p)
	const latency = 30 * time.Millisecond
	p.Set(Faults{Latency: latency})
	began := time.Now()
	say(t, c, "hello")
	hear(t, c, "hello")
	if took := time.Since(began); took < 2*latency {
		t.Errorf("there and back took %s", took)
	}
}

func TestJitterFollowsFromTheSeed(t *testing.T) {
	delays := func(seed uint64) (all []time.Duration) {
		f, chance := Faults{Latency: time.Second, Jitter: time.Second}, rand.New(rand.NewPCG(seed, 1))
		for range 100 {
			all = append(all, f.delay(chance))
		}
		return all
	}
	if !slices.Equal(delays(1), delays(1)) {
		t.Error("the same seed gives other delays")
	}
	if slices.Equal(delays(1), delays(2)) {
		t.Error("another seed gives the same delays")
	}
	if least, most := slices.Min(delays(1)), slices.Max(delays(1)); least < time.Second || most > 2*time.Second || least == most {
		t.Errorf("from %s to %s", least, most)
	}
}

func TestAStallLosesNothing(t *testing.T) {
	p, _ := between(t)
	c := dial(t, p)
	p.Set(Faults{Stall: true})
	say(t, c, "hello")
	silent(t, c)
	p.Set(Faults{})
	hear(t, c, "hello")
}

func TestCutEndsBothSides(t *testing.T) {
	p, server := between(t)
	c := dial(t, p)
	say(t, c, "hello")
	hear(t, c, "hello")
	p.Cut()
	if heard, err := ends(c); err != nil || heard != "" {
		t.Errorf("the client: %q, %v", heard, err)
	}
	if err := <-server; err != nil {
		t.Errorf("the server: %v", err)
	}
}

func TestResetIsHeardAsReset(t *testing.T) {
	p, server := between(t)
	c := dial(t, p)
	say(t, c, "hello")
	hear(t, c, "hello")
	p.Reset()
	if _, err := ends(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client: %v", err)
	}
	if err := <-server; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server: %v", err)
	}
}

func TestHalfOpenIsASilenceThatTheClientDoesNotSee(t *testing.T) {
	p, server := between(t)
	c := dial(t, p)
	say(t, c, "hello")
	hear(t, c, "hello")
	p.HalfOpen()
	if err := <-server; err != nil {
		t.Logf("the server has gone with %v", err)
	}
	for range 3 {
		say(t, c, "anybody?")
	}
	silent(t, c)
	other := dial(t, p) // a new connection is whole
	say(t, other, "hello")
	hear(t, other, "hello")
}

func TestAConnectionIsCutAfterSoManyBytes(t *testing.T) {
	for _, test := range []struct {
		name  string
		f     Faults
		heard string
	}{
		{"of the requests", Faults{CutRequests: 3}, ""},
		{"of the answers", Faults{CutAnswers: 3}, "hel"},
		{"not if they are fewer", Faults{CutRequests: 5, CutAnswers: 5}, "hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _ := between(t)
			p.Set(test.f)
			c := dial(t, p)
			say(t, c, "hello")
			if test.heard == "hello" {
				hear(t, c, "hello")
				say(t, c, "!") // this one is too many
			}
			heard, err := ends(c)
			if err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("it ended with %v", err)
			}
			if test.heard == "hel" && heard != "hel" {
				t.Errorf("heard %q", heard)
			}
			if test.f.CutRequests == 3 && len(heard) > 3 {
				t.Errorf("heard %q of what should not have arrived", heard)
			}
		})
	}
}

func TestRefusedConnectionsAreReset(t *testing.T) {
	p, _ := between(t)
	p.Set(Faults{Refuse: true})
	if err := refusal(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
	p.Set(Faults{})
	again := dial(t, p)
	say(t, again, "hello")
	hear(t, again, "hello")
}

func TestNewConnectionsGoToTheNewTarget(t *testing.T) {
	p, _ := between(t)
	old := dial(t, p)
	say(t, old, "hello")
	hear(t, old, "hello")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p.SetTarget(l.Addr().String())
	c := dial(t, p)
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = accepted.Close() }()
	say(t, accepted, "the new one")
	hear(t, c, "the new one")
	say(t, old, "still there")
	hear(t, old, "still there")
}

func TestATargetThatIsNotThereIsAReset(t *testing.T) {
	p, _ := between(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.SetTarget(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := refusal(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

// refusal returns how a connection ends that is not wanted: when it is opened or
// right afterwards.
func refusal(p *Proxy) error {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = ends(c)
	return err
}
