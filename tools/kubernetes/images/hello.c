// Answers every HTTP request on port 8080 with its host name: what the demo reaches through a Service.
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void end(int signal_number) {
  (void)signal_number;
  _exit(0);
}

int main(void) {
  char host[65] = "", body[96], answer[256], request[2048];
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
  int length = snprintf(body, sizeof body, "hello from %s\n", host);
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
