package oauth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// variations of a registered URI that some server has once taken for the same,
// or that some browser reads as another place than some server does.
func variations(scheme, host, port, path, query string) []string {
	base := scheme + "://" + host + port + path + query
	var all []string
	add := func(uris ...string) { all = append(all, uris...) }

	// To the byte: case, escapes, dots, slashes.
	add(strings.ToUpper(base), strings.ToUpper(scheme)+"://"+host+port+path+query, strings.ToUpper(base[:1])+base[1:])
	add(scheme+"://"+strings.ToUpper(host)+port+path+query, scheme+"://"+host+port+strings.ToUpper(path)+query)
	for i := range path {
		if path[i] != '/' {
			add(scheme + "://" + host + port + path[:i] + fmt.Sprintf("%%%02x", path[i]) + path[i+1:] + query)
			add(scheme + "://" + host + port + path[:i] + fmt.Sprintf("%%%02X", path[i]) + path[i+1:] + query)
			add(scheme + "://" + host + port + path[:i] + fmt.Sprintf("%%25%02x", path[i]) + path[i+1:] + query)
			add(scheme + "://" + host + port + path[:i] + path[i+1:] + query)
			add(scheme + "://" + host + port + path[:i] + "." + path[i+1:] + query)
		}
	}
	for _, tail := range []string{"/", "//", "/.", "/..", "/../", "/%2e%2e/", "/..;/", ";x", ";", "?", "?x", "&x=1", "#", "#f", "#/../x", "%00", "%0d%0a", "%20", "\x00", "\r\n", "\t", " ", "\\", "/x", ".", "..", "~", "*", "@evil.example", ".evil.example", "\u00e9", "\u2028", "\xff"} {
		add(base+tail, scheme+"://"+host+port+path+tail+query)
	}
	for _, head := range []string{" ", "\t", "\n", "\x00", "\ufeff", "//", "/", "https:", "javascript:", "url:", "view-source:", "data:text/html,"} {
		add(head + base)
	}
	for _, p := range []string{"/", "//callback", "/./callback", "/x/../callback", "/callback/..", "/%2e/callback", "/callback%2f", "/callback%3f", "\\callback", "/\\callback", "/*", "/call*", "/.*", "", "/callbackx", "/Callback", "/callback.", "/c\u0430llback"} {
		if p != path {
			add(scheme + "://" + host + port + p + query)
		}
	}
	// Somewhere else: the host is not what it looks like.
	for _, h := range []string{
		"evil.example", host + ".evil.example", "evil.example." + host, host + "@evil.example", "evil.example@" + host, "user:pw@" + host, "@" + host, ":@" + host,
		host + ":443@evil.example", "evil.example%23@" + host, "evil.example%2f@" + host, "evil.example\\@" + host, "evil.example\\." + host, "evil.example/" + host, "evil.example?" + host, "evil.example#" + host, "evil.example#@" + host,
		host + ".", "." + host, host + "..", "*." + host, "x" + host, host + "x", host + "%00.evil.example", host + "%2eevil.example", host + "\t.evil.example", host + ",evil.example", host + ";evil.example", host + "\u3002evil.example",
		"", " " + host, host + " ", "\\\\" + host, "/" + host, "//" + host, "[" + host + "]",
		strings.Replace(host, ".", "x", 1), strings.Replace(host, ".", "%2e", 1), strings.Replace(host, "a", "\u0430", 1), strings.Replace(host, ".", "\uff0e", 1),
	} {
		if h != host {
			add(scheme + "://" + h + port + path + query)
		}
	}
	for _, s := range []string{"http", "https", "ftp", "javascript", "data", "file", "ws", "", "httpss", scheme + ":" + scheme} {
		if s != scheme {
			add(s + "://" + host + port + path + query)
		}
	}
	add(scheme+":"+host+port+path, scheme+":/"+host+port+path, scheme+":///"+host+port+path, scheme+":\\\\"+host+port+path, "//"+host+port+path, path, "")
	for _, q := range []string{"?code=x", "?state=x", "?x=1&x=1", "?X=1", "?x=2", "?x=1&", "?&x=1", "?x=1#", "?x=1%20", "?x", "?x=", "?%78=1", "?x=1&redirect_uri=https://evil.example"} {
		if q != query {
			add(scheme + "://" + host + port + path + q)
		}
	}
	return all
}

