#!/bin/bash -eu
# OSS-Fuzz's entry point: CXX, CXXFLAGS (which CMake reads itself), LIB_FUZZING_ENGINE and OUT are given. Builds every target of fuzz/ with its
# corpus. The libraries come from tools/deps (Debian's signed sources), built by the same script as everywhere.
cd "$(dirname "$0")/../.."
tools/deps/install.sh
tools/deps/build.sh
deps=$(tools/deps/build.sh --print-prefix)
cmake -G Ninja -S . -B build/oss-fuzz -DCSTL_DEPS="$deps" -DCSTL_SANITIZE=ON -DCMAKE_CXX_COMPILER="${CXX:-clang++}" \
  -DCSTL_FUZZ_ENGINE="${LIB_FUZZING_ENGINE:--fsanitize=fuzzer}"
ninja -C build/oss-fuzz fuzz
for target in build/oss-fuzz/fuzz/fuzz_*; do
  name=${target##*/fuzz_}
  cp "$target" "$OUT/$name"
  (cd "fuzz/corpus/$name" && zip -q -r "$OUT/${name}_seed_corpus.zip" .)
done
