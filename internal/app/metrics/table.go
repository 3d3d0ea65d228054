package metrics

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metric is one metric, as it is exposed and as it is documented.
type metric struct {
	name, kind string
	labels     []string
	help       string
	question   string // that it answers
}

// The metrics. The documentation is made from this table.
var (
	logins = metric{"dex_logins_total", "counter", []string{"tenant", "connector", "client", "result"},
		"Attempts to log in, by how they went on.",
		"Do people get in, by which connector and for which application, and if not, why?"}
	tokens = metric{"dex_token_requests_total", "counter", []string{"tenant", "grant_type", "client", "result"},
		"Requests at the token endpoint, by the code of the error, ok, or hung_up.",
		"Do applications get their tokens?"}
	requests = metric{"dex_http_requests_total", "counter", []string{"route", "status"},
		"Requests of the public server, by the route and the class of the status, or hung_up if whoever asked did not wait.",
		"What is asked for, and what fails?"}
	latency = metric{"dex_http_request_duration_seconds", "histogram", []string{"route"},
		"How long requests of the public server take, by the route.",
		"How fast are we, and where not?"}
	inFlight = metric{"dex_http_requests_in_flight", "gauge", nil,
		"Requests of the public server that are under way.",
		"Do requests pile up?"}

	dbUp = metric{"dex_database_up", "gauge", nil,
		"Whether the database answered when the metrics were asked for.",
		"Is the database there?"}
	dbStatements = metric{"dex_database_statements_total", "counter", nil,
		"Statements that this process has run.",
		"How much is asked of the database?"}
	dbCommits = metric{"dex_database_commits_total", "counter", nil,
		"Transactions that this process has committed.",
		"How much is written?"}
	poolMax = metric{"dex_database_connections_max", "gauge", nil,
		"The most connections that this process opens.",
		"How far are we from the limit?"}
	poolOpen = metric{"dex_database_connections", "gauge", []string{"state"},
		"Connections that are open, in use or idle.",
		"Is the pool large enough?"}
	poolWaits = metric{"dex_database_connection_waits_total", "counter", nil,
		"How often somebody had to wait for a connection.",
		"Is the pool the bottleneck?"}
	poolWaited = metric{"dex_database_connection_wait_seconds_total", "counter", nil,
		"How long all have waited for connections.",
		"How much does the pool cost?"}
	lookAge = metric{"dex_configuration_look_age_seconds", "gauge", nil,
		"How long ago the configuration was last looked at.",
		"Does this process follow what operators change?"}

	hashRunning = metric{"dex_password_hashes_running", "gauge", nil,
		"Password hashes that are being computed.",
		"Do passwords keep the cores busy?"}
	hashWaiting = metric{"dex_password_hashes_waiting", "gauge", nil,
		"Password hashes that wait for a core.",
		"Do people wait for their passwords to be checked?"}
	hashSeats = metric{"dex_password_hashes_max", "gauge", nil,
		"How many password hashes run at once at most.",
		"How far are we from the limit?"}

	tenantsKnown = metric{"dex_tenants", "gauge", nil,
		"Tenants that this worker serves.",
		"Did the new tenant arrive?"}
	tenantsOpen = metric{"dex_tenants_open", "gauge", nil,
		"Tenants that are put together at the moment, because somebody asked for them.",
		"How many tenants are in use?"}
	pictureAge = metric{"dex_signing_keys_picture_age_seconds", "gauge", nil,
		"How old the oldest picture of the signing keys is that this worker signs from.",
		"Is a worker about to stop signing (at 10 minutes), or to be unready (at 50)?"}
	keyAge = metric{"dex_signing_key_age_seconds", "gauge", []string{"alg"},
		"For how long the signing key that has signed longest, of all tenants, has signed.",
		"Are the keys rotated?"}
	keySwitch = metric{"dex_signing_key_next_switch_seconds", "gauge", []string{"alg"},
		"In how long the next key that is announced, of all tenants, begins to sign.",
		"When do tokens come with another key?"}
	keyless = metric{"dex_signing_keys_missing", "gauge", []string{"alg"},
		"Tenants that have no key that signs.",
		"Is there a tenant that nobody can log in to?"}
	connectorUp = metric{"dex_connector_up", "gauge", []string{"tenant", "connector"},
		"Whether a connector of a tenant in use is known to work.",
		"Which way to log in is out of order?"}

	dutyDone = metric{"dex_duty_last_success_timestamp_seconds", "gauge", []string{"duty"},
		"When a duty last succeeded, in any process.",
		"Are the duties done?"}
	dutyFailed = metric{"dex_duty_last_failure_timestamp_seconds", "gauge", []string{"duty"},
		"When a duty last failed, in any process; 0 if it never did.",
		"Which duty fails?"}
	dutyRuns = metric{"dex_duty_runs_total", "counter", []string{"duty"},
		"How often a duty was done, by all processes.",
		"Are the duties done?"}
	dutyFailures = metric{"dex_duty_failures_total", "counter", []string{"duty"},
		"How often a duty failed, in all processes.",
		"Which duty fails?"}

	outboxWaiting = metric{"dex_outbox_waiting", "gauge", nil,
		"Messages that have to be delivered.",
		"Does mail go out?"}
	outboxDead = metric{"dex_outbox_dead", "gauge", nil,
		"Messages that could not be delivered, and wait for somebody to look at them.",
		"Has somebody not got their mail?"}
	outboxAge = metric{"dex_outbox_oldest_seconds", "gauge", nil,
		"How long the oldest message has waited.",
		"Is delivery stuck?"}

	auditAge = metric{"dex_audit_export_oldest_seconds", "gauge", nil,
		"How long the oldest event of the record has waited to be handed on; told where the record is.",
		"Does the record reach those who keep it?"}

	buildInfo = metric{"dex_build_info", "gauge", []string{"program", "version", "goversion"},
		"Always 1; its labels say what runs.",
		"Which version runs where?"}
)

// all are the metrics in the order of the documentation.
var all = []metric{
	logins, tokens,
	requests, latency, inFlight,
	dbUp, dbStatements, dbCommits, poolMax, poolOpen, poolWaits, poolWaited, lookAge,
	hashRunning, hashWaiting, hashSeats,
	tenantsKnown, tenantsOpen, pictureAge, keyAge, keySwitch, keyless, connectorUp,
	dutyDone, dutyFailed, dutyRuns, dutyFailures,
	outboxWaiting, outboxDead, outboxAge, auditAge,
	buildInfo,
}

// Reference returns the metrics as a table in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("| metric | kind | labels | what it is | the question it answers |\n|---|---|---|---|---|\n")
	for _, m := range all {
		labels := "–"
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.name, m.kind, labels, m.help, m.question)
	}
	return b.String()
}

// Names returns the names of all metrics of ours.
func Names() []string {
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.name
	}
	return names
}

func (m metric) desc() *prometheus.Desc { return prometheus.NewDesc(m.name, m.help, m.labels, nil) }

func (m metric) counters() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: m.name, Help: m.help}, m.labels)
}

// value returns what a metric is at the moment.
func (m metric) value(v float64, labels ...string) prometheus.Metric {
	kind := prometheus.GaugeValue
	if m.kind == "counter" {
		kind = prometheus.CounterValue
	}
	return prometheus.MustNewConstMetric(m.desc(), kind, v, labels...)
}
