#!/usr/bin/env bash
# Workers of every variant in virtual machines, beside a control plane that is a qemu-vtpm: each is refused while one fact about
# its platform is wrong, by the joinservice's own error and claim, then joins, and cstl verify passes from outside. Ends with a
# table. tests/e2e/cloud_host.cc is the clouds: it fills each machine's TPM as its cloud would, and answers as the cloud's
# metadata service (169.254.169.254) and as the processor's firmware. What no virtual machine here has:
#   configfs-tsm reports      in an image of its own, tests/e2e/tee_guest.cc stands in for the kernel's
#   Google's firmware         an option ROM measures what it measures (tests/e2e/gce_firmware.c)
# VARIANTS: only these. All run in a network namespace of their own.
if [ -z "${CSTL_VARIANTS_NET:-}" ]; then
  map=()
  [ "$(id -u)" -eq 0 ] || map=(--map-root-user)
  CSTL_VARIANTS_NET=1 exec unshare --net "${map[@]}" "${BASH_SOURCE[0]}" "$@"
fi
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
programs=${CSTL_PROGRAMS:-$root/build/release}
if [ -e "$programs/build.ninja" ]; then
  built=$(ninja -C "$programs" cloud_host tee_guest) || { echo "$built"; exit 1; }
fi
read -r -a variants <<<"${VARIANTS:-qemu-vtpm openstack-qemu-vtpm tpm azure-trustedlaunch azure-sev-snp azure-tdx gcp-sev-es \
gcp-sev-snp aws-nitro-tpm aws-sev-snp sev-snp}"
metadata_service=169.254.169.254
ip link set lo up
ip address add $metadata_service/32 dev lo

# QEMU as it is, with a machine's option ROM where the test put one.
mkdir -p "$work/bin" "$work/clouds"
cat >"$work/bin/qemu-system-x86_64" <<WRAPPER
#!/bin/sh
[ ! -e firmware.rom ] || set -- "\$@" -device virtio-rng-pci,romfile=firmware.rom
exec $(command -v qemu-system-x86_64) "\$@"
WRAPPER
chmod +x "$work/bin/qemu-system-x86_64"
PATH=$work/bin:$PATH

start_clouds() {
  coproc CLOUD { exec "$programs/cloud_host" "$work/clouds" $metadata_service 80 7780 "${variants[@]}" 2>"$work/clouds/log"; }
  answer 120
}

# What cloud_host says to a command, without its first word.
answer() { # seconds
  local line
  read -r -t "$1" -u "${CLOUD[0]}" line || { echo "cloud_host does not answer: $(cat "$work/clouds/log")" >&2; return 1; }
  [ "${line%% *}" = "done" ] || { echo "cloud_host: $line" >&2; return 1; }
  printf '%s\n' "${line#done}"
}
cloud() { printf '%s\n' "$*" >&"${CLOUD[1]}"; answer 30; }

control_plane_boots() { cstl -C "$work" mini up --boot-only; }

# An image cannot contain its own hash, and these machines differ from the control plane: what it must be is baked in, and what
# Intel would say of the platform.
worker_image() { # name, init, option…
  local out=$work/$1 init=$2 tools line=() name
  shift 2
  tools=$(initrd/image/e2fsprogs.sh --print-prefix)
  for name in bootstrapper attester joinservice keyservice verificationservice; do line+=(--program "$programs/cstl-$name"); done
  [ ! -e "$work/clouds/collateral" ] || line+=(--file "$work/clouds/collateral:/etc/cstl/tee-collateral")
  initrd/image/mkinitramfs.sh "$out.zst" --init "$init" "${line[@]}" "$@" \
    --file "$tools/mke2fs:/usr/sbin/mkfs.ext4:0755" --file "$tools/e2fsck:/usr/sbin/e2fsck:0755" \
    --file "$work/reference-values.json:/etc/cstl/reference-values.json" >/dev/null
  initrd/image/mkuki.sh "$out.efi" --initrd "$out.zst" >/dev/null
}
worker_images() {
  worker_image worker "$programs/cstl-init"
  worker_image tee-worker "$programs/tee_guest" --program "$programs/cstl-init"
}

needs_reports() { case $1 in aws-sev-snp | gcp-sev-snp | sev-snp) return 0 ;; *) return 1 ;; esac; }
image_of() { if needs_reports "$1"; then echo "$work/tee-worker.efi"; else echo "$work/worker.efi"; fi; }

