package oauth

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestADescriptionHasOnlyTheCharactersThatItMay(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                          "plain",
		`say "hello"`:                    "say 'hello'",
		`C:\path`:                        "C:/path",
		"a\r\nSet-Cookie: b":             "a  Set-Cookie: b",
		"tab\tnul\x00del\x7f":            "tab nul?del?",
		"grüße":                          "gr??e",
		"\xff\xfe":                       "??",
		"<script>alert(1)</script>":      "<script>alert(1)</script>",
		strings.Repeat("x", 1000):        strings.Repeat("x", maxDescription),
		strings.Repeat("\u00fc", 200):    strings.Repeat("?", 200),
		"100% of \x7e and \x20 and ! []": "100% of ~ and   and ! []",
	} {
		// Also for one that was not made by Errorf.
		for _, e := range []*Error{Errorf(InvalidRequest, "%s", text), Wrap(InvalidRequest, nil, "%s", text), {Code: InvalidRequest, Description: text}} {
			if got := e.Params().Get("error_description"); got != want {
				t.Errorf("%q as a parameter: %q, want %q", text, got, want)
			}
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var body map[string]string
			if err := json.Unmarshal(data, &body); err != nil || body["error_description"] != want || body["error"] != "invalid_request" || len(body) != 2 {
				t.Errorf("%q in JSON: %s", text, data)
			}
		}
	}
}

func TestTheCauseOfAnErrorIsForTheLogAlone(t *testing.T) {
	cause := errors.New("pq: password authentication failed")
	e := Wrap(ServerError, cause, "Something went wrong.")
	if !errors.Is(e, cause) || !strings.Contains(e.Error(), cause.Error()) || !strings.Contains(e.Error(), "server_error") {
		t.Errorf("the log has %q", e.Error())
	}
	data, err := json.Marshal(e)
	if err != nil || strings.Contains(string(data), "password") || strings.Contains(e.Params().Encode(), "password") {
		t.Errorf("the client is told %s and %s, %v", data, e.Params().Encode(), err)
	}
	bare := &Error{Code: AccessDenied}
	if data, _ := json.Marshal(bare); string(data) != `{"error":"access_denied"}` || bare.Params().Encode() != "error=access_denied" || bare.Error() != "access_denied" {
		t.Errorf("an error without a description: %s, %s, %s", data, bare.Params().Encode(), bare)
	}
}

func TestStatus(t *testing.T) {
	for code, want := range map[Code]int{
		InvalidRequest: 400, InvalidGrant: 400, UnauthorizedClient: 400, UnsupportedGrantType: 400, InvalidScope: 400, InvalidTarget: 400,
		UnsupportedTokenType: 400, InvalidClient: 401, InvalidToken: 401, InsufficientScope: 403, ServerError: 500, TemporarilyUnavailable: 503,
	} {
		if got := (&Error{Code: code}).Status(); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}
