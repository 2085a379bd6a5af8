// A bundle: components and container images for machines without a network, as one file or on one disk. It proves
// nothing: whoever takes something from it compares the SHA-256 with the one that he wants.
//
// It is a POSIX ustar archive whose bytes follow from its content alone: the regular file `index.json`, then one
// regular file `sha256/<64 hex digits>` for each content, ascending, then two zero blocks; mode 0444, everything else
// zero. After it a disk may hold anything.
// {"cstl":"bundle/1","files":[{"sha256":"<64 hex digits>","size":123,"name":"kubelet","kind":"component"|"image"}]}
// At most 256 files of at most 8 GiB - 1 each, names of 1 to 128 printable ASCII characters without '/'.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "crypto/base/fd.h"

namespace cstl {

constexpr size_t kMaxBundleFiles = 256;
constexpr size_t kMaxBundleIndex = 128 << 10;
constexpr uint64_t kMaxBundleFile = (uint64_t{8} << 30) - 1;
constexpr size_t kTarBlock = 512;

struct BundleFile {
  Digest32 sha256{};
  uint64_t size = 0;
  std::string name;         // for people
  bool image = false;       // of a container; else a component
  uint64_t offset = 0;      // of the content, from the bundle's start
};

// Errors: bundle_malformed, with the member in `problem` (may be null). Offsets are set.
Result<std::vector<BundleFile>> parse_bundle_index(std::string_view json, std::string* problem);
// Deterministic, for files in ascending order.
std::string bundle_index(const std::vector<BundleFile>& files);

using TarHeader = std::array<uint8_t, kTarBlock>;
// name: at most 99 bytes.
TarHeader tar_header(std::string_view name, uint64_t size);
inline uint64_t tar_padded(uint64_t size) { return (size + kTarBlock - 1) / kTarBlock * kTarBlock; }

class Bundle {
 public:
  // `path`: a regular file or a block device. Reads the index and every header. Errors: bundle_malformed, by errno.
  static Result<Bundle> open(const std::string& path, std::string* problem);
  const std::vector<BundleFile>& files() const { return files_; }
  // nullptr when the bundle does not hold it.
  const BundleFile* find(const Digest32& sha256) const;
  // Does the content have its SHA-256? Errors: crypto_failed, io.
  Result<bool> intact(const BundleFile& entry) const;
  // Appends the content to `file`. Errors: bundle_malformed (ends early), no_space, io.
  Status copy(const BundleFile& entry, int file,
              const std::function<void(uint64_t done, uint64_t total)>& progress) const;

 private:
  Bundle(Fd fd, std::vector<BundleFile> files) : fd_(std::move(fd)), files_(std::move(files)) {}
  Fd fd_;
  std::vector<BundleFile> files_;
};

}  // namespace cstl
