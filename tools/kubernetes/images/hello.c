// Answers every HTTP request on port 8080 with its host name: what the demo reaches through a Service. Where a volume is
// mounted at /data, it adds a byte to /data/starts first, and tells how many there are: what must survive a power loss.
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static void end(int signal_number) {
  (void)signal_number;
  _exit(0);
}

// Which start of this volume's pod this is; 0 without a volume.
static long count_start(void) {
  struct stat facts;
  int file = open("/data/starts", O_WRONLY | O_CREAT | O_APPEND, 0600);

  if (file < 0) return 0;
  if (write(file, "+", 1) != 1 || fsync(file) || fstat(file, &facts)) return -1;
  close(file);
  return (long)facts.st_size;
}

int main(void) {
  char host[65] = "", body[128], answer[256], request[2048];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
  struct timeval patience = {.tv_sec = 2};
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

  signal(SIGTERM, end);
  signal(SIGPIPE, SIG_IGN);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64)) {
    perror("hello: port 8080");
    return 1;
  }
  gethostname(host, sizeof host - 1);
  long start = count_start();
  int length = start != 0 ? snprintf(body, sizeof body, "hello from %s, start %ld\n", host, start)
                          : snprintf(body, sizeof body, "hello from %s\n", host);
  length = snprintf(answer, sizeof answer,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
                    length, body);
  for (;;) {
    int peer = accept(listener, NULL, NULL);
    if (peer < 0) continue;
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    // One read is the request: nothing in it changes the answer.
    if (read(peer, request, sizeof request) > 0 && write(peer, answer, (size_t)length) == length) shutdown(peer, SHUT_WR);
    close(peer);
  }
}
