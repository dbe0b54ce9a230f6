/* The verbs on existing interfaces as JavaScript calls them. Owns the checks of their arguments. */
#include "args.h"

static napi_value open_netdev(napi_env env, napi_callback_info info) {
  napi_value argument, result, fds;
  struct ot_fault fault;
  struct ot_netdev_options options = {.queues = 1};
  struct ot_netdev netdev;
  int64_t queues = 1;
  if (!ot_arguments(env, info, 1, &argument) || !ot_get_place(env, argument, options.netns, options.ifname) ||
      !ot_get_int(env, argument, "queues", true, 1, OT_MAX_QUEUES, &queues) ||
      !ot_get_bool(env, argument, "silence", true, &options.silence) ||
      !ot_get_bool(env, argument, "ring", true, &options.ring))
    return NULL;
  options.queues = (int)queues;
  if (ot_netdev_open(&options, &netdev, &fault) < 0) return ot_throw(env, &fault);
  napi_create_object(env, &result);
  napi_create_array(env, &fds);
  for (int i = 0; i < netdev.count; i++) napi_set_element(env, fds, (uint32_t)i, ot_int(env, netdev.fds[i]));
  ot_set(env, result, "fds", fds);
  ot_set(env, result, "silencer", ot_int(env, netdev.silencer));
  return result;
}

static napi_value netdev_state(napi_env env, napi_callback_info info) {
  napi_value value, result;
  char ifname[OT_NAME];
  struct ot_link link;
  struct ot_fault fault;
  int64_t fd;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 3, INT32_MAX, &fd)) return NULL;
  int found = ot_netdev_state((int)fd, ifname, &link, &fault);
  if (found < 0) return ot_throw(env, &fault);
  if (!found) {
    napi_get_null(env, &result);
    return result;
  }
  napi_create_object(env, &result);
  ot_set_text(env, result, "ifname", ifname);
  ot_set(env, result, "index", ot_int(env, link.index));
  ot_set_bool(env, result, "up", link.flags & 1);
  ot_set_bool(env, result, "carrier", link.carrier);
  ot_set(env, result, "mtu", ot_int(env, link.mtu));
  ot_set_mac(env, result, link.mac);
  return result;
}

static napi_value netdev_missed(napi_env env, napi_callback_info info) {
  napi_value value;
  int64_t fd;
  if (!ot_arguments(env, info, 1, &value) || !ot_to_int(env, value, "fd", 3, INT32_MAX, &fd)) return NULL;
  return ot_int(env, ot_netdev_missed((int)fd));
}

void ot_export_netdevs(napi_env env, napi_value exports) {
  ot_export(env, exports, "openNetdev", open_netdev);
  ot_export(env, exports, "netdevState", netdev_state);
  ot_export(env, exports, "netdevMissed", netdev_missed);
}
