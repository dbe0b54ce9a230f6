/* The set-up verbs as JavaScript calls them. Owns the checks of their arguments; a failure becomes a thrown Error. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"

static bool read_mac(napi_env env, napi_value options, const char *name, bool *has_mac, uint8_t mac[6]) {
  char text[32] = "", rest;
  unsigned part[6];
  if (!ot_get_text(env, options, name, false, text, sizeof text)) return false;
  if (!text[0]) return true;
  if (strlen(text) != 17 || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", part, part + 1, part + 2, part + 3, part + 4, part + 5, &rest) != 6) {
    ot_throw_argument(env, "%s must look like 02:00:00:00:00:01", name);
    return false;
  }
  for (int i = 0; i < 6; i++) mac[i] = (uint8_t)part[i];
  *has_mac = true;
  return true;
}

static bool read_address(napi_env env, napi_value item, struct ot_address *address) {
  int64_t prefix = 0;
  memset(address, 0, sizeof *address);
  if (!ot_get_text(env, item, "address", true, address->text, sizeof address->text)) return false;
  address->family = strchr(address->text, ':') ? AF_INET6 : AF_INET;
  if (inet_pton(address->family, address->text, address->bytes) != 1) {
    ot_throw_argument(env, "%s is no IP address", address->text);
    return false;
  }
  if (!ot_get_int(env, item, "prefix", true, 0, address->family == AF_INET6 ? 128 : 32, &prefix)) return false;
  address->prefix = (int)prefix;
  return true;
}

static bool read_addresses(napi_env env, napi_value options, const char *name, struct ot_address *addresses, int *address_count) {
  napi_value list, item;
  uint32_t count;
  if (!ot_has(env, options, name, &list)) return true;
  if (napi_get_array_length(env, list, &count) != napi_ok || count > OT_MAX_ADDRESSES) {
    ot_throw_argument(env, "%s must be a list of at most %d", name, OT_MAX_ADDRESSES);
    return false;
  }
  for (uint32_t i = 0; i < count; i++)
    if (napi_get_element(env, list, i, &item) != napi_ok || !read_address(env, item, &addresses[i])) return false;
  *address_count = (int)count;
  return true;
}

static void set_text(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) ot_set(env, object, name, value);
}

static void set_mac(napi_env env, napi_value object, const uint8_t *mac) {
  char text[18];
  snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  set_text(env, object, "mac", text);
}

static void set_bool(napi_env env, napi_value object, const char *name, bool flag) {
  napi_value value;
  if (napi_get_boolean(env, flag, &value) == napi_ok) ot_set(env, object, name, value);
}

/* `mac` of any TAP, else `newMac` of one that is made. */
static bool read_tap_mac(napi_env env, napi_value options, struct ot_tap_options *tap) {
  if (!read_mac(env, options, "mac", &tap->has_mac, tap->mac)) return false;
  if (tap->has_mac) return true;
  tap->mac_if_new = true;
  return read_mac(env, options, "newMac", &tap->has_mac, tap->mac);
}

static bool read_tap(napi_env env, napi_value options, struct ot_tap_options *tap) {
  int64_t mtu = 0, offload = 0, segments = 0, queues = 1;
  tap->vnet_header = true;
  if (!ot_get_text(env, options, "netns", false, tap->netns, sizeof tap->netns)) return false;
  if (!ot_get_ifname(env, options, "ifname", true, tap->ifname) || !read_tap_mac(env, options, tap)) return false;
  if (!ot_get_int(env, options, "mtu", false, 68, 65521, &mtu)) return false;
  if (!read_addresses(env, options, "addresses", tap->addresses, &tap->address_count)) return false;
  if (!ot_get_bool(env, options, "persist", true, &tap->persist)) return false;
  if (!ot_get_bool(env, options, "multiQueue", true, &tap->multi_queue)) return false;
  if (!ot_get_bool(env, options, "up", true, &tap->up) || !ot_get_int(env, options, "offload", true, 0, 0x7fffffff, &offload)) return false;
  if (!ot_get_bool(env, options, "vnetHeader", false, &tap->vnet_header) ||
      !ot_get_int(env, options, "gsoMaxSegs", false, 1, 65535, &segments) ||
      !ot_get_int(env, options, "queues", false, 1, OT_MAX_QUEUES, &queues))
    return false;
  if (queues > 1 && !tap->multi_queue) {
    ot_throw_argument(env, "queues: more than one needs multiQueue");
    return false;
  }
  tap->gso_segments = (unsigned)segments;
  tap->queues = (int)queues;
  tap->mtu = (unsigned)mtu;
  tap->offload = (unsigned)offload;
  return true;
}

