// Reference values of an image, for the command itself and for mini.
#pragma once

#include <string>
#include <vector>

#include "attest/reference/values.h"

namespace cstl::cli {

struct MeasureOptions {
  std::string image;                    // path of a UKI
  std::string id = "image";             // of the reference set
  Variant variant = Variant::qemu_vtpm;
  uint8_t roles = 0;                    // bit (1 << Role)
  std::vector<std::string> ek_roots;    // paths of PEM or DER certificates
  bool allow_unendorsed_ak = false;
  int64_t not_before = 0, not_after = 0;
};

// Computed from the files alone. Errors: image_malformed, bad_certificate, workspace; `problem` names the file.
Result<ReferenceValues> measure_image(const MeasureOptions& options, std::string* problem);

}  // namespace cstl::cli
