package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Suite is a suite that runs somewhere, by its REST interface.
type Suite struct {
	URL   string // without a slash at its end
	Token string // of its API, where it asks for one
	HTTP  *http.Client
}

// Module is one test of a plan.
type Module struct {
	Name    string            `json:"testModule"`
	Variant map[string]string `json:"variant"`
}

// Info is how a module stands.
type Info struct {
	Status string `json:"status"` // CREATED, CONFIGURED, WAITING, RUNNING, FINISHED, INTERRUPTED
	Result string `json:"result"` // PASSED, WARNING, REVIEW, SKIPPED, FAILED
}

// ended reports whether nothing more will come of a module.
func (i Info) ended() bool { return i.Status == "FINISHED" || i.Status == "INTERRUPTED" }

// Running is what a module that runs says to whoever drives it.
type Running struct {
	Browser struct {
		URLs []string `json:"urls"` // that somebody is to visit
	} `json:"browser"`
	Exposed map[string]any `json:"exposed"`
}

// entry is a line of a module's log.
type entry struct {
	Source  string `json:"src"`
	Result  string `json:"result"`
	Message string `json:"msg"`
	Upload  string `json:"upload"` // a picture that is wanted, by its name
}

// plan makes a plan, and returns its id and its modules.
func (s *Suite) plan(ctx context.Context, p Plan, config any) (id string, modules []Module, err error) {
	variant, err := json.Marshal(p.Variant)
	if err != nil {
		return "", nil, err
	}
	var made struct {
		ID      string   `json:"id"`
		Modules []Module `json:"modules"`
	}
	query := url.Values{"planName": {p.Name}, "variant": {string(variant)}}
	err = s.call(ctx, http.MethodPost, "/api/plan", query, config, &made)
	return made.ID, made.Modules, err
}

// create makes a module, which begins by itself unless it waits to be started.
func (s *Suite) create(ctx context.Context, planID string, m Module) (id string, err error) {
	variant, err := json.Marshal(m.Variant)
	if err != nil {
		return "", err
	}
	var made struct {
		ID string `json:"id"`
	}
	query := url.Values{"test": {m.Name}, "plan": {planID}, "variant": {string(variant)}}
	err = s.call(ctx, http.MethodPost, "/api/runner", query, nil, &made)
	return made.ID, err
}

func (s *Suite) info(ctx context.Context, id string) (i Info, err error) {
	err = s.call(ctx, http.MethodGet, "/api/info/"+id, nil, nil, &i)
	return i, err
}

func (s *Suite) running(ctx context.Context, id string) (r Running, err error) {
	err = s.call(ctx, http.MethodGet, "/api/runner/"+id, nil, nil, &r)
	return r, err
}

func (s *Suite) start(ctx context.Context, id string) error {
	return s.call(ctx, http.MethodPost, "/api/runner/"+id, nil, nil, nil)
}

func (s *Suite) stop(ctx context.Context, id string) error {
	return s.call(ctx, http.MethodDelete, "/api/runner/"+id, nil, nil, nil)
}

// visited says that somebody has been where a module wanted them to go.
func (s *Suite) visited(ctx context.Context, id, address string) error {
	return s.call(ctx, http.MethodPost, "/api/runner/browser/"+id+"/visit", url.Values{"url": {address}}, nil, nil)
}

func (s *Suite) log(ctx context.Context, id string) (entries []entry, err error) {
	err = s.call(ctx, http.MethodGet, "/api/log/"+id, nil, nil, &entries)
	return entries, err
}

// show gives a module the picture that it wants of a page.
func (s *Suite) show(ctx context.Context, id, name, picture string) error {
	return s.send(ctx, http.MethodPost, "/api/log/"+id+"/images/"+url.PathEscape(name), nil, "text/plain", strings.NewReader(picture), nil)
}

func (s *Suite) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	return s.send(ctx, method, path, query, "application/json", reader, into)
}

const maxAnswer = 32 << 20 // a log is long

func (s *Suite) send(ctx context.Context, method, path string, query url.Values, mediaType string, body io.Reader, into any) error {
	address := s.URL + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.Token)
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the suite answers %s %s with %d: %.200s", method, path, resp.StatusCode, text)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errors.Join(fmt.Errorf("the suite's answer to %s %s makes no sense", method, path), err)
	}
	return nil
}
