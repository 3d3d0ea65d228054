package oauth

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// The certification suite warns of each member that it does not know. Its list
// is in testdata.
func TestMetadataHasOnlyMembersThatTheSuiteKnows(t *testing.T) {
	list, err := os.ReadFile("testdata/metadata-members.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for name := range strings.FieldsSeq(string(list)) {
		known[name] = true
	}
	fields := reflect.VisibleFields(reflect.TypeFor[Metadata]())
	for _, field := range fields {
		if field.Name == "Supported" { // of which the table of clients' metadata sees to the names
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !known[name] {
			t.Errorf("%s is written as %q", field.Name, name)
		}
	}
	data, err := json.Marshal(Metadata{Issuer: "https://id", Supported: map[string][]string{"b": {"2"}, "a": {"1"}}})
	want := `{"issuer":"https://id","claims_parameter_supported":false,"request_parameter_supported":false,"request_uri_parameter_supported":false,"backchannel_user_code_parameter_supported":false,"authorization_response_iss_parameter_supported":false,"a":["1"],"b":["2"]}`
	if err != nil || string(data) != want {
		t.Errorf("%s, error %v", data, err)
	}
}
