/* The verbs on UDP sockets as JavaScript calls them. Owns the checks of their arguments. */
#include <string.h>
#include <unistd.h>

#include "args.h"

/* Reads the options of multicast groups. */
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
  if (!ot_get_int(env, options, "family", true, 4, 6, &family) ||
      !ot_get_int(env, options, "port", true, 0, 65535, &port))
    return false;
  if (!ot_get_ifname(env, options, "dev", false, udp->dev) ||
      !ot_get_int(env, options, buffer, true, 0, 1 << 30, &bytes))
    return false;
  if (!ot_get_bool(env, options, "reusePort", false, &udp->reuse_port)) return false;
  if (!ot_get_bool(env, options, "gro", false, &udp->gro) || !ot_get_int(env, options, "ttl", false, 0, 255, &ttl))
    return false;
  if (!ot_get_text(env, options, "df", false, df, sizeof df) ||
      !ot_get_bool(env, options, "checksum", false, &udp->checksum) ||
      !ot_get_bool(env, options, "labels", false, &udp->labels))
    return false;
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
  ot_set_bool(env, result, "gro", gro);
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

static napi_value rebind_receiver(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct ot_fault fault;
  int64_t fd;
  char dev[OT_NAME] = "";
  if (!ot_arguments(env, info, 2, values) || !ot_to_int(env, values[0], "fd", 0, INT32_MAX, &fd)) return NULL;
  if (!ot_get_ifname(env, values[1], "dev", false, dev)) return NULL;
  return ot_udp_rebind((int)fd, dev, &fault) < 0 ? ot_throw(env, &fault) : NULL;
}

static napi_value path_mtu(napi_env env, napi_callback_info info) {
  napi_value options;
  char remote[64] = "", local[64] = "", dev[OT_NAME] = "";
  struct ot_fault fault;
  if (!ot_arguments(env, info, 1, &options) || !ot_get_text(env, options, "remote", true, remote, sizeof remote))
    return NULL;
  if (!ot_get_text(env, options, "local", false, local, sizeof local) ||
      !ot_get_ifname(env, options, "dev", false, dev))
    return NULL;
  int mtu = ot_path_mtu(remote, local, dev, &fault);
  return mtu < 0 ? ot_throw(env, &fault) : ot_int(env, mtu);
}

static napi_value vrf_of(napi_env env, napi_callback_info info) {
  napi_value options;
  char dev[OT_NAME], vrf[OT_NAME];
  struct ot_fault fault;
  int netlink;
  if (!ot_arguments(env, info, 1, &options) || !ot_get_ifname(env, options, "dev", true, dev)) return NULL;
  if (ot_links_open(&netlink, &fault) < 0) return ot_throw(env, &fault);
  int number = ot_link_vrf(netlink, dev, vrf);
  if (netlink >= 0) close(netlink);
  if (number) {
    ot_fail(&fault, number, "RTM_GETLINK", "looking for %s", dev);
    return ot_throw(env, &fault);
  }
  napi_value result;
  if (vrf[0]) napi_create_string_utf8(env, vrf, NAPI_AUTO_LENGTH, &result);
  else napi_get_null(env, &result);
  return result;
}

void ot_export_udp(napi_env env, napi_value exports) {
  ot_export(env, exports, "openUdpReceiver", open_udp_receiver);
  ot_export(env, exports, "openUdpSender", open_udp_sender);
  ot_export(env, exports, "sendByReceiver", send_by_receiver);
  ot_export(env, exports, "rebindReceiver", rebind_receiver);
  ot_export(env, exports, "pathMtu", path_mtu);
  ot_export(env, exports, "vrfOf", vrf_of);
}
