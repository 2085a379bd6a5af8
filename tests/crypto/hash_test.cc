#include "crypto/hash.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/base/fd.h"
#include "crypto/tls.h"

using namespace cstl;

namespace {
std::vector<uint8_t> hex(std::string_view text) {
  std::vector<uint8_t> out(text.size() / 2);
  CHECK(from_hex(text, out).ok());
  return out;
}
}  // namespace

TEST_CASE("SHA-256 and SHA-384 give the digests of FIPS 180-4, however the input is cut") {
  CHECK(to_hex(*sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(*sha256({"a", "", "bc"})) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(to_hex(*sha384({"ab", "c"})) ==
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
}

TEST_CASE("HMAC-SHA-256 gives the values of RFC 4231") {
  struct Row { std::vector<uint8_t> key; std::vector<uint8_t> data; const char* mac; } rows[] = {
      {std::vector<uint8_t>(20, 0x0b), Bytes("Hi There").copy(),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {Bytes("Jefe").copy(), Bytes("what do ya want for nothing?").copy(),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::vector<uint8_t>(20, 0xaa), std::vector<uint8_t>(50, 0xdd),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {std::vector<uint8_t>(131, 0xaa), Bytes("Test Using Larger Than Block-Size Key - Hash Key First").copy(),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
  };
  for (const Row& row : rows) {
    Bytes data = row.data;
    CHECK(to_hex(*hmac_sha256(row.key, {data.first(3), data.skip(3)})) == row.mac);
  }
}

TEST_CASE("HKDF-SHA256 gives the values of RFC 5869") {
  struct Row { const char *ikm, *salt, *info, *okm; } rows[] = {
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
      {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
       "38393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
       "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f9091929394959697"
       "98999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
       "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7"
       "e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8"
       "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
  };
  for (const Row& row : rows) {
    std::vector<uint8_t> out(std::string_view(row.okm).size() / 2);
    CHECK(hkdf_sha256(hex(row.ikm), hex(row.salt), hex(row.info), out).ok());
    CHECK(to_hex(out) == row.okm);
  }
}

TEST_CASE("HKDF stops at 255 blocks") {
  std::vector<uint8_t> out(255 * 32);
  CHECK(hkdf_sha256("k", "s", "i", out).ok());
  out.resize(out.size() + 1);
  CHECK(hkdf_sha256("k", "s", "i", out).code() == Code::too_long);
}

TEST_CASE("random bytes come in any amount and do not repeat") {
  CHECK(random_bytes(MutBytes()).ok());
  std::vector<uint8_t> big(100000);
  CHECK(random_bytes(big).ok());
  std::array<uint8_t, 32> a{};
  std::array<uint8_t, 32> b{};
  CHECK(random_bytes(a).ok());
  CHECK(random_bytes(b).ok());
  CHECK(a != b);
  CHECK(a != std::array<uint8_t, 32>{});
}

TEST_CASE("children of one process draw different random bytes, and keys") {
  std::array<uint8_t, 64> drawn[3];
  CHECK(crypto_start().ok());
  for (std::array<uint8_t, 64>& one : drawn) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
      Digest32 random{};
      auto identity = TlsIdentity::create();
      bool good = random_bytes(random).ok() && identity.ok() && write_all(ends[1], random).ok() &&
                  write_all(ends[1], (*identity)->spki_hash()).ok();
      _exit(good ? 0 : 1);
    }
    close(ends[1]);
    CHECK(read_exact(ends[0], one).ok());
    close(ends[0]);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  std::array<uint8_t, 64> parent{};
  CHECK(random_bytes(parent).ok());
  for (int i = 0; i < 3; ++i) {
    Bytes mine = drawn[i];
    Bytes next = i < 2 ? Bytes(drawn[i + 1]) : Bytes(parent);
    CHECK_FALSE(equal(mine.first(32), next.first(32)));
    CHECK_FALSE(equal(mine.skip(32), next.skip(32)));
  }
}
