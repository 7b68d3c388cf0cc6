// The program of the container that holds a pod's namespaces: it waits for its end and buries orphans.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// As upstream's, which prints its version then: kubeadm runs a Job of it to see whether pods run.
	if len(os.Args) > 1 && os.Args[1] == "-v" {
		return
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			if pid, _ := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 {
				break
			}
		}
	}
}
