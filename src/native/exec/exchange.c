#include "exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Longer than overtap exec waits for a switch. */
#define PATIENCE_SECONDS 150

bool ox_is_on(void) { return getenv("OVERTAP_EXEC") != NULL; }

uint64_t ox_netns(void) {
  struct stat facts;
  if (stat("/proc/thread-self/ns/net", &facts) != 0) return 0;
  return facts.st_ino;
}

int ox_connect(void) {
  const char *path = getenv("OVERTAP_EXEC");
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  if (path == NULL || strlen(path) >= sizeof to.sun_path) return -1;
  strcpy(to.sun_path, path);
  int fd = ox_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  while (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
    if (errno == EINTR) continue;
    ox_close(fd);
    return -1;
  }
  return fd;
}

static bool write_all(int fd, const void *from, size_t length) {
  const uint8_t *at = from;
  while (length > 0) {
    struct iovec part = {.iov_base = (void *)at, .iov_len = length};
    const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t done = ox_sendmsg(fd, &message, MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    length -= (size_t)done;
  }
  return true;
}

static bool read_all(int fd, void *to, size_t length) {
  uint8_t *at = to;
  while (length > 0) {
    struct iovec part = {.iov_base = at, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t done = ox_recvmsg(fd, &message, 0);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    length -= (size_t)done;
  }
  return true;
}

bool ox_say(int connection, uint32_t word, const void *head, size_t headLength, const void *body, size_t length) {
  if (length > OX_MAX_MESSAGE - headLength) return false;
  const uint32_t frame[2] = {(uint32_t)(headLength + length), word};
  return write_all(connection, frame, sizeof frame) && write_all(connection, head, headLength) &&
         write_all(connection, body, length);
}

uint32_t ox_hear(int connection, struct ox_bytes *bytes) {
  uint32_t frame[2];
  *bytes = (struct ox_bytes){0};
  if (!read_all(connection, frame, sizeof frame) || frame[0] > OX_MAX_MESSAGE) return 0;
  bytes->at = malloc(frame[0] + 1u);
  bytes->length = frame[0];
  if (bytes->at != NULL && read_all(connection, bytes->at, bytes->length)) return frame[1];
  free(bytes->at);
  *bytes = (struct ox_bytes){0};
  return 0;
}
