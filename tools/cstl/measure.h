// Reference values of an image, for the commands and for mini.
#pragma once

#include <string>
#include <vector>

#include "attest/reference/values.h"
#include "crypto/sign.h"
#include "tools/cstl/command.h"

namespace cstl::cli {

struct MeasureOptions {
  std::string image;                    // path of a UKI
  std::string disk;                     // TDX: path of the disk that it boots from, or of its image
  std::string id = "image";             // of the reference set
  Variant variant = Variant::qemu_vtpm;
  uint8_t roles = 0;                    // bit (1 << Role)
  std::vector<std::string> ek_roots;    // paths of PEM or DER certificates
  std::vector<std::string> ak_roots;
  bool allow_unendorsed_ak = false;
  int64_t not_before = 0, not_after = 0;
  std::string base;                     // reference values whose set of this id keeps what is not measured; may be empty
  std::string name;                     // of the document, and so on: for signed ones
  int64_t version = 0, expires = 0;
  std::string out;                      // empty: standard output
  // Launch measurements of TEEs: the firmware, and what the host hands it.
  std::string firmware;                 // OVMF
  std::string kernel, initrd, cmdline;  // of a direct boot; kernel may be a UKI
  std::vector<unsigned> vcpus;          // SEV-SNP: numbers that are accepted
  std::string cpu;                      // SEV-SNP: QEMU's model
  bool ec2 = false;
};

// Computed from the files alone. Errors: image_malformed, firmware_malformed and the like, bad_certificate, workspace;
// `problem` names the file.
Result<ReferenceValues> measure_image(const MeasureOptions& options, std::string* problem);

// For the commands that make reference values: the options that they share (usage), the set before anything is measured, and
// how it is written (an exit code).
Result<MeasureOptions> set_options(const Arguments& arguments, std::string* problem);
Result<ReferenceSet> empty_set(const MeasureOptions& options, std::string* problem);
int write_values(const Context& context, const MeasureOptions& options, ReferenceSet set);

// measure_snp.cc and measure_tdx.cc: the launch measurement of `options.firmware`, into the set.
Status measure_snp(const MeasureOptions& options, ReferenceSet* set, std::string* problem);
Status measure_tdx(const MeasureOptions& options, ReferenceSet* set, std::string* problem);
Status measure_rtmrs(Bytes uki, const MeasureOptions& options, ReferenceSet* set, std::string* problem);

// A private key, PEM. Errors: workspace, bad_key.
Result<SigningKey> load_signing_key(const std::string& path, std::string* problem);

}  // namespace cstl::cli
