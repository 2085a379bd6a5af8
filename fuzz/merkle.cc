#include <cstdlib>

#include "attest/merkle.h"

using namespace cstl;

// A path that is accepted leads to a root and encodes to itself; with the leaves of a tree of that size, the proof that
// the tree gives for the same leaf has the same length.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes input(data, size);
  Result<MerklePath> path = MerklePath::decode(input);
  if (!path.ok()) return 0;
  if (path->index >= path->size || path->nodes.size() > 16 * 32) abort();
  if (!merkle_root_of(*path, Digest32{}).ok()) abort();
  std::vector<uint8_t> again(size);
  Writer w(again);
  w.u32(path->index);
  w.u32(path->size);
  w.bytes(path->nodes);
  Result<Bytes> written = w.finish();
  if (!written.ok() || !equal(*written, input)) abort();
  if (path->size > 256) return 0;
  Result<std::vector<uint8_t>> proof = merkle_proof(std::vector<Digest32>(path->size), path->index);
  if (!proof.ok() || proof->size() != size) abort();
  return 0;
}
