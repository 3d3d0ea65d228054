package load

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAnAnswerIsReadAsItWasSent(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		want         Response
		wrong        bool
	}{
		{
			name:   "with a length",
			answer: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello and more",
			want:   Response{Status: 200, Body: []byte("hello")},
		},
		{
			name:   "in chunks, with an extension and a trailer",
			answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: 1\r\n\r\n",
			want:   Response{Status: 200, Body: []byte("hello!")},
		},
		{
			name:   "until the connection ends",
			answer: "HTTP/1.1 200 OK\r\n\r\nhello",
			want:   Response{Status: 200, Body: []byte("hello"), close: true},
		},
		{
			name:   "a redirect with cookies, names in any case",
			answer: "HTTP/1.1 303 See Other\r\nlocation: /next?a=b\r\nSET-COOKIE: a=1; Path=/\r\nSet-Cookie:b=2\r\ncontent-length: 0\r\n\r\n",
			want:   Response{Status: 303, Location: "/next?a=b", SetCookies: []string{"a=1; Path=/", "b=2"}, Body: []byte{}},
		},
		{
			name:   "without a body by its status",
			answer: "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
			want:   Response{Status: 204, close: true},
		},
		{name: "no HTTP", answer: "SSH-2.0-OpenSSH_9\r\n\r\n", wrong: true},
		{name: "no status", answer: "HTTP/1.1 abc\r\n\r\n", wrong: true},
		{name: "a status that never ends an exchange", answer: "HTTP/1.1 100 Continue\r\n\r\n", wrong: true},
		{name: "cut off in the header", answer: "HTTP/1.1 200 OK\r\nContent-Le", wrong: true},
		{name: "cut off in the body", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", wrong: true},
		{name: "a negative length", answer: "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", wrong: true},
		{name: "a length beyond all measure", answer: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", wrong: true},
		{name: "a chunk beyond all measure", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n", wrong: true},
		{name: "a chunk longer than it says", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n", wrong: true},
		{name: "a header without end", answer: "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 100), wrong: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readResponse(bufio.NewReaderSize(strings.NewReader(tt.answer), 16<<10), "GET")
			if tt.wrong {
				if err == nil {
					t.Errorf("read %+v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got, cmp.AllowUnexported(Response{}), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARequestHeldBackIsSentWhenItIsReleased(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first, all := make(chan string), make(chan string)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		first <- string(b[:n])
		m, _ := c.Read(b[n:])
		all <- string(b[:n+m])
	}()
	c := NewConn(l.Addr().String())
	defer c.Close()
	if err := c.send(Request{Method: "POST", Path: "/token", Header: []string{"A", "b"}, Body: "x=yz"}, 1); err != nil {
		t.Fatal(err)
	}
	want := "POST /token HTTP/1.1\r\nHost: " + l.Addr().String() +
		"\r\nA: b\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 4\r\n\r\nx=y"
	if got := <-first; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
	if err := c.release(); err != nil {
		t.Fatal(err)
	}
	if got := <-all; got != want+"z" {
		t.Errorf("sent %q, want %q", got, want+"z")
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
	f.Add("HTTP/1.1 303 See Other\r\nLocation: /\r\nSet-Cookie: a=b\r\n\r\n")
	f.Fuzz(func(t *testing.T, answer string) {
		resp, err := readResponse(bufio.NewReaderSize(strings.NewReader(answer), 16<<10), "GET")
		if err == nil && (resp.Status < 200 || resp.Status > 999 || len(resp.Body) > len(answer)) {
			t.Errorf("read %+v", resp)
		}
	})
}
