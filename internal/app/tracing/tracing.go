// Package tracing sends what each request does, part by part, to an OpenTelemetry
// collector. It is off unless a collector is named.
//
// A span says which route, statement or connector, and how long; never who, and
// nothing that a sender chose. Of what comes with a request only the traceparent
// is read (W3C Trace Context), and nothing is handed on to providers.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"dex/internal/base/httpx"
	"dex/internal/base/measure"
	"dex/internal/base/outbound"
	"dex/internal/base/route"
)

const (
	// drain is how long the last spans have to be sent when the program ends.
	drain = 3 * time.Second
	// sendTime is how long one batch may take.
	sendTime = 5 * time.Second
)

// private are the networks where a collector may be besides the public ones. The
// operator has named this one address, and this client calls no other.
var private = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
}

// Tracing follows requests.
type Tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	read     propagation.TraceContext
}

// New returns tracing of a program that is sent to the collector at an address.
func New(ctx context.Context, endpoint, program string, log *slog.Logger) (*Tracing, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the collector of traces: %q is no address", endpoint)
	}
	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpoint(u.Host), otlptracehttp.WithURLPath(strings.TrimSuffix(u.Path, "/") + "/v1/traces"),
		otlptracehttp.WithTimeout(sendTime),
		otlptracehttp.WithHTTPClient(outbound.New(outbound.Options{AllowPrivate: private, Timeout: sendTime, PerHost: 2})),
	}
	if u.Scheme == "http" {
		options = append(options, otlptracehttp.WithInsecure())
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("the collector of traces: %w", err)
	}
	// The library has one place for all whom nobody waits for.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces could not be sent", "error", err) }))
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter, sdk.WithMaxQueueSize(2048), sdk.WithBatchTimeout(2*time.Second)),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", program))),
	)
	return &Tracing{provider: provider, tracer: provider.Tracer("dex")}, nil
}

// Close sends what has not been sent yet.
func (t *Tracing) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// Begin implements [measure.Tracer]. What is asked of the database by itself, several
// times a second and for no request and no duty, is not followed.
func (t *Tracing) Begin(ctx context.Context, name, about string) (context.Context, func(error)) {
	if name == measure.Store && !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, name+" "+about, trace.WithAttributes(attribute.String("dex."+name, about)))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, "") // what an error says may hold what a sender chose
		}
		span.End()
	}
}

// Request says that a request begins, by its path below the issuer. The caller calls
// what is returned when it has been answered.
func (t *Tracing) Request(r *http.Request, path, tenantID string) (*http.Request, func(w http.ResponseWriter)) {
	pattern := route.Pattern(path)
	ctx := t.read.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, method(r)+" "+pattern, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method(r)), attribute.String("http.route", pattern),
		attribute.String("dex.tenant", tenantID), attribute.String("dex.request_id", httpx.RequestID(r.Context())),
	))
	return r.WithContext(ctx), func(w http.ResponseWriter) {
		status := httpx.Answered(w)
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// method returns the method of a request, as far as it is one of a few.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions, http.MethodPut, http.MethodDelete, http.MethodPatch:
		return r.Method
	default:
		return "OTHER"
	}
}
