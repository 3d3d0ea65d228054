// Package roster holds the configured connectors, opened when they are first
// needed, and keeps each from hurting its neighbours: every call has a deadline,
// no connector takes more than its share, and one that fails is known to.
package roster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"dex/internal/base/clock"
	"dex/internal/base/fault"
	"dex/internal/base/measure"
	"dex/internal/connector"
	"dex/internal/domain/grant"
	"dex/internal/domain/session"
	"dex/internal/domain/user"
)

const (
	deadline  = 10 * time.Second // of one call
	atOnce    = 64               // calls of one connector; the rest is told to come back
	outAfter  = 3                // failures in a row after which a connector counts as out of order
	outFor    = 30 * time.Second // … until it is tried again
	maxLength = 1000             // connectors of one tenant
)

// Roster holds the connectors of one tenant.
type Roster struct {
	Store connector.Store
	Kinds []connector.Kind
	Env   connector.Env // of which each connector gets its own copy, with its ID
	Clock clock.Clock
	// Tracer follows each call; nil for nobody.
	Tracer measure.Tracer

	mu   sync.Mutex
	open map[string]*Connector
}

// Connector is an open connector. It is one itself.
type Connector struct {
	connector.Configured
	inner connector.Connector
	err   error // why it cannot be opened
	clock clock.Clock
	trace measure.Tracer
	seats chan struct{} // nil if it bounds itself

	mu       sync.Mutex
	failures int
	failedAt time.Time
}

// List returns the connectors that are not disabled, in the order of the
// configuration. One that cannot be opened is among them, and out of order.
func (r *Roster) List(ctx context.Context) ([]*Connector, error) {
	all, err := r.Store.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) > maxLength {
		return nil, fmt.Errorf("%d connectors are more than %d", len(all), maxLength)
	}
	list := make([]*Connector, 0, len(all))
	for _, c := range all {
		if !c.Disabled {
			list = append(list, r.opened(c))
		}
	}
	return list, nil
}

// Connector returns one connector. It returns a fault of kind NotFound if there is
// none of that ID, or it is disabled.
func (r *Roster) Connector(ctx context.Context, id string) (*Connector, error) {
	all, err := r.Store.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.ID == id && !c.Disabled {
			return r.opened(c), nil
		}
	}
	return nil, fault.New(fault.NotFound, "There is no such way to sign in.")
}

// Vouchers returns the connectors that believe tokens of a kind by an issuer, in the order
// of the configuration.
func (r *Roster) Vouchers(ctx context.Context, kind connector.TokenKind, issuer string) ([]*Connector, error) {
	all, err := r.List(ctx)
	return slices.DeleteFunc(all, func(c *Connector) bool {
		v, ok := c.inner.(connector.Voucher)
		return !ok || !v.Takes(kind, issuer)
	}), err
}

// ConnectorState implements [grant.ConnectorStates].
func (r *Roster) ConnectorState(ctx context.Context, id string) (*grant.Connector, error) {
	all, err := r.Store.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.ID == id {
			return &grant.Connector{ID: c.ID, Disabled: c.Disabled}, nil
		}
	}
	return nil, nil
}

// opened returns the open connector of a configuration, and opens it anew if the
// configuration has changed.
func (r *Roster) opened(c connector.Configured) *Connector {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o, ok := r.open[c.ID]; ok && same(o.Configured, c) {
		return o
	}
	o := &Connector{Configured: c, clock: r.Clock, trace: r.Tracer}
	kind, _ := r.kind(c.Kind)
	if !kind.BoundsItself {
		o.seats = make(chan struct{}, atOnce)
	}
	o.inner, o.err = r.make(c)
	if r.open == nil {
		r.open = map[string]*Connector{}
	}
	r.open[c.ID] = o
	return o
}

