package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

const (
	maxHead  = 64 << 10
	maxBody  = 4 << 20
	deadline = 30 * time.Second // for one request; a server that needs longer has failed
)

// Conn is one connection to a server, kept open from request to request. It is
// for one goroutine.
type Conn struct {
	addr string
	conn net.Conn
	r    *bufio.Reader
	out  []byte
}

// NewConn returns a connection to addr that is opened when it is needed.
func NewConn(addr string) *Conn { return &Conn{addr: addr} }

// Close closes the connection.
func (c *Conn) Close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// Request is what is asked.
type Request struct {
	Method, Path string // the path with its query
	Header       []string
	Body         string // a form, unless it is empty
}

// Response is what was answered. Its body is good until the next request.
type Response struct {
	Status     int
	Location   string
	SetCookies []string
	Body       []byte

	close bool
}

// Do sends a request and reads the answer.
func (c *Conn) Do(r Request) (*Response, error) {
	if err := c.send(r, 0); err != nil {
		return nil, err
	}
	return c.receive(r.Method)
}

// send writes a request, less the bytes to hold back. These are kept for
// [Conn.release], so that many requests can be complete at the same moment.
func (c *Conn) send(r Request, holdBack int) error {
	if err := c.open(); err != nil {
		return err
	}
	c.out = appendRequest(c.out[:0], c.addr, r)
	n := len(c.out) - holdBack
	if _, err := c.conn.Write(c.out[:n]); err != nil {
		c.Close()
		return fmt.Errorf("load: %s %s: %w", r.Method, r.path(), err)
	}
	c.out = c.out[n:]
	return nil
}

// release writes what send held back.
func (c *Conn) release() error {
	_, err := c.conn.Write(c.out)
	return err
}

func (c *Conn) receive(method string) (*Response, error) {
	resp, err := readResponse(c.r, method)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("load: read an answer: %w", err)
	}
	if resp.close {
		c.Close()
	}
	return resp, nil
}

// open makes sure of a connection and gives it time for one more request.
func (c *Conn) open() error {
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.addr, deadline)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		c.conn, c.r = conn, bufio.NewReaderSize(conn, 16<<10)
	}
	return c.conn.SetDeadline(time.Now().Add(deadline))
}

// path is the path without its query, which may hold secrets.
func (r Request) path() string {
	path, _, _ := strings.Cut(r.Path, "?")
	return path
}

func appendRequest(b []byte, host string, r Request) []byte {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.Path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	for i := 0; i+1 < len(r.Header); i += 2 {
		b = append(b, r.Header[i]...)
		b = append(b, ": "...)
		b = append(b, r.Header[i+1]...)
		b = append(b, "\r\n"...)
	}
	if r.Method == "POST" {
		b = append(b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.Body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, r.Body...)
}

// readResponse reads one answer (RFC 9112), up to sizes that no honest answer has.
func readResponse(r *bufio.Reader, method string) (*Response, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	resp := &Response{}
	if resp.Status, err = parseStatus(line); err != nil {
		return nil, err
	}
	length, chunked, err := resp.readHeader(r)
	if err != nil {
		return nil, err
	}
	switch {
	case method == "HEAD", resp.Status == 204, resp.Status == 304:
	case chunked:
		resp.Body, err = readChunks(r)
	case length >= 0:
		resp.Body = make([]byte, length)
		_, err = io.ReadFull(r, resp.Body)
	default: // it ends where the connection does
		resp.close = true
		resp.Body, err = io.ReadAll(io.LimitReader(r, maxBody))
	}
	return resp, err
}

func parseStatus(line []byte) (int, error) {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 3 {
		return 0, fmt.Errorf("no HTTP/1.1 answer but %.40q", line)
	}
	status, err := strconv.Atoi(string(rest[:3]))
	if err != nil || status < 200 || len(rest) > 3 && rest[3] != ' ' {
		return 0, fmt.Errorf("no status in %.40q", line)
	}
	return status, nil
}

// readHeader reads the fields up to the empty line and keeps those that matter.
// The length is -1 if none is given.
func (resp *Response) readHeader(r *bufio.Reader) (length int, chunked bool, err error) {
	length = -1
	for total := 0; ; {
		line, err := readLine(r)
		if err != nil {
			return 0, false, err
		}
		if len(line) == 0 {
			return length, chunked, nil
		}
		if total += len(line); total > maxHead {
			return 0, false, errors.New("the header is too long")
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return 0, false, fmt.Errorf("no header field: %.40q", line)
		}
		value = textproto.TrimBytes(value)
		switch {
		case is(name, "Content-Length"):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxBody {
				return 0, false, fmt.Errorf("a length of %.40q", value)
			}
		case is(name, "Transfer-Encoding"):
			chunked = is(value, "chunked")
		case is(name, "Connection"):
			resp.close = is(value, "close")
		case is(name, "Location"):
			resp.Location = string(value)
		case is(name, "Set-Cookie"):
			resp.SetCookies = append(resp.SetCookies, string(value))
		}
	}
}

func is(name []byte, want string) bool {
	return len(name) == len(want) && strings.EqualFold(string(name), want)
}

// readChunks reads a chunked body (RFC 9112, section 7.1).
func readChunks(r *bufio.Reader) ([]byte, error) {
	var body []byte
	for {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(textproto.TrimBytes(size)), 16, 31)
		if err != nil || len(body)+int(n) > maxBody {
			return nil, fmt.Errorf("a chunk of %.20q bytes", line)
		}
		if n == 0 {
			return body, skipTrailer(r)
		}
		start := len(body)
		body = append(body, make([]byte, n)...)
		if _, err := io.ReadFull(r, body[start:]); err != nil {
			return nil, err
		}
		if end, err := readLine(r); err != nil || len(end) != 0 {
			return nil, errors.Join(err, errors.New("a chunk does not end where it should"))
		}
	}
}

func skipTrailer(r *bufio.Reader) error {
	for range 32 {
		if line, err := readLine(r); err != nil || len(line) == 0 {
			return err
		}
	}
	return errors.New("the trailer is too long")
}

// readLine returns a line without its end. It is good until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return nil, err // also a line longer than the buffer, which is no honest one
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}
