/* The verbs on datagrams of liveness sessions as JavaScript calls them. Owns the checks of their arguments. */
#include "args.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 256

static napi_value tell_ttl(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t fd, family;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !ot_to_int(env, values[1], "family", 4, 6, &family))
    return NULL;
  int result = ot_tell_ttl((int)fd, family == 6 ? AF_INET6 : AF_INET, &fault);
  return result < 0 ? ot_throw(env, &fault) : NULL;
}

/* Datagrams that have passed a router are dropped from now on. */
static napi_value only_one_hop(napi_env env, napi_callback_info info) {
  napi_value fd_value;
  int64_t fd;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &fd_value) || !ot_to_int(env, fd_value, "fd", 0, INT32_MAX, &fd)) return NULL;
  return ot_only_one_hop((int)fd, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

/* Returns how many datagrams the socket has dropped. */
static napi_value dropped_at(napi_env env, napi_callback_info info) {
  napi_value fd_value;
  int64_t fd;
  if (!ot_arguments(env, info, 1, &fd_value) || !ot_to_int(env, fd_value, "fd", 0, INT32_MAX, &fd)) return NULL;
  return ot_int(env, ot_dropped_at((int)fd));
}

/* Arguments (descriptor, bytes, facts). Returns how many datagrams were read. */
static napi_value read_datagrams(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int64_t fd;
  uint8_t *bytes, *facts;
  size_t size, room;
  if (!ot_arguments(env, info, 3, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !ot_to_bytes(env, values[1], "bytes", &bytes, &size) || !ot_to_bytes(env, values[2], "facts", &facts, &room))
    return NULL;
  if ((uintptr_t)facts % sizeof(int32_t)) return ot_throw_argument(env, "facts must begin at a word");
  size_t count = room / (OT_DATAGRAM_WORDS * sizeof(int32_t));
  return ot_int(env, ot_read_datagrams((int)fd, bytes, size, (int32_t *)(void *)facts, count));
}

/* Arguments (descriptor, bytes, length, four words of the address, port). Returns an errno; 0: sent. */
static napi_value send_datagram(napi_env env, napi_callback_info info) {
  napi_value values[8];
  int64_t fd, length, word, port;
  uint8_t *bytes;
  size_t size;
  uint32_t words[4];
  if (!ot_arguments(env, info, 8, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !ot_to_bytes(env, values[1], "bytes", &bytes, &size) ||
      !ot_to_int(env, values[2], "length", 0, (int64_t)size, &length))
    return NULL;
  for (int i = 0; i < 4; i++) {
    if (!ot_to_int(env, values[3 + i], "address", INT32_MIN, UINT32_MAX, &word)) return NULL;
    words[i] = (uint32_t)word;
  }
  if (!ot_to_int(env, values[7], "port", 1, 65535, &port)) return NULL;
  return ot_int(env, ot_send_datagram((int)fd, bytes, (size_t)length, words, (int)port));
}

/* Arguments (descriptors as words, a byte for each that is ready, microseconds). Returns how many are ready. */
static napi_value await_any(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int64_t limit;
  uint8_t *fds, *ready;
  size_t size, room;
  int32_t words[MOST];
  if (!ot_arguments(env, info, 3, values) || !ot_to_bytes(env, values[0], "fds", &fds, &size) ||
      !ot_to_bytes(env, values[1], "ready", &ready, &room) ||
      !ot_to_int(env, values[2], "microseconds", 0, 60 * 1000000, &limit))
    return NULL;
  size_t count = size / sizeof(int32_t);
  if (count > MOST || count > room) return ot_throw_argument(env, "at most %d descriptors", MOST);
  memcpy(words, fds, count * sizeof(int32_t));
  return ot_int(env, ot_await_any(words, count, ready, limit));
}

/* Takes the rings of an eventfd. */
static napi_value hear_ring(napi_env env, napi_callback_info info) {
  napi_value fd_value;
  int64_t fd;
  uint64_t rings;
  if (!ot_arguments(env, info, 1, &fd_value) || !ot_to_int(env, fd_value, "fd", 0, INT32_MAX, &fd)) return NULL;
  ssize_t got;
  do got = read((int)fd, &rings, sizeof rings);
  while (got < 0 && errno == EINTR);
  return NULL;
}

void ot_export_liveness(napi_env env, napi_value exports) {
  ot_export(env, exports, "tellTtl", tell_ttl);
  ot_export(env, exports, "onlyOneHop", only_one_hop);
  ot_export(env, exports, "droppedAt", dropped_at);
  ot_export(env, exports, "readDatagrams", read_datagrams);
  ot_export(env, exports, "sendDatagram", send_datagram);
  ot_export(env, exports, "awaitAny", await_any);
  ot_export(env, exports, "hearRing", hear_ring);
}