func same(a, b connector.Configured) bool {
	return a.Kind == b.Kind && a.Name == b.Name && bytes.Equal(a.Config, b.Config) &&
		a.Policy.CreateOnFirstLogin == b.Policy.CreateOnFirstLogin &&
		slices.Equal(a.Policy.AuthoritativeFor, b.Policy.AuthoritativeFor)
}

func (r *Roster) kind(name string) (connector.Kind, bool) {
	i := slices.IndexFunc(r.Kinds, func(k connector.Kind) bool { return k.Name == name })
	if i < 0 {
		return connector.Kind{}, false
	}
	return r.Kinds[i], true
}

func (r *Roster) make(c connector.Configured) (connector.Connector, error) {
	kind, ok := r.kind(c.Kind)
	if !ok {
		return nil, fmt.Errorf("connector %s: there is no kind %q", c.ID, c.Kind)
	}
	env := r.Env
	env.ID = c.ID
	made, err := kind.New(c.Config, env)
	if err != nil {
		return nil, fmt.Errorf("connector %s: %w", c.ID, err)
	}
	return made, nil
}

// Begin implements [connector.Connector].
func (c *Connector) Begin(ctx context.Context, l connector.Login) (connector.Step, error) {
	return call(ctx, c, func(ctx context.Context) (connector.Step, error) { return c.inner.Begin(ctx, l) })
}

// Continue implements [connector.Connector].
func (c *Connector) Continue(ctx context.Context, l connector.Login, a connector.Answer) (connector.Step, error) {
	return call(ctx, c, func(ctx context.Context) (connector.Step, error) { return c.inner.Continue(ctx, l, a) })
}

// TakesPasswords reports whether the connector can be asked by name and password alone.
func (c *Connector) TakesPasswords() bool {
	_, ok := c.inner.(connector.PasswordTaker)
	return ok
}

// Password implements [connector.PasswordTaker]. It returns [ErrUnsupported] if the
// connector cannot be asked so.
func (c *Connector) Password(ctx context.Context, l connector.Login, name, password string) (connector.Step, error) {
	taker, ok := c.inner.(connector.PasswordTaker)
	if !ok && c.err == nil {
		return connector.Step{}, ErrUnsupported
	}
	return call(ctx, c, func(ctx context.Context) (connector.Step, error) { return taker.Password(ctx, l, name, password) })
}

// ErrUnsupported says that the connector cannot do what was asked of it.
var ErrUnsupported = errors.New("the connector cannot do this")

// Refresh implements [connector.Refresher]. It returns [ErrUnsupported] if the
// connector cannot look somebody up while they are away.
func (c *Connector) Refresh(ctx context.Context, id user.Identity) (user.Identity, error) {
	refresher, ok := c.inner.(connector.Refresher)
	if !ok && c.err == nil {
		return id, ErrUnsupported
	}
	return call(ctx, c, func(ctx context.Context) (user.Identity, error) { return refresher.Refresh(ctx, id) })
}

// Refreshes reports whether the connector can look somebody up while they are away.
// Of one that cannot be opened nobody knows: whoever asks it finds out that it is
// out of order.
func (c *Connector) Refreshes() bool {
	_, ok := c.inner.(connector.Refresher)
	return ok || c.err != nil
}

// ReadToken implements [connector.Voucher].
func (c *Connector) ReadToken(ctx context.Context, kind connector.TokenKind, token string, ours []string) (connector.Vouched, error) {
	voucher, ok := c.inner.(connector.Voucher)
	if !ok && c.err == nil {
		return connector.Vouched{}, ErrUnsupported
	}
	return call(ctx, c, func(ctx context.Context) (connector.Vouched, error) { return voucher.ReadToken(ctx, kind, token, ours) })
}

// LogsIn reports whether somebody can log in by the connector. Of one that cannot be
// opened nobody knows: whoever tries finds out that it is out of order.
func (c *Connector) LogsIn() bool {
	closed, ok := c.inner.(connector.Closed)
	return !ok || !closed.Closed()
}

