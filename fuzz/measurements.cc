#include <cstdlib>

#include "attest/exchange/measurements.h"

// Constellation's measurements; the first byte chooses the variant. What is accepted enforces something and reads back.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto variant = cstl::variant_from_number(data[0]);
  if (!variant) return 0;
  auto document = cstl::parse_json(cstl::Bytes(data + 1, size - 1).text(), cstl::kMaxMeasurements, 8);
  if (!document) return 0;
  std::string problem;
  auto read = cstl::read_measurements(*document, *variant, &problem);
  if (!read) return 0;
  bool enforced = false;
  for (const cstl::Measurement& measurement : *read) enforced = enforced || !measurement.warn_only;
  if (!enforced) abort();
  std::string text = cstl::write_measurements(*read, *variant, nullptr);
  auto again = cstl::parse_json(text, cstl::kMaxMeasurements, 8);
  auto back = again ? cstl::read_measurements(*again, *variant, &problem) : cstl::Result<std::vector<cstl::Measurement>>(again.error());
  if (!back || cstl::write_measurements(*back, *variant, nullptr) != text) abort();
  cstl::ReferenceSet set;
  set.variant = *variant;
  (void)cstl::apply_measurements(*read, &set, &problem);  // total
  return 0;
}
