package workertest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Push pushes an authorization request, with the given pairs set instead, and returns
// the reference to it.
func (c *Client) Push(pairs ...string) string {
	c.t.Helper()
	a, answer := c.Pushed(c.AuthorizeParams(pairs...))
	if a.Status != http.StatusCreated || answer.RequestURI == "" {
		c.t.Fatalf("the request is not taken: %d %s", a.Status, a.Body)
	}
	return answer.RequestURI
}

// PushAnswer is the answer to a pushed request.
type PushAnswer struct {
	RequestURI  string `json:"request_uri"`
	ExpiresIn   int    `json:"expires_in"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// Pushed pushes some parameters, and returns what came of it.
func (c *Client) Pushed(params url.Values) (*Answer, PushAnswer) {
	c.t.Helper()
	a := c.Send("/par", params)
	var answer PushAnswer
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		c.t.Fatalf("the answer to a pushed request is no JSON: %d %q", a.Status, a.Body)
	}
	return a, answer
}

// AuthorizePushed returns the address of an authorization request that was pushed.
func (c *Client) AuthorizePushed(requestURI string, pairs ...string) string {
	v := url.Values{"client_id": {c.ID}, "request_uri": {requestURI}}
	set(v, pairs)
	return "/authorize?" + v.Encode()
}

// Object returns the request object of a fitting request, signed by the client, with the
// given members set instead; nil takes a member out.
func (c *Client) Object(instead map[string]any) string {
	c.t.Helper()
	return c.Sign("oauth-authz-req+jwt", c.Members(instead))
}

// Members returns the members of the request object of a fitting request, with the
// given ones set instead; nil takes a member out.
func (c *Client) Members(instead map[string]any) map[string]any {
	now := c.server.Clock.Now()
	members := map[string]any{
		"iss": c.ID, "aud": c.server.URL, "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	for name, values := range c.AuthorizeParams() {
		members[name] = values[0]
	}
	for name, value := range instead {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	return members
}
