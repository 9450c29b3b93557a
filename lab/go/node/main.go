// Command node holds the two small programs that a node of the lab needs and Debian does not have:
//
//	node pause                         keeps a Pod's namespaces alive (the sandbox image)
//	node delay -queue N -base D -jitter D   delays every packet of an NFQUEUE
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fail("the first argument must be pause or delay")
	}
	switch os.Args[1] {
	case "pause":
		pause()
	case "delay":
		flags := flag.NewFlagSet("delay", flag.ExitOnError)
		queue := flags.Uint("queue", 1, "number of the NFQUEUE")
		base := flags.Duration("base", 75*time.Millisecond, "mean delay of a packet")
		jitter := flags.Duration("jitter", 50*time.Millisecond, "largest deviation from the mean")
		_ = flags.Parse(os.Args[2:])
		if *queue > 0xffff || *jitter > *base {
			fail("delay: -queue must fit 16 bits and -jitter must not exceed -base")
		}
		if err := delay(uint16(*queue), *base, *jitter); err != nil {
			fail("delay: " + err.Error())
		}
	default:
		fail("unknown program " + os.Args[1])
	}
}

// pause waits for the end and reaps the processes that a shared PID namespace leaves to it.
func pause() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "node: "+message)
	os.Exit(2)
}
