package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func TestAProcessStatusIsRead(t *testing.T) {
	const status = "Name:\tdex\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nVmBad:\t12 MB\n"
	if got, err := parseStatus(status, "VmRSS:"); err != nil || got != 10<<20 {
		t.Errorf("VmRSS: %d, %v", got, err)
	}
	for _, name := range []string{"VmBad:", "VmNone:"} {
		if got, err := parseStatus(status, name); err == nil {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestThisProcessCanBeMeasured(t *testing.T) {
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		t.Fatal(err)
	}
	got, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		t.Fatal(err)
	}
	// The two count in other units, so they may differ by a little.
	const unit = 20 * time.Millisecond
	if least, most := spent(before)-unit, spent(after)+unit; got < least || got > most {
		t.Errorf("this process has spent %v, and not from %v to %v", got, least, most)
	}
	m, err := memory(os.Getpid())
	if err != nil || m.private <= 0 || m.private > m.now || m.now/2 > m.peak {
		t.Errorf("%+v, %v", m, err)
	}
}

func spent(u syscall.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
