#include "attest/aws/issue.h"

#include "attest/aws/document.h"
#include "attest/tpm/device_state.h"
#include "attest/tpm/nv.h"

namespace cstl::aws {

namespace {
constexpr uint32_t kNsmRequest = 0x20000001;  // TPM2_VENDOR_AWS_NSM_REQUEST
constexpr TPM2_HANDLE kFirstIndex = 0x01800000, kLastIndex = 0x01bfffff;  // the owner's
constexpr uint16_t kBufferSize = 8192;        // a document is about 5 KiB
constexpr uint16_t kPart = 512;
constexpr TSS2_RC kNoSuchSize = TPM2_RC_SIZE + TPM2_RC_P + TPM2_RC_2;  // of the second parameter, the public area
constexpr uint32_t kPassword = 0x40000009;    // TPM_RS_PW

// An index of our own, undefined at the end.
class MessageBuffer {
 public:
  static Result<MessageBuffer> define(ESYS_CONTEXT* esys) {
    TRY_LET(std::vector<TPM2_HANDLE> taken, tpm::handles_from(esys, kFirstIndex, kLastIndex));
    TPM2_HANDLE index = kFirstIndex;
    for (TPM2_HANDLE used : taken) index = used == index ? index + 1 : index;
    TPM2B_NV_PUBLIC area{};
    area.nvPublic.nvIndex = index;
    area.nvPublic.nameAlg = TPM2_ALG_SHA256;
    area.nvPublic.attributes = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE;
    area.nvPublic.dataSize = kBufferSize;
    const TPM2B_AUTH no_auth{};
    ESYS_TR nv = ESYS_TR_NONE;
    const TSS2_RC rc = Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                                           &no_auth, &area, &nv);
    // A TPM that never has indices of this size is no NitroTPM.
    if (rc == kNoSuchSize) return fail(Code::unsupported, "nitro.define", Origin::tss, rc);
    TRY(tpm::tss_ok(rc, "nitro.define"));
    return MessageBuffer(esys, nv, index);
  }
  ~MessageBuffer() {
    // One that stays behind costs NV memory until the next boot, nothing else.
    if (nv_ != ESYS_TR_NONE) {
      (void)Esys_NV_UndefineSpace(esys_, ESYS_TR_RH_OWNER, nv_, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE);
    }
  }
  MessageBuffer(MessageBuffer&& other) noexcept : esys_(other.esys_), nv_(other.nv_), index_(other.index_) {
    other.nv_ = ESYS_TR_NONE;
  }
  MessageBuffer& operator=(MessageBuffer&&) = delete;

  TPM2_HANDLE index() const { return index_; }

  Result<std::vector<uint8_t>> read() const { return tpm::nv_read_open(esys_, nv_, kBufferSize); }
  Status write(Bytes data) const {
    for (size_t at = 0; at < data.size(); at += kPart) {
      const Bytes part = data.skip(at).first(kPart);
      TPM2B_MAX_NV_BUFFER buffer{};
      buffer.size = static_cast<uint16_t>(part.size());
      std::memcpy(buffer.buffer, part.data(), part.size());
      TRY(tpm::tss_ok(Esys_NV_Write(esys_, nv_, nv_, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &buffer,
                                    static_cast<uint16_t>(at)), "nitro.write"));
    }
    return success();
  }

