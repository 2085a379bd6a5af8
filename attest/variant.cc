#include "attest/variant.h"

namespace cstl {

namespace {
struct Row {
  Variant variant;
  const char* name;
};
constexpr Row kVariants[] = {
    {Variant::qemu_vtpm, "qemu-vtpm"},
    {Variant::openstack_qemu_vtpm, "openstack-qemu-vtpm"},
    {Variant::qemu_tdx, "qemu-tdx"},
    {Variant::aws_nitro_tpm, "aws-nitro-tpm"},
    {Variant::aws_sev_snp, "aws-sev-snp"},
    {Variant::azure_sev_snp, "azure-sev-snp"},
    {Variant::azure_tdx, "azure-tdx"},
    {Variant::azure_trustedlaunch, "azure-trustedlaunch"},
    {Variant::gcp_sev_es, "gcp-sev-es"},
    {Variant::gcp_sev_snp, "gcp-sev-snp"},
    {Variant::tpm, "tpm"},
    {Variant::sev_snp, "sev-snp"},
    {Variant::tdx, "tdx"},
};
}  // namespace

const char* variant_name(Variant variant) {
  for (const Row& row : kVariants) {
    if (row.variant == variant) return row.name;
  }
  return "unknown";
}

Result<Variant> variant_from_name(std::string_view name) {
  for (const Row& row : kVariants) {
    if (name == row.name) return row.variant;
  }
  return fail(Code::variant_unknown, "variant.name");
}

Result<Variant> variant_from_number(uint8_t number) {
  for (const Row& row : kVariants) {
    if (static_cast<uint8_t>(row.variant) == number) return row.variant;
  }
  return fail(Code::variant_unknown, "variant.number");
}

bool variant_implemented(Variant) { return true; }

}  // namespace cstl