static napi_value open_tap(napi_env env, napi_callback_info info) {
  napi_value argument, result;
  struct ot_fault fault;
  struct ot_tap tap;
  struct ot_tap_options *options = calloc(1, sizeof *options);
  if (!options) return ot_throw_argument(env, "out of memory");
  bool ok = ot_arguments(env, info, 1, &argument) && read_tap(env, argument, options);
  int opened = ok ? ot_tap_open(options, &tap, &fault) : 0;
  free(options);
  if (!ok) return NULL;
  if (opened < 0) return ot_throw(env, &fault);
  napi_create_object(env, &result);
  ot_set(env, result, "fd", ot_int(env, tap.fd));
  set_text(env, result, "ifname", tap.ifname);
  set_mac(env, result, tap.mac);
  ot_set(env, result, "mtu", ot_int(env, tap.mtu));
  ot_set(env, result, "vnetHeaderSize", ot_int(env, tap.vnet_size));
  ot_set(env, result, "offload", ot_int(env, tap.offload));
  set_bool(env, result, "takenOver", tap.taken_over);
  set_bool(env, result, "isForeign", tap.is_foreign);
  ot_set(env, result, "foundVnetHeaderSize", ot_int(env, tap.found_vnet_size));
  napi_value more;
  napi_create_array(env, &more);
  for (int i = 0; i < tap.more_count; i++) napi_set_element(env, more, (uint32_t)i, ot_int(env, tap.more[i]));
  ot_set(env, result, "moreQueues", more);
  return result;
}

static bool read_place(napi_env env, napi_value options, char *netns, char *ifname) {
  netns[0] = ifname[0] = 0;
  return ot_get_text(env, options, "netns", false, netns, OT_PATH) && ot_get_ifname(env, options, "ifname", true, ifname);
}

/* A TAP that is open: one of its descriptors, and where it was opened. */
static bool read_open_tap(napi_env env, napi_value options, int64_t *fd, char *netns) {
  netns[0] = 0;
  return ot_get_int(env, options, "fd", true, 3, INT32_MAX, fd) && ot_get_text(env, options, "netns", false, netns, OT_PATH);
}

static napi_value open_tap_queue(napi_env env, napi_callback_info info) {
  napi_value options;
  char netns[OT_PATH];
  int64_t tap;
  bool vnet_header = true;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !read_open_tap(env, options, &tap, netns)) return NULL;
  if (!ot_get_bool(env, options, "vnetHeader", false, &vnet_header)) return NULL;
  int fd = ot_tap_open_queue((int)tap, netns, vnet_header, &fault);
  return fd < 0 ? ot_throw(env, &fault) : ot_int(env, fd);
}

static bool read_changes(napi_env env, napi_value options, struct ot_tap_changes *changes) {
  int64_t mtu = 0, segments = 0;
  memset(changes, 0, sizeof *changes);
  if (!ot_get_int(env, options, "mtu", false, 68, 65521, &mtu)) return false;
  if (!ot_get_int(env, options, "gsoMaxSegs", false, 1, 65535, &segments)) return false;
  changes->mtu = (unsigned)mtu;
  changes->gso_segments = (unsigned)segments;
  return ot_get_bool(env, options, "mark", false, &changes->mark) && read_mac(env, options, "mac", &changes->has_mac, changes->mac) &&
         read_addresses(env, options, "addresses", changes->addresses, &changes->address_count) &&
         read_addresses(env, options, "removeAddresses", changes->removed, &changes->removed_count);
}

static napi_value set_tap_nic(napi_env env, napi_callback_info info) {
  napi_value options;
  char netns[OT_PATH];
  int64_t fd;
  struct ot_tap_changes changes;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !read_open_tap(env, options, &fd, netns)) return NULL;
  if (!read_changes(env, options, &changes)) return NULL;
  return ot_tap_change((int)fd, netns, &changes, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value set_tap_persist(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t fd;
  bool on;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 3, INT32_MAX, &fd)) return NULL;
  if (napi_get_value_bool(env, values[1], &on) != napi_ok) return ot_throw_argument(env, "on must be true or false");
  return ot_tap_set_persist((int)fd, on, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value leave_tap(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t fd, size;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 3, INT32_MAX, &fd)) return NULL;
  if (!ot_to_int(env, values[1], "vnetHeaderSize", 0, 64, &size)) return NULL;
  ot_tap_leave((int)fd, (int)size);
  return NULL;
}

static napi_value link_result(napi_env env, const struct ot_link *link) {
  napi_value result;
  napi_create_object(env, &result);
  ot_set(env, result, "index", ot_int(env, link->index));
  set_bool(env, result, "up", link->flags & 1);
  ot_set(env, result, "mtu", ot_int(env, link->mtu));
  set_mac(env, result, link->mac);
  return result;
}

static napi_value null_result(napi_env env) {
  napi_value result;
  napi_get_null(env, &result);
  return result;
}

