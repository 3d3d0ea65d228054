// Withpostgres runs a command beside a PostgreSQL server of its own, and removes
// the server when the command has ended.
//
//	go run ./test/withpostgres -- go test ./internal/store/...
//
// The command finds the server's address in DEX_TEST_POSTGRES. Its exit status is
// ours.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"dex/test/postgres"
)

const usage = `Usage: withpostgres [-durable] [-verbose] -- COMMAND [ARGUMENT …]

Starts a throw-away PostgreSQL server, runs the command with the server's address
in DEX_TEST_POSTGRES, and removes the server with all that it kept.

`

// failed is our exit status if it is we who failed, as with env and nice.
const failed = 125

func main() {
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	durable := flag.Bool("durable", false, "let a commit reach the disk before it is answered, as in production")
	verbose := flag.Bool("verbose", false, "show the server's log")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	o := postgres.Options{Durable: *durable}
	if *verbose {
		o.Log = os.Stderr
	}
	status, err := run(o, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
		os.Exit(failed)
	}
	os.Exit(status)
}

// run starts a server, runs the command beside it and returns how it ended.
func run(o postgres.Options, command []string) (status int, err error) {
	// From here a signal no longer ends us: it is the command's to obey, and
	// when that has ended, so do we.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)

	cluster, err := postgres.Start(o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	select {
	case s := <-signals: // while the server started
		return signalled(s.(syscall.Signal)), nil
	default:
	}

	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "DEX_TEST_POSTGRES="+cluster.URL("postgres"))
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			// It may have ended meanwhile; then there is nobody to tell.
			_ = cmd.Process.Signal(s)
		case err := <-ended:
			return exitStatus(err)
		}
	}
}

// exitStatus returns the status of a command that ended with err, in the shell's
// way of counting.
func exitStatus(err error) (int, error) {
	if err == nil {
		return 0, nil
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signalled(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// signalled is the exit status of a command that a signal ended.
func signalled(s syscall.Signal) int { return 128 + int(s) }
