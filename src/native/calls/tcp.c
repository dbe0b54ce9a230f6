/* The verbs on TCP sockets as JavaScript calls them. Owns the checks of their arguments. */
#include <string.h>

#include "args.h"

/* The property `family`. */
static bool get_family(napi_env env, napi_value options, int *family) {
  int64_t number;
  if (!ot_get_int(env, options, "family", true, 4, 6, &number)) return false;
  if (number == 5) return ot_throw_argument(env, "family must be 4 or 6"), false;
  *family = number == 6 ? AF_INET6 : AF_INET;
  return true;
}

static napi_value open_tcp(napi_env env, napi_callback_info info) {
  napi_value options;
  char local[64] = "";
  int family;
  int64_t port = 0;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !get_family(env, options, &family) ||
      !ot_get_text(env, options, "local", false, local, sizeof local) ||
      !ot_get_int(env, options, "port", false, 0, 65535, &port))
    return NULL;
  int fd = ot_tcp_open(family, local, (int)port, &fault);
  return fd < 0 ? ot_throw(env, &fault) : ot_int(env, fd);
}

/* Arguments (descriptor, options). */
static napi_value guard_tcp(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int family;
  int64_t fd, hops;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !get_family(env, values[1], &family) || !ot_get_int(env, values[1], "hops", true, 0, 255, &hops))
    return NULL;
  return ot_tcp_guard((int)fd, family, (int)hops, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

/* Arguments (descriptor, options, key). */
static napi_value sign_tcp(napi_env env, napi_callback_info info) {
  napi_value values[3];
  char remote[64] = "";
  uint8_t *key;
  size_t length;
  int family;
  int64_t fd;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 3, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !get_family(env, values[1], &family) || !ot_get_text(env, values[1], "remote", true, remote, sizeof remote) ||
      !ot_to_bytes(env, values[2], "key", &key, &length))
    return NULL;
  return ot_tcp_sign((int)fd, family, remote, (const char *)key, length, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

void ot_export_tcp(napi_env env, napi_value exports) {
  ot_export(env, exports, "openTcp", open_tcp);
  ot_export(env, exports, "guardTcp", guard_tcp);
  ot_export(env, exports, "signTcp", sign_tcp);
}
