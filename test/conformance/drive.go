package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Driver takes the suite through plans.
type Driver struct {
	Suite  *Suite
	Config func(Plan) (map[string]any, error)

	// Rotate changes dex's signing keys, for the module that waits for that.
	Rotate func(context.Context) error
	// Visit goes where a module wants somebody to go and its own browser does not, and
	// returns a picture of what is there, as a data URL. Nil: nobody can.
	Visit func(ctx context.Context, address string) (picture string, err error)
	// LogIn is a relying party of ours that comes to the suite, which plays the provider.
	LogIn func(ctx context.Context, v Visit) error

	Every    time.Duration // between two looks at a module
	Patience time.Duration // with one module
	Wait     func(context.Context, time.Duration) error
	Said     func(format string, args ...any) // what happens, as it happens
}

// Visit is one visit of a relying party: to which module of which plan, and what the
// suite has told of the provider that it plays.
type Visit struct {
	Plan   Plan
	Module Module
	Config map[string]any
	Issuer string
}

// Outcome is what came of one module.
type Outcome struct {
	Module string
	ID     string
	Result string   // PASSED, REVIEW, SKIPPED, WARNING, FAILED, INTERRUPTED or TIMEOUT
	Why    []string // what the log complains of
}

// Passed reports whether a module is as it is to be. One that waits for a look at its
// pictures has passed as far as a program can tell, and one that is skipped is about
// what dex does not offer.
func (o Outcome) Passed() bool {
	return o.Result == "PASSED" || o.Result == "REVIEW" || o.Result == "SKIPPED"
}

// Run takes the suite through a plan. An error is ours or the suite's, and no module's.
func (d *Driver) Run(ctx context.Context, p Plan) ([]Outcome, error) {
	config, err := d.Config(p)
	if err != nil {
		return nil, err
	}
	id, modules, err := d.Suite.plan(ctx, p, config)
	if err != nil {
		return nil, err
	}
	if len(modules) == 0 {
		return nil, fmt.Errorf("the suite knows no modules of %s", p)
	}
	var outcomes []Outcome
	for _, m := range modules {
		o, err := d.module(ctx, id, Visit{Plan: p, Module: m, Config: config})
		if err != nil {
			return outcomes, fmt.Errorf("%s: %w", m.Name, err)
		}
		d.Said("%-11s %s %s", o.Result, m.Name, d.Suite.URL+"/log-detail.html?log="+o.ID)
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

// module runs one module, and does what it waits for.
func (d *Driver) module(ctx context.Context, planID string, v Visit) (Outcome, error) {
	id, err := d.Suite.create(ctx, planID, v.Module)
	if err != nil {
		return Outcome{}, err
	}
	o := Outcome{Module: v.Module.Name, ID: id, Result: "TIMEOUT"}
	did := done{}
	for waited := time.Duration(0); waited < d.Patience; waited += d.Every {
		info, err := d.Suite.info(ctx, id)
		if err != nil {
			return o, err
		}
		if info.ended() {
			return d.judge(ctx, o, info)
		}
		if err := d.help(ctx, id, info, v, &did); err != nil {
			return o, err
		}
		if err := d.Wait(ctx, d.Every); err != nil {
			return o, err
		}
	}
	return o, d.Suite.stop(ctx, id)
}

// judge says what came of a module that has ended.
func (d *Driver) judge(ctx context.Context, o Outcome, info Info) (Outcome, error) {
	o.Result = info.Result
	if info.Status == "INTERRUPTED" || info.Result == "" {
		o.Result = info.Status
	}
	if o.Passed() {
		return o, nil
	}
	entries, err := d.Suite.log(ctx, o.ID)
	for _, e := range entries {
		if e.Result == "FAILURE" || e.Result == "WARNING" {
			o.Why = append(o.Why, fmt.Sprintf("%s: %s: %s", e.Result, e.Source, e.Message))
		}
	}
	return o, err
}

// done is what has been done for a module already.
type done struct {
	started, visited bool
	seen             map[string]bool // pages
	last             string          // the picture of the last of them
}

// help does what a module waits for, once.
func (d *Driver) help(ctx context.Context, id string, info Info, v Visit, did *done) error {
	switch {
	case info.Status == "CONFIGURED" && !did.started:
		// It waits for us to change something first; there is only one thing.
		did.started = true
		if err := d.Rotate(ctx); err != nil {
			return err
		}
		return d.Suite.start(ctx, id)
	case info.Status != "WAITING":
		return nil
	case v.Plan.family == relying:
		return d.logIn(ctx, id, v, did)
	case d.Visit == nil:
		return nil
	default:
		return errors.Join(d.visit(ctx, id, did), d.show(ctx, id, did))
	}
}

// logIn sends our relying party to the provider that the suite plays. What it makes of
// that the suite sees, so that it fails is no error of ours: many modules want it to.
func (d *Driver) logIn(ctx context.Context, id string, v Visit, did *done) error {
	if did.visited || d.LogIn == nil {
		return nil
	}
	did.visited = true
	r, err := d.Suite.running(ctx, id)
	if err != nil {
		return err
	}
	if v.Issuer, _ = r.Exposed["issuer"].(string); v.Issuer == "" {
		return errors.New("the suite does not say which issuer it plays")
	}
	if err := d.LogIn(ctx, v); err != nil {
		d.Said("            our relying party: %v", err)
	}
	return nil
}

// visit goes where the suite's own browser does not.
func (d *Driver) visit(ctx context.Context, id string, did *done) error {
	r, err := d.Suite.running(ctx, id)
	if err != nil {
		return err
	}
	for _, address := range r.Browser.URLs {
		if did.seen[address] {
			continue
		}
		if did.seen == nil {
			did.seen = map[string]bool{}
		}
		did.seen[address] = true
		if did.last, err = d.Visit(ctx, address); err != nil {
			return err
		}
		if err := d.Suite.visited(ctx, id, address); err != nil {
			return err
		}
	}
	return nil
}

// show gives the module the picture that it waits for, of the page that was last seen.
func (d *Driver) show(ctx context.Context, id string, did *done) error {
	if did.last == "" {
		return nil
	}
	entries, err := d.Suite.log(ctx, id)
	for _, e := range entries {
		if e.Upload != "" && !did.seen[e.Upload] {
			did.seen[e.Upload] = true
			err = errors.Join(err, d.Suite.show(ctx, id, e.Upload, did.last))
		}
	}
	return err
}
