// App runs the example application by itself.
//
//	go run ./examples/app/cmd/app -issuer http://127.0.0.1:5556 -client-id app -client-secret …
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

	"dex/examples/app"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run() error {
	var c app.Config
	flag.StringVar(&c.Issuer, "issuer", "http://127.0.0.1:5556", "the provider that says who somebody is")
	flag.StringVar(&c.ClientID, "client-id", "app", "who we are there")
	flag.StringVar(&c.ClientSecret, "client-secret", os.Getenv("APP_CLIENT_SECRET"), "our secret there; better given as APP_CLIENT_SECRET, where no process list shows it")
	flag.StringVar(&c.BaseURL, "base-url", "", "where browsers find us (default: the listener's address)")
	listen := flag.String("listen", "127.0.0.1:5555", "the address to listen on")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	if c.BaseURL == "" {
		c.BaseURL = "http://" + listener.Addr().String()
	}
	handler, err := app.New(c)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
	}
	fmt.Printf("The application is at %s\n", c.BaseURL)
	fmt.Printf("Its client at %s needs the redirect URI %s and the post-logout redirect URI %s.\n",
		c.Issuer, c.BaseURL+app.CallbackPath, c.BaseURL+app.LoggedOutPath)
	return serve(ctx, server, listener, stop)
}

// serve returns when ctx has ended and everybody has had their answer.
func serve(ctx context.Context, server *http.Server, listener net.Listener, stop func()) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop() // a second Ctrl-C ends us at once
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(last)
}
