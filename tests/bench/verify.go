// Verifications of vendors' evidence per second of CPU by Google's verifiers, on what evidence_bench wrote:
//
//	verify INPUTS
package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-attestation/attest"
	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/proto/sevsnp"
	snp "github.com/google/go-sev-guest/verify"
	tdx "github.com/google/go-tdx-guest/verify"
)

const seconds = 2.0

var in *bytes.Reader

func blob() []byte {
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

// User time of all threads: the garbage collector's work is part of what it costs.
func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func row(name string, work func() error) {
	done, start, spent := 0, cpu(), 0.0
	for spent < seconds {
		for i := 0; i < 8; i++ {
			if err := work(); err != nil {
				log.Fatalf("%s: %v", name, err)
			}
			done++
		}
		spent = cpu() - start
	}
	fmt.Printf("%-47s Google's %7.0f per CPU-second\n", name, float64(done)/spent)
}

// The collateral in place of Intel's service.
type answers struct {
	tcbInfo, tcbChain, identity, identityChain, pckCrl, rootCrl []byte
}

func header(chain []byte) []string { return []string{url.QueryEscape(string(chain))} }

func (a *answers) Get(place string) (map[string][]string, []byte, error) {
	switch {
	case strings.Contains(place, "/tcb?"):
		return map[string][]string{"Tcb-Info-Issuer-Chain": header(a.tcbChain)}, a.tcbInfo, nil
	case strings.Contains(place, "/qe/identity"):
		return map[string][]string{"Sgx-Enclave-Identity-Issuer-Chain": header(a.identityChain)}, a.identity, nil
	case strings.Contains(place, "/pckcrl?"):
		return map[string][]string{"Sgx-Pck-Crl-Issuer-Chain": header(a.tcbChain)}, a.pckCrl, nil
	}
	return nil, a.rootCrl, nil
}

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	in = bytes.NewReader(data)

	report, vcek := blob(), blob()
	row("SEV-SNP report", func() error {
		parsed, err := abi.ReportToProto(report)
		if err != nil {
			return err
		}
		evidence := &sevsnp.Attestation{Report: parsed, CertificateChain: &sevsnp.CertificateChain{VcekCert: vcek}}
		return snp.SnpAttestation(evidence, &snp.Options{DisableCertFetching: true, Now: time.Unix(1767225600, 0)})
	})

	// Intel's root stands last in the quote. Given, since a warning per quote would be counted otherwise.
	quote := blob()
	block, _ := pem.Decode(quote[bytes.LastIndex(quote, []byte("-----BEGIN")):])
	intel, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		log.Fatal(err)
	}
	intelRoots := x509.NewCertPool()
	intelRoots.AddCert(intel)
	row("TDX quote", func() error {
		return tdx.RawTdxQuote(quote, &tdx.Options{Now: time.Unix(1687564800, 0), TrustedRoots: intelRoots})
	})

	root, err := x509.ParseCertificate(blob())
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	made := blob()
	collateral := &answers{blob(), blob(), blob(), blob(), blob(), blob()}
	row("TDX quote, collateral", func() error {
		return tdx.RawTdxQuote(made, &tdx.Options{Now: time.Unix(1800000000, 0), TrustedRoots: roots, GetCollateral: true,
			CheckRevocations: true, Getter: collateral})
	})

	for _, name := range []string{"TPM quote, ECC", "TPM quote, RSA-2048"} {
		quote, signature, public, values, nonce := blob(), blob(), blob(), blob(), blob()
		var pcrs []attest.PCR
		for i := 0; i < len(values)/32; i++ {
			pcrs = append(pcrs, attest.PCR{Index: i, Digest: values[32*i : 32*i+32], DigestAlg: crypto.SHA256})
		}
		row(name, func() error {
			ak, err := attest.ParseAKPublic(public)
			if err != nil {
				return err
			}
			return ak.Verify(attest.Quote{Quote: quote, Signature: signature}, pcrs, nonce)
		})
	}
}
