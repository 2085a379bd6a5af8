#include "boot/components/bundle.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "crypto/base/json_object.h"
#include "crypto/hash.h"

namespace cstl {

namespace {
constexpr size_t kMaxName = 128;
constexpr size_t kTarName = 100;

Status read_at(int fd, uint64_t offset, MutBytes out) {
  size_t used = 0;
  while (used < out.size()) {
    ssize_t n = pread(fd, out.data() + used, out.size() - used, static_cast<off_t>(offset + used));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("bundle.read");
    if (n == 0) return fail(Code::bundle_malformed, "bundle.truncated");
    used += static_cast<size_t>(n);
  }
  return success();
}

Result<BundleFile> parse_entry(const nlohmann::json& value, std::string* problem) {
  JsonObject object(value, Code::bundle_malformed, "files.", problem);
  TRY(object.members({"sha256", "size", "name", "kind"}));
  BundleFile file;
  TRY(object.hex("sha256", file.sha256));
  TRY_LET(int64_t size, object.number("size", -1, 0, static_cast<int64_t>(kMaxBundleFile)));
  if (size < 0) return object.wrong("size", "is missing");
  file.size = static_cast<uint64_t>(size);
  TRY_LET(std::string_view name, object.text("name", kMaxName));
  for (char c : name) {
    if (c <= 0x20 || c >= 0x7f || c == '/') return object.wrong("name", "holds a character that is not allowed");
  }
  file.name = name;
  TRY_LET(std::string_view kind, object.text("kind", 16));
  file.image = kind == "image";
  if (!file.image && kind != "component") return object.wrong("kind", "is neither component nor image");
  return file;
}
}  // namespace

Result<std::vector<BundleFile>> parse_bundle_index(std::string_view json, std::string* problem) {
  auto root = parse_json(json, kMaxBundleIndex, 8);
  if (!root) {
    if (problem != nullptr) *problem = "the index is not JSON";
    return fail(Code::bundle_malformed, "bundle.index");
  }
  JsonObject object(*root, Code::bundle_malformed, "", problem);
  TRY(object.members({"cstl", "files"}));
  TRY(object.literal("cstl", "bundle/1"));
  TRY_LET(const nlohmann::json* list, object.member("files"));
  if (!list->is_array() || list->size() > kMaxBundleFiles) return object.wrong("files", "is not a list of at most 256");
  std::vector<BundleFile> files;
  uint64_t offset = kTarBlock + tar_padded(json.size());
  for (const nlohmann::json& value : *list) {
    TRY_LET(BundleFile file, parse_entry(value, problem));
    if (!files.empty() && files.back().sha256 >= file.sha256) return object.wrong("files", "is not in ascending order");
    file.offset = offset + kTarBlock;
    offset = file.offset + tar_padded(file.size);
    files.push_back(std::move(file));
  }
  return files;
}

std::string bundle_index(const std::vector<BundleFile>& files) {
  nlohmann::ordered_json root;
  root["cstl"] = "bundle/1";
  root["files"] = nlohmann::ordered_json::array();
  for (const BundleFile& file : files) {
    nlohmann::ordered_json entry;
    entry["sha256"] = to_hex(file.sha256);
    entry["size"] = file.size;
    entry["name"] = file.name;
    entry["kind"] = file.image ? "image" : "component";
    root["files"].push_back(std::move(entry));
  }
  return root.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// POSIX.1-1988 ustar: name, mode, uid, gid, size, mtime, checksum, type, link name, magic, version.
TarHeader tar_header(std::string_view name, uint64_t size) {
  TarHeader header{};
  auto put = [&](size_t at, std::string_view text) { std::memcpy(header.data() + at, text.data(), text.size()); };
  char number[16];
  put(0, name.substr(0, kTarName - 1));
  put(100, "0000444");
  put(108, "0000000");
  put(116, "0000000");
  std::snprintf(number, sizeof number, "%011llo", static_cast<unsigned long long>(size));
  put(124, number);
  put(136, "00000000000");
  put(148, "        ");
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  put(329, "0000000");
  put(337, "0000000");
  unsigned sum = 0;
  for (uint8_t byte : header) sum += byte;
  std::snprintf(number, sizeof number, "%06o", sum);
  put(148, std::string_view(number, 7));  // six digits, NUL, the space that is there
  return header;
}

Result<Bundle> Bundle::open(const std::string& path, std::string* problem) {
  TRY_LET(Fd fd, open_file(path.c_str(), O_RDONLY | O_NONBLOCK));
  auto wrong = [&](const char* what, const char* site) {
    if (problem != nullptr) *problem = what;
    return fail(Code::bundle_malformed, site);
  };
  TarHeader header;
  TRY(read_at(fd.get(), 0, header));
  // The size is all that the first header tells; the header that this size makes must be the one that is there.
  uint64_t size = 0;
  for (size_t i = 124; i < 135; ++i) {
    if (header[i] < '0' || header[i] > '7') return wrong("it does not begin with an index", "bundle.index_header");
    size = size * 8 + (header[i] - '0');
  }
  if (size > kMaxBundleIndex || header != tar_header("index.json", size)) {
    return wrong("it does not begin with an index", "bundle.index_header");
  }
  std::vector<uint8_t> index(size);
  TRY(read_at(fd.get(), kTarBlock, index));
  TRY_LET(std::vector<BundleFile> files, parse_bundle_index(Bytes(index).text(), problem));
  for (const BundleFile& file : files) {
    TRY(read_at(fd.get(), file.offset - kTarBlock, header));
    if (header != tar_header("sha256/" + to_hex(file.sha256), file.size)) {
      return wrong("it does not hold what its index says", "bundle.header");
    }
  }
  return Bundle(std::move(fd), std::move(files));
}

const BundleFile* Bundle::find(const Digest32& sha256) const {
  auto at = std::lower_bound(files_.begin(), files_.end(), sha256,
                             [](const BundleFile& file, const Digest32& wanted) { return file.sha256 < wanted; });
  return at != files_.end() && at->sha256 == sha256 ? &*at : nullptr;
}

Result<bool> Bundle::intact(const BundleFile& entry) const {
  TRY_LET(Digest32 digest, sha256_file(fd_.get(), entry.offset, entry.size));
  return digest == entry.sha256;
}

Status Bundle::copy(const BundleFile& entry, int file,
                    const std::function<void(uint64_t done, uint64_t total)>& progress) const {
  std::vector<uint8_t> chunk(256 * 1024);
  int64_t told = 0;
  for (uint64_t done = 0; done < entry.size;) {
    size_t n = static_cast<size_t>(std::min<uint64_t>(chunk.size(), entry.size - done));
    TRY(read_at(fd_.get(), entry.offset + done, MutBytes(chunk.data(), n)));
    TRY(write_all(file, Bytes(chunk).first(n)));
    done += n;
    if (progress && monotonic_ms() - told >= 500) {
      told = monotonic_ms();
      progress(done, entry.size);
    }
  }
  return success();
}

}  // namespace cstl
