package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processors say who runs where.
type processors struct {
	server []int // the one of the measured server
	rest   []int // ours and Postgres's
}

// settle gives this process, with all that it will start, every processor but the
// one that the measured server is to have for itself.
func settle() (processors, error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return processors{}, fmt.Errorf("which processors are ours: %w", err)
	}
	var cpus []int
	for i := range len(all) * 64 {
		if all.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	if len(cpus) < 2 {
		return processors{server: cpus, rest: cpus}, nil
	}
	p := processors{server: cpus[:1], rest: cpus[1:]}
	runtime.GOMAXPROCS(len(p.rest))
	// A thread starts where its creator is, so twice over the list is enough.
	for range 2 {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return processors{}, err
		}
		for _, t := range threads {
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return processors{}, err
			}
			if err := unix.SchedSetaffinity(tid, set(p.rest)); err != nil && !errors.Is(err, unix.ESRCH) {
				return processors{}, fmt.Errorf("move to processors %v: %w", p.rest, err)
			}
		}
	}
	return p, nil
}

func set(cpus []int) *unix.CPUSet {
	var s unix.CPUSet
	for _, cpu := range cpus {
		s.Set(cpu)
	}
	return &s
}

// startOn starts a command on these processors. It ends when we do.
func startOn(cmd *exec.Cmd, cpus []int, ours []int) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, set(cpus)); err != nil {
		return fmt.Errorf("processors %v: %w", cpus, err)
	}
	err := cmd.Start()
	return errors.Join(err, unix.SchedSetaffinity(0, set(ours)))
}

// cpuTime is what a process has spent, in its own code and in the kernel: utime
// and stime of proc_pid_stat(5), but to the nanosecond.
func cpuTime(pid int) (time.Duration, error) {
	// The clock of another process, clock_getcpuclockid(3): its id inverted, and 2
	// for the time that the scheduler has counted.
	clock := ^int32(pid)<<3 | 2
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, fmt.Errorf("the processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// memory returns what a process holds.
func memory(pid int) (resident, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return resident{}, err
	}
	now, errNow := parseStatus(string(status), "VmRSS:")
	private, errPrivate := parseStatus(string(status), "RssAnon:")
	peak, errPeak := parseStatus(string(status), "VmHWM:")
	return resident{now: now, private: private, peak: peak}, errors.Join(errNow, errPrivate, errPeak)
}

// parseStatus reads a line like "VmRSS:	   12345 kB", proc_pid_status(5).
func parseStatus(status, name string) (int64, error) {
	for line := range strings.Lines(status) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) != 2 || fields[1] != "kB" {
			break
		}
		n, err := strconv.ParseInt(fields[0], 10, 64)
		return n * 1024, err
	}
	return 0, fmt.Errorf("no %s in a process status", name)
}

// processor is the name that the machine's processors go by.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(info)) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