func TestARedirectURIMatchesToTheByte(t *testing.T) {
	for _, test := range []struct{ scheme, host, port, path, query string }{
		{"https", "app.example", "", "/callback", ""},
		{"https", "app.example", "", "/callback", "?x=1"},
		{"https", "app.example", ":8443", "/callback", ""},
		{"http", "localhost", ":8080", "/callback", ""},
	} {
		registered := test.scheme + "://" + test.host + test.port + test.path + test.query
		t.Run(registered, func(t *testing.T) {
			corpus := variations(test.scheme, test.host, test.port, test.path, test.query)
			for _, p := range []string{":80", ":443", ":8080", ":8443", ":0", ":", ":08443", ":8443x", ":99999"} {
				if p != test.port {
					corpus = append(corpus, test.scheme+"://"+test.host+p+test.path+test.query)
				}
			}
			if len(corpus) < 200 {
				t.Errorf("only %d variations", len(corpus))
			}
			for _, asked := range corpus {
				if MatchRedirectURI([]string{registered}, asked) {
					t.Errorf("%q matches", asked)
				}
			}
			if !MatchRedirectURI([]string{"https://other.example/", registered}, registered) {
				t.Error("it does not match itself")
			}
			if MatchRedirectURI(nil, registered) || MatchRedirectURI([]string{""}, "") {
				t.Error("it matches nothing")
			}
		})
	}
}

func TestThePortOfALoopbackLiteralIsFree(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		for _, registeredPort := range []string{"", ":8080"} {
			registered := "http://" + host + registeredPort + "/callback?x=1"
			t.Run(registered, func(t *testing.T) {
				for _, port := range []string{"", ":1", ":80", ":8080", ":49152", ":65535"} {
					if asked := "http://" + host + port + "/callback?x=1"; !MatchRedirectURI([]string{registered}, asked) {
						t.Errorf("%s does not match", asked)
					}
				}
				for _, asked := range []string{
					"http://" + host + ":8080/callback", "http://" + host + ":8080/callback?x=2", "http://" + host + ":8080/callback/?x=1", "http://" + host + ":8080/Callback?x=1",
					"http://" + host + ":8080/callback?x=1#", "http://" + host + ":8080/callback?x=1&", "http://" + host + ":8080//callback?x=1", "http://" + host + ":8080/./callback?x=1",
					"http://" + host + ":0/callback?x=1", "http://" + host + ":65536/callback?x=1", "http://" + host + ":/callback?x=1", "http://" + host + ":080/callback?x=1",
					"http://" + host + ":+80/callback?x=1", "http://" + host + ":8080@evil.example/callback?x=1", "http://" + host + "@evil.example/callback?x=1", "http://" + host + ":80:80/callback?x=1",
					"http://" + host + ".evil.example/callback?x=1", "http://" + host + ":8080.evil.example/callback?x=1", "http://" + host + " :8080/callback?x=1", "http://" + host + ":8080 /callback?x=1",
					"http://" + host + ":8080\\callback?x=1", "http://user@" + host + ":8080/callback?x=1", "http://@" + host + ":8080/callback?x=1",
					"https://" + host + ":8080/callback?x=1", "HTTP://" + host + ":8080/callback?x=1", "//" + host + ":8080/callback?x=1",
					"http://localhost:8080/callback?x=1", "http://localhost./callback?x=1", "http://127.1:8080/callback?x=1", "http://0x7f.1/callback?x=1", "http://0177.0.0.1/callback?x=1", "http://2130706433/callback?x=1",
					"http://127.0.0.2/callback?x=1", "http://127.0.0.1./callback?x=1", "http://127.000.000.001/callback?x=1", "http://[::ffff:127.0.0.1]/callback?x=1", "http://[0:0:0:0:0:0:0:1]/callback?x=1", "http://[::1%25lo]/callback?x=1",
					"http://[::1/callback?x=1", "http://::1/callback?x=1", "http://0.0.0.0/callback?x=1", "http://[::]/callback?x=1", "",
				} {
					if MatchRedirectURI([]string{registered}, asked) {
						t.Errorf("%q matches", asked)
					}
				}
			})
		}
	}
	if MatchRedirectURI([]string{"http://127.0.0.1/cb"}, "http://[::1]/cb") {
		t.Error("one literal stands for the other")
	}
	if MatchRedirectURI([]string{"http://localhost:8080/cb"}, "http://localhost:8081/cb") {
		t.Error("the port of localhost is free")
	}
	if !MatchRedirectURI([]string{"http://127.0.0.1:8080"}, "http://127.0.0.1:9090") {
		t.Error("without a path the port is not free")
	}
	if MatchRedirectURI([]string{"https://127.0.0.1:8080/cb"}, "https://127.0.0.1:9090/cb") {
		t.Error("the port is free with TLS, too")
	}
}

