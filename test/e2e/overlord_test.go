package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"dex/internal/base/seal"
	"dex/internal/store"
	"dex/internal/store/storetest"
	"dex/test/program"
)

// answered is where an overlord says that it listens.
var answered = regexp.MustCompile(`msg=listening address=(\S+)`)

// launchOverlord starts a dex-overlord, and waits until it is ready.
func launchOverlord(t *testing.T, url string, key seal.Secret) *program.Process {
	t.Helper()
	p := launchProgram(t, overlord, nil, "--db-url", url, "--key-secrets", key.Reveal(), "--admin-listen", "127.0.0.1:0", "--gc-interval", "1s")
	p.Await("it listens", func() bool { return answered.MatchString(p.Log.String()) })
	p.URL = "http://" + answered.FindStringSubmatch(p.Log.String())[1]
	p.AwaitReady()
	return p
}

// The process that has a duty is killed, and another does it; the record tells both.
func TestWhenTheOverlordWithADutyIsKilledAnotherTakesOver(t *testing.T) {
	key := seal.NewSecret()
	ring, err := seal.NewRing(key)
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.OpenPostgres(t, storetest.WithKeys(ring))
	url := storetest.URL(t, db)
	all := map[int]*program.Process{}
	for range 3 {
		p := launchOverlord(t, url, key)
		all[p.Cmd.Process.Pid] = p
	}
	var last int
	for range 2 { // until one is left
		var holder int
		for end := time.Now().Add(program.Patience); holder == 0 || holder == last; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nobody has taken over")
			}
			holder = clearing(t, db, time.Now())
			if all[holder] == nil {
				holder = 0
			}
		}
		all[holder].Kill()
		delete(all, holder)
		last = holder
	}
	for pid, p := range all {
		p.Await("the last one does it", func() bool { return clearing(t, db, time.Now()) == pid })
		p.Stop()
	}
}

// clearing is the process that has cleared away last, and recently.
func clearing(t *testing.T, db *store.DB, now time.Time) (pid int) {
	t.Helper()
	duties, err := db.Duties(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range duties {
		if _, rest, ok := strings.Cut(d.Holder, "/"); d.Name == "clear away" && ok && now.Sub(d.DoneAt) < 3*time.Second {
			_, _ = fmt.Sscan(rest, &pid)
		}
	}
	return pid
}

func TestTheOverlordsOwnCommands(t *testing.T) {
	key := seal.NewSecret()
	ring, err := seal.NewRing(key)
	if err != nil {
		t.Fatal(err)
	}
	db := storetest.OpenPostgres(t, storetest.WithKeys(ring))
	url := storetest.URL(t, db)
	run := func(arguments ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), overlord, append(arguments, "--db-url", url, "--key-secrets", key.Reveal())...).CombinedOutput()
		return string(out), err
	}
	out, err := run("bootstrap-secret")
	if err != nil || !strings.Contains(out, "dxb_") {
		t.Errorf("%s, %v", out, err)
	}
	if out, err := run("recover-admin", "--email", "nobody@example.com"); err == nil || !strings.Contains(out, "dex-overlord: There is no tenant") {
		t.Errorf("%s, %v", out, err)
	}
	if out, err := exec.CommandContext(t.Context(), overlord, "--gc-interval", "0s").CombinedOutput(); err == nil || !strings.Contains(string(out), "db_url: is not set") {
		t.Errorf("%s, %v", out, err)
	}
	p := launchOverlord(t, url, key)
	resp, err := http.Get(p.URL + "/api/v1/state")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.Body.Close() != nil || !strings.Contains(string(body), `"bootstrapped":false`) {
		t.Errorf("%s, %v", body, err)
	}
	p.Stop()
}