static napi_value link_state(napi_env env, napi_callback_info info) {
  napi_value options;
  char netns[OT_PATH], ifname[OT_NAME];
  struct ot_link link;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !read_place(env, options, netns, ifname)) return NULL;
  int state = ot_link_state(netns, ifname, &link, &fault);
  if (state < 0) return ot_throw(env, &fault);
  return state ? link_result(env, &link) : null_result(env);
}

/* A state as it was told before. */
static bool read_seen(napi_env env, napi_value options, struct ot_tap_state *state) {
  napi_value seen;
  int64_t netns = 0, index = 0;
  memset(state, 0, sizeof *state);
  if (!ot_has(env, options, "seen", &seen)) return true;
  if (!ot_get_ifname(env, seen, "ifname", true, state->ifname)) return false;
  if (!ot_get_int(env, seen, "netns", true, 0, INT64_MAX >> 10, &netns) || !ot_get_int(env, seen, "index", true, 0, INT32_MAX, &index)) return false;
  state->netns = (ino_t)netns;
  state->link.index = (int)index;
  return true;
}

static napi_value tap_state(napi_env env, napi_callback_info info) {
  napi_value options;
  char netns[OT_PATH];
  int64_t fd;
  struct ot_tap_state state;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !read_open_tap(env, options, &fd, netns) || !read_seen(env, options, &state)) return NULL;
  int found = ot_tap_state((int)fd, netns, &state, &fault);
  if (found < 0) return ot_throw(env, &fault);
  if (!found) return null_result(env);
  napi_value result = link_result(env, &state.link);
  set_text(env, result, "ifname", state.ifname);
  ot_set(env, result, "netns", ot_int(env, (int64_t)state.netns));
  return result;
}

/* What has to do with multicast groups. */
static bool read_groups(napi_env env, napi_value options, struct ot_udp_options *udp) {
  int64_t ttl = 1;
  if (!ot_get_text(env, options, "group", false, udp->group, sizeof udp->group)) return false;
  if (!ot_get_ifname(env, options, "multicastDev", false, udp->multicast_dev)) return false;
  if (!ot_get_int(env, options, "multicastTtl", false, 1, 255, &ttl)) return false;
  udp->multicast_ttl = (int)ttl;
  if (!udp->group[0] || udp->dev[0]) return true;
  ot_throw_argument(env, "group needs dev");
  return false;
}

static bool read_udp(napi_env env, napi_value options, struct ot_udp_options *udp, const char *buffer) {
  int64_t family = 0, port = 0, bytes = 0, ttl = 0;
  char df[8] = "unset";
  memset(udp, 0, sizeof *udp);
  udp->checksum = true;
  if (!ot_get_text(env, options, "local", false, udp->local, sizeof udp->local)) return false;
  if (!ot_get_int(env, options, "family", true, 4, 6, &family) || !ot_get_int(env, options, "port", true, 0, 65535, &port)) return false;
  if (!ot_get_ifname(env, options, "dev", false, udp->dev) || !ot_get_int(env, options, buffer, true, 0, 1 << 30, &bytes)) return false;
  if (!ot_get_bool(env, options, "reusePort", false, &udp->reuse_port)) return false;
  if (!ot_get_bool(env, options, "gro", false, &udp->gro) || !ot_get_int(env, options, "ttl", false, 0, 255, &ttl)) return false;
  if (!ot_get_text(env, options, "df", false, df, sizeof df) || !ot_get_bool(env, options, "checksum", false, &udp->checksum)) return false;
  if (family == 5 || (strcmp(df, "unset") && strcmp(df, "set"))) {
    ot_throw_argument(env, family == 5 ? "family must be 4 or 6" : "df must be 'unset' or 'set'");
    return false;
  }
  udp->family = family == 6 ? AF_INET6 : AF_INET;
  udp->port = (int)port;
  udp->buffer = (int)bytes;
  udp->ttl = (int)ttl;
  udp->df = !strcmp(df, "set");
  return read_groups(env, options, udp);
}

static napi_value udp_result(napi_env env, int fd, int port) {
  napi_value result;
  napi_create_object(env, &result);
  ot_set(env, result, "fd", ot_int(env, fd));
  ot_set(env, result, "port", ot_int(env, port));
  return result;
}

static napi_value open_udp_receiver(napi_env env, napi_callback_info info) {
  napi_value options;
  struct ot_udp_options udp;
  struct ot_fault fault;
  int port;
  bool gro = false;
  if (!ot_arguments(env, info, 1, &options) || !read_udp(env, options, &udp, "receiveBuffer")) return NULL;
  int fd = ot_udp_receiver(&udp, &port, &gro, &fault);
  if (fd < 0) return ot_throw(env, &fault);
  napi_value result = udp_result(env, fd, port);
  set_bool(env, result, "gro", gro);
  return result;
}

