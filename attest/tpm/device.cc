#include "attest/tpm/device.h"

#include <netdb.h>
#include <tss2/tss2_tcti_device.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include "attest/tpm/device_state.h"
#include "attest/tpm/held_socket.h"
#include "attest/tpm/nv.h"

namespace cstl::tpm {

TPML_PCR_SELECTION all_pcrs() {
  TPML_PCR_SELECTION selection{};
  selection.count = 1;
  selection.pcrSelections[0].hash = TPM2_ALG_SHA256;
  selection.pcrSelections[0].sizeofSelect = 3;
  for (int i = 0; i < 3; ++i) selection.pcrSelections[0].pcrSelect[i] = 0xff;
  return selection;
}

Device::Device() : state_(std::make_unique<State>()) {}
Device::~Device() = default;

Result<std::unique_ptr<Device>> Device::open(const std::string& path) {
  constexpr std::string_view kSwtpm = "swtpm:path=", kUnix = "unix:";
  auto init = Tss2_Tcti_Device_Init;
  std::string conf = path;
  if (path.compare(0, kSwtpm.size(), kSwtpm) == 0) {
    init = shared_socket_init;
    conf = path.substr(kSwtpm.size());
  } else if (path.compare(0, kUnix.size(), kUnix) == 0) {
    init = held_socket_init;
    conf = path.substr(kUnix.size());
  } else if (access(path.c_str(), F_OK) != 0) {
    return fail(Code::tpm_missing, "tpm.device", Origin::errno_value, errno);
  }

  std::unique_ptr<Device> device(new Device());
  State& s = *device->state_;
  size_t size = 0;
  TRY(tss_ok(init(nullptr, &size, conf.c_str()), "tpm.tcti_size"));
  s.tcti = static_cast<TSS2_TCTI_CONTEXT*>(std::calloc(1, size));
  if (s.tcti == nullptr) return fail(Code::no_memory, "tpm.tcti");
  if (TSS2_RC rc = init(s.tcti, &size, conf.c_str()); rc != TSS2_RC_SUCCESS) {
    return fail(Code::tpm_missing, "tpm.tcti", Origin::tss, rc);
  }
  s.ready = true;
  TRY(tss_ok(Esys_Initialize(&s.esys, s.tcti, nullptr), "tpm.esys"));
  return device;
}

Result<std::array<Digest32, kPcrCount>> Device::read_pcrs() {
  ESYS_CONTEXT* esys = state_->esys;
  // A TPM returns a few values at a time (eight, mostly); the update counter tells whether anything changed in between.
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::array<Digest32, kPcrCount> values{};
    TPML_PCR_SELECTION left = all_pcrs();
    uint32_t missing = (1u << kPcrCount) - 1, counter = 0;
    bool consistent = true;
    while (missing != 0 && consistent) {
      uint32_t now = 0;
      TPML_PCR_SELECTION* selected = nullptr;
      TPML_DIGEST* digests = nullptr;
      TSS2_RC rc = Esys_PCR_Read(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &left, &now, &selected, &digests);
      EsysPtr<TPML_PCR_SELECTION> selected_owner(selected);
      EsysPtr<TPML_DIGEST> digests_owner(digests);
      TRY(tss_ok(rc, "tpm.pcr_read"));
      if (missing == (1u << kPcrCount) - 1) counter = now;
      consistent = now == counter;
      uint32_t next = 0;
      if (selected->count != 1 || selected->pcrSelections[0].sizeofSelect < 3) return fail(Code::tpm_failed, "tpm.pcr_read");
      for (uint32_t i = 0; i < kPcrCount; ++i) {
        if ((selected->pcrSelections[0].pcrSelect[i / 8] >> (i % 8) & 1) == 0) continue;
        if (next >= digests->count || digests->digests[next].size != 32 || (missing >> i & 1) == 0) {
          return fail(Code::tpm_failed, "tpm.pcr_read");
        }
        std::memcpy(values[i].data(), digests->digests[next++].buffer, 32);
        missing &= ~(1u << i);
        left.pcrSelections[0].pcrSelect[i / 8] = static_cast<uint8_t>(left.pcrSelections[0].pcrSelect[i / 8] & ~(1u << (i % 8)));
      }
      // No progress: the TPM lacks a SHA-256 bank.
      if (next == 0) return fail(Code::tpm_failed, "tpm.pcr_bank");
    }
    if (consistent) return values;
  }
  return fail(Code::tpm_failed, "tpm.pcr_changing");
}

Result<std::vector<uint8_t>> Device::read_nv(uint32_t index, size_t max) {
  TRY_LET(bool there, has_handle(state_->esys, index));
  if (!there) return fail(Code::not_found, "tpm.nv");
  return nv_read(state_->esys, index, max);
}

Status Device::pcr_event(uint32_t pcr, Bytes data) {
  TPM2B_EVENT event{};
  if (pcr >= kPcrCount || data.size() > sizeof event.buffer) return fail(Code::tpm_failed, "tpm.pcr_event");
  event.size = static_cast<uint16_t>(data.size());
  if (!data.empty()) std::memcpy(event.buffer, data.data(), data.size());
  TPML_DIGEST_VALUES* digests = nullptr;
  TSS2_RC rc = Esys_PCR_Event(state_->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &event, &digests);
  EsysPtr<TPML_DIGEST_VALUES> owner(digests);
  return tss_ok(rc, "tpm.pcr_event");
}

}  // namespace cstl::tpm

// tpm2-tss could connect to a TPM by host name; paths are all we give it. With these, the static programs carry no
// resolver, name service or character set conversion of glibc (150 KB), and cannot look up a name.
extern "C" int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) { return EAI_NONAME; }
extern "C" void freeaddrinfo(addrinfo*) {}

// Nor does it choose a TCTI for us.
extern "C" TSS2_RC Tss2_TctiLdr_Initialize(const char*, TSS2_TCTI_CONTEXT**) { return TSS2_TCTI_RC_NOT_IMPLEMENTED; }
extern "C" void Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT**) {}
