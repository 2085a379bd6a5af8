// Verifies the cases that tdx_cases wrote with go-tdx-guest: a line per case, "ok" or "refused" and why, into a file,
// since that package logs to standard output.
//
//	verify CASES VERDICTS
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/google/go-tdx-guest/verify"
)

func blob(in io.Reader) []byte {
	var size uint32
	if err := binary.Read(in, binary.LittleEndian, &size); err != nil {
		log.Fatal(err)
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(in, out); err != nil {
		log.Fatal(err)
	}
	return out
}

// The collateral of one case, in place of Intel's service.
type answers struct {
	tcbInfo, tcbChain, identity, identityChain, pckCrl, rootCrl []byte
}

func (a *answers) Get(url string) (map[string][]string, []byte, error) {
	switch {
	case strings.Contains(url, "/tcb?"):
		return map[string][]string{"Tcb-Info-Issuer-Chain": {string(a.tcbChain)}}, a.tcbInfo, nil
	case strings.Contains(url, "/qe/identity"):
		return map[string][]string{"Sgx-Enclave-Identity-Issuer-Chain": {string(a.identityChain)}}, a.identity, nil
	case strings.Contains(url, "/pckcrl?"):
		return map[string][]string{"Sgx-Pck-Crl-Issuer-Chain": {string(a.tcbChain)}}, a.pckCrl, nil
	}
	return nil, a.rootCrl, nil
}

func judge(quote []byte, now int64, collateral *answers, roots *x509.CertPool) (err error) {
	// It reads beyond the input of some cut quotes; that is a refusal, too.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic")
		}
	}()
	options := &verify.Options{Now: time.Unix(now, 0), TrustedRoots: roots}
	if collateral != nil {
		options.GetCollateral, options.CheckRevocations, options.Getter = true, true, collateral
	}
	return verify.RawTdxQuote(quote, options)
}

func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	in := bufio.NewReader(file)
	made := x509.NewCertPool()
	root, err := x509.ParseCertificate(blob(in))
	if err != nil {
		log.Fatal(err)
	}
	made.AddCert(root)
	verdicts, err := os.Create(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	out := bufio.NewWriter(verdicts)
	defer out.Flush()
	for {
		var head struct {
			Made, Collateral uint8
			Now              int64
		}
		if err := binary.Read(in, binary.LittleEndian, &head); err == io.EOF {
			break
		} else if err != nil {
			log.Fatal(err)
		}
		quote := blob(in)
		var collateral *answers
		if head.Collateral != 0 {
			collateral = &answers{blob(in), blob(in), blob(in), blob(in), blob(in), blob(in)}
		}
		var roots *x509.CertPool
		if head.Made != 0 {
			roots = made
		}
		if err := judge(quote, head.Now, collateral, roots); err != nil {
			fmt.Fprintf(out, "refused %s\n", strings.Join(strings.Fields(err.Error()), " "))
		} else {
			fmt.Fprintln(out, "ok")
		}
	}
}
