// Package local is our own password table, as a connector.
//
// It answers in the same way, and after the same work, whether a name does not
// exist or its password is wrong; only a bcrypt hash that was brought along takes
// the time of bcrypt, until its owner's first login. Guessing is slowed down where
// it happens: failures are counted for each network, and those from a browser that
// has logged in to the account before apart from everybody else's. So neither a
// guesser in another network stops the owner, nor anybody on a known device.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"dex/internal/base/fault"
	"dex/internal/connector"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
)

// Kind is what an operator configures as "local". It has no settings.
var Kind = connector.Kind{Name: "local", BoundsItself: true, New: newConnector}

// The names of the form's fields.
const (
	LoginField    = "login"
	PasswordField = "password"
)

// The message keys of what went wrong.
const (
	ProblemWrong     = "problem.credentials"
	ProblemThrottled = "problem.throttled"
)

// What is said of a step, for the trace.
const (
	saidAsked     = "asked for name and password"
	saidRight     = "password right"
	saidWrong     = "password wrong or nobody of that name"
	saidThrottled = "throttled"
)

// maxField is the length of the longest answer that is looked at, in bytes. It
// spares nobody anything but us the work on what can be neither name nor password.
const maxField = 4 << 10

type local struct {
	env   connector.Env
	lanes lanes
}

func newConnector(config json.RawMessage, env connector.Env) (connector.Connector, error) {
	if err := connector.DecodeSettings(config, nil); err != nil {
		return nil, err
	}
	if env.Credentials == nil || env.Hasher == nil {
		return nil, errors.New("local: there is no table of passwords")
	}
	return &local{env: env}, nil
}

// Begin implements [connector.Connector].
func (c *local) Begin(_ context.Context, l connector.Login) (connector.Step, error) {
	if l.Silent {
		return connector.Step{}, fmt.Errorf("%w: a password cannot be had without asking", connector.ErrRefused)
	}
	return connector.Step{Prompt: form(l.Hint, "", 0), Said: saidAsked}, nil
}

// Continue implements [connector.Connector].
func (c *local) Continue(ctx context.Context, l connector.Login, a connector.Answer) (connector.Step, error) {
	typed, password := field(a, LoginField), field(a, PasswordField)
	// What cannot be a name is nobody's. It takes the way of any other.
	name, _ := credential.Canonical(typed)

	leave, ok, err := c.lanes.enter(ctx, c.laneOf(name, l))
	if err != nil {
		return connector.Step{}, err
	}
	if !ok {
		return throttled(typed, time.Second), nil
	}
	defer leave()
	return c.try(ctx, l, attempt{typed: typed, name: name, password: password})
}

// Password implements [connector.PasswordTaker]: it is what the form asks for, no more.
func (c *local) Password(ctx context.Context, l connector.Login, name, password string) (connector.Step, error) {
	return c.Continue(ctx, l, connector.Answer{Form: url.Values{LoginField: {name}, PasswordField: {password}}})
}

// attempt is one name with one password.
type attempt struct{ typed, name, password string }

// try lets the attempt happen, unless it has to wait. Where nothing is free any
// more, it waits for those before it, and looks again at what has become of them.
func (c *local) try(ctx context.Context, l connector.Login, a attempt) (connector.Step, error) {
	found, asked, err := c.look(ctx, l, a.name)
	if err != nil {
		return connector.Step{}, err
	}
	if asked.wait == 0 && len(asked.spent) > 0 {
		leave, ok, err := c.lanes.enterAll(ctx, asked.spent)
		if err != nil {
			return connector.Step{}, err
		}
		if !ok {
			return throttled(a.typed, time.Second), nil
		}
		defer leave()
		if found, asked, err = c.look(ctx, l, a.name); err != nil {
			return connector.Step{}, err
		}
	}
	if asked.wait > 0 {
		return throttled(a.typed, asked.wait), nil
	}
	return c.check(ctx, a, found, asked)
}

