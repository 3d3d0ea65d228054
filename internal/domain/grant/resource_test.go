package grant

import (
	"errors"
	"slices"
	"testing"

	"dex/internal/domain/client"
	"dex/internal/protocol/oauth"
)

func TestATokenIsForTheResourcesThatAreAskedAmongThoseGranted(t *testing.T) {
	const issuer, api, files, other = "https://dex.example", "https://api.example", "https://files.example", "https://other.example"
	c := client.Client{ID: "app", Resources: []string{api, files}}
	for _, test := range []struct {
		name          string
		granted, asks []string
		want          []string
		refused       bool
	}{
		{"nothing granted, nothing asked", nil, nil, nil, false},
		{"all that was granted", []string{api, files}, nil, []string{api, files}, false},
		{"one of them", []string{api, files}, []string{files}, []string{files}, false},
		{"one that was not", []string{api}, []string{files}, nil, true},
		{"any that the client may have, where none was", nil, []string{files}, []string{files}, false},
		{"one that it may not", nil, []string{other}, nil, true},
		{"one that it may not any more", []string{other}, []string{other}, nil, true},
		{"the issuer", nil, []string{issuer}, []string{issuer}, false},
		{"the issuer, which was not granted", []string{api}, []string{issuer}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := Permit{path: RedeemCode, authorization: Authorization{Terms: Terms{Resources: test.granted}}}
			got, err := p.Toward(c, issuer, test.asks)
			if told, _ := errors.AsType[*oauth.Error](err); test.refused {
				if told == nil || told.Code != oauth.InvalidTarget {
					t.Errorf("got %v", err)
				}
				if _, err := got.For(RedeemCode); err == nil {
					t.Error("a refusal comes with a permit")
				}
				return
			}
			a, bad := got.For(RedeemCode)
			if err != nil || bad != nil || !slices.Equal(a.Terms.Resources, test.want) {
				t.Errorf("got %q, %v, %v", a.Terms.Resources, err, bad)
			}
		})
	}
}

func TestAResourceInATokenIsNoClientThatWouldHaveToTrust(t *testing.T) {
	c := Case{Client: client.Client{ID: "app", Resources: []string{"https://api.example"}}}
	c.Authorization.Terms.Resources = []string{"https://api.example", "https://gone.example"}
	got := c.Bearing("https://dex.example", nil, []string{"https://dex.example", "app", "https://api.example", "peer", "https://gone.example"})
	if want := []string{"peer", "https://gone.example"}; !slices.Equal(got.Authorization.Audience, want) || got.Authorization.Terms.Resources != nil {
		t.Errorf("the audience is %q, the resources are %q", got.Authorization.Audience, got.Authorization.Terms.Resources)
	}
}
