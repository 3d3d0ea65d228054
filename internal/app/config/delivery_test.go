package config

import (
	"strings"
	"testing"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestWhereThingsAreDelivered(t *testing.T) {
	for _, test := range []struct{ name, yaml, refused string }{
		{"nothing is", "", ""},
		{"mail by a server", "mail: {from: login@example.com, server: mail.example.com}", ""},
		{"mail by a server, with all that there is", "mail: {from: Example <login@example.com>, server: 'mail.example.com:465', security: tls, username: dex, password: file:pw}", ""},
		{"mail into a folder", "mail: {from: login@example.com, folder: mail}", ""},
		{"mail from nobody", "mail: {server: mail.example.com}", "mail.from is not set"},
		{"mail by nobody", "mail: {from: login@example.com}", "mail.server is not set"},
		{"mail from something", "mail: {from: Example, folder: mail}", "mail.from must be an address"},
		{"mail by both", "mail: {from: a@b.example, server: c.example, folder: mail}", "mail.folder contradicts"},
		{"a mail server that is a URL", "mail: {from: a@b.example, server: 'smtp://c.example'}", "mail.server must be host"},
		{"a mail server's port", "mail: {from: a@b.example, server: 'c.example:smtp'}", "mail.server must be host"},
		{"a password in the clear", "mail: {from: a@b.example, server: c.example, security: none, username: u, password: p}", "in the clear"},
		{"a name without its password", "mail: {from: a@b.example, server: c.example, username: u}", "go together"},
		{"a password that is not there", "mail: {from: a@b.example, server: c.example, username: u, password: file:none}", "mail.password"},

		{"the record to everywhere", "audit: {file: a.jsonl, syslog: 'unix:/dev/log', webhook: 'https://a.example/x', webhook_secret: file:hook}", ""},
		{"a system's log elsewhere", "audit: {syslog: 'ftp://a.example:21'}", "audit.syslog must be"},
		{"a webhook without a secret", "audit: {webhook: 'https://a.example/x'}", "audit.webhook_secret is not set"},
		{"a secret without its webhook", "audit: {webhook_secret: " + hookSecret + "}", "needs audit.webhook"},
		{"a webhook's secret that is none", "audit: {webhook: 'https://a.example/x', webhook_secret: hunter2}", "must be whsec_"},
		{"a webhook with a password in it", "audit: {webhook: 'https://u:hunter2@a.example/x', webhook_secret: " + hookSecret + "}", "audit.webhook must be"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := files{"dex.yaml": "no_db: true\n" + test.yaml + "\n", "pw": "secret\n", "hook": hookSecret + "\n"}
			s, err := load(t, f, nil, nil)
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.refused == "":
				if strings.HasPrefix(string(s.Mail.Password), "file:") || strings.HasPrefix(string(s.Audit.WebhookSecret), "file:") {
					t.Error("the file was not read")
				}
			case err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), ": ", " "), test.refused) && !strings.Contains(err.Error(), test.refused):
				t.Errorf("got %v, want %q in it", err, test.refused)
			case strings.Contains(err.Error(), "hunter2"):
				t.Errorf("it shows a secret: %v", err)
			}
		})
	}
}
