// Verifies the chains that chain_cases wrote (standard input) with Go's crypto/x509: a line per case, "ok", why not, or "-"
// for a case without certificates.
package main

import (
	"bufio"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func u32(in io.Reader) uint32 {
	var out uint32
	if err := binary.Read(in, binary.LittleEndian, &out); err != nil {
		log.Fatal(err)
	}
	return out
}

func bytes(in io.Reader, size uint32) []byte {
	out := make([]byte, size)
	if _, err := io.ReadFull(in, out); err != nil {
		log.Fatal(err)
	}
	return out
}

// A certificate whose key is pinned is an anchor, wherever it stands; the leaf only when it stands among the others too.
func judge(now time.Time, pins map[[32]byte]bool, chain [][]byte) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	var leaf *x509.Certificate
	for i, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if i == 0 {
			leaf = certificate
		} else if pins[sha256.Sum256(certificate.RawSubjectPublicKeyInfo)] {
			roots.AddCert(certificate)
		} else {
			intermediates.AddCert(certificate)
		}
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	now := time.Unix(int64(u32(in)), 0)
	for {
		count, err := in.ReadByte()
		if err == io.EOF {
			return
		}
		pins := map[[32]byte]bool{}
		for ; err == nil && count > 0; count-- {
			pins[[32]byte(bytes(in, 32))] = true
		}
		var chain [][]byte
		for size := must(in.ReadByte()); size > 0; size-- {
			chain = append(chain, bytes(in, u32(in)))
		}
		if len(chain) == 0 {
			fmt.Fprintln(out, "-")
		} else if err := judge(now, pins, chain); err != nil {
			fmt.Fprintln(out, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprintln(out, "ok")
		}
	}
}