// look returns who has the name, and where an attempt at it is counted.
func (c *local) look(ctx context.Context, l connector.Login, name string) (credential.Candidate, choice, error) {
	now := c.env.Clock.Now()
	b := c.bucketsOf(name, l, now)
	found, err := c.env.Credentials.Candidate(ctx, name, b.all())
	if err != nil {
		return credential.Candidate{}, choice{}, fmt.Errorf("local: %w", err)
	}
	asked, err := c.choose(name, b, found, l, now)
	return found, asked, err
}

// check lets the attempt happen, and counts it if it fails.
func (c *local) check(ctx context.Context, a attempt, found credential.Candidate, asked choice) (connector.Step, error) {
	right, err := c.env.Hasher.Verify(ctx, a.password, found.Hash)
	switch {
	case fault.Is(err, fault.Throttled):
		busy, _ := errors.AsType[*fault.Error](err)
		return throttled(a.typed, max(busy.RetryAfter, time.Second)), nil
	case errors.Is(err, credential.ErrUnsupported):
		c.env.Log.ErrorContext(ctx, "password hash cannot be verified", slog.String("user_id", found.User.ID), slog.Any("error", err))
	case err != nil:
		return connector.Step{}, fmt.Errorf("local: %w", err)
	}
	if !right || found.User.ID == "" || found.User.Disabled {
		if err := c.env.Credentials.RecordFailure(ctx, asked.counted(), asked.now); err != nil {
			return connector.Step{}, fmt.Errorf("local: %w", err)
		}
		return connector.Step{Prompt: form(a.typed, ProblemWrong, 0), Said: saidWrong}, nil
	}
	if err := c.welcome(ctx, a, found, asked); err != nil {
		return connector.Step{}, err
	}
	return connector.Step{
		Identity: &user.Identity{ConnectorID: c.env.ID, Subject: found.User.ID, Profile: found.Profile, CheckedAt: asked.now},
		Account:  &found.User,
		Methods:  []credential.Method{credential.Password},
		AuthTime: asked.now,
		Said:     saidRight,
	}, nil
}

// welcome forgets the failures of whoever has got it right, and hashes their
// password anew if its hash is outdated.
func (c *local) welcome(ctx context.Context, a attempt, found credential.Candidate, asked choice) error {
	if asked.failures > 0 {
		// Only where this browser's failures count: what a stranger has tried is not
		// forgotten because the owner logs in, nor what the network has because one
		// of its people does.
		if err := c.env.Credentials.Forgive(ctx, asked.own); err != nil {
			return fmt.Errorf("local: %w", err)
		}
	}
	if !c.env.Hasher.Outdated(found.Hash) {
		return nil
	}
	fresh, err := c.env.Hasher.Hash(ctx, a.password)
	if err == nil {
		err = c.env.Credentials.Rehash(ctx, found.User.ID, found.Hash, fresh)
	}
	if err != nil {
		// The old hash still serves, and the next login tries again.
		c.env.Log.WarnContext(ctx, "password was not hashed anew", slog.String("user_id", found.User.ID), slog.Any("error", err))
	}
	return nil
}

// field returns one answer of the form. One that is missing, comes twice or is
// too long is empty, which nobody's name or password is.
func field(a connector.Answer, name string) string {
	values := a.Form[name]
	if len(values) != 1 || len(values[0]) > maxField {
		return ""
	}
	return values[0]
}

func throttled(typed string, wait time.Duration) connector.Step {
	return connector.Step{Prompt: form(typed, ProblemThrottled, wait), Said: saidThrottled}
}

// form asks for name and password. The password is never filled in.
func form(name, problem string, wait time.Duration) *connector.Prompt {
	return &connector.Prompt{Form: &connector.Form{
		Fields: []connector.Field{
			{Name: LoginField, Label: "field.login", Type: "text", Value: name, Autocomplete: "username"},
			{Name: PasswordField, Label: "field.password", Type: "password", Autocomplete: "current-password"},
		},
		Problem: problem,
		Wait:    wait,
	}}
}
