/* The verbs on packet sockets as JavaScript calls them. Owns the checks of their arguments. */
#include "args.h"

static napi_value open_packet_socket(napi_env env, napi_callback_info info) {
  napi_value options;
  char netns[OT_PATH], ifname[OT_NAME];
  bool promiscuous = false;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !ot_get_place(env, options, netns, ifname)) return NULL;
  if (!ot_get_bool(env, options, "promiscuous", false, &promiscuous)) return NULL;
  int fd = ot_packet_open(netns, ifname, promiscuous, &fault);
  return fd < 0 ? ot_throw(env, &fault) : ot_int(env, fd);
}

/* Arguments (descriptor, Uint8Array). */
static bool read_packet_arguments(napi_env env, napi_callback_info info, int64_t *fd, uint8_t **bytes, size_t *length) {
  napi_value values[2];
  return ot_arguments(env, info, 2, values) && ot_to_int(env, values[0], "fd", 0, INT32_MAX, fd) &&
         ot_to_bytes(env, values[1], "buffer", bytes, length);
}

static napi_value read_packet(napi_env env, napi_callback_info info) {
  int64_t fd;
  uint8_t *bytes;
  size_t length;
  struct ot_fault fault;
  if (!read_packet_arguments(env, info, &fd, &bytes, &length)) return NULL;
  int got = ot_packet_read((int)fd, bytes, length, &fault);
  return got < 0 ? ot_throw(env, &fault) : ot_int(env, got);
}

static napi_value write_packet(napi_env env, napi_callback_info info) {
  int64_t fd;
  uint8_t *bytes;
  size_t length;
  struct ot_fault fault;
  if (!read_packet_arguments(env, info, &fd, &bytes, &length)) return NULL;
  return ot_packet_write((int)fd, bytes, length, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

void ot_export_packets(napi_env env, napi_value exports) {
  ot_export(env, exports, "openPacketSocket", open_packet_socket);
  ot_export(env, exports, "readPacket", read_packet);
  ot_export(env, exports, "writePacket", write_packet);
}
