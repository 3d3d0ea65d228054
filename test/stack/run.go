package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"dex/test/postgres"
)

// run runs everything until ctx is done.
func run(ctx context.Context, dir string, p ports) error {
	database, err := os.Create(filepath.Join(dir, "postgres.log"))
	if err != nil {
		return err
	}
	cluster, err := postgres.Start(postgres.Options{Durable: true, Log: database})
	if err != nil {
		return err
	}
	s := &stack{dir: dir, ports: p, db: cluster.URL("postgres"), issuer: fmt.Sprintf("http://127.0.0.1:%d", p.balancer)}
	ctx, cancel := context.WithCancel(ctx)
	err = s.bring(ctx)
	if err == nil {
		<-ctx.Done()
	}
	cancel()
	s.all.Wait()
	return errors.Join(err, cluster.Stop())
}

type stack struct {
	dir    string
	ports  ports
	db     string
	issuer string
	all    sync.WaitGroup
}

// bring starts the programs, and the first administrator.
func (s *stack) bring(ctx context.Context) error {
	if err := s.write(); err != nil {
		return err
	}
	bin := filepath.Join(s.dir, "bin")
	s.keep(ctx, "overlord", filepath.Join(bin, "dex-overlord"), "--config", filepath.Join(s.dir, "overlord.yaml"))
	for i := range workers {
		admin := "off"
		if i == 0 {
			admin = fmt.Sprintf("127.0.0.1:%d", s.ports.admin)
		}
		s.keep(ctx, fmt.Sprint("worker", i+1), filepath.Join(bin, "dex-worker"), "--config", filepath.Join(s.dir, "dex.yaml"),
			"--listen", fmt.Sprintf("127.0.0.1:%d", s.ports.worker+i), "--admin-listen", admin)
	}
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		haproxy = "/usr/sbin/haproxy" // where only root looks
	}
	s.keep(ctx, "haproxy", haproxy, "-db", "-f", filepath.Join(s.dir, "haproxy.cfg"))
	for i := range workers {
		if err := await(ctx, fmt.Sprintf("http://127.0.0.1:%d/readyz", s.ports.worker+i)); err != nil {
			return err
		}
	}
	if err := await(ctx, s.issuer+"/readyz"); err != nil {
		return err
	}
	password, err := s.found(ctx)
	if err != nil {
		return err
	}
	if err := s.apply(ctx, "examples/stack", password); err != nil {
		return err
	}
	return s.greet(password)
}

// keep runs a program, and starts it again when it ends.
func (s *stack) keep(ctx context.Context, name, program string, arguments ...string) {
	s.all.Go(func() {
		for ctx.Err() == nil {
			if err := s.once(ctx, name, program, arguments); ctx.Err() == nil {
				fmt.Printf("%s ended (%v); it is started again\n", name, err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
}

func (s *stack) once(ctx context.Context, name, program string, arguments []string) error {
	log, err := os.OpenFile(filepath.Join(s.dir, name+".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // what was said was written
	cmd := exec.CommandContext(ctx, program, arguments...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := filepath.Join(s.dir, name+".pid")
	if err := os.WriteFile(pid, fmt.Append(nil, cmd.Process.Pid), 0o600); err != nil {
		return err
	}
	return cmd.Wait()
}

// write writes the files of all programs.
func (s *stack) write() error {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails: the program would be ended instead
	var servers strings.Builder
	for i := range workers {
		fmt.Fprintf(&servers, "\tserver worker%d 127.0.0.1:%d\n", i+1, s.ports.worker+i)
	}
	for name, text := range map[string]string{
		"key-secret": base64.StdEncoding.EncodeToString(key),
		"dex.yaml": fmt.Sprintf("issuer: %s\ndb: %s\nkey_secrets: [file:key-secret]\nduties: false\ndrain: 3s\ntrusted_proxies: [127.0.0.1/32]\nlog_format: json\n",
			s.issuer, s.db),
		"overlord.yaml": fmt.Sprintf("db_url: %s\nkey_secrets: [file:key-secret]\nadmin_listen: 127.0.0.1:%d\nbootstrap_secret_file: bootstrap-secret\nlog_format: json\naudit: {file: audit.jsonl}\nmail: {from: dex@example.com, folder: mail}\n",
			s.db, s.ports.overlord),
		"haproxy.cfg": fmt.Sprintf(balancer, s.ports.balancer, servers.String()),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// balancer is deploy/haproxy/haproxy.cfg without TLS, which a loopback address does not
// need.
const balancer = `defaults
	mode http
	timeout connect 2s
	timeout client 30s
	timeout server 30s
	timeout http-request 10s

frontend login
	bind 127.0.0.1:%d
	http-request del-header X-Forwarded-For
	http-request set-header X-Forwarded-For %%[src]
	default_backend workers

backend workers
	balance leastconn
	option httpchk
	http-check send meth GET uri /readyz
	http-check expect status 200
	option redispatch 1
	retries 3
	retry-on conn-failure empty-response 503
	http-request disable-l7-retry if !{ method GET HEAD } || { path_sub /callback }
	default-server check inter 1s fall 2 rise 1
%s`

func await(ctx context.Context, url string) error {
	var last error
	for {
		answer, err := http.Get(url)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(answer.Status)
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", url, last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

const administrator = "admin@example.com"

// found makes the first administrator.
func (s *stack) found(ctx context.Context) (password string, err error) {
	secret, err := s.secret(ctx)
	if err != nil {
		return "", err
	}
	password = rand.Text()
	body, err := json.Marshal(map[string]any{
		"secret": secret, "email": administrator, "username": "admin", "name": "The Administrator", "password": password,
	})
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/api/v1/bootstrap", s.ports.overlord), bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }() // it has been read
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("the first administrator: %s: %s", answer.Status, said)
	}
	return password, err
}

// secret waits for the one-time secret that the overlord writes.
func (s *stack) secret(ctx context.Context) (string, error) {
	for {
		text, err := os.ReadFile(filepath.Join(s.dir, "bootstrap-secret"))
		if err == nil && len(bytes.TrimSpace(text)) > 0 {
			return string(bytes.TrimSpace(text)), nil
		}
		select {
		case <-ctx.Done():
			return "", errors.New("the overlord has written no secret for the beginning")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// greet says that everything is there; whoever waits for it looks for the file.
func (s *stack) greet(password string) error {
	text := fmt.Sprintf(`
dex        %s  (HAProxy, before three workers)
overlord   http://127.0.0.1:%d
dexctl     %s login --api http://127.0.0.1:%d
login      %s, password %s
files      %s  (logs, pids, mail, audit.jsonl)

make stack-stop ends it, and leaves nothing.
`, s.issuer, s.ports.overlord, filepath.Join(s.dir, "bin", "dexctl"), s.ports.admin, administrator, password, s.dir)
	half := filepath.Join(s.dir, "greeting.new")
	if err := os.WriteFile(half, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(half, filepath.Join(s.dir, "greeting"))
}
