package postgres

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// attributes makes the process the owner's, and lets it end when we do.
func attributes(as *owner) *syscall.SysProcAttr {
	// SIGQUIT is the server's immediate shutdown, which takes its backends along.
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if as != nil {
		a.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
	return a
}

// children returns the processes that pid has started. They are in sessions of
// their own, so a signal to the group would not reach them.
func children(pid int) []int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for field := range strings.FieldsSeq(string(list)) {
		if n, err := strconv.Atoi(field); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}
