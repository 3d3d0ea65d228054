package authorize

import (
	"errors"
	"testing"

	"dex/internal/domain/client"
	"dex/internal/domain/grant"
	"dex/internal/protocol/oauth"
)

func TestWhatAProfileDemandsOfARequest(t *testing.T) {
	whole := oauth.Authorization{
		ResponseType: oauth.ResponseTypeCode, Scopes: oauth.Scopes{"openid"}, Nonce: "n",
		Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
	}
	without := func(change func(a *oauth.Authorization)) oauth.Authorization {
		a := whole
		change(&a)
		return a
	}
	pushed, signed, both := grant.Delivery{Pushed: []byte{}}, grant.Delivery{Signed: true}, grant.Delivery{Pushed: []byte{}, Signed: true}
	fapi2 := client.Client{Profile: client.FAPI2, RequirePAR: true}
	messages := client.Client{Profile: client.FAPI2, RequirePAR: true, RequireSignedRequest: true}
	hybrid := without(func(a *oauth.Authorization) { a.ResponseType = oauth.ResponseTypeCodeIDToken })
	jarm := without(func(a *oauth.Authorization) { a.ResponseMode = oauth.ModeJWT })
	fapi1 := client.Client{Profile: client.FAPI1}
	for _, test := range []struct {
		name   string
		asked  oauth.Authorization
		by     grant.Delivery
		client client.Client
		want   oauth.Code
	}{
		{"nothing of a client of OAuth 2.1", oauth.Authorization{}, grant.Delivery{}, client.Client{}, ""},
		{"nothing of one of OpenID Connect", oauth.Authorization{}, grant.Delivery{}, client.Client{Profile: client.OpenID}, ""},
		{"a client may have to push", whole, grant.Delivery{}, client.Client{RequirePAR: true}, oauth.InvalidRequest},
		{"and then a signature is not enough", whole, signed, client.Client{RequirePAR: true}, oauth.InvalidRequest},
		{"a client may have to sign", whole, pushed, client.Client{RequireSignedRequest: true}, oauth.InvalidRequestObject},
		{"and then it does", whole, signed, client.Client{RequireSignedRequest: true}, ""},
		{"FAPI 2.0 has it pushed", whole, grant.Delivery{}, fapi2, oauth.InvalidRequest},
		{"and takes what is", whole, pushed, fapi2, ""},
		{"FAPI 2.0 without PKCE", without(func(a *oauth.Authorization) { a.Challenge = "" }), pushed, fapi2, oauth.InvalidRequest},
		{"FAPI 2.0 without a nonce", without(func(a *oauth.Authorization) { a.Nonce = "" }), pushed, fapi2, ""},
		{"FAPI 2.0 without scopes", without(func(a *oauth.Authorization) { a.Scopes = nil }), pushed, fapi2, oauth.InvalidRequest},
		{"Message Signing has it signed", whole, pushed, messages, oauth.InvalidRequestObject},
		{"and takes what is", whole, both, messages, ""},
		{"FAPI 1.0 has it signed", whole, grant.Delivery{}, fapi1, oauth.InvalidRequestObject},
		{"and what was pushed as well", whole, pushed, fapi1, oauth.InvalidRequestObject},
		{"FAPI 1.0 takes what is signed", hybrid, signed, fapi1, ""},
		{"and a code alone in a signed response", jarm, signed, fapi1, ""},
		{"but not in a plain one", whole, signed, fapi1, oauth.InvalidRequest},
		{"nor in a query that is asked for", without(func(a *oauth.Authorization) { a.ResponseMode = oauth.ModeQuery }), signed, fapi1, oauth.InvalidRequest},
		{"FAPI 1.0 without a nonce", without(func(a *oauth.Authorization) { a.ResponseMode, a.Nonce = oauth.ModeJWT, "" }), signed, fapi1, oauth.InvalidRequest},
		{"FAPI 1.0 without PKCE", without(func(a *oauth.Authorization) { a.ResponseMode, a.Challenge = oauth.ModeJWT, "" }), signed, fapi1, ""},
		{"FAPI 1.0 pushed without PKCE", without(func(a *oauth.Authorization) { a.Challenge = "" }), both, fapi1, oauth.InvalidRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := demand(test.asked, test.by, test.client)
			told, _ := errors.AsType[*oauth.Error](err)
			if (err == nil) != (test.want == "") || told != nil && told.Code != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
