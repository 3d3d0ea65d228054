package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/domain/audit"
	"dex/internal/domain/key"
	"dex/internal/domain/outbox"
	"dex/internal/domain/role"
	"dex/internal/domain/system"
	"dex/internal/protocol/jose"
)

// System is the installation as a whole.
type System struct {
	State  func(ctx context.Context) (system.State, error)
	Duties system.Duties
	// Condition looks at the database itself.
	Condition  func(ctx context.Context) (system.Condition, error)
	Algorithms []jose.Algorithm
	Timing     key.Timing
	// Run does a duty at once, and says what was done.
	Run     func(ctx context.Context, duty string, by audit.By) (did string, err error)
	Backlog func(ctx context.Context) (outbox.Backlog, error)
	Outbox  Of[outbox.Desk]
	// Reseal seals what is kept under the first key secret, as much as fits into a
	// request, and reports whether there is more.
	Reseal func(ctx context.Context, by audit.By) (rows int, more bool, err error)
}

// Noun returns what can be done.
func (s System) Noun() Noun {
	read, write := role.Read(role.System), role.Write(role.System)
	return Noun{
		Handle(Route{
			ID: "get-state", Method: http.MethodGet, Path: "/state", Public: true,
			Summary: "Say how the installation stands",
		}, s.state),
		Handle(Route{
			ID: "get-health", Method: http.MethodGet, Path: "/health", Scope: read, System: true,
			Summary: "Say how the installation does",
		}, s.health),
		Handle(Route{
			ID: "list-duties", Method: http.MethodGet, Path: "/duties", Scope: read, System: true,
			Summary: "List the duties and how they stand",
		}, s.duties),
		Handle(Route{
			ID: "run-duty", Method: http.MethodPost, Path: "/duties/{duty}/run", Scope: write, System: true,
			Summary: "Do a duty at once",
		}, s.run),
		Handle(Route{
			ID: "list-outbox", Method: http.MethodGet, Path: "/outbox", Scope: read,
			Summary: "List what waits to be delivered",
		}, s.outbox),
		Handle(Route{
			ID: "retry-message", Method: http.MethodPost, Path: "/outbox/{message}/retry", Scope: write,
			Summary: "Try to deliver a message at once, as if for the first time",
		}, s.retry),
		Handle(Route{
			ID: "drop-message", Method: http.MethodDelete, Path: "/outbox/{message}", Scope: write,
			Summary: "Throw a message away",
		}, s.drop),
		Handle(Route{
			ID: "reseal", Method: http.MethodPost, Path: "/keys/reseal", Scope: write, System: true,
			Summary:     "Seal everything that is kept under the first key secret",
			Description: "It does as much as fits into a request: as long as more is true, ask again. Afterwards the other secrets can be taken out.",
		}, s.reseal),
	}
}

func (s System) state(ctx context.Context, _ *Call, _ *struct{}) (*Answer[resource.State], error) {
	now, err := s.State(ctx)
	return &Answer[resource.State]{Body: resource.State{Bootstrapped: now.Bootstrapped, Schema: now.Schema, Needs: now.Needs}}, err
}

func (s System) health(ctx context.Context, c *Call, _ *struct{}) (*Answer[resource.Health], error) {
	all, err := s.Duties.Duties(ctx)
	if err != nil {
		return nil, err
	}
	waits, err := s.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	h := resource.Health{At: c.At, Problems: []string{}, Waiting: int64(waits.Waiting), Dead: int64(waits.Dead)}
	for _, d := range all {
		if d.Failing() && !d.Running(c.At) {
			h.Problems = append(h.Problems, fmt.Sprintf("The duty %q fails: %s", d.Name, d.Problem))
		}
	}
	if waits.Dead > 0 {
		h.Problems = append(h.Problems, fmt.Sprintf("%d messages could not be delivered and were given up.", waits.Dead))
	}
	h.Well = len(h.Problems) == 0
	database, err := s.Condition(ctx)
	if err != nil {
		return nil, err
	}
	h.Database = resource.Database{
		Version: database.Version, Skew: database.Skew.Round(time.Millisecond).Seconds(),
		Superuser: database.Superuser, Durable: database.Durable, Standby: database.Standby,
	}
	h.Keys = resource.KeyPlan{Rotation: int64(s.Timing.Rotation.Seconds()), Lead: int64(s.Timing.Lead().Seconds())}
	for _, alg := range s.Algorithms {
		h.Keys.Algorithms = append(h.Keys.Algorithms, string(alg))
	}
	return &Answer[resource.Health]{Body: h}, nil
}

func (s System) duties(ctx context.Context, c *Call, _ *struct{}) (*Answer[resource.List[resource.Duty]], error) {
	all, err := s.Duties.Duties(ctx)
	return listed(c, all, "", func(d system.Duty) resource.Duty {
		w := resource.Duty{
			Name: d.Name, State: "well", Holder: d.Holder, BeganAt: d.BeganAt, DoneAt: d.DoneAt, FailedAt: d.FailedAt,
			Did: d.Said, Problem: d.Problem, Runs: d.Runs, Failures: d.Failures,
		}
		switch {
		case d.Running(c.At):
			w.State = "running"
		case d.Failing():
			w.State = "failing"
		}
		return w
	}), err
}

func (s System) run(ctx context.Context, c *Call, in *struct {
	Duty string `path:"duty" maxLength:"200"`
}) (*Answer[resource.DutyDone], error) {
	did, err := s.Run(ctx, in.Duty, c.By())
	return &Answer[resource.DutyDone]{Body: resource.DutyDone{Did: did}}, err
}

type messagesAsked struct {
	Dead bool `query:"dead" doc:"Only those that were given up."`
	Paging
}

func (s System) outbox(ctx context.Context, c *Call, in *messagesAsked) (*Answer[resource.List[resource.Letter]], error) {
	desk, after, err := open(ctx, c, s.Outbox, in.Paging)
	if err != nil {
		return nil, err
	}
	some, err := desk.Letters(ctx, in.Dead, after, in.Limit+1)
	some, next := cut(some, in.Limit, func(l outbox.Letter) string { return l.ID })
	return listed(c, some, next, func(l outbox.Letter) resource.Letter {
		return resource.Letter{
			ID: l.ID, Kind: string(l.Kind), Attempts: l.Attempts, Problem: l.Problem,
			CreatedAt: l.CreatedAt, NextAt: l.NextAt, DeadAt: l.DeadAt,
		}
	}), err
}

// OfMessage is what is asked of one message. It is exported because huma looks at
// nothing else.
type OfMessage struct {
	Message string `path:"message" maxLength:"128"`
}

func (s System) retry(ctx context.Context, c *Call, in *OfMessage) (*Done, error) {
	desk, err := s.Outbox(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &Done{}, desk.RetryLetter(ctx, in.Message, c.By())
}

func (s System) drop(ctx context.Context, c *Call, in *OfMessage) (*Done, error) {
	desk, err := s.Outbox(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	return &Done{}, desk.DropLetter(ctx, in.Message, c.By())
}

func (s System) reseal(ctx context.Context, c *Call, _ *struct{}) (*Answer[resource.Resealed], error) {
	rows, more, err := s.Reseal(ctx, c.By())
	return &Answer[resource.Resealed]{Body: resource.Resealed{Rows: rows, More: more}}, err
}
