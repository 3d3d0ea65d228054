package worker

import (
	"context"
	"errors"
	"io"

	"dex/internal/app/config"
	"dex/internal/app/process"
	"dex/internal/base/seal"
	"dex/internal/domain/credential"
)

// Run runs the server, with the demo application beside it when dex is only tried,
// until ctx is done. What a person should read goes to out, the log to logTo.
func Run(ctx context.Context, s *config.Settings, out, logTo io.Writer) error {
	log, flush := process.Log(s.LogLevel, s.LogFormat, logTo)
	defer flush()
	listener, err := process.Listen(ctx, s.Listen, "listen", s.TLSCertFile, s.TLSKeyFile)
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
		beside, err := process.Listen(ctx, s.DemoListen, "demo-listen", "", "")
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		demo = AddDemo(s, beside)
	} else {
		demoEnded <- nil
	}
	admin, err := listenToOperators(ctx, s)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	measured, err := listenToMetrics(ctx, s)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	mutual, err := listenForCertificates(ctx, s)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	w, err := New(s, Options{Log: log, Admin: admin, AdminAddress: adminAddress(s, admin), Metrics: measured, Mutual: mutual, Terminal: process.Terminal(out)})
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

// HashPassword returns the hash of a password, for the configuration file.
func HashPassword(ctx context.Context, password string) (string, error) {
	return credential.NewArgon2(0).Hash(ctx, password)
}

// NewKeySecret returns a fresh key secret, for the configuration file.
func NewKeySecret() string { return seal.NewSecret().Reveal() }