// EndURL implements [connector.Ender]. It is empty if the connector's own session
// cannot be ended.
func (c *Connector) EndURL(ctx context.Context, upstream []byte, returnTo, state string) (string, error) {
	ender, ok := c.inner.(connector.Ender)
	if !ok {
		return "", nil
	}
	return call(ctx, c, func(ctx context.Context) (string, error) { return ender.EndURL(ctx, upstream, returnTo, state) })
}

// Told implements [connector.Listener]. It returns [ErrUnsupported] if the connector
// hears nothing of the other side.
func (c *Connector) Told(ctx context.Context, form url.Values) (session.Notice, error) {
	return heard(ctx, c, form, connector.Listener.Told)
}

// Shown implements [connector.Listener], as Told does.
func (c *Connector) Shown(ctx context.Context, query url.Values) (session.Notice, error) {
	return heard(ctx, c, query, connector.Listener.Shown)
}

func heard(ctx context.Context, c *Connector, what url.Values, by func(connector.Listener, context.Context, url.Values) (session.Notice, error)) (session.Notice, error) {
	listener, ok := c.inner.(connector.Listener)
	if !ok && c.err == nil {
		return session.Notice{}, ErrUnsupported
	}
	n, err := call(ctx, c, func(ctx context.Context) (session.Notice, error) { return by(listener, ctx, what) })
	n.ConnectorID = c.ID
	return n, err
}

// PublicKeys implements [connector.KeyHolder]. They are empty if the connector has none,
// or cannot be opened.
func (c *Connector) PublicKeys() ([]byte, error) {
	holder, ok := c.inner.(connector.KeyHolder)
	if !ok {
		return nil, nil
	}
	return holder.PublicKeys()
}

// Check implements [connector.Health].
func (c *Connector) Check(ctx context.Context) error {
	health, ok := c.inner.(connector.Health)
	if !ok {
		return c.err
	}
	_, err := call(ctx, c, func(ctx context.Context) (struct{}, error) { return struct{}{}, health.Check(ctx) })
	return err
}

// Out reports whether the connector is known to be out of order. It may be tried
// all the same.
func (c *Connector) Out() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil || c.failures >= outAfter && c.clock.Now().Sub(c.failedAt) < outFor
}

// call makes one call of a connector, with a deadline, in one of its seats.
func call[T any](ctx context.Context, c *Connector, f func(context.Context) (T, error)) (answer T, err error) {
	if c.err != nil {
		return answer, fault.Wrap(fault.Unavailable, c.err, "%s is not set up correctly.", c.Name)
	}
	leave, ok := c.sit()
	if !ok {
		return answer, fault.New(fault.Unavailable, "%s has too much to do at the moment.", c.Name)
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	ctx, done := measure.Begin(ctx, c.trace, "connector", c.ID)
	answer, err = f(ctx)
	done(err)
	c.record(ctx, err)
	return answer, err
}

// sit takes a seat and returns how to leave it. It reports false if all are taken.
func (c *Connector) sit() (leave func(), ok bool) {
	if c.seats == nil {
		return func() {}, true
	}
	select {
	case c.seats <- struct{}{}:
		return func() { <-c.seats }, true
	default:
		return nil, false
	}
}

// record remembers how a call went. That somebody was refused, or went away, says
// nothing about the connector.
func (c *Connector) record(ctx context.Context, err error) {
	if errors.Is(err, connector.ErrRefused) || errors.Is(ctx.Err(), context.Canceled) || fault.Is(err, fault.Throttled) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.failures = 0
		return
	}
	c.failures++
	c.failedAt = c.clock.Now()
}

// Headers returns what of a request's header a connector may see: all of it if its
// kind trusts the proxy in front of us, else nothing.
func (r *Roster) Headers(kind string, h http.Header) http.Header {
	if k, _ := r.kind(kind); k.TrustsHeader {
		return h
	}
	return nil
}
