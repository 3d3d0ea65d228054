package ctl

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"dex/internal/admin/resource"
	"dex/internal/base/fault"
	"dex/internal/base/outbound"
)

const (
	callTimeout = time.Minute // applying a large plan takes its time
	maxAnswer   = 32 << 20
	maxMetadata = 1 << 20
)

// everywhere is where a command may call: whoever types an address means it.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// HTTP returns what calls the server of a target. [parseAPI] has seen to it that
// nothing is sent in the clear beyond this machine.
func (t Target) HTTP() (*http.Client, error) {
	var roots *x509.CertPool
	if t.CAFile != "" {
		text, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, err
		}
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", t.CAFile)
		}
	}
	return outbound.New(outbound.Options{AllowPrivate: everywhere, Timeout: callTimeout, Connect: 10 * time.Second, MaxBody: maxAnswer, RootCAs: roots}), nil
}

// issuerMetadata is what of a provider's description a login needs, RFC 8414
// section 2 and RFC 8628 section 4.
type issuerMetadata struct {
	Issuer         string   `json:"issuer"`
	Authorization  string   `json:"authorization_endpoint"`
	Token          string   `json:"token_endpoint"`
	Revocation     string   `json:"revocation_endpoint"`
	Device         string   `json:"device_authorization_endpoint"`
	Userinfo       string   `json:"userinfo_endpoint"`
	Challenges     []string `json:"code_challenge_methods_supported"`
	SaysItsOwnName bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

// authority is where a target's tokens come from.
type authority struct {
	issuerMetadata
	scopes []string // what the API knows of
	client *http.Client
}

// authority asks the API of a target who its issuer is, and the issuer where its
// endpoints are.
func (t Target) authority(ctx context.Context) (authority, error) {
	client, err := t.HTTP()
	if err != nil {
		return authority{}, err
	}
	var api resource.Protected
	if err := getJSON(ctx, client, wellKnown(t.API, resource.Metadata), "", &api); err != nil {
		return authority{}, fmt.Errorf("ask %s whose tokens it takes: %w", t.API, err)
	}
	if len(api.Issuers) == 0 {
		return authority{}, fmt.Errorf("%s does not say whose tokens it takes; is it the administrators' API of dex (admin_listen)?", t.API)
	}
	a, err := issuerAt(ctx, client, api.Issuers[0])
	a.scopes = api.Scopes
	return a, err
}

// wellKnown returns the address of a description: its path stands before that of what
// it describes, RFC 9728 section 3.1.
func wellKnown(of, path string) string {
	u, err := url.Parse(of)
	if err != nil {
		return of + path
	}
	u.Path = path + strings.TrimRight(u.Path, "/")
	return u.String()
}

// issuerAt reads how an issuer describes itself.
func issuerAt(ctx context.Context, client *http.Client, issuer string) (authority, error) {
	if _, err := parseAPI(issuer); err != nil {
		return authority{}, fmt.Errorf("the API names an issuer that cannot be: %w", err)
	}
	a := authority{client: client}
	if err := getJSON(ctx, client, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", "", &a.issuerMetadata); err != nil {
		return authority{}, fmt.Errorf("ask the issuer %s where its endpoints are: %w", issuer, err)
	}
	if a.Issuer != issuer { // OpenID Connect Discovery section 4.3
		return authority{}, fmt.Errorf("the issuer at %s says that it is %s", issuer, a.Issuer)
	}
	for _, endpoint := range []string{a.Authorization, a.Token, a.Revocation, a.Device, a.Userinfo} {
		if err := checkEndpoint(endpoint); err != nil {
			return authority{}, fmt.Errorf("the issuer %s names an endpoint that cannot be: %w", issuer, err)
		}
	}
	return a, nil
}

// checkEndpoint says why a secret or a browser cannot be sent to an address.
func checkEndpoint(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	u.RawQuery = ""
	_, err = parseAPI(u.String())
	return err
}

// wanted are the scopes to ask for: those that the API knows of, of which the issuer
// grants what the person's role, or the client, has.
func (a authority) wanted(person bool) string {
	var scopes []string
	if person {
		scopes = append(scopes, "openid", "profile", "email", "offline_access")
	}
	for _, s := range a.scopes {
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return strings.Join(scopes, " ")
}

func getJSON(ctx context.Context, client *http.Client, address, token string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", address, answer.Status)
	}
	return readJSON(answer.Body, into)
}

func readJSON(body io.Reader, into any) error {
	text, err := io.ReadAll(io.LimitReader(body, maxMetadata+1))
	if err != nil {
		return err
	}
	if len(text) > maxMetadata {
		return errors.New("the answer is too large")
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer is not the JSON that was expected: %w", err)
	}
	return nil
}

// unreachable takes the method and address out of an error of the client's: whoever
// reads it is told them already.
func unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fault.Wrap(fault.Unavailable, err, "The server cannot be reached")
}

// answerError is an error that the issuer has answered, RFC 6749 section 5.2.
type answerError struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

// Error implements error.
func (e *answerError) Error() string { return cmp.Or(e.Description, e.Code) }
