#include "tools/cstl/bundle.h"

#include <doctest/doctest.h>
#include <filesystem>

#include "crypto/hash.h"

using namespace cstl;
using namespace cstl::cli;

namespace {
struct Folder {
  std::string path;
  Folder() {
    char pattern[] = "/tmp/cstl-bundle-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    path = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string store(const std::string& name, const std::string& content) const {
    std::string file = path + "/" + name;
    REQUIRE(write_file_durably(file.c_str(), Bytes(content)).ok());
    return file;
  }
  std::vector<uint8_t> read(const std::string& name) const { return *read_file((path + "/" + name).c_str(), 64 << 20); }
};
}  // namespace

TEST_CASE("a bundle holds its files, is the same bytes in any order, and tar reads it") {
  Folder folder;
  std::string a = folder.store("kubelet", std::string(100'000, 'k'));
  std::string b = folder.store("pause.tar", "image");
  std::string c = folder.store("empty", "");
  std::string again = folder.store("kubelet2", std::string(100'000, 'k'));
  std::string problem;
  std::vector<BundleFile> files;
  REQUIRE(
      write_bundle({{a, false}, {b, true}, {c, false}, {again, false}}, folder.path + "/one", &files, &problem).ok());
  REQUIRE(
      write_bundle({{again, false}, {c, false}, {b, true}, {a, false}}, folder.path + "/two", nullptr, &problem).ok());
  CHECK(folder.read("one") == folder.read("two"));
  REQUIRE(files.size() == 3);
  auto bundle = Bundle::open(folder.path + "/one", &problem);
  REQUIRE(bundle.ok());
  const BundleFile* image = bundle->find(*sha256({Bytes("image")}));
  REQUIRE(image != nullptr);
  CHECK(image->image);
  CHECK(image->name == "pause.tar");
  CHECK(bundle->find(*sha256({Bytes("other")})) == nullptr);
  for (const BundleFile& file : bundle->files()) CHECK(*bundle->intact(file));
  REQUIRE(std::system(("tar -xf " + folder.path + "/one -C " + folder.path).c_str()) == 0);
  CHECK(folder.read("sha256/" + to_hex(*sha256({Bytes("image")}))) == Bytes("image").copy());
  CHECK(!std::filesystem::exists(folder.path + "/one.tmp"));
}

TEST_CASE("what cannot be in a bundle is refused, and nothing is left") {
  Folder folder;
  std::string good = folder.store("good", "x");
  std::string problem;
  auto code = [&](const std::string& path) {
    return write_bundle({{good, false}, {path, false}}, folder.path + "/out", nullptr, &problem).code();
  };
  CHECK(code(folder.path + "/none") == Code::not_found);
  CHECK(problem == folder.path + "/none");
  CHECK(code(folder.path) == Code::bad_value);
  CHECK(code(folder.store("two words", "y")) == Code::bundle_malformed);
  CHECK(write_bundle({{good, false}}, folder.path + "/no/out", nullptr, &problem).code() == Code::not_found);
  CHECK(!std::filesystem::exists(folder.path + "/out"));
  CHECK(!std::filesystem::exists(folder.path + "/out.tmp"));
}

TEST_CASE("what a configuration names and a bundle lacks") {
  std::vector<BundleFile> files(1);
  files[0].sha256 = *sha256({Bytes("a")});
  std::vector<Component> components(3);
  components[0].sha256 = files[0].sha256;
  components[0].url = "https://x/a";
  components[1].sha256 = *sha256({Bytes("b")});
  components[1].url = "https://x/b";
  components[2].url = "data:,c";
  auto missing = missing_from(files, components);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].url == "https://x/b");
}
