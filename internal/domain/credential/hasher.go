package credential

import (
	"context"
	"crypto/rand"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"dex/internal/base/fault"
	"dex/internal/base/measure"
)

// MaxPassword is the length of the longest password, in bytes.
const MaxPassword = 1024

const (
	// queuePerSlot is how many wait for each hash that is under way. At 25 ms a
	// hash the last of them waits less than two seconds.
	queuePerSlot = 64
	// patience is how long somebody waits for their turn at most. It is shorter than
	// what a connector is given, so that they hear that there is much to do, and not
	// that we are broken.
	patience = 5 * time.Second
	// comeBack is when it is worth asking again.
	comeBack = 2 * time.Second
)

// Argon2 is the [Hasher]. It makes argon2id hashes, and verifies those and bcrypt.
//
// A hash takes 19 MiB and a core for 25 ms, so no more run at once than there are
// cores; that many blocks of memory are all that is ever in use. Who does not get
// a turn waits in line, and who does not fit in the line is told to come back.
type Argon2 struct {
	// Tracer follows each hash, with the wait for its turn; nil for nobody.
	Tracer measure.Tracer

	cost  cost
	slots chan struct{}
	line  chan struct{}
}

// NewArgon2 returns a hasher that runs so many hashes at once; as many as there
// are cores if that is zero.
func NewArgon2(atOnce int) *Argon2 {
	if atOnce <= 0 {
		atOnce = runtime.GOMAXPROCS(0)
	}
	return &Argon2{
		cost:  ourCost,
		slots: make(chan struct{}, atOnce),
		line:  make(chan struct{}, atOnce*(queuePerSlot+1)),
	}
}

// NewSparing returns a hasher whose hashes cost next to nothing, and withstand nobody.
// It is for tests of what is around them, in which thousands of people log in.
func NewSparing() *Argon2 {
	a := NewArgon2(0)
	a.cost = cost{memory: 8, passes: 1, threads: 1}
	return a
}

// Load returns how many hashes are being made or verified, how many wait for their
// turn, and how many run at once at most.
func (a *Argon2) Load() (running, waiting, most int) {
	running = len(a.slots)
	return running, max(0, len(a.line)-running), cap(a.slots)
}

// inTurn runs f when it is its turn.
func (a *Argon2) inTurn(ctx context.Context, f func()) (err error) {
	ctx, done := measure.Begin(ctx, a.Tracer, "hash", "password")
	defer func() { done(err) }()
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case a.line <- struct{}{}:
		defer func() { <-a.line }()
	default:
		return busy()
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-waiting.Done():
		if err := ctx.Err(); err != nil {
			return err
		}
		return busy()
	}
	f()
	return nil
}

func busy() error {
	err := fault.New(fault.Throttled, "Too many people are logging in just now. Please try again in a moment.")
	err.RetryAfter = comeBack
	return err
}

// Hash implements [Hasher].
func (a *Argon2) Hash(ctx context.Context, password string) (string, error) {
	password, ok := normal(password)
	if !ok {
		return "", fault.New(fault.Invalid, "A password has from 1 to %d bytes of text.", MaxPassword)
	}
	h := hash{cost: a.cost, salt: make([]byte, saltLength)}
	_, _ = rand.Read(h.salt) // never fails
	if err := a.inTurn(ctx, func() { h.sum = derive(password, h.salt, h.cost, sumLength) }); err != nil {
		return "", err
	}
	return h.String(), nil
}

// Verify implements [Hasher]. What cannot be a password is nobody's, and takes as
// long. A hash that we do not support gives [ErrUnsupported], and takes as long
// too.
func (a *Argon2) Verify(ctx context.Context, password, encoded string) (bool, error) {
	password, ok := normal(password)
	var h hash
	var unsupported error
	if encoded != "" {
		h, unsupported = parseHash(encoded)
	}
	if !ok || encoded == "" || unsupported != nil {
		err := a.inTurn(ctx, func() { derive(password, make([]byte, saltLength), a.cost, sumLength) })
		if err == nil {
			err = unsupported
		}
		return false, err
	}
	var right bool
	err := a.inTurn(ctx, func() { right = h.matches(password) })
	return right && err == nil, err
}

// Outdated implements [Hasher].
func (a *Argon2) Outdated(encoded string) bool {
	h, err := parseHash(encoded)
	return err != nil || h.bcrypt != nil || h.cost != a.cost || len(h.salt) < saltLength || len(h.sum) < sumLength
}

// normal returns a password in the one form in which it is hashed, NFC, so that
// it does not matter which keyboard it was typed on. It reports false, and gives
// back nothing of it, if it cannot be a password. NIST SP 800-63B, section
// 3.1.1.2.
func normal(password string) (string, bool) {
	if len(password) > MaxPassword || !utf8.ValidString(password) {
		return "", false
	}
	password = norm.NFC.String(password)
	if password == "" || len(password) > MaxPassword || strings.ContainsRune(password, 0) {
		return "", false
	}
	return password, true
}