func TestValidateRedirectURI(t *testing.T) {
	const web, native, never = 1, 2, 0 // who may register it
	for _, test := range []struct {
		uri string
		who int
	}{
		{"https://app.example/callback", web | native},
		{"https://app.example", web | native},
		{"https://app.example:8443/callback?x=1&y=%20", web | native},
		{"https://my_host/callback", web | native},
		{"https://xn--bcher-kva.example/callback", web | native},
		{"https://[2001:db8::1]:8443/callback", web | native},
		{"https://192.0.2.1/callback", web | native},
		{"https://app.example/a/..;/b:c@d", web | native},
		{"http://127.0.0.1/callback", web | native},
		{"http://127.0.0.1:5555/callback", web | native},
		{"http://[::1]:5555/callback", web | native},
		{"http://localhost:5555/callback", web | native},
		{"http://localhost", web | native},
		{"com.example.app:/callback", native},
		{"com.example.app://callback", native},
		{"com.example.app://callback/x?y=1", native},
		{"com.example.app:///callback", native},
		{"com.example.app://call%00back", never},
		{"com.example.app://call;back", never},
		{"com.example.app://callback:x", never},
		{"com.example.app:callback", never},
		{"com.example.app:", never},
		{"com.example.app://user@callback", never},
		{"Com.example.app:/callback", never},
		{"myapp:/callback", never},
		{"myapp://callback", never},
		{"urn:ietf:wg:oauth:2.0:oob", never},
		{"mailto:ann@app.example", never},
		{"ftp://app.example/callback", never},
		{"ws://app.example/callback", never},
		{"http://app.example/callback", never},
		{"http://localhost.evil.example/callback", never},
		{"http://localhost./callback", never},
		{"http://LOCALHOST/callback", never},
		{"http://127.1/callback", never},
		{"http://0x7f.1/callback", never},
		{"http://127.0.0.2/callback", never},
		{"http://127.0.0.1.evil.example/callback", never},
		{"http://[::ffff:127.0.0.1]/callback", never},
		{"http://[::]/callback", never},
		{"http://0.0.0.0/callback", never},
		{"HTTPS://app.example/callback", never},
		{"hTTps://app.example/callback", never},
		{"https:app.example/callback", never},
		{"https:/app.example/callback", never},
		{"https:///callback", never},
		{"https://", never},
		{"https://:443/callback", never},
		{"https://app.example:/callback", never},
		{"https://app.example:0/callback", never},
		{"https://app.example:65536/callback", never},
		{"https://app.example:443x/callback", never},
		{"https://app.example./callback", never},
		{"https://.app.example/callback", never},
		{"https://app..example/callback", never},
		{"https://*.app.example/callback", never},
		{"https://app.example,evil.example/callback", never},
		{"https://app.example;evil.example/callback", never},
		{"https://app.example%2eevil.example/callback", never},
		{"https://[::1%25lo]/callback", never},
		{"https://[127.0.0.1]/callback", never},
		{"https://[::1/callback", never},
		{"https://::1/callback", never},
		{"https://good.example@evil.example/callback", never},
		{"https://good.example:443@evil.example/callback", never},
		{"https://@evil.example/callback", never},
		{"https://evil.example\\@good.example/callback", never},
		{"https://app.example\\callback", never},
		{"https://app.example/callback#", never},
		{"https://app.example/callback#f", never},
		{"https://app.example/call back", never},
		{" https://app.example/callback", never},
		{"https://app.example/callback ", never},
		{"https://app.example/call\tback", never},
		{"https://app.example/call\r\nback", never},
		{"https://app.example/call\x00back", never},
		{"https://app.example/call\x7fback", never},
		{"https://app.example/b\u00fccher", never},
		{"https://b\u00fccher.example/callback", never},
		{"https://\u0430pp.example/callback", never},
		{"https://app.example\u3002evil.example/", never},
		{"https://app.example/\xff", never},
		{"https://app.example/<script>", never},
		{"https://app.example/\"", never},
		{"https://app.example/{x}", never},
		{"https://app.example/^", never},
		{"https://app.example/`", never},
		{"https://app.example/|", never},
		{"https://app.example/%", never},
		{"https://app.example/%2", never},
		{"https://app.example/%zz", never},
		{"//app.example/callback", never},
		{"/callback", never},
		{"app.example/callback", never},
		{"callback", never},
		{":", never},
		{"", never},
		{"https://app.example/callback?code=x", never},
		{"https://app.example/callback?x=1&state=x", never},
		{"https://app.example/callback?error=x", never},
		{"https://app.example/callback?error_description=x", never},
		{"https://app.example/callback?iss=https://evil.example", never},
		{"https://app.example/callback?id_token=x", never},
		{"https://app.example/callback?access_token=x", never},
		{"https://app.example/callback?response=x", never},
		{"https://app.example/callback?%63ode=x", never},
		{"https://app.example/callback?Code=x", never},
		{"https://app.example/callback?code[]=x", never},
		{"https://app.example/callback?code", never},
		{"https://app.example/callback?x=1;code=x", never},
		{"com.example.app:/callback?code=x", never},
		{"https://app.example/callback?decode=x&mycode=1", web | native},
		{"https://app.example/" + strings.Repeat("a", MaxRedirectURI-len("https://app.example/")), web | native},
		{"https://app.example/" + strings.Repeat("a", MaxRedirectURI-len("https://app.example/")+1), never},
	} {
		for _, isNative := range []bool{false, true} {
			allowed := test.who&web != 0
			if isNative {
				allowed = test.who&native != 0
			}
			if err := ValidateRedirectURI(test.uri, isNative); (err == nil) != allowed {
				t.Errorf("%.100q, native %v: %v", test.uri, isNative, err)
			}
		}
	}
}