static napi_value open_udp_sender(napi_env env, napi_callback_info info) {
  napi_value options;
  struct ot_udp_options udp;
  struct ot_fault fault;
  int port;
  if (!ot_arguments(env, info, 1, &options) || !read_udp(env, options, &udp, "sendBuffer")) return NULL;
  int fd = ot_udp_sender(&udp, &port, &fault);
  return fd < 0 ? ot_throw(env, &fault) : udp_result(env, fd, port);
}

static napi_value send_by_receiver(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct ot_udp_options udp;
  struct ot_fault fault;
  int64_t fd;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd)) return NULL;
  if (!read_udp(env, values[1], &udp, "sendBuffer")) return NULL;
  return ot_udp_send_by_receiver((int)fd, &udp, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value path_mtu(napi_env env, napi_callback_info info) {
  napi_value options;
  char remote[64] = "", local[64] = "", dev[OT_NAME] = "";
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !ot_get_text(env, options, "remote", true, remote, sizeof remote)) return NULL;
  if (!ot_get_text(env, options, "local", false, local, sizeof local) || !ot_get_ifname(env, options, "dev", false, dev)) return NULL;
  int mtu = ot_path_mtu(remote, local, dev, &fault);
  return mtu < 0 ? ot_throw(env, &fault) : ot_int(env, mtu);
}

static napi_value self_test(napi_env env, napi_callback_info info) {
  napi_value result, reasons;
  struct ot_trial trials[OT_TRIALS];
  (void)info;
  ot_self_test(trials);
  napi_create_object(env, &result);
  napi_create_object(env, &reasons);
  for (int i = 0; i < OT_TRIALS; i++) {
    set_bool(env, result, trials[i].name, trials[i].works);
    if (trials[i].reason[0]) set_text(env, reasons, trials[i].name, trials[i].reason);
  }
  ot_set(env, result, "reasons", reasons);
  return result;
}

static napi_value open_packet_socket(napi_env env, napi_callback_info info) {
  napi_value options;
  char netns[OT_PATH], ifname[OT_NAME];
  bool promiscuous = false;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !read_place(env, options, netns, ifname)) return NULL;
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

static napi_value wait_readable(napi_env env, napi_callback_info info) {
  napi_value values[2], result;
  int64_t fd, timeout;
  struct ot_fault fault;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd)) return NULL;
  if (!ot_to_int(env, values[1], "timeoutMs", -1, INT32_MAX, &timeout)) return NULL;
  int ready = ot_wait_readable((int)fd, (int)timeout, &fault);
  if (ready < 0) return ot_throw(env, &fault);
  napi_get_boolean(env, ready == 1, &result);
  return result;
}

static napi_value close_fd(napi_env env, napi_callback_info info) {
  napi_value value;
  int64_t fd;
  struct ot_fault fault;
  /* The standard streams are not ours. */
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 3, INT32_MAX, &fd)) return NULL;
  if (close((int)fd) == 0) return NULL;
  ot_fail(&fault, errno, "close", "closing descriptor %d", (int)fd);
  return ot_throw(env, &fault);
}

static napi_value enter_namespace(napi_env env, napi_callback_info info) {
  napi_value value;
  char path[OT_PATH];
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_text(env, value, "path", path, sizeof path)) return NULL;
  return ot_netns_move(path, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

NAPI_MODULE_INIT() {
  ot_export(env, exports, "openTap", open_tap);
  ot_export(env, exports, "openTapQueue", open_tap_queue);
  ot_export(env, exports, "selfTest", self_test);
  ot_export(env, exports, "setTapNic", set_tap_nic);
  ot_export(env, exports, "setTapPersist", set_tap_persist);
  ot_export(env, exports, "leaveTap", leave_tap);
  ot_export(env, exports, "tapState", tap_state);
  ot_export(env, exports, "linkState", link_state);
  ot_export(env, exports, "openUdpReceiver", open_udp_receiver);
  ot_export(env, exports, "openUdpSender", open_udp_sender);
  ot_export(env, exports, "sendByReceiver", send_by_receiver);
  ot_export(env, exports, "pathMtu", path_mtu);
  ot_export(env, exports, "openPacketSocket", open_packet_socket);
  ot_export(env, exports, "readPacket", read_packet);
  ot_export(env, exports, "writePacket", write_packet);
  ot_export(env, exports, "waitReadable", wait_readable);
  ot_export(env, exports, "closeFd", close_fd);
  ot_export(env, exports, "enterNamespace", enter_namespace);
  ot_export_process(env, exports);
  ot_export_addresses(env, exports);
  ot_export_nic(env, exports);
  return exports;
}
