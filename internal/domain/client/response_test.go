package client

import (
	"testing"

	"dex/internal/protocol/oauth"
)

func TestAClientThatSaysNothingGetsCodes(t *testing.T) {
	some := Client{ResponseTypes: []oauth.ResponseType{oauth.ResponseTypeIDToken, oauth.ResponseTypeCodeIDToken}}
	for _, of := range append(oauth.ResponseTypes(), "") {
		if got, want := (Client{}).Answers(of), of == oauth.ResponseTypeCode; got != want {
			t.Errorf("%q for a client that says nothing: %v", of, got)
		}
		if got, want := some.Answers(of), of == oauth.ResponseTypeIDToken || of == oauth.ResponseTypeCodeIDToken; got != want {
			t.Errorf("%q for one that says: %v", of, got)
		}
	}
}

func TestACodeInAFragmentIsForProfilesThatKnowMoreThanACode(t *testing.T) {
	for _, mode := range oauth.ResponseModes() {
		for _, profile := range Profiles {
			c := Client{Profile: profile}
			if got, want := c.AnswersIn(mode, oauth.ResponseTypeCode), mode.Way() != oauth.ModeFragment || profile == OpenID || profile == FAPI1; got != want {
				t.Errorf("a code by %s for %s: %v", mode, profile, got)
			}
			if !c.AnswersIn(mode, oauth.ResponseTypeCodeIDToken) {
				t.Errorf("a token by %s for %s is refused for its mode", mode, profile)
			}
		}
	}
}
