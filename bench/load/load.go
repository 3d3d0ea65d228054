// Package load is a closed-loop load generator for an OpenID provider.
//
// Each of its clients has one connection, sends a request, waits for the answer
// and looks at it, so a slow server slows the load and nothing piles up. It logs
// in as a browser does, through the pages and forms of the server, and therefore
// knows of no server anything but the issuer, the names of a form's fields and
// what the standards say.
//
// What it spends per request is a small part of what a server must, because both
// are measured on the same machine: it speaks HTTP by itself, over plain TCP.
package load

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
)

// Target is a server with all that a client must know of it.
type Target struct {
	Issuer *url.URL
	Client Client
	// Users is how many accounts there are: user1@example.com and so on, all with
	// the password of Password.
	Users int

	keys  *verifier
	paths paths
}

// Client is an application that is registered with the server.
type Client struct {
	ID, Secret  string
	RedirectURI string
	IDTokenAlg  string
}

// Password is the one of every account.
const Password = "password"

// Clients are the applications of bench/dex.yaml that a load is put on with.
var Clients = []Client{
	{ID: "bench", Secret: "bench-secret", RedirectURI: redirectURI, IDTokenAlg: "RS256"},
	{ID: "bench-es256", Secret: "bench-secret", RedirectURI: redirectURI, IDTokenAlg: "ES256"},
}

const redirectURI = "http://127.0.0.1:5599/callback"

// Users is how many accounts bench/dex.yaml has.
const Users = 100

// paths are where the endpoints are, from discovery.
type paths struct {
	authorization, token, keys, userinfo, introspection, push string
}

const discoveryPath = "/.well-known/openid-configuration"

// NewTarget asks the server of the issuer for its metadata and keys.
func NewTarget(issuer string, c Client, users int) (*Target, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("load: issuer: %w", err)
	}
	if u.Scheme != "http" {
		return nil, fmt.Errorf("load: the generator speaks plain http to a loopback address, and %s is neither", issuer)
	}
	t := &Target{Issuer: u, Client: c, Users: users}
	conn := NewConn(u.Host)
	defer conn.Close()
	if err := t.discover(conn); err != nil {
		return nil, fmt.Errorf("load: %s: %w", issuer, err)
	}
	return t, nil
}

// For returns the same server as another client sees it.
func (t *Target) For(c Client) *Target {
	other := *t
	other.Client = c
	return &other
}

// path returns where an endpoint is on the server's only connection.
func (t *Target) path(endpoint string) (string, error) {
	rest, ok := strings.CutPrefix(endpoint, t.origin())
	if !ok || !strings.HasPrefix(rest, "/") {
		return "", fmt.Errorf("the endpoint %q is not under %s", endpoint, t.origin())
	}
	return rest, nil
}

func (t *Target) origin() string { return t.Issuer.Scheme + "://" + t.Issuer.Host }

// basic is the client's authentication, RFC 6749 section 2.3.1.
func (t *Target) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString(
		[]byte(url.QueryEscape(t.Client.ID)+":"+url.QueryEscape(t.Client.Secret)))
}
