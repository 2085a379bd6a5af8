// What Google's go-eventlog and go-attestation say of event logs, for tests/differential/eventlog_test.sh.
// Input, on stdin, until its end: u8 kind (0 a TPM's, 1 of a CCEL, 2 SHA-1 only); u8 count, then registers, each u8 index
// and their value (32, 48 or 20 bytes); u32 size; the log. All little endian.
// Output: one line for each: what each check said, a digest of the events that were read, and Secure Boot.
package main

import (
	"bufio"
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/go-attestation/attest"
	"github.com/google/go-eventlog/extract"
	"github.com/google/go-eventlog/register"
	"github.com/google/go-eventlog/tcg"
)

type input struct {
	kind      byte
	registers map[int][]byte
	log       []byte
}

var sizes = []int{32, 48, 20}
var hashes = []register.HashAlg{register.HashSHA256, register.HashSHA384, register.HashSHA1}

func read(r io.Reader) (input, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return input{}, err
	}
	in := input{kind: head[0], registers: map[int][]byte{}}
	for i := 0; i < int(head[1]); i++ {
		value := make([]byte, 1+sizes[in.kind])
		if _, err := io.ReadFull(r, value); err != nil {
			return in, err
		}
		in.registers[int(value[0])] = value[1:]
	}
	var size uint32
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return in, err
	}
	in.log = make([]byte, size)
	_, err := io.ReadFull(r, in.log)
	return in, err
}

func (in input) mrs() []register.MR {
	var out []register.MR
	for index, value := range in.registers {
		if in.kind == 1 {
			out = append(out, register.RTMR{Index: index, Digest: value})
		} else {
			out = append(out, register.PCR{Index: index, Digest: value, DigestAlg: hashes[in.kind].CryptoHash()})
		}
	}
	return out
}

// Every event, in order, as both sides see it.
func eventsDigest(log *tcg.EventLog, hash register.HashAlg) string {
	h := sha256.New()
	for _, e := range log.Events(hash) {
		fields := []uint32{uint32(e.Index), uint32(e.Type), uint32(len(e.Digest)), uint32(len(e.Data))}
		binary.Write(h, binary.LittleEndian, fields)
		h.Write(e.Digest)
		h.Write(e.Data)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func secureBoot(log *tcg.EventLog, kind byte, hash register.HashAlg) (out string) {
	defer func() {
		if r := recover(); r != nil {
			out = "panic"
		}
	}()
	cfg := extract.TPMRegisterConfig
	if kind == 1 {
		cfg = extract.RTMRRegisterConfig
	}
	events := log.Events(hash)
	// Only what Verify() would hand on: informational events extend nothing.
	var extending []tcg.Event
	for _, e := range events {
		if e.Type == tcg.NoAction {
			continue
		}
		// Asked for the type of such an event, go-eventlog recurses until the process dies: no recover() helps.
		read := uint32(e.Index) == cfg.SecureBootIdx || uint32(e.Index) == cfg.FirmwareDriverIdx
		if _, known := e.Type.KnownName(); read && !known {
			return "panic"
		}
		extending = append(extending, e)
	}
	state, err := extract.ParseSecurebootState(extending, cfg)
	if err != nil {
		return "error:" + strings.ReplaceAll(err.Error(), " ", "_")
	}
	counts := fmt.Sprintf("%d/%d/%d/%d/%d", len(state.PlatformKeys), len(state.ExchangeKeys), len(state.PermittedKeys),
		len(state.ForbiddenKeys), len(state.ForbiddenHashes))
	authorities := len(state.PreSeparatorAuthority) + len(state.PostSeparatorAuthority)
	return fmt.Sprintf("%v:%s:%d", state.Enabled, counts, authorities)
}

func judge(in input) (line string) {
	defer func() {
		if r := recover(); r != nil {
			line = "panic - - -"
		}
	}()
	hash := hashes[in.kind]
	log, err := tcg.ParseEventLog(in.log, tcg.ParseOpts{AllowPadding: in.kind == 1})
	if err != nil {
		return "refused - - -"
	}
	replay := "replayed"
	if _, err := log.Verify(in.mrs()); err != nil {
		replay = "differs"
	}
	older := "-"
	if in.kind != 1 {
		older = attestation(in)
	}
	return fmt.Sprintf("%s %s %s %s", replay, eventsDigest(log, hash), older, secureBoot(log, in.kind, hash))
}

// go-attestation's own copy, which only knows PCRs.
func attestation(in input) string {
	log, err := attest.ParseEventLog(in.log)
	if err != nil {
		return "refused"
	}
	var pcrs []attest.PCR
	for index, value := range in.registers {
		pcrs = append(pcrs, attest.PCR{Index: index, Digest: value, DigestAlg: crypto.Hash(hashes[in.kind].CryptoHash())})
	}
	if _, err := log.Verify(pcrs); err != nil {
		return "differs"
	}
	return "replayed"
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		one, err := read(in)
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Fprintln(out, judge(one))
	}
}
