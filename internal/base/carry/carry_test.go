package carry

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/seal"
)

var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func newRing(t testing.TB) *seal.Ring {
	t.Helper()
	ring, err := seal.NewRing(seal.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func newJar(t testing.TB) Jar[string] {
	t.Helper()
	return Jar[string]{Box: newRing(t).Box("attempt"), Cookies: httpx.Cookies{Secure: true}, Name: "dex_attempt_"}
}

// browser keeps cookies as browsers do.
type browser struct {
	t       testing.TB
	cookies []*http.Cookie
}

func (b *browser) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// take takes the cookies of an answer.
func (b *browser) take(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		b.cookies = slices.DeleteFunc(b.cookies, func(old *http.Cookie) bool { return old.Name == c.Name })
		if c.MaxAge >= 0 {
			b.cookies = append(b.cookies, c)
		}
	}
}

func (b *browser) put(j Jar[string], id, value string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	if err := j.Put(w, b.request(), id, value); err != nil {
		b.t.Fatal(err)
	}
	b.take(w)
}

func (b *browser) drop(j Jar[string], id string) {
	w := httptest.NewRecorder()
	j.Drop(w, b.request(), id)
	b.take(w)
}

// line returns the length of the Cookie line that the browser sends.
func (b *browser) line() int { return len(b.request().Header.Get("Cookie")) }

// names returns the names of the cookies, in order.
func (b *browser) names() []string {
	var names []string
	for _, c := range b.cookies {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

func (b *browser) expect(j Jar[string], id, want string) {
	b.t.Helper()
	if got, err := j.Get(b.request(), id); err != nil || got != want {
		b.t.Errorf("got %.40q (%d bytes), %v, want %d bytes", got, len(got), err, len(want))
	}
}

func (b *browser) expectNone(j Jar[string], id string) {
	b.t.Helper()
	if got, err := j.Get(b.request(), id); !fault.Is(err, fault.NotFound) || got != "" {
		b.t.Errorf("got %.40q, %v, want a fault of kind not found", got, err)
	}
}

// noise returns n characters that cannot be compressed much.
func noise(n int) string {
	source := rand.New(rand.NewPCG(1, uint64(n)))
	var b strings.Builder
	for range n {
		b.WriteByte(byte('!' + source.IntN('~'-'!')))
	}
	return strings.NewReplacer(`"`, "_", `\`, "_", "<", "_", ">", "_", "&", "_").Replace(b.String())
}

func TestWhatIsPutComesBackAndCanBeReplacedAndDropped(t *testing.T) {
	for _, test := range []struct {
		name    string
		value   string
		cookies int
	}{
		{name: "nothing", value: "", cookies: 1},
		{name: "a little", value: "state", cookies: 1},
		{name: "not worth compressing", value: noise(compressed - 3), cookies: 1},
		{name: "compressed", value: strings.Repeat("openid profile ", 2000), cookies: 1},
		{name: "two cookies", value: noise(4000), cookies: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			j, b, id := newJar(t), &browser{t: t}, NewID(noon)
			b.put(j, id, test.value)
			b.expect(j, id, test.value)
			if len(b.cookies) != test.cookies {
				t.Errorf("%d cookies: %q", len(b.cookies), b.names())
			}
			for _, c := range b.cookies {
				if n := len(c.String()); n >= 4096 {
					t.Errorf("%d bytes are more than a browser keeps", n)
				}
				if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 {
					t.Errorf("cookie %s", c)
				}
			}
			b.put(j, id, "smaller")
			b.expect(j, id, "smaller")
			if len(b.cookies) != 1 {
				t.Errorf("what a larger value needed is left: %q", b.names())
			}
			b.drop(j, id)
			b.expectNone(j, id)
			if len(b.cookies) != 0 {
				t.Errorf("left behind: %q", b.names())
			}
		})
	}
}

func TestAValueThatDoesNotFitIsRefusedAndNothingIsLost(t *testing.T) {
	j, b, id := newJar(t), &browser{t: t}, NewID(noon)
	b.put(j, id, "before")
	w := httptest.NewRecorder()
	if err := j.Put(w, b.request(), id, noise(maxValue)); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want a fault of kind invalid", err)
	}
	if got := w.Header().Values("Set-Cookie"); len(got) != 0 {
		t.Errorf("the browser is told something: %q", got)
	}
	b.expect(j, id, "before")
}

func TestABrowserKeepsEightAttemptsAndTheOldestGoes(t *testing.T) {
	j, b := newJar(t), &browser{t: t}
	var ids []string
	for i := range maxAttempts + 3 {
		id := NewID(noon.Add(time.Duration(i) * time.Minute))
		ids = append(ids, id)
		b.put(j, id, fmt.Sprint("attempt ", i))
	}
	for i, id := range ids {
		if i < 3 {
			b.expectNone(j, id)
		} else {
			b.expect(j, id, fmt.Sprint("attempt ", i))
		}
	}
	if len(b.cookies) != maxAttempts {
		t.Errorf("%d cookies", len(b.cookies))
	}
	// To write one of them again costs none of the others.
	b.put(j, ids[len(ids)-1], "again")
	b.expect(j, ids[3], "attempt 3")
}

func TestLargeAttemptsMakeRoomBeforeTheCookieLineGrowsTooLong(t *testing.T) {
	j, b := newJar(t), &browser{t: t}
	var last string
	for i := range 30 {
		last = NewID(noon.Add(time.Duration(i) * time.Minute))
		b.put(j, last, noise(200+1000*(i%5)))
		if n := b.line(); n > 8<<10-512 {
			t.Fatalf("after %d attempts the Cookie line has %d bytes; proxies take 8 KiB, and the session is not in it yet", i+1, n)
		}
		b.expect(j, last, noise(200+1000*(i%5)))
	}
	if names := b.names(); len(names) > 2*maxAttempts {
		t.Errorf("%q", names)
	}
}

func TestTwoJarsInOneBrowserLeaveEachOtherAlone(t *testing.T) {
	ring, b, id := newRing(t), &browser{t: t}, NewID(noon)
	attempts := Jar[string]{Box: ring.Box("attempt"), Cookies: httpx.Cookies{Secure: true}, Name: "dex_attempt_"}
	posted := Jar[string]{Box: ring.Box("posted"), Cookies: httpx.Cookies{Secure: true}, Name: "dex_posted_"}
	b.put(attempts, id, "attempt")
	for i := range 2 * maxAttempts {
		b.put(posted, NewID(noon.Add(time.Duration(i)*time.Second)), noise(600))
	}
	b.expect(attempts, id, "attempt")
	b.expectNone(posted, id)
}

func TestWhatWasNotSealedForThisAttemptIsNone(t *testing.T) {
	ring := newRing(t)
	cookies := httpx.Cookies{Secure: true}
	j := Jar[string]{Box: ring.Box("attempt"), Cookies: cookies, Name: "dex_attempt_"}
	id, other := NewID(noon), NewID(noon)
	sealed := func(j Jar[string], id, value string) []*http.Cookie {
		b := &browser{t: t}
		b.put(j, id, value)
		return b.cookies
	}
	right := sealed(j, id, "mine")[0]
	renamed := func(c *http.Cookie, id string) []*http.Cookie {
		return []*http.Cookie{{Name: "__Host-dex_attempt_" + id, Value: c.Value}}
	}
	large := sealed(j, id, noise(4000))
	for _, test := range []struct {
		name    string
		id      string
		cookies []*http.Cookie
	}{
		{name: "no cookie at all", id: id},
		{name: "another attempt's value under this name", id: id, cookies: renamed(sealed(j, other, "other")[0], id)},
		{name: "another attempt's id", id: other, cookies: []*http.Cookie{right}},
		{name: "sealed under another secret", id: id, cookies: sealed(newJar(t), id, "foreign")},
		{name: "sealed for another purpose", id: id, cookies: sealed(Jar[string]{Box: ring.Box("posted"), Cookies: cookies, Name: "dex_attempt_"}, id, "posted")},
		{name: "sealed for a jar of another name", id: id, cookies: renamed(sealed(Jar[string]{Box: ring.Box("attempt"), Cookies: cookies, Name: "dex_other_"}, id, "other")[0], id)},
		{name: "the name without its prefix", id: id, cookies: []*http.Cookie{{Name: "dex_attempt_" + id, Value: right.Value}}},
		{name: "the cookie twice", id: id, cookies: []*http.Cookie{right, right}},
		{name: "shortened", id: id, cookies: renamed(&http.Cookie{Value: right.Value[:len(right.Value)-1]}, id)},
		{name: "lengthened", id: id, cookies: renamed(&http.Cookie{Value: right.Value + "A"}, id)},
		{name: "empty", id: id, cookies: renamed(&http.Cookie{}, id)},
		{name: "only the first half", id: id, cookies: large[:1]},
		{name: "only the second half", id: id, cookies: large[1:]},
		{name: "the halves changed over", id: id, cookies: []*http.Cookie{
			{Name: large[0].Name, Value: large[1].Value}, {Name: large[1].Name, Value: large[0].Value},
		}},
		{name: "an id that is none", id: "../../etc", cookies: []*http.Cookie{right}},
		{name: "an id in capitals", id: strings.ToUpper(id), cookies: []*http.Cookie{right}},
		{name: "an empty id", id: "", cookies: []*http.Cookie{right}},
		{name: "an id that names a second chunk", id: id + ".1", cookies: large},
	} {
		t.Run(test.name, func(t *testing.T) {
			(&browser{t: t, cookies: test.cookies}).expectNone(j, test.id)
		})
	}
	// The table means something only if what it changes is right to begin with.
	(&browser{t: t, cookies: []*http.Cookie{right}}).expect(j, id, "mine")
	(&browser{t: t, cookies: large}).expect(j, id, noise(4000))
}

func TestEveryFlippedCharacterIsNoticed(t *testing.T) {
	j, id := newJar(t), NewID(noon)
	b := &browser{t: t}
	b.put(j, id, "mine")
	value := b.cookies[0].Value
	for i := range len(value) {
		flipped := []byte(value)
		if flipped[i]++; !isBase64(flipped[i]) {
			flipped[i] = 'A'
		}
		if flipped[i] == value[i] {
			continue
		}
		b.cookies[0].Value = string(flipped)
		b.expectNone(j, id)
	}
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

func TestAnAnswerNamesEachCookieOnce(t *testing.T) {
	j, b, id := newJar(t), &browser{t: t}, NewID(noon)
	b.put(j, id, noise(4000))
	w, r := httptest.NewRecorder(), b.request()
	if err := j.Put(w, r, id, "one step on"); err != nil {
		t.Fatal(err)
	}
	j.Drop(w, r, id) // the flow's end comes in the same answer
	seen := map[string]bool{}
	for _, c := range w.Result().Cookies() {
		if seen[c.Name] {
			t.Errorf("%s is set twice", c.Name)
		}
		seen[c.Name] = true
	}
	b.take(w)
	if len(b.cookies) != 0 {
		t.Errorf("left behind: %q", b.names())
	}
}

func TestIDsSortByTimeAndCannotBeGuessed(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewID(noon)
		if !isID(id) || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
		if later := NewID(noon.Add(time.Second)); later <= id {
			t.Fatalf("%q does not stand behind %q", later, id)
		}
	}
	if id := NewID(time.Date(2105, time.January, 1, 0, 0, 0, 0, time.UTC)); !isID(id) {
		t.Errorf("id %q", id)
	}
}

func TestASmallCookieCannotBecomeAGreatWeight(t *testing.T) {
	// Only we seal, so this is a belt beside braces: what we sealed by mistake does
	// not fill the memory either.
	bomb := pack([]byte(`"` + strings.Repeat("a", 4*maxPlain) + `"`))
	plain, err := unpack(bomb)
	if err != nil || len(plain) > maxPlain {
		t.Errorf("%d bytes of %d, %v", len(plain), len(bomb), err)
	}
}

func FuzzGet(f *testing.F) {
	j := newJar(f)
	id := NewID(noon)
	b := &browser{t: f}
	b.put(j, id, "mine")
	value := b.cookies[0].Value
	f.Add(id, value, "")
	f.Add(id, value[:10], value[10:])
	f.Add(id, "", "")
	f.Add("00000000aaaaaaaaaaaaaaaaaaaaaaaaaa", value, "")
	f.Add(id+".1", "AAAA", "AAAA")
	f.Add("../x", "\x00", ";")
	f.Fuzz(func(t *testing.T, asked, first, second string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Cookie"] = []string{
			"__Host-dex_attempt_" + asked + "=" + first + "; __Host-dex_attempt_" + asked + ".1=" + second,
		}
		got, err := j.Get(r, asked)
		switch {
		case err == nil && (got != "mine" || asked != id || first+second != value):
			t.Errorf("%q of %q %q for %q", got, first, second, asked)
		case err != nil && !fault.Is(err, fault.NotFound):
			t.Errorf("%v", err)
		}
		w := httptest.NewRecorder()
		j.Drop(w, r, asked)
		if err := j.Put(w, r, id, "mine"); err != nil {
			t.Errorf("what a browser brings keeps us from giving it something: %v", err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add([]byte{1})
	f.Add([]byte{2, 3})
	f.Add(pack([]byte("small")))
	f.Add(pack([]byte(strings.Repeat("large ", 1000))))
	f.Fuzz(func(t *testing.T, packed []byte) {
		plain, err := unpack(packed)
		if err == nil && len(plain) > max(maxPlain, len(packed)) {
			t.Errorf("%d bytes out of %d", len(plain), len(packed))
		}
		if again, err := unpack(pack(packed)); len(packed) <= maxPlain && (err != nil || string(again) != string(packed)) {
			t.Errorf("%q became %q, %v", packed, again, err)
		}
	})
}
