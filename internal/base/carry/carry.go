// Package carry lets a browser keep what is under way: a value sealed in a cookie
// for each attempt, so that nothing is stored for somebody who has proven nothing.
//
// Whoever only knows an attempt's id, which stands in addresses, has nothing: the
// value comes back with the browser that started it, or not at all.
package carry

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"dex/internal/base/fault"
	"dex/internal/base/httpx"
	"dex/internal/base/seal"
)

// The limits. Proxies in front of us refuse requests whose Cookie line passes
// 8 KiB, so all attempts of a browser together stay below that.
const (
	maxAttempts = 8         // of one browser; the oldest is dropped
	maxTotal    = 6500      // bytes of cookies of all attempts of one browser, names included, if there are several
	maxChunk    = 3500      // bytes of one cookie's value; browsers keep 4096 with its name
	maxValue    = 6400      // bytes of one sealed value, in text
	maxDropped  = 16        // cookies that one answer takes away
	compressed  = 1000      // bytes from which on compressing pays
	maxPlain    = 128 << 10 // bytes of a value, inflated
)

// Jar keeps values of one type in browsers.
type Jar[T any] struct {
	Box     *seal.Box
	Cookies httpx.Cookies
	Name    string // of the cookies; the attempt's id follows it
}

// NewID returns a fresh id for an attempt: when it began, so that the oldest is
// known without opening anything, and 130 random bits.
func NewID(now time.Time) string {
	return fmt.Sprintf("%08x", uint32(now.Unix())) + strings.ToLower(rand.Text())
}

// slots is how many fixed places there are.
const slots = 4

// Slot returns the id of one of a few fixed places, chosen by a name. It serves
// where a value has to be put without a look at what the browser has.
func Slot(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%034d", sum[0]%slots)
}

// isID reports whether s has the form of an id, so that nothing else ever becomes
// part of a cookie's name.
func isID(s string) bool {
	return len(s) == 8+26 && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z')
	})
}

// Put keeps the value of an attempt, in the place of what was kept of it before.
// It returns a fault of kind Invalid if the value is larger than a browser keeps.
func (j Jar[T]) Put(w http.ResponseWriter, r *http.Request, id string, value T) error {
	plain, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("carry: %w", err)
	}
	text := j.Box.SealText(pack(plain), j.Name, id)
	if len(text) > maxValue {
		return fault.New(fault.Invalid, "The request is too large to be kept in the browser.")
	}
	j.makeRoom(w, r, id, len(text))
	for i := 0; ; i++ {
		chunk := text[:min(len(text), maxChunk)]
		text = text[len(chunk):]
		if err := j.Cookies.Set(w, j.chunk(id, i), chunk, 0); err != nil {
			return fmt.Errorf("carry: %w", err)
		}
		if text == "" {
			j.clear(w, r, id, i+1)
			return nil
		}
	}
}

// Get returns the value of an attempt. It returns a fault of kind NotFound if this
// browser does not have it, or what it has was not sealed by us.
func (j Jar[T]) Get(r *http.Request, id string) (value T, err error) {
	if !isID(id) {
		return value, errNone(nil)
	}
	var text strings.Builder
	for i := range maxAttempts {
		chunk, ok := j.Cookies.Get(r, j.chunk(id, i))
		if !ok {
			break
		}
		text.WriteString(chunk)
	}
	packed, err := j.Box.OpenText(text.String(), j.Name, id)
	if err != nil {
		return value, errNone(err)
	}
	plain, err := unpack(packed)
	if err == nil {
		err = json.Unmarshal(plain, &value)
	}
	if err != nil {
		return value, fmt.Errorf("carry: %w", err) // we sealed it ourselves
	}
	return value, nil
}

func errNone(cause error) error {
	return fault.Wrap(fault.NotFound, cause, "This browser knows nothing of the attempt.")
}

// Drop forgets an attempt.
func (j Jar[T]) Drop(w http.ResponseWriter, r *http.Request, id string) {
	if isID(id) {
		j.clear(w, r, id, 0)
	}
}

// clear takes the chunks of an attempt from number i on away.
func (j Jar[T]) clear(w http.ResponseWriter, r *http.Request, id string, i int) {
	for ; i < maxAttempts; i++ {
		if _, ok := j.Cookies.Get(r, j.chunk(id, i)); !ok {
			return
		}
		j.Cookies.Clear(w, j.chunk(id, i))
	}
}

func (j Jar[T]) chunk(id string, i int) string {
	if i == 0 {
		return j.Name + id
	}
	return j.Name + id + "." + strconv.Itoa(i)
}

// makeRoom drops the oldest attempts until one more of the given size fits. A
// sender who brings a thousand cookies has only a few taken away at a time, so that
// the answer is no work to speak of.
func (j Jar[T]) makeRoom(w http.ResponseWriter, r *http.Request, id string, size int) {
	sizes, names := map[string]int{}, map[string][]string{}
	for _, c := range j.Cookies.All(r, j.Name) {
		other, _, _ := strings.Cut(strings.TrimPrefix(c.Name, j.Name), ".")
		if other != id {
			sizes[other] += len(c.Name) + len(c.Value) + len("=; ")
			names[other] = append(names[other], c.Name)
		}
	}
	ids := make([]string, 0, len(sizes))
	for other, n := range sizes {
		ids, size = append(ids, other), size+n
	}
	slices.Sort(ids)
	dropped := 0
	for len(ids) >= maxAttempts || len(ids) > 0 && size > maxTotal {
		for _, name := range names[ids[0]] {
			if dropped++; dropped > maxDropped {
				return
			}
			j.Cookies.Clear(w, name)
		}
		ids, size = ids[1:], size-sizes[ids[0]]
	}
}

// deflaters are expensive to make, and rarely needed.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.DefaultCompression) // the level is a valid one
	return w
}}

// pack makes large values smaller. The first byte says whether it did.
func pack(plain []byte) []byte {
	if len(plain) < compressed {
		return append([]byte{0}, plain...)
	}
	var b bytes.Buffer
	b.WriteByte(1)
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&b)
	_, _ = w.Write(plain) // into a buffer
	_ = w.Close()
	return b.Bytes()
}

func unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if packed[0] == 0 {
		return packed[1:], nil
	}
	return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed[1:])), maxPlain))
}
