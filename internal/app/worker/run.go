package worker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"syscall"

	"dex/internal/app/config"
	"dex/internal/base/seal"
	"dex/internal/domain/credential"
)

// Run runs the server, with the demo application beside it when dex is only tried,
// until ctx is done. What a person should read goes to out, the log to logTo.
func Run(ctx context.Context, s *config.Settings, out, logTo io.Writer) error {
	buffer := &logBuffer{out: logTo}
	defer buffer.Flush()
	log := newLog(s, buffer)
	listener, err := listen(ctx, s.Listen, "listen", s.TLSCertFile, s.TLSKeyFile)
	if err != nil {
		return err
	}
	if s.Issuer == "" { // without a database, it is where we listen
		s.Issuer = "http://" + listener.Addr().String()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var demo *Demo
	demoEnded := make(chan error, 1)
	if s.NoDB {
		beside, err := listen(ctx, s.DemoListen, "demo-listen", "", "")
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		demo = AddDemo(s, beside)
	} else {
		demoEnded <- nil
	}
	w, err := New(s, Options{Log: log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if demo != nil {
		go func() {
			demoEnded <- demo.Serve(ctx, s.Issuer, log)
			stop()
		}()
		demo.Greet(out, s)
	} else {
		log.Info("listening", "address", listener.Addr().String(), "issuer", s.Issuer)
	}
	err = w.Serve(ctx, listener)
	stop()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, <-demoEnded)
}

// listen opens a listener. A taken port says what to do about it.
func listen(ctx context.Context, address, flag, certFile, keyFile string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the address %s is taken: stop the program that uses it, or choose another with --%s", address, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	if certFile == "" {
		return l, nil
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the TLS certificate: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}), nil
}

func newLog(s *config.Settings, to *logBuffer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		level = slog.LevelInfo // it has been checked
	}
	o := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(promptly{slog.NewJSONHandler(to, o), to})
	}
	return slog.New(promptly{slog.NewTextHandler(to, o), to})
}

// HashPassword returns the hash of a password, for the configuration file.
func HashPassword(ctx context.Context, password string) (string, error) {
	return credential.NewArgon2(0).Hash(ctx, password)
}

// NewKeySecret returns a fresh key secret, for the configuration file.
func NewKeySecret() string { return seal.NewSecret().Reveal() }
