package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// NewServer returns a server that gives nobody longer than they need: who sends
// slowly or asks for much is cut off.
func NewServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second, // an upstream may take its 8 seconds, and a password may have to queue
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// Deadline gives whatever a request asks of others, such as the database, until
// then and no longer.
func Deadline(next http.Handler, patience time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Serve answers what comes to the listener until ctx is done. Then it takes no
// more connections, and gives the requests under way the time drain to end.
func Serve(ctx context.Context, listener net.Listener, server *http.Server, drain time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// What is under way keeps its own context, which this one must not end.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		_ = server.Close()
	}
	<-ended //nolint:errcheck // It is http.ErrServerClosed: we have closed it ourselves.
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("some requests were cut off: they had not ended within %v", drain)
	}
	return err
}
