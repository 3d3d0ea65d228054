package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dex/internal/base/secret"
)

// applicant is the client that asks for tokens; its secret is empty if it has none.
type applicant struct {
	id     string
	secret secret.Value
}

// applicant returns the client that a target is to be, with its secret if it has one.
func (t Target) applicant() (applicant, error) {
	a := applicant{id: t.ClientID}
	if t.ClientSecretFile == "" {
		return a, nil
	}
	text, err := readPrivate(t.ClientSecretFile, maxToken)
	if err != nil {
		return a, fmt.Errorf("the client's secret: %w", err)
	}
	a.secret = secret.Value(strings.TrimSpace(string(text)))
	if a.secret == "" {
		return a, fmt.Errorf("the client's secret: %s is empty", t.ClientSecretFile)
	}
	return a, nil
}

// post sends a form to an endpoint of the issuer as a client, and reads the answer.
func (a authority) post(ctx context.Context, endpoint string, as applicant, form url.Values, into any) error {
	if as.secret == "" {
		form.Set("client_id", as.id)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if as.secret != "" { // RFC 6749 section 2.3.1
		req.SetBasicAuth(url.QueryEscape(as.id), url.QueryEscape(string(as.secret)))
	}
	answer, err := a.client.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode == http.StatusOK {
		if into == nil {
			return nil
		}
		return readJSON(answer.Body, into)
	}
	var refused answerError
	if err := readJSON(answer.Body, &refused); err != nil || refused.Code == "" {
		return fmt.Errorf("%s answered %s", endpoint, answer.Status)
	}
	return &refused
}

// tokenAnswer is what the token endpoint answers, RFC 6749 section 5.1.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

// obtain asks the token endpoint. The token it returns is for the target alone.
func (a authority) obtain(ctx context.Context, t Target, as applicant, form url.Values, now func() time.Time) (Token, error) {
	asked := now()
	var got tokenAnswer
	if err := a.post(ctx, a.Token, as, form, &got); err != nil {
		return Token{}, err
	}
	if got.AccessToken == "" || !strings.EqualFold(got.TokenType, "Bearer") {
		return Token{}, errors.New("the issuer has answered with no token that can be used")
	}
	return Token{
		API: t.API, Issuer: a.Issuer, ClientID: as.id,
		AccessToken: got.AccessToken, RefreshToken: got.RefreshToken, Scope: got.Scope,
		ExpiresAt: asked.Add(time.Duration(got.ExpiresIn) * time.Second).UTC(),
	}, nil
}
