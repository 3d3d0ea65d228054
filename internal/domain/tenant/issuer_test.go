package tenant

import "testing"

func TestIssuers(t *testing.T) {
	for _, issuer := range []string{
		"https://login.example.com", "https://login.example.com/dex", "https://login.example.com:8443/a/b", "https://10.0.0.1", "https://[2001:db8::1]:8443",
		"http://127.0.0.1:5556", "http://localhost", "http://[::1]:5556/dex", "http://127.8.8.8", "https://xn--bcher-kva.example",
	} {
		if err := CheckIssuer(issuer); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	for _, issuer := range []string{
		"", "login.example.com", "https:login.example.com", "https://", "https:///dex", "ftp://a.example", "javascript:alert(1)",
		"http://login.example.com", "http://127.0.0.1.example.com", "http://localhost.example.com", "http://10.0.0.1", "http://[::ffff:10.0.0.1]",
		"https://a.example/", "https://a.example/dex/", "https://a.example?x=1", "https://a.example?", "https://a.example#", "https://a.example/#f",
		"https://user@a.example", "https://user:pw@a.example", "https://A.example", "HTTPS://a.example", "https://a.example.", "https://a.example:443", "http://127.0.0.1:80",
		"https://a.example:", "https://a.example//dex", "https://a.example/../dex", "https://a.example/./dex", "https://a.example/d%65x", "https://a.example/d x",
		"https://a.example/dex\n", " https://a.example", "https://a.example/ü", "https://a.example:99999999", "https://[::1", "https://a.example:x", "https://a.example/login", "https://a.example/acme/keys", "https://a.example/.well-known",
	} {
		if err := CheckIssuer(issuer); err == nil {
			t.Errorf("%q passed", issuer)
		}
	}
}
