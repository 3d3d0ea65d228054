package foreign

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

func TestTheBrowserKeepsItsPromises(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "node", "--test")
	cmd.Dir = Install(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// A script that cannot fail would show nothing.
func TestAScriptFailsAtTheFirstThingThatIsNotRight(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, script := range Scripts {
		t.Run(script, func(t *testing.T) {
			p := Party{
				Issuer: nobody, ClientID: "c", Secret: "s", RedirectURI: nobody + "/callback",
				Username: "ann", Password: "a password that no message may show",
			}
			out, err := p.run(t.Context(), t, script)
			if err == nil || !strings.Contains(string(out), "FAIL  discovery") {
				t.Errorf("without a provider the script ended with %v and said:\n%s", err, out)
			}
			if strings.Contains(string(out), p.Password) {
				t.Errorf("the password is in what it said:\n%s", out)
			}

			p.Username = ""
			if out, err := p.run(t.Context(), t, script); err == nil || !strings.Contains(string(out), "USERNAME is not set") {
				t.Errorf("without a username the script ended with %v and said:\n%s", err, out)
			}
		})
	}
}
