package httpx

import (
	"net/http/httptest"
	"testing"
	"time"
)

func TestJSONIsAnsweredWholeOrNotAtAll(t *testing.T) {
	w := httptest.NewRecorder()
	if err := WriteJSON(w, 201, map[string]string{"a": "<b>"}); err != nil {
		t.Fatal(err)
	}
	got := w.Result()
	if got.StatusCode != 201 || w.Body.String() != `{"a":"\u003cb\u003e"}` {
		t.Errorf("got %d %s", got.StatusCode, w.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Length": "21",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	w = httptest.NewRecorder()
	if err := WriteJSON(w, 200, func() {}); err == nil || w.Body.Len() != 0 || len(w.Header()) != 0 {
		t.Errorf("what cannot be encoded: %v, %q, %v", err, w.Body, w.Header())
	}
}

func TestADocumentIsServedToThoseWhoLackIt(t *testing.T) {
	doc := NewDocument("application/json", []byte(`{"keys":[]}`), 10*time.Minute)
	tag := doc.etag
	for _, test := range []struct {
		name, method string
		has          []string
		status       int
		body         string
	}{
		{"whoever has nothing", "GET", nil, 200, `{"keys":[]}`},
		{"whoever asks for the headers alone", "HEAD", nil, 200, ""},
		{"whoever has another", "GET", []string{`"other"`}, 200, `{"keys":[]}`},
		{"whoever has this one", "GET", []string{tag}, 304, ""},
		{"whoever has this one among others", "GET", []string{`"other", ` + tag}, 304, ""},
		{"whoever has this one in another line", "GET", []string{`"other"`, tag}, 304, ""},
		{"whoever has this one weakly", "GET", []string{"W/" + tag}, 304, ""},
		{"whoever has any", "GET", []string{"*"}, 304, ""},
		{"whoever forgot the quotes", "GET", []string{tag[1 : len(tag)-1]}, 200, `{"keys":[]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, w := httptest.NewRequest(test.method, "/keys", nil), httptest.NewRecorder()
			if test.has != nil {
				r.Header["If-None-Match"] = test.has
			}
			if err := ServeDocument(w, r, doc); err != nil {
				t.Fatal(err)
			}
			h := w.Result().Header
			if w.Code != test.status || w.Body.String() != test.body || h.Get("Cache-Control") != "public, max-age=600" || h.Get("Etag") != tag {
				t.Errorf("got %d %q, %v", w.Code, w.Body, h)
			}
			if test.status == 200 && (h.Get("Content-Length") != "11" || h.Get("Content-Type") != "application/json") {
				t.Errorf("headers %v", h)
			}
		})
	}
	if NewDocument("application/json", []byte(`{}`), 0).etag == tag {
		t.Error("two documents have one tag")
	}
}

func TestABrowserIsSentOnlyToAnAddress(t *testing.T) {
	for address, good := range map[string]bool{
		"/login?request=1": true, "https://app.example/cb?code=x&state=%22%20": true, "http://127.0.0.1:5555/cb": true,
		"com.example.app:/cb?code=x": true, "COM.example.app://cb": true, "/": true,
		"": false, "//evil.example": false, `/\evil.example`: false, `\\evil.example`: false, `https:\\evil.example`: false,
		"login": false, "evil.example/x": false, "?x": false, "#x": false, "https://a.example/\r\nX: y": false, "https://a.example/\x00": false, "/a b": false, "/\t/evil.example": false,
		"/ä": false, "/\x7f": false, "javascript:alert(1)": false, "JavaScript:alert(1)": false, "data:text/html,x": false, ":": false, "1a:x": false,
	} {
		w := httptest.NewRecorder()
		err := SeeOther(w, httptest.NewRequest("POST", "/login", nil), address)
		if good && (err != nil || w.Code != 303 || w.Header().Get("Location") != address || w.Header().Get("Cache-Control") != "no-store") {
			t.Errorf("%q: %v, %d, %v", address, err, w.Code, w.Header())
		}
		if !good && (err == nil || len(w.Header()) != 0) {
			t.Errorf("%q: %v, %v", address, err, w.Header())
		}
	}
}

func FuzzSeeOther(f *testing.F) {
	for _, s := range []string{"/", "//x", "https://a.example/", "a:b", "/\r\n", "javascript:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		w := httptest.NewRecorder()
		if err := SeeOther(w, nil, address); err != nil {
			return
		}
		for _, c := range []byte(w.Header().Get("Location")) {
			if c <= ' ' || c >= 0x7f {
				t.Errorf("%q went into a header", address)
			}
		}
	})
}
