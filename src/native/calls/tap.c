/* The verbs on TAPs, and on links of any kind, as JavaScript calls them. Owns the checks of their arguments. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"

static bool read_mac(napi_env env, napi_value options, const char *name, bool *has_mac, uint8_t mac[6]) {
  char text[32] = "", rest;
  unsigned part[6];
  if (!ot_get_text(env, options, name, false, text, sizeof text)) return false;
  if (!text[0]) return true;
  if (strlen(text) != 17 ||
      sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", part, part + 1, part + 2, part + 3, part + 4, part + 5, &rest) != 6) {
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

static bool read_addresses(napi_env env, napi_value options, const char *name, struct ot_address *addresses,
                           int *address_count) {
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

/* `mac` applies to any TAP, `newMac` only to a new one. */
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
  if (!ot_get_bool(env, options, "up", true, &tap->up) ||
      !ot_get_int(env, options, "offload", true, 0, 0x7fffffff, &offload))
    return false;
  if (!ot_get_bool(env, options, "vnetHeader", false, &tap->vnet_header) ||
      !ot_get_bool(env, options, "layer3", false, &tap->layer3) ||
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

static napi_value tap_result(napi_env env, const struct ot_tap *tap) {
  napi_value result, more;
  napi_create_object(env, &result);
  ot_set(env, result, "fd", ot_int(env, tap->fd));
  ot_set_text(env, result, "ifname", tap->ifname);
  ot_set_mac(env, result, tap->mac);
  ot_set(env, result, "mtu", ot_int(env, tap->mtu));
  ot_set(env, result, "vnetHeaderSize", ot_int(env, tap->vnet_size));
  ot_set(env, result, "offload", ot_int(env, tap->offload));
  ot_set_bool(env, result, "takenOver", tap->taken_over);
  ot_set_bool(env, result, "isForeign", tap->is_foreign);
  ot_set_bool(env, result, "madeInside", tap->made_inside);
  ot_set_bool(env, result, "isSteered", tap->is_steered);
  ot_set(env, result, "foundVnetHeaderSize", ot_int(env, tap->found_vnet_size));
  napi_create_array(env, &more);
  for (int i = 0; i < tap->more_count; i++) napi_set_element(env, more, (uint32_t)i, ot_int(env, tap->more[i]));
  ot_set(env, result, "moreQueues", more);
  return result;
}

/* `fd`: of a device that is open already; -1: it is to be opened. */
static napi_value take_tap(napi_env env, napi_value argument, int fd) {
  struct ot_fault fault;
  struct ot_tap tap;
  struct ot_tap_options *options = calloc(1, sizeof *options);
  if (!options) return ot_throw_argument(env, "out of memory");
  bool ok = read_tap(env, argument, options);
  int opened = !ok ? 0 : fd < 0 ? ot_tap_open(options, &tap, &fault) : ot_tap_adopt(fd, options, &tap, &fault);
  free(options);
  if (!ok) return NULL;
  return opened < 0 ? ot_throw(env, &fault) : tap_result(env, &tap);
}

static napi_value open_tap(napi_env env, napi_callback_info info) {
  napi_value argument;
  return ot_arguments(env, info, 1, &argument) ? take_tap(env, argument, -1) : NULL;
}

static napi_value adopt_tap(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t fd;
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 3, INT32_MAX, &fd)) return NULL;
  return take_tap(env, values[1], (int)fd);
}

/* Reads the arguments that name an open TAP: a descriptor, and the namespace where it was opened. */
static bool read_open_tap(napi_env env, napi_value options, int64_t *fd, char *netns) {
  netns[0] = 0;
  return ot_get_int(env, options, "fd", true, 3, INT32_MAX, fd) &&
         ot_get_text(env, options, "netns", false, netns, OT_PATH);
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
  return ot_get_bool(env, options, "mark", false, &changes->mark) &&
         read_mac(env, options, "mac", &changes->has_mac, changes->mac) &&
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
  ot_set_bool(env, result, "up", link->flags & 1);
  ot_set(env, result, "mtu", ot_int(env, link->mtu));
  ot_set_mac(env, result, link->mac);
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
  if (!ot_arguments(env, info, 1, &options) || !ot_get_place(env, options, netns, ifname)) return NULL;
  int state = ot_link_state(netns, ifname, &link, &fault);
  if (state < 0) return ot_throw(env, &fault);
  return state ? link_result(env, &link) : null_result(env);
}

static napi_value netns_is_foreign(napi_env env, napi_callback_info info) {
  napi_value options, result;
  char netns[OT_PATH];
  if (!ot_arguments(env, info, 1, &options) || !ot_get_text(env, options, "netns", true, netns, OT_PATH)) return NULL;
  napi_get_boolean(env, ot_netns_is_foreign(netns), &result);
  return result;
}

/* Reads the state last seen, if any. */
static bool read_seen(napi_env env, napi_value options, struct ot_tap_state *state) {
  napi_value seen;
  int64_t netns = 0, index = 0;
  memset(state, 0, sizeof *state);
  if (!ot_has(env, options, "seen", &seen)) return true;
  if (!ot_get_ifname(env, seen, "ifname", true, state->ifname)) return false;
  if (!ot_get_int(env, seen, "netns", true, 0, INT64_MAX >> 10, &netns) ||
      !ot_get_int(env, seen, "index", true, 0, INT32_MAX, &index))
    return false;
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
  if (!ot_arguments(env, info, 1, &options) || !read_open_tap(env, options, &fd, netns) ||
      !read_seen(env, options, &state))
    return NULL;
  int found = ot_tap_state((int)fd, netns, &state, &fault);
  if (found < 0) return ot_throw(env, &fault);
  if (!found) return null_result(env);
  napi_value result = link_result(env, &state.link);
  ot_set_text(env, result, "ifname", state.ifname);
  ot_set(env, result, "netns", ot_int(env, (int64_t)state.netns));
  return result;
}

void ot_export_taps(napi_env env, napi_value exports) {
  ot_export(env, exports, "openTap", open_tap);
  ot_export(env, exports, "adoptTap", adopt_tap);
  ot_export(env, exports, "openTapQueue", open_tap_queue);
  ot_export(env, exports, "setTapNic", set_tap_nic);
  ot_export(env, exports, "setTapPersist", set_tap_persist);
  ot_export(env, exports, "leaveTap", leave_tap);
  ot_export(env, exports, "tapState", tap_state);
  ot_export(env, exports, "linkState", link_state);
  ot_export(env, exports, "netnsIsForeign", netns_is_foreign);
}
