package httpx

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"dex/internal/base/fault"
)

const formType = "application/x-www-form-urlencoded"

func TestAFormIsRead(t *testing.T) {
	for _, test := range []struct {
		name, body, contentType string
		want                    string // encoded again
		status                  int    // if it is refused
	}{
		{name: "a form", body: "a=1&b=2&a=3&e=", contentType: formType, want: "a=1&a=3&b=2&e="},
		{name: "a form with its charset", body: "a=%C3%A4", contentType: formType + "; charset=UTF-8", want: "a=%C3%A4"},
		{name: "a form in capitals", body: "a=1", contentType: "Application/X-WWW-Form-Urlencoded", want: "a=1"},
		{name: "an empty form", body: "", contentType: formType, want: ""},
		{name: "no body and no type", body: "", contentType: "", want: ""},
		{name: "a body without a type", body: "a=1", contentType: "", status: 415},
		{name: "JSON", body: "{}", contentType: "application/json", status: 415},
		{name: "text", body: "a=1", contentType: "text/plain", status: 415},
		{name: "a file", body: "a=1", contentType: "multipart/form-data; boundary=x", status: 415},
		{name: "a type that is none", body: "a=1", contentType: formType + ";;=", status: 415},
		{name: "two types in one line", body: "a=1", contentType: formType + ", text/plain", status: 415},
		{name: "a broken escape", body: "a=%zz", contentType: formType, status: 400},
		{name: "an escape cut short", body: "a=%4", contentType: formType, status: 400},
		{name: "a semicolon", body: "a=1;b=2", contentType: formType, status: 400},
		{name: "a zero byte", body: "a=%00", contentType: formType, status: 400},
		{name: "a zero byte in a name", body: "%00=a", contentType: formType, status: 400},
		{name: "bytes that are no text", body: "a=%ff", contentType: formType, status: 400},
		{name: "just small enough", body: "a=" + strings.Repeat("x", 98), contentType: formType, want: "a=" + strings.Repeat("x", 98)},
		{name: "just too large", body: "a=" + strings.Repeat("x", 99), contentType: formType, status: 413},
		{name: "many parameters", body: strings.Repeat("&", 99), contentType: formType, want: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			// What the query says must not show.
			r := httptest.NewRequest("POST", "/token?a=query&q=1", strings.NewReader(test.body))
			if test.contentType != "" {
				r.Header.Set("Content-Type", test.contentType)
			}
			got, err := ReadForm(httptest.NewRecorder(), r, 100)
			checkValues(t, got, err, test.want, test.status)
		})
	}
}

func checkValues(t *testing.T, got url.Values, err error, want string, status int) {
	t.Helper()
	if status == 0 {
		if err != nil || got.Encode() != want {
			t.Errorf("got %q, %v, want %q", got.Encode(), err, want)
		}
		return
	}
	if got != nil || Status(err) != status || !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, %v, want status %d", got, err, status)
	}
}

func TestAFormIsReadOnlyFromAPost(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE", "post"} {
		r := httptest.NewRequest(method, "/", strings.NewReader("a=1"))
		r.Header.Set("Content-Type", formType)
		if _, err := ReadForm(httptest.NewRecorder(), r, 0); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", method, err)
		}
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader("a=1"))
	r.Header["Content-Type"] = []string{formType, formType}
	if _, err := ReadForm(httptest.NewRecorder(), r, 0); !errors.Is(err, ErrContentType) {
		t.Errorf("two types: %v", err)
	}
	r = httptest.NewRequest("POST", "/", strings.NewReader("a=1"))
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Content-Encoding", "gzip")
	if _, err := ReadForm(httptest.NewRecorder(), r, 0); !errors.Is(err, ErrContentType) {
		t.Errorf("a compressed body: %v", err)
	}
	r = httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("a=1"), failing{}))
	r.Header.Set("Content-Type", formType)
	if _, err := ReadForm(httptest.NewRecorder(), r, 0); !fault.Is(err, fault.Invalid) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body cut short: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestABodyHasItsSizeWhetherItSaysSoOrNot(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := ReadForm(w, r, 0); err != nil {
			w.WriteHeader(Status(err))
		}
	}))
	defer s.Close()
	for size, want := range map[int]int{DefaultFormLimit: 200, DefaultFormLimit + 1: 413} {
		body := "a=" + strings.Repeat("x", size-2)
		for name, reader := range map[string]io.Reader{"said": strings.NewReader(body), "unsaid": io.MultiReader(strings.NewReader(body))} {
			got, err := http.Post(s.URL, formType, reader)
			if err != nil {
				t.Fatal(err)
			}
			_ = got.Body.Close()
			if got.StatusCode != want {
				t.Errorf("%d bytes, %s: status %d, want %d", size, name, got.StatusCode, want)
			}
		}
	}
}

func TestAQueryIsReadStrictly(t *testing.T) {
	for _, test := range []struct {
		name, query, want string
		status            int
	}{
		{name: "none"},
		{name: "parameters", query: "a=1&a=2&b=+%2B&c", want: "a=1&a=2&b=+%2B&c="},
		{name: "a broken escape", query: "a=1&b=%", status: 400},
		{name: "a semicolon", query: "a=1;b=2", status: 400},
		{name: "a zero byte", query: "a=%00", status: 400},
		{name: "bytes that are no text", query: "a=%C3", status: 400},
		{name: "just few enough", query: strings.Repeat("&", 255), want: ""},
		{name: "too many", query: strings.Repeat("&", 256), status: 400},
		{name: "just short enough", query: "a=" + strings.Repeat("x", 16384-4), want: "a=" + strings.Repeat("x", 16384-4)},
		{name: "just too long", query: "a=" + strings.Repeat("x", 16384-3), status: 414},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/?"+test.query, nil)
			got, err := Query(r)
			checkValues(t, got, err, test.want, test.status)
		})
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "a=1&b=2", "a=%zz", "a;b", "%00=%ff", "&&&", "a=%C3%A4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := Query(&http.Request{URL: &url.URL{RawQuery: query}})
		if (got == nil) == (err == nil) {
			t.Fatalf("%v and %v", got, err)
		}
		again, err2 := url.ParseQuery(got.Encode())
		if err == nil && (err2 != nil || again.Encode() != got.Encode()) {
			t.Errorf("%q is not read the same way twice", query)
		}
	})
}
