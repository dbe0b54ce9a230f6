/* The verbs on descriptors that cross a unix socket, as JavaScript calls them. Owns the checks of their arguments. */
#include <errno.h>
#include <sys/un.h>
#include <unistd.h>

#include "args.h"

/* Arguments (path). */
static napi_value connect_unix(napi_env env, napi_callback_info info) {
  napi_value value;
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_text(env, value, "path", path, sizeof path)) return NULL;
  int fd = ot_unix_connect(path, &fault);
  return fd < 0 ? ot_throw(env, &fault) : ot_int(env, fd);
}

static bool read_descriptors(napi_env env, napi_value list, int fds[OT_MAX_RIGHTS], uint32_t *count) {
  bool is = false;
  napi_is_array(env, list, &is);
  if (!is || napi_get_array_length(env, list, count) != napi_ok || *count > OT_MAX_RIGHTS) {
    ot_throw_argument(env, "fds must be an array of at most %d descriptors", OT_MAX_RIGHTS);
    return false;
  }
  for (uint32_t i = 0; i < *count; i++) {
    napi_value value;
    int64_t fd;
    if (napi_get_element(env, list, i, &value) != napi_ok || !ot_to_int(env, value, "fd", 0, INT32_MAX, &fd))
      return false;
    fds[i] = (int)fd;
  }
  return true;
}

/* Arguments (socket, bytes, descriptors). Returns how many of the bytes were sent. */
static napi_value send_rights(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int64_t fd;
  uint8_t *bytes;
  size_t length;
  int fds[OT_MAX_RIGHTS];
  uint32_t count;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 3, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd)) return NULL;
  if (!ot_to_bytes(env, values[1], "bytes", &bytes, &length) || !read_descriptors(env, values[2], fds, &count))
    return NULL;
  ssize_t sent = ot_rights_send((int)fd, bytes, length, fds, count, &fault);
  return sent < 0 ? ot_throw(env, &fault) : ot_int(env, sent);
}

/* Arguments (socket, buffer). Returns { length, fds }; length 0: the peer has closed. */
static napi_value receive_rights(napi_env env, napi_callback_info info) {
  napi_value values[2], result, list;
  int64_t fd;
  uint8_t *buffer;
  size_t length, count;
  int fds[OT_MAX_RIGHTS];
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd)) return NULL;
  if (!ot_to_bytes(env, values[1], "buffer", &buffer, &length)) return NULL;
  ssize_t got = ot_rights_receive((int)fd, buffer, length, fds, &count, &fault);
  if (got < 0) return ot_throw(env, &fault);
  if (napi_create_object(env, &result) == napi_ok && napi_create_array_with_length(env, count, &list) == napi_ok) {
    ot_set(env, result, "length", ot_int(env, got));
    for (size_t i = 0; i < count; i++) napi_set_element(env, list, (uint32_t)i, ot_int(env, fds[i]));
    ot_set(env, result, "fds", list);
    return result;
  }
  for (size_t i = 0; i < count; i++) close(fds[i]);
  return ot_throw_argument(env, "out of memory");
}

void ot_export_rights(napi_env env, napi_value exports) {
  ot_export(env, exports, "connectUnix", connect_unix);
  ot_export(env, exports, "sendRights", send_rights);
  ot_export(env, exports, "receiveRights", receive_rights);
}
