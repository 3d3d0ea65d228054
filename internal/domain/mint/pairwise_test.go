package mint

import (
	"strings"
	"testing"

	"dex/internal/domain/client"
)

var subjects = Subjects{Key: []byte("a key of thirty-two bytes, or so")}

func pairwise(id string, uris ...string) client.Client {
	return client.Client{ID: id, SubjectType: client.SubjectPairwise, RedirectURIs: uris}
}

// OpenID Connect Core section 8.1.
func TestAPairwiseSubjectIsOneSectors(t *testing.T) {
	a, b := pairwise("a", "https://a.example/cb"), pairwise("b", "https://b.example/cb")
	twin := pairwise("twin", "https://A.example:8443/other")
	listed := client.Client{ID: "listed", SubjectType: client.SubjectPairwise, SectorURI: "https://a.example/sector.json", RedirectURIs: []string{"https://c.example/cb"}}
	ann := subjects.Of(a, "usr_ann")
	for name, other := range map[string]string{
		"another sector's":  subjects.Of(b, "usr_ann"),
		"somebody else's":   subjects.Of(a, "usr_ben"),
		"the public one":    "usr_ann",
		"another tenant's":  Subjects{Key: []byte("a key of thirty-two bytes, or sp")}.Of(a, "usr_ann"),
		"one without a URI": subjects.Of(pairwise("a"), "usr_ann"),
	} {
		if ann == other {
			t.Errorf("%s is the same", name)
		}
	}
	for name, same := range map[string]client.Client{"again": a, "of another port of the host": twin, "of the host of a list": listed} {
		if got := subjects.Of(same, "usr_ann"); got != ann {
			t.Errorf("%s it is %s, not %s", name, got, ann)
		}
	}
	if strings.Contains(ann, "usr_ann") || len(ann) > 255 || strings.ContainsFunc(ann, func(r rune) bool { return r <= ' ' || r > '~' }) {
		t.Errorf("the subject is %q", ann)
	}
	if got := subjects.Of(client.Client{ID: "p"}, "usr_ann"); got != "usr_ann" {
		t.Errorf("the public subject is %q", got)
	}
	if got := subjects.Of(a, ""); got != "" {
		t.Errorf("nobody is %q", got)
	}
}

func TestWhomAClientMeansByASubject(t *testing.T) {
	a, b, public := pairwise("a", "https://a.example/cb"), pairwise("b", "https://b.example/cb"), client.Client{ID: "p"}
	for _, test := range []struct {
		name    string
		of      client.Client
		subject string
		want    string
	}{
		{"its own name", a, subjects.Of(a, "usr_ann"), "usr_ann"},
		{"the public name", public, "usr_ann", "usr_ann"},
		{"another sector's name", b, subjects.Of(a, "usr_ann"), ""},
		{"a pairwise name, by a client with public ones", public, subjects.Of(a, "usr_ann"), ""},
		{"the public name, by a client with pairwise ones", a, "usr_ann", ""},
		{"a name that is none", a, "pws_AAAA", ""},
		{"a name of garbage", a, "pws_!!", ""},
		{"nobody", public, "", ""},
		{"a name with a bit turned", a, "pws_B" + subjects.Of(a, "usr_ann")[5:], ""},
	} {
		if got, ok := subjects.User(test.of, test.subject); got != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q, %v", test.name, got, ok)
		}
	}
}

func FuzzSubject(f *testing.F) {
	a := pairwise("a", "https://a.example/cb")
	f.Add(subjects.Of(a, "usr_ann"))
	f.Add("pws_")
	f.Fuzz(func(t *testing.T, subject string) {
		if userID, ok := subjects.User(a, subject); ok && subjects.Of(a, userID) != subject {
			t.Errorf("%q is %q", subject, userID)
		}
	})
}
