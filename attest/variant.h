// The attestation variants, by Constellation's names. The numbers travel on the wire; never renumber.
#pragma once

#include <string_view>

#include "crypto/base/result.h"

namespace cstl {

enum class Variant : uint8_t {
  qemu_vtpm = 1,
  openstack_qemu_vtpm = 2,
  qemu_tdx = 3,
  aws_nitro_tpm = 4,
  aws_sev_snp = 5,
  azure_sev_snp = 6,
  azure_tdx = 7,
  azure_trustedlaunch = 8,
  gcp_sev_es = 9,
  gcp_sev_snp = 10,
  tpm = 11,
  sev_snp = 12,
  tdx = 13,
};

// A set of variants as it travels: bit (number - 1).
using VariantSet = uint32_t;
constexpr VariantSet variant_bit(Variant v) { return VariantSet{1} << (static_cast<unsigned>(v) - 1); }

const char* variant_name(Variant variant);                 // "qemu-vtpm"
Result<Variant> variant_from_name(std::string_view name);  // variant_unknown
Result<Variant> variant_from_number(uint8_t number);       // variant_unknown
// Whether this build can make and verify evidence of the variant: all of them.
bool variant_implemented(Variant variant);

}  // namespace cstl
