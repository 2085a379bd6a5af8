# The front door. `make help` lists what there is; CMakeLists.txt knows how things are built.
BUILD   := build
JOBS    ?= $(shell nproc)
DEPS     = $(shell tools/deps/build.sh --print-prefix)
VERSION := 0.1.0
export LC_ALL := C
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

CONFIGURE = cmake -G Ninja -S . -DCSTL_DEPS=$(DEPS) -DCSTL_VERSION=$(VERSION) \
  $(if $(shell command -v ccache),-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)

.PHONY: all help deps asan test demo demo-fast bench size sbom initramfs image image-fast fuzz test-power test-storm test-cluster test-variants test-bundle clean
all: deps   ## build every program: static, stripped, hardened, in build/release
	@$(CONFIGURE) -B $(BUILD)/release -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=g++ >$(BUILD)/configure.log 2>&1 \
	  || { cat $(BUILD)/configure.log; exit 1; }
	@ninja -C $(BUILD)/release -j$(JOBS)

help:       ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

deps:       ## install Debian packages, build the pinned static libraries into the cache
	@mkdir -p $(BUILD)
	@tools/deps/install.sh
	@tools/deps/build.sh

asan: deps  ## build the tests and fuzz targets under ASan and UBSan, in build/asan
	@$(CONFIGURE) -B $(BUILD)/asan -DCSTL_SANITIZE=ON -DCMAKE_CXX_COMPILER=clang++ >$(BUILD)/configure.log 2>&1 \
	  || { cat $(BUILD)/configure.log; exit 1; }
	@ninja -C $(BUILD)/asan -j$(JOBS)

test: all asan image   ## every test that fits in half an hour; ends with `N passed, N failed`
	@tests/run.sh

demo: all image        ## a Kubernetes cluster in measured virtual machines, with a table of its steps
	@tests/e2e/demo.sh

demo-fast: all image-fast  ## the line without Kubernetes: boot, init, join, verify, tamper, rejoin, recover
	@tests/e2e/demo_fast.sh

bench: all             ## handshakes, verifications, boot and disk seconds, resident memory
	@tests/bench/run.sh

size: all              ## the programs against their budgets in policy/size
	@tests/size.sh

sbom: deps             ## build/cstl.spdx.json: what is linked in
	@tools/deps/sbom.sh >$(BUILD)/cstl.spdx.json.tmp && mv $(BUILD)/cstl.spdx.json.tmp $(BUILD)/cstl.spdx.json && echo $(BUILD)/cstl.spdx.json

initramfs: all         ## the initramfs for image builders, in build/image
	@initrd/image/build.sh --initramfs-only

image: all             ## unified kernel images, ESP and the root of a Kubernetes node, in build/image
	@initrd/image/build.sh

image-fast: all        ## the image without a root: what clusters without Kubernetes boot
	@initrd/image/build.sh --fast

fuzz: asan             ## every fuzz target for SECONDS (default 60) each
	@fuzz/run.sh --seconds $(or $(SECONDS_EACH),60)

test-power: all image  ## at least 30 power cuts at random moments of the line (long)
	@tests/e2e/power_test.sh

test-cluster: all image  ## the life of a Kubernetes cluster of four machines (long)
	@tests/e2e/cluster_test.sh

test-variants: all image-fast  ## a worker of every variant in a virtual machine: refused with a lie, then joins (long)
	@tests/e2e/variants_test.sh

test-bundle: all image  ## a control plane that gets Kubernetes and images from a bundle disk alone (long)
	@tests/e2e/bundle_test.sh

test-storm: all        ## 200 nodes a round join one joinservice with a real API server; then with hostile ones
	@STORM_NODES=200 STORM_ROUNDS=3 STORM_HOSTILE=5 tests/svc/storm_test.sh

clean:                 ## remove build/ (the cache of libraries stays)
	rm -rf $(BUILD)
