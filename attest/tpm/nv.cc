#include "attest/tpm/nv.h"

#include <algorithm>

namespace cstl::tpm {

Result<std::vector<TPM2_HANDLE>> handles_from(ESYS_CONTEXT* esys, TPM2_HANDLE first, TPM2_HANDLE end) {
  std::vector<TPM2_HANDLE> out;
  uint8_t more = 1;
  while (more != 0 && first < end) {
    TPMS_CAPABILITY_DATA* data = nullptr;
    TSS2_RC rc = Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES, first, 32, &more, &data);
    EsysPtr<TPMS_CAPABILITY_DATA> owner(data);
    TRY(tss_ok(rc, "tpm.handles"));
    const TPML_HANDLE& list = data->data.handles;
    if (list.count == 0) break;
    for (uint32_t i = 0; i < list.count; ++i) {
      if (list.handle[i] < first || list.handle[i] >= end) return out;
      out.push_back(list.handle[i]);
      first = list.handle[i] + 1;
    }
  }
  return out;
}

Result<bool> has_handle(ESYS_CONTEXT* esys, TPM2_HANDLE handle) {
  TRY_LET(std::vector<TPM2_HANDLE> found, handles_from(esys, handle, handle + 1));
  return !found.empty();
}

Result<std::vector<uint8_t>> nv_read(ESYS_CONTEXT* esys, TPM2_HANDLE index, size_t max) {
  ESYS_TR nv = ESYS_TR_NONE;
  TRY(tss_ok(Esys_TR_FromTPMPublic(esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &nv), "tpm.nv"));
  struct Note {
    ESYS_CONTEXT* esys;
    ESYS_TR nv;
    ~Note() { (void)Esys_TR_Close(esys, &nv); }  // only our note of it
  } note{esys, nv};
  return nv_read_open(esys, nv, max);
}

Result<std::vector<uint8_t>> nv_read_open(ESYS_CONTEXT* esys, ESYS_TR nv, size_t max) {
  TPM2B_NV_PUBLIC* area = nullptr;
  TSS2_RC rc = Esys_NV_ReadPublic(esys, nv, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area, nullptr);
  EsysPtr<TPM2B_NV_PUBLIC> area_owner(area);
  TRY(tss_ok(rc, "tpm.nv_public"));
  const size_t size = area->nvPublic.dataSize;
  if (size > max) return fail(Code::too_long, "tpm.nv_size");
  const ESYS_TR authority = (area->nvPublic.attributes & TPMA_NV_AUTHREAD) != 0 ? nv : ESYS_TR_RH_OWNER;
  std::vector<uint8_t> out;
  while (out.size() < size) {
    const uint16_t part = static_cast<uint16_t>(std::min<size_t>(size - out.size(), 512));  // every TPM's buffer holds that
    TPM2B_MAX_NV_BUFFER* data = nullptr;
    rc = Esys_NV_Read(esys, authority, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, part,
                      static_cast<uint16_t>(out.size()), &data);
    EsysPtr<TPM2B_MAX_NV_BUFFER> data_owner(data);
    TRY(tss_ok(rc, "tpm.nv_read"));
    if (data->size != part) return fail(Code::tpm_failed, "tpm.nv_read");
    out.insert(out.end(), data->buffer, data->buffer + data->size);
  }
  return out;
}

}  // namespace cstl::tpm
