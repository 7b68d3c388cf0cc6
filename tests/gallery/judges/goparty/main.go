// Goparty is a relying party: it verifies tokens with go-oidc, as Vault and many others do.
//
// It reads one question a line, {"name", "issuer", "audience", "token"}, asks all of them at once, and writes one answer
// a line, {"name", "accepts", "says"}. Its argument is a file of the roots that it trusts, in PEM.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Twice the time of STS, because a hundred issuers are asked at once; go-oidc itself waits without end.
const timeout = 10 * time.Second

type question struct {
	Name     string `json:"name"`
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	Token    string `json:"token"`
}

type answer struct {
	Name    string `json:"name"`
	Accepts bool   `json:"accepts"`
	Says    string `json:"says"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(roots string) error {
	pem, err := os.ReadFile(roots)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	var lock sync.Mutex
	var asked sync.WaitGroup
	written := json.NewEncoder(os.Stdout)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var asking question
		if err := json.Unmarshal(lines.Bytes(), &asking); err != nil {
			return err
		}
		asked.Go(func() {
			said := answer{Name: asking.Name, Accepts: true}
			if err := verify(asking, pool); err != nil {
				said.Accepts, said.Says = false, err.Error()
			}
			lock.Lock()
			defer lock.Unlock()
			_ = written.Encode(said)
		})
	}
	asked.Wait()
	return lines.Err()
}

func verify(asking question, roots *x509.CertPool) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: timeout}
	bounded, cancel := context.WithTimeout(oidc.ClientContext(context.Background(), client), 2*timeout)
	defer cancel()
	provider, err := oidc.NewProvider(bounded, asking.Issuer)
	if err != nil {
		return err
	}
	_, err = provider.Verifier(&oidc.Config{ClientID: asking.Audience}).Verify(bounded, asking.Token)
	return err
}
