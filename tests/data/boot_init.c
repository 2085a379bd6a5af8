// PID 1 for make_eventlog.sh: prints the firmware's event log and the PCRs, then powers off.
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static void dump(const char* name, const char* path) {
  unsigned char block[32];
  int fd = open(path, O_RDONLY);
  ssize_t n;
  if (fd < 0) printf("\n@@missing %s\n", path);
  printf("\n@@begin %s\n", name);
  while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0) {
    for (ssize_t i = 0; i < n; ++i) printf("%02x", block[i]);
    printf("\n");
  }
  printf("@@end %s\n", name);
}

int main(void) {
  char path[64], name[16];
  mkdir("/sys", 0755);
  mount("sysfs", "/sys", "sysfs", 0, "");
  mount("securityfs", "/sys/kernel/security", "securityfs", 0, "");
  mkdir("/dev", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  int console = open("/dev/console", O_RDWR);
  if (console >= 0) { dup2(console, 0); dup2(console, 1); dup2(console, 2); }
  dump("log", "/sys/kernel/security/tpm0/binary_bios_measurements");
  for (int i = 0; i < 24; ++i) {
    snprintf(path, sizeof path, "/sys/class/tpm/tpm0/pcr-sha256/%d", i);
    snprintf(name, sizeof name, "pcr%d", i);
    FILE* f = fopen(path, "r");
    char line[80] = "";
    if (f && fgets(line, sizeof line, f)) printf("@@%s %s", name, line);
    if (f) fclose(f);
  }
  printf("\n@@done\n");
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}
