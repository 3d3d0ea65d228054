// Package mock is a connector for tests and demonstrations. It believes whatever
// name is typed in.
//
// It proves nothing: whoever reaches it is whoever they like. It exists only
// where it is configured, and the configuration refuses it on an issuer that
// others can reach.
package mock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"dex/internal/connector"
	"dex/internal/domain/credential"
	"dex/internal/domain/user"
)

// Kind is what an operator configures as "mock".
var Kind = connector.Kind{Name: "mock", New: newConnector}

// The ways to fail, for tests that a failing connector hurts nobody else.
const (
	failRefuse = "refuse" // turn everybody down
	failError  = "error"  // be out of order
	failSlow   = "slow"   // answer only when nobody waits any more
)

const loginField = "login"

type person struct {
	Login string `json:"login"`
	user.Profile
}

type mock struct {
	env    connector.Env
	people map[string]user.Profile
	fail   string
}

func newConnector(config json.RawMessage, env connector.Env) (connector.Connector, error) {
	var people []person
	m := &mock{env: env, people: map[string]user.Profile{}}
	mistakes := []error{connector.DecodeSettings(config, map[string]any{"users": &people, "fail": &m.fail})}
	for i, p := range people {
		_, taken := m.people[p.Login]
		switch {
		case p.Login == "":
			mistakes = append(mistakes, fmt.Errorf("users[%d].login: is not set", i))
		case taken:
			mistakes = append(mistakes, fmt.Errorf("users[%d].login: another user has it", i))
		}
		if p.Username == "" {
			p.Username = p.Login
		}
		m.people[p.Login] = p.Profile
	}
	switch m.fail {
	case "", failRefuse, failError, failSlow:
	default:
		mistakes = append(mistakes, fmt.Errorf("fail: must be %s, %s or %s", failRefuse, failError, failSlow))
	}
	if len(people) == 0 && m.fail == "" {
		mistakes = append(mistakes, errors.New("users: nobody could log in"))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return m, nil
}

// Begin implements [connector.Connector].
func (m *mock) Begin(ctx context.Context, l connector.Login) (connector.Step, error) {
	if err := m.failing(ctx); err != nil {
		return connector.Step{}, err
	}
	if l.Silent {
		return connector.Step{}, fmt.Errorf("%w: a name cannot be had without asking", connector.ErrRefused)
	}
	return ask(l.Hint, ""), nil
}

// Continue implements [connector.Connector].
func (m *mock) Continue(ctx context.Context, _ connector.Login, a connector.Answer) (connector.Step, error) {
	if err := m.failing(ctx); err != nil {
		return connector.Step{}, err
	}
	login := a.Form.Get(loginField)
	profile, known := m.people[login]
	if !known || len(a.Form[loginField]) != 1 {
		return ask(login, "problem.unknown"), nil
	}
	now := m.env.Clock.Now()
	return connector.Step{
		Identity: &user.Identity{ConnectorID: m.env.ID, Subject: login, Profile: profile, CheckedAt: now},
		Methods:  []credential.Method{credential.Federated},
		AuthTime: now,
		Said:     "believed the name",
	}, nil
}

// Password implements [connector.PasswordTaker]: it believes the name, and any password.
func (m *mock) Password(ctx context.Context, l connector.Login, name, _ string) (connector.Step, error) {
	return m.Continue(ctx, l, connector.Answer{Form: url.Values{loginField: {name}}})
}

// failing fails in the configured way.
func (m *mock) failing(ctx context.Context) error {
	switch m.fail {
	case failRefuse:
		return fmt.Errorf("%w: it is configured to", connector.ErrRefused)
	case failError:
		return errors.New("mock: out of order, as configured")
	case failSlow:
		<-ctx.Done()
	}
	return ctx.Err()
}

// Check implements [connector.Health].
func (m *mock) Check(ctx context.Context) error {
	if m.fail == failRefuse {
		return nil // it works, in its way
	}
	return m.failing(ctx)
}

func ask(login, problem string) connector.Step {
	return connector.Step{
		Prompt: &connector.Prompt{Form: &connector.Form{
			Fields:  []connector.Field{{Name: loginField, Label: "field.login", Type: "text", Value: login, Autocomplete: "username"}},
			Problem: problem,
		}},
		Said: "asked for a name",
	}
}
