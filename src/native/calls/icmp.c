/* The verbs on ICMP sockets as JavaScript calls them. Owns the checks of their arguments. */
#include "args.h"

#include <string.h>
#include <sys/socket.h>

static napi_value open_icmp(napi_env env, napi_callback_info info) {
  napi_value options, filter;
  int64_t family = 0;
  uint8_t *bytes;
  struct ot_icmp_options given = {0};
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options)) return NULL;
  if (!ot_get_int(env, options, "family", true, 4, 6, &family)) return NULL;
  if (!ot_get_ifname(env, options, "dev", false, given.dev)) return NULL;
  if (!ot_has(env, options, "filter", &filter)) return ot_throw_argument(env, "filter is missing");
  if (!ot_to_bytes(env, filter, "filter", &bytes, &given.filter_length)) return NULL;
  given.family = family == 6 ? AF_INET6 : AF_INET;
  given.filter = bytes;
  int fd = ot_icmp_open(&given, &fault);
  return fd < 0 ? ot_throw(env, &fault) : ot_int(env, fd);
}

/* Arguments (descriptor, packet, address). */
static napi_value send_icmp(napi_env env, napi_callback_info info) {
  napi_value values[3];
  int64_t fd;
  uint8_t *packet;
  size_t length;
  char address[OT_ADDRESS];
  struct ot_fault fault;
  if (!ot_arguments(env, info, 3, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !ot_to_bytes(env, values[1], "packet", &packet, &length) ||
      !ot_to_text(env, values[2], "address", address, sizeof address))
    return NULL;
  return ot_icmp_send((int)fd, packet, length, address, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

/* Arguments (descriptor, buffer). Returns null when no packet waits. */
static napi_value read_icmp(napi_env env, napi_callback_info info) {
  napi_value values[2], result;
  int64_t fd;
  uint8_t *buffer;
  size_t length;
  char source[OT_ADDRESS];
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd) ||
      !ot_to_bytes(env, values[1], "buffer", &buffer, &length))
    return NULL;
  int got = ot_icmp_read((int)fd, buffer, length, source, &fault);
  if (got < 0) return ot_throw(env, &fault);
  if (got == 0) {
    napi_get_null(env, &result);
    return result;
  }
  napi_create_object(env, &result);
  ot_set(env, result, "length", ot_int(env, got));
  ot_set_text(env, result, "source", source);
  return result;
}

void ot_export_icmp(napi_env env, napi_value exports) {
  ot_export(env, exports, "openIcmp", open_icmp);
  ot_export(env, exports, "sendIcmp", send_icmp);
  ot_export(env, exports, "readIcmp", read_icmp);
}
