// Floor is the cheapest server of the protocol that benchmarks are held against.
//
// It has nothing superfluous: net/http, one signature for each token that is
// signed, the fewest SQL statements that keep single use and revocation, fixed
// pages, no log, users and clients in memory. What it costs cannot be avoided in
// Go on the machine at hand, so what dex costs beyond it is dex's own doing. It is
// no server to run: it answers wrong requests with a bare 400 and limits nothing.
//
// It signs what dex signs: ID tokens in the client's algorithm, access tokens in
// ES256.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:5557", "where to listen; the issuer is http:// and this address")
	db := flag.String("db", "sqlite:floor.db", "sqlite:FILE or postgres://…, new and empty")
	hash := flag.String("hash", "none", "how passwords are compared: argon2id or none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *db, *hash); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, db, hash string) (err error) {
	store, err := openStore(ctx, db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.close()) }()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	s, err := newServer("http://"+l.Addr().String(), hash, store)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	h := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = h.Close() // there is nobody to wait for
	}()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
