/* One request to the switch, over its unix socket. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cni.h"

/* Seconds for the switch to take the request, and to answer. */
#define PATIENCE 30

static int connect_to(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct timeval patience = {.tv_sec = PATIENCE};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static int send_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return -1;
    bytes += sent;
    length -= (size_t)sent;
  }
  return 0;
}

static int exchange(int fd, const struct text *request, struct text *answer) {
  char head[256];
  int length = snprintf(head, sizeof head,
                        "POST /CNI.Call HTTP/1.1\r\nHost: overtap\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                        request->length);
  if (send_all(fd, head, (size_t)length) < 0 || send_all(fd, request->bytes, request->length) < 0) return -1;
  struct text whole = {0};
  int result = text_read(&whole, fd);
  const char *body = result < 0 ? NULL : strstr(whole.bytes, "\r\n\r\n");
  if (result == 0 && (body == NULL || strncmp(whole.bytes, "HTTP/1.1 200 ", 13) != 0)) {
    errno = EPROTO;
    result = -1;
  }
  if (result == 0 && !text_word(answer, body + 4)) result = -1;
  free(whole.bytes);
  return result;
}

int switch_ask(const char *path, const struct text *request, struct text *answer) {
  int fd = connect_to(path);
  if (fd < 0) return -1;
  int result = exchange(fd, request, answer);
  int error = errno;
  close(fd);
  errno = error;
  return result;
}