func TestNoSchemeThatABrowserRunsIsARedirectURI(t *testing.T) {
	for _, scheme := range executed {
		for _, s := range []string{scheme, strings.ToUpper(scheme), strings.ToUpper(scheme[:1]) + scheme[1:], " " + scheme, "\t" + scheme, "\x01" + scheme, scheme[:2] + "\n" + scheme[2:], scheme[:2] + "\t" + scheme[2:], "&#106;" + scheme, "%6a" + scheme, scheme + "\x00", scheme + " "} {
			for _, rest := range []string{":alert(1)", "://app.example/callback", ":/callback", "://https://app.example/%0aalert(1)", ":text/html,x", "&colon;alert(1)"} {
				for _, native := range []bool{false, true} {
					if err := ValidateRedirectURI(s+rest, native); err == nil {
						t.Errorf("%q can be registered", s+rest)
					}
				}
			}
		}
	}
}

func TestAppendResponse(t *testing.T) {
	params := url.Values{"code": {"a b"}, "state": {"x&y=z#"}}
	const encoded = "code=a+b&state=x%26y%3Dz%23"
	for _, test := range []struct {
		name, uri string
		mode      ResponseMode
		want      string
	}{
		{"the default is the query", "https://app/cb", "", "https://app/cb?" + encoded},
		{"a query", "https://app/cb", ModeQuery, "https://app/cb?" + encoded},
		{"a query behind another, which stays as it is", "https://app/cb?b=%7e+2&a", ModeQuery, "https://app/cb?b=%7e+2&a&" + encoded},
		{"a query behind an empty one", "https://app/cb?", ModeQuery, "https://app/cb?" + encoded},
		{"a query behind an open one", "https://app/cb?a=1&", ModeQuery, "https://app/cb?a=1&" + encoded},
		{"a query without a path", "https://app", ModeQuery, "https://app?" + encoded},
		{"a query of an application", "com.example.app:/cb", ModeQuery, "com.example.app:/cb?" + encoded},
		{"a fragment", "https://app/cb", ModeFragment, "https://app/cb#" + encoded},
		{"a fragment behind a query", "https://app/cb?a=1", ModeFragment, "https://app/cb?a=1#" + encoded},
		{"a form has it in its body", "https://app/cb?a=1", ModeFormPost, "https://app/cb?a=1"},
	} {
		if got := AppendResponse(test.uri, test.mode, params); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if got := AppendResponse("https://app/cb", ModeQuery, nil); got != "https://app/cb" {
		t.Errorf("nothing to append: %s", got)
	}
}

func FuzzMatchRedirectURI(f *testing.F) {
	for _, asked := range variations("http", "127.0.0.1", ":8080", "/callback", "") {
		f.Add("http://127.0.0.1:8080/callback", asked)
	}
	f.Add("https://app.example/callback", "https://app.example/callback")
	f.Add("com.example.app:/callback", "com.example.app:/callback")
	f.Fuzz(func(t *testing.T, registered, asked string) {
		matches := MatchRedirectURI([]string{registered}, asked)
		if matches == (registered == asked && asked != "") {
			return // no better and no worse than comparing bytes
		}
		// Only a port on a loopback literal may make a difference, and whoever
		// parses the URI must find nothing else in it that differs.
		if ValidateRedirectURI(registered, true) != nil {
			return
		}
		r, err := url.Parse(registered)
		if err != nil {
			t.Fatalf("%q can be registered and not be parsed: %v", registered, err)
		}
		a, err := url.Parse(asked)
		if err != nil {
			t.Fatalf("%q matches %q and cannot be parsed: %v", asked, registered, err)
		}
		if host := a.Hostname(); host != "127.0.0.1" && host != "::1" || host != r.Hostname() {
			t.Fatalf("%q matches %q", asked, registered)
		}
		if ValidateRedirectURI(asked, false) != nil {
			t.Fatalf("%q matches %q, and could not be registered", asked, registered)
		}
		r.Host, a.Host = "", ""
		if r.String() != a.String() || a.User != nil || a.Scheme != "http" {
			t.Fatalf("%q matches %q", asked, registered)
		}
	})
}

func FuzzValidateRedirectURI(f *testing.F) {
	for _, uri := range variations("https", "app.example", "", "/callback", "?x=1") {
		f.Add(uri)
	}
	f.Add("com.example.app:/callback")
	f.Add("https://[2001:db8::1]:8443/callback")
	f.Fuzz(func(t *testing.T, uri string) {
		if ValidateRedirectURI(uri, true) != nil {
			return
		}
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatalf("%q can be registered and not be parsed: %v", uri, err)
		}
		if u.User != nil || u.Fragment != "" || u.Opaque != "" || slices.Contains(executed, u.Scheme) || strings.ContainsAny(uri, " \t\r\n\\#\"<>") {
			t.Fatalf("%q can be registered: %#v", uri, u)
		}
		if u.Scheme == "http" && !slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname()) {
			t.Fatalf("%q can be registered", uri)
		}
		if back, err := url.Parse(AppendResponse(uri, ModeQuery, url.Values{"code": {"c"}})); err != nil || !slices.Equal(back.Query()["code"], []string{"c"}) {
			t.Fatalf("%q answers with %v, %v", uri, back, err)
		}
	})
}
