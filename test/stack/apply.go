package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// apply logs in by dexctl, as the administrator would, and applies a folder.
func (s *stack) apply(ctx context.Context, folder, password string) error {
	login := s.dexctl(ctx, "login", "--api", fmt.Sprintf("http://127.0.0.1:%d", s.ports.admin), "--no-browser")
	said, err := login.StderrPipe()
	if err != nil {
		return err
	}
	if err := login.Start(); err != nil {
		return err
	}
	var all strings.Builder
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if address := strings.TrimSpace(lines.Text()); strings.HasPrefix(address, s.issuer+"/") {
			if err := visit(ctx, address, password); err != nil {
				return errors.Join(fmt.Errorf("log in: %w", err), login.Cancel(), login.Wait())
			}
		}
	}
	if err := login.Wait(); err != nil {
		return fmt.Errorf("dexctl login: %w\n%s", err, &all)
	}
	if out, err := s.dexctl(ctx, "apply", "--file", folder, "--yes").CombinedOutput(); err != nil {
		return fmt.Errorf("dexctl apply: %w\n%s", err, out)
	}
	return nil
}

// dexctl is a command of dexctl that keeps what it remembers with the stack.
func (s *stack) dexctl(ctx context.Context, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.dir, "bin", "dexctl"), arguments...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	return cmd
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	hidden     = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// visit does what a person does in a browser: opens the address, logs in, allows what
// is asked, and follows to the end.
func visit(ctx context.Context, address, password string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar}
	page, at, err := fetch(ctx, browser, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	for _, typed := range []url.Values{{"login": {administrator}, "password": {password}}, {"answer": {"allow"}}} {
		action := formAction.FindStringSubmatch(page)
		if action == nil {
			return fmt.Errorf("%s shows no form", at)
		}
		to, err := at.Parse(html.UnescapeString(action[1]))
		if err != nil {
			return err
		}
		for _, field := range hidden.FindAllStringSubmatch(page, -1) {
			typed.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
		}
		if page, at, err = fetch(ctx, browser, http.MethodPost, to.String(), typed); err != nil {
			return err
		}
	}
	return nil
}

func fetch(ctx context.Context, browser *http.Client, method, address string, fields url.Values) (page string, at *url.URL, err error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(fields.Encode()))
	if err != nil {
		return "", nil, err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	answer, err := browser.Do(r)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = answer.Body.Close() }() // it has been read
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", answer.Request.URL.Path, answer.Status)
	}
	return string(text), answer.Request.URL, err
}
