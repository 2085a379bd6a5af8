#include "svc/joinservice/file_store.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "crypto/base/fd.h"

namespace cstl {

namespace {
constexpr std::string_view kSuffix = ".json";
}

std::string FileStore::file_of(const std::string& key) const { return folder_ + "/" + key + std::string(kSuffix); }

Result<FileStore> FileStore::open(const std::string& folder, std::vector<std::string>* damaged) {
  FileStore store;
  store.folder_ = folder + "/nodes";
  if (mkdir(store.folder_.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("store.folder");
  std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(store.folder_.c_str()), closedir);
  if (listing == nullptr) return fail_errno("store.open");
  for (;;) {
    errno = 0;
    dirent* entry = readdir(listing.get());
    if (entry == nullptr && errno != 0) return fail_errno("store.read");
    if (entry == nullptr) return store;
    std::string name = entry->d_name;
    // Anything else is no record: "." and "..", a temporary file of a write that a power cut ended.
    size_t stem = name.size() - std::min(name.size(), kSuffix.size());
    if (stem == 0 || name.compare(stem, kSuffix.size(), kSuffix) != 0) continue;
    auto disk = parse_uuid(std::string_view(name).substr(0, stem));
    if (!disk.ok()) {
      damaged->push_back(name);
      continue;
    }
    if (store.nodes_.full()) return fail(Code::too_long, "store.nodes");
    const std::string key = uuid_text(*disk);
    store.nodes_.put_damaged(key, *disk);
    auto text = read_file((store.folder_ + "/" + name).c_str(), kMaxNodeRecord);
    if (text.ok()) {
      auto record = NodeRecord::parse(Bytes(*text).text());
      if (record.ok() && record->disk == *disk) store.nodes_.put(key, std::move(*record));
    }
    if (store.nodes_.damaged(*disk)) damaged->push_back(name);
  }
}

Status FileStore::save(const NodeRecord& record) {
  const std::string key = uuid_text(record.disk);
  if (nodes_.damaged(record.disk)) return fail(Code::record_malformed, "store.save");
  if (!nodes_.has(key) && nodes_.full()) return fail(Code::too_long, "store.full");
  TRY(write_file_durably(file_of(key).c_str(), record.to_json()));
  nodes_.put(key, record);
  std::vector<std::string> stale;
  nodes_.each([&](const std::string& other, const NodeRecord* held) {
    if (held != nullptr && held->identity == record.identity && other != key) stale.push_back(other);
  });
  for (const std::string& other : stale) {
    // A file that cannot be removed stays, in memory too: the next join of this machine tries again.
    if (unlink(file_of(other).c_str()) == 0) nodes_.erase(other);
  }
  return success();
}

}  // namespace cstl