# The control plane's set, and one for each variant: the cloud's roots and facts, the image's PCRs.
measure_workers() {
  local variant
  for variant in "${variants[@]}"; do
    [ "$variant" = sev-snp ] || cstl measure --image "$(image_of "$variant")" --variant "$variant" --id "$variant" \
      --base "$work/clouds/$variant.json" --role worker --out "$work/clouds/$variant.json"
  done
  python3 - "$work/reference-values.json" "$work/clouds" "${variants[@]}" <<'PYTHON'
import json, sys
path, folder = sys.argv[1:3]
values = json.load(open(path))
for variant in sys.argv[3:]:
    values["sets"] += json.load(open("%s/%s.json" % (folder, variant)))["sets"]
json.dump(values, open(path, "w"), indent=2)
PYTHON
}

initialise() { cstl -C "$work" init; }

# add_worker VARIANT IMAGE [own-tpm]: with what the cloud has put into its TPM by now, or with any TPM; Google's with firmware that
# finds $technology
add_worker() {
  local variant=$1 image=$2 folder=$work/cstl-mini/worker-$1 options=()
  if [ "$variant" != sev-snp ] && [ "${3:-}" != own-tpm ]; then
    cloud tpm "$work/clouds/tpm"
    options=(--tpm "$work/clouds/tpm")
  fi
  mkdir -p "$folder"
  case $variant in
    gcp-*) tests/e2e/gce_rom.py "$folder/firmware.rom" "$technology" ;;
  esac
  cstl -C "$work" mini add "worker-$variant" --variant "$variant" --role worker --image "$image" "${options[@]}"
}
remove_worker() { cstl -C "$work" mini remove "worker-$1" >/dev/null; }

# Waits until the joinservice has refused somebody with this error since MARK.
refused() { # error, mark
  wait_console control-plane-0 "session\.failed.*code=$1" 600 "$2"
  tail -c +$(($2 + 1)) "$work/cstl-mini/control-plane-0/serial.log" | grep -aE "session\.failed.*code=$1" | head -n 1 | cut -c 1-240
}

# What Google's firmware finds in a machine of this variant (attest/gcp/instance.h).
technology_of() { case $1 in gcp-sev-snp) echo 4 ;; *) echo 2 ;; esac; }

rows=()
# worker VARIANT HOW LIE: refused with the lie, then joins. HOW:
#   live, boot       a lie of the table of lies: told anew with every report, or once per boot
#   other-tpm, other-image, other-firmware    the machine is another
worker() {
  local variant=$1 how=$2 lie=$3 image mark error words
  image=$(image_of "$variant")
  mark=$(console_mark control-plane-0)
  technology=$(technology_of "$variant")
  cloud machine "$variant"
  case $how in
    live | boot) words=$(cloud lie "$lie"); read -r error _ <<<"$words"; add_worker "$variant" "$image" ;;
    other-tpm) error=ek_chain; add_worker "$variant" "$image" own-tpm ;;
    other-image) error=reference_mismatch; add_worker "$variant" "$work/tee-worker.efi" ;;
    other-firmware) error=technology_unknown technology=0; add_worker "$variant" "$image" ;;
  esac
  refused "$error" "$mark"
  cloud machine "$variant"
  if [ "$how" != live ]; then
    remove_worker "$variant"
    technology=$(technology_of "$variant")
    add_worker "$variant" "$image"
  fi
  wait_condition "worker-$variant" serving 600
  cstl -C "$work" verify
  remove_worker "$variant"
  rows+=("$(printf '%-22s %-52s %s' "$variant" "$lie" "$error")")
}

lie_of() {
  case $1 in
    qemu-vtpm | openstack-qemu-vtpm | tpm) echo "other-tpm the TPM is of no maker that is pinned" ;;
    azure-trustedlaunch) echo "boot the platform certifies another key" ;;
    azure-sev-snp) echo "boot the report vouches for another key" ;;
    azure-tdx) echo "boot the firmware is another" ;;
    gcp-sev-es) echo "other-firmware the firmware found no memory encryption" ;;
    gcp-sev-snp) echo "live the guest may be debugged" ;;
    aws-nitro-tpm) echo "other-image the image is another" ;;
    aws-sev-snp) echo "live the launch measurement is another" ;;
    sev-snp) echo "live the chip is none of AMD's that are pinned" ;;
    *) echo "no lie for $1" >&2; return 1 ;;
  esac
}

step "configure" configure workers=0
step "the clouds: a TPM for each machine, authorities, chips, hypervisors" start_clouds
step "boot a control plane" control_plane_boots
step "two images for workers, with the control plane's measurements in them" worker_images
step "measure them: a reference set for each variant" measure_workers
step "cstl init" initialise
for variant in "${variants[@]}"; do
  read -r how lie <<<"$(lie_of "$variant")"
  step "$variant: refused ($lie), then joins" worker "$variant" "$how" "$lie"
done
step "cstl mini down" cstl -C "$work" mini down
printf '\n%-22s %-52s %s\n' variant 'refused because' error
printf '%s\n' "${rows[@]}"
