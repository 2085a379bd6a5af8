// Verifies the cases that snp_cases wrote with go-sev-guest: a line per case, "ok" or "refused".
//
//	verify CASES
//
// Both of its steps count: verify (certificates and signature) and validate (TCB and chip against the certificate), with
// options that accept whatever a reference set of ours would decide about.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-sev-guest/proto/sevsnp"
	"github.com/google/go-sev-guest/validate"
	"github.com/google/go-sev-guest/verify"
	"github.com/google/go-sev-guest/verify/trust"
)

var now = time.Unix(1767225600, 0)

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

func certificate(in io.Reader) *x509.Certificate {
	out, err := x509.ParseCertificate(blob(in))
	if err != nil {
		log.Fatal(err)
	}
	return out
}

func judge(leaf, raw []byte, roots map[string][]*trust.AMDRootCerts) error {
	report, err := abi.ReportToProto(raw)
	if err != nil {
		return err
	}
	// The leaf is offered as what the report wants; whether it is that is the verifier's to find out.
	chain := &sevsnp.CertificateChain{VcekCert: leaf, VlekCert: leaf}
	attestation := &sevsnp.Attestation{Report: report, CertificateChain: chain}
	options := &verify.Options{DisableCertFetching: true, Now: now, TrustedRoots: roots}
	if err := verify.SnpAttestation(attestation, options); err != nil {
		return err
	}
	policy := abi.SnpPolicy{SMT: true, MigrateMA: true, Debug: true, CXLAllowed: true}
	return validate.SnpAttestation(attestation, &validate.Options{GuestPolicy: policy, PermitProvisionalFirmware: true})
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: verify CASES")
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	in := bufio.NewReaderSize(file, 1<<20)
	madeUp := map[string][]*trust.AMDRootCerts{}
	for _, product := range []string{"Milan", "Genoa"} {
		root := trust.AMDRootCertsProduct(product)
		root.ProductCerts = &trust.ProductCerts{Ask: certificate(in), Asvk: certificate(in), Ark: certificate(in)}
		madeUp[product] = []*trust.AMDRootCerts{root}
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var leaf []byte
	for {
		authority, err := in.ReadByte()
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		if given := blob(in); len(given) != 0 {
			leaf = given
		}
		report := blob(in)
		var roots map[string][]*trust.AMDRootCerts
		if authority == 1 {
			roots = madeUp
		}
		if err := judge(leaf, report, roots); err != nil {
			fmt.Fprintf(out, "refused %v\n", err)
		} else {
			fmt.Fprintln(out, "ok")
		}
	}
}
