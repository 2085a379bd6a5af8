// Attestation documents from the NitroTPM of an EC2 instance (the protocol of AWS's open tool nitro-tpm-attest): an NV
// index serves as message buffer; a request in CBOR is written to it, the vendor's command 0x20000001 hands it to the
// Nitro hypervisor, and the answer is read from the same index. Instances without the feature say that they lack the
// command.
#pragma once

#include <functional>
#include <memory>

#include "attest/tpm/issue.h"

namespace cstl::aws {

constexpr size_t kMaxUserDataSize = 1024;

// A document over `nonce` and `user_data`. Errors: unsupported (there are none here), document_malformed, tpm_failed.
using Documents = std::function<Result<std::vector<uint8_t>>(const Digest32& nonce, Bytes user_data)>;

// Through the TPM. `device` must outlive it.
Documents nitro_documents(tpm::Device& device);

// A fresh document for every quote: the quote's qualifying data is the nonce, SHA-256(AK public area) the user data.
// Where there are no documents the evidence goes without; the verifier's set says whether that will do.
std::unique_ptr<tpm::EvidenceSource> document_source(Documents documents);

// The request {"Attestation": {"user_data", "nonce", "public_key": null}}; document_in() reads the answer. Errors: too_long.
Result<Bytes> encode_request(const Digest32& nonce, Bytes user_data, MutBytes out);

}  // namespace cstl::aws