 private:
  MessageBuffer(ESYS_CONTEXT* esys, ESYS_TR nv, TPM2_HANDLE index) : esys_(esys), nv_(nv), index_(index) {}
  ESYS_CONTEXT* esys_;
  ESYS_TR nv_;
  TPM2_HANDLE index_;
};

// The vendor's command: two handles (authority and index, the same), one password session without password. tpm2-tss
// has no call for it, so it goes to the TCTI as bytes.
Status send_request(ESYS_CONTEXT* esys, TPM2_HANDLE index) {
  std::array<uint8_t, 64> space{};
  Writer w(space);
  w.u16(TPM2_ST_SESSIONS);
  w.u32(10 + 8 + 4 + 9);
  w.u32(kNsmRequest);
  w.u32(index);
  w.u32(index);
  w.u32(9);  // the authorisation area: handle, empty nonce, attributes, empty HMAC
  w.u32(kPassword);
  w.u16(0);
  w.u8(TPMA_SESSION_CONTINUESESSION);
  w.u16(0);
  TRY_LET(Bytes command, w.finish());
  TSS2_TCTI_CONTEXT* tcti = nullptr;
  TRY(tpm::tss_ok(Esys_GetTcti(esys, &tcti), "nitro.tcti"));
  TRY(tpm::tss_ok(Tss2_Tcti_Transmit(tcti, command.size(), command.data()), "nitro.transmit"));
  std::array<uint8_t, 4096> answer{};
  size_t size = answer.size();
  TRY(tpm::tss_ok(Tss2_Tcti_Receive(tcti, &size, answer.data(), TSS2_TCTI_TIMEOUT_BLOCK), "nitro.receive"));
  Reader r(Bytes(answer).first(size));
  TRY_LET(uint16_t tag, r.u16());
  TRY_LET(uint32_t length, r.u32());
  TRY_LET(uint32_t code, r.u32());
  (void)tag;
  if (length != size) return fail(Code::tpm_failed, "nitro.response");
  // The kernel's resource manager says so itself, in a layer of its own, when the TPM does not list the command.
  if ((code & ~TSS2_RC_LAYER_MASK) == TPM2_RC_COMMAND_CODE) {
    return fail(Code::unsupported, "nitro.command", Origin::tss, code);
  }
  return tpm::tss_ok(code, "nitro.request");
}

class DocumentSource final : public tpm::EvidenceSource {
 public:
  explicit DocumentSource(Documents documents) : documents_(std::move(documents)) {}
  Status add(const Digest32& qualifier, Evidence& evidence) override {
    TRY_LET(Digest32 ak, sha256({evidence.ak_public}));
    auto document = documents_(qualifier, ak);
    if (document.code() == Code::unsupported) return success();
    if (!document.ok()) return document.error();
    document_ = std::move(*document);
    evidence.runtime_data = document_;
    return success();
  }

 private:
  Documents documents_;
  std::vector<uint8_t> document_;
};

void put_head(Writer& w, uint8_t major, size_t value) {
  const unsigned first = static_cast<unsigned>(major) << 5;
  if (value < 24) return w.u8(static_cast<uint8_t>(first | value));
  if (value < 256) {
    w.u8(static_cast<uint8_t>(first | 24));
    return w.u8(static_cast<uint8_t>(value));
  }
  w.u8(static_cast<uint8_t>(first | 25));
  w.u16(static_cast<uint16_t>(value));
}

void put_text(Writer& w, std::string_view text) {
  put_head(w, 3, text.size());
  w.bytes(text);
}

void put_bytes(Writer& w, Bytes bytes) {
  put_head(w, 2, bytes.size());
  w.bytes(bytes);
}
}  // namespace

Result<Bytes> encode_request(const Digest32& nonce, Bytes user_data, MutBytes out) {
  if (user_data.size() > kMaxUserDataSize) return fail(Code::too_long, "nitro.user_data");
  constexpr uint8_t kNull = 0xf6;
  Writer w(out);
  put_head(w, 5, 1);
  put_text(w, "Attestation");
  put_head(w, 5, 3);
  put_text(w, "user_data");
  put_bytes(w, user_data);
  put_text(w, "nonce");
  put_bytes(w, nonce);
  put_text(w, "public_key");
  w.u8(kNull);
  return w.finish();
}

Documents nitro_documents(tpm::Device& device) {
  return [&device](const Digest32& nonce, Bytes user_data) -> Result<std::vector<uint8_t>> {
    ESYS_CONTEXT* esys = device.state().esys;
    std::array<uint8_t, 2048> space{};
    TRY_LET(Bytes request, encode_request(nonce, user_data, space));
    TRY_LET(MessageBuffer buffer, MessageBuffer::define(esys));
    TRY(buffer.write(request));
    TRY(send_request(esys, buffer.index()));
    TRY_LET(std::vector<uint8_t> answer, buffer.read());
    TRY_LET(Bytes document, document_in(answer));
    return document.copy();
  };
}

std::unique_ptr<tpm::EvidenceSource> document_source(Documents documents) {
  return std::make_unique<DocumentSource>(std::move(documents));
}

}  // namespace cstl::aws
