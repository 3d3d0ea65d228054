package ctl

import (
	"context"
	"slices"
	"strings"
	"time"

	"dex/internal/domain/role"
)

// Self is who a target takes dexctl for.
type Self struct {
	Context   string    `json:"context,omitempty"`
	API       string    `json:"api"`
	Issuer    string    `json:"issuer"`
	Client    string    `json:"client_id,omitempty"`
	Subject   string    `json:"sub,omitempty"`
	Name      string    `json:"name,omitempty"`
	Email     string    `json:"email,omitempty"`
	May       []string  `json:"may"` // the administrative scopes
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// WhoAmI asks the issuer who the token is about, and tells what it is good for.
func (w World) WhoAmI(ctx context.Context, t Target) (Self, error) {
	source := w.Source(t)
	token, err := source.Token(ctx, "")
	if err != nil {
		return Self{}, err
	}
	a, err := t.authority(ctx)
	if err != nil {
		return Self{}, err
	}
	self := Self{Context: t.Name, API: t.API, Issuer: a.Issuer, Client: source.token.ClientID, ExpiresAt: source.token.ExpiresAt, May: []string{}}
	for _, scope := range strings.Fields(source.token.Scope) {
		if role.IsAdministrative(scope) {
			self.May = append(self.May, scope)
		}
	}
	slices.Sort(self.May)
	if t.ClientSecretFile != "" || a.Userinfo == "" { // a client for itself is nobody
		return self, nil
	}
	var person struct {
		Subject string `json:"sub"`
		Name    string `json:"name"`
		Email   string `json:"email"`
	}
	if err := getJSON(ctx, a.client, a.Userinfo, token, &person); err != nil {
		return Self{}, err
	}
	self.Subject, self.Name, self.Email = person.Subject, person.Name, person.Email
	return self, nil
}
