// What Google's firmware does before it boots anything, as an EFI driver in a PCI option ROM: the event "GCE NonHostInfo" with the
// memory encryption that it found (attest/gcp/instance.h) into PCR 0, by EFI_TCG2_PROTOCOL (TCG EFI Protocol Specification,
// 6.6). QEMU's firmware runs option ROMs before it closes PCR 0. Freestanding; tests/e2e/gce_rom.py makes the ROM of it.
#include <stdint.h>

#ifndef TECHNOLOGY
#error "TECHNOLOGY is the number of the memory encryption"
#endif

typedef uint64_t Status;
typedef struct { uint32_t a; uint16_t b, c; uint8_t d[8]; } Guid;

typedef struct Tcg2 Tcg2;
struct Tcg2 {
  void *get_capability, *get_event_log;
  Status (*hash_log_extend_event)(Tcg2* self, uint64_t flags, uint64_t data, uint64_t size, void* event);
};
typedef struct {
  uint8_t header[24];
  void* before[37];
  Status (*locate_protocol)(const Guid* protocol, void* registration, void** interface);
} BootServices;
typedef struct {
  uint8_t before[96];
  BootServices* boot;
} SystemTable;

#pragma pack(1)
static struct {
  uint32_t size, header_size;
  uint16_t version;
  uint32_t pcr, type;
  uint8_t data[32];
} event = {sizeof event, 14, 1, 0, 0x11, {'G', 'C', 'E', ' ', 'N', 'o', 'n', 'H', 'o', 's', 't', 'I', 'n', 'f', 'o', 0, TECHNOLOGY}};
#pragma pack()

Status efi_main(void* image, SystemTable* table) {
  static const Guid kTcg2 = {0x607f766c, 0x7455, 0x42be, {0x93, 0x0b, 0xe4, 0xd7, 0x6d, 0xb2, 0x72, 0x0f}};
  Tcg2* tcg2 = 0;
  Status status = table->boot->locate_protocol(&kTcg2, 0, (void**)&tcg2);
  (void)image;
  if (status != 0) return status;
  return tcg2->hash_log_extend_event(tcg2, 0, (uint64_t)event.data, sizeof event.data, &event);
}
