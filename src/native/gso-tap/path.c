/*
 * Which remotes unsegmented superframes can be sent to: those reached by a device that segments frames in UDP tunnels.
 * Software segmentation in the kernel would be slower than trains of datagrams (src/bench/path). Queries routes by
 * netlink once a second for each remote in use, and ethtool(8) when a device changes; sends nothing.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "gso-tap.h"

/* How long a query's result stays valid; a device's, as long as no notification names it and it is in use. */
#define PATH_MS 1000
#define DEVICE_MS 10000
#define DEVICE_IDLE_MS 2000
#define WATCHED_MS 5000
/* More than any kernel has features. */
#define MOST_FEATURES 1024
/* Notifications read per turn. */
#define MOST_NEWS 64

static bool expired(const struct ot_nic *nic, uint32_t since_ms, uint32_t after_ms) {
  return ot_expired((uint32_t)nic->status[STATUS_NOW], since_ms, after_ms);
}

/* ---- Devices ---- */

static int ethtool(const struct ot_gso_tap *gso_tap, const char *ifname, void *command) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  memcpy(request.ifr_name, ifname, strlen(ifname) + 1);
  request.ifr_data = command;
  return ioctl(gso_tap->ioctl, SIOCETHTOOL, &request);
}

void ot_gso_tap_name_features(struct ot_gso_tap *gso_tap) {
  struct {
    struct ethtool_sset_info info;
    uint32_t count;
  } size = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
  gso_tap->feature = gso_tap->feature_checksum = -1;
  /* The names are global: any device can be asked for them. */
  if (ethtool(gso_tap, "lo", &size) < 0 || size.info.sset_mask == 0 || size.count > MOST_FEATURES) return;
  struct ethtool_gstrings *names = calloc(1, sizeof *names + (size_t)size.count * ETH_GSTRING_LEN);
  if (!names) return;
  *names = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = size.count};
  int number = ethtool(gso_tap, "lo", names);
  for (int i = 0; number == 0 && i < (int)names->len; i++) {
    const char *name = (const char *)names->data + i * ETH_GSTRING_LEN;
    if (!strncmp(name, "tx-udp_tnl-segmentation", ETH_GSTRING_LEN)) gso_tap->feature = i;
    if (!strncmp(name, "tx-udp_tnl-csum-segmentation", ETH_GSTRING_LEN)) gso_tap->feature_checksum = i;
  }
  free(names);
}

/* The IPv6 hop limit of a device, or the default for "all"; 0: no IPv6. */
static int hop_limit_of(const char *ifname) {
  char path[64 + IF_NAMESIZE];
  int limit = 0;
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/hop_limit", ifname);
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  if (fscanf(file, "%d", &limit) != 1) limit = 0;
  fclose(file);
  return limit;
}

static void ask_device(const struct ot_gso_tap *gso_tap, struct ot_gso_tap_device *device) {
  struct {
    struct ethtool_gfeatures header;
    struct ethtool_get_features_block blocks[MOST_FEATURES / 32];
  } answer = {.header = {.cmd = ETHTOOL_GFEATURES, .size = MOST_FEATURES / 32}};
  char ifname[IF_NAMESIZE];
  struct ot_link link;
  if (!if_indextoname(device->index, ifname) || ethtool(gso_tap, ifname, &answer) < 0 ||
      ot_link_get(gso_tap->netlink, ifname, &link))
    return;
  device->most_segments = link.gso_segments;
  int plain = gso_tap->feature, checksum = gso_tap->feature_checksum;
  device->segments = plain >= 0 && answer.blocks[plain / 32].active >> plain % 32 & 1;
  device->segments_checksum = checksum >= 0 && answer.blocks[checksum / 32].active >> checksum % 32 & 1;
  device->hop_limit = hop_limit_of(ifname);
  device->usual_hop_limit = hop_limit_of("all");
}

/*
 * Called seldom, since these queries wait for the rtnl lock. A change of features is notified, a change of gso_max_segs
 * is not.
 */
static const struct ot_gso_tap_device *find_device(struct ot_nic *nic, uint32_t index) {
  struct ot_gso_tap *gso_tap = nic->gso_tap;
  struct ot_gso_tap_device *device = NULL;
  uint32_t now = (uint32_t)nic->status[STATUS_NOW];
  for (int i = 0; i < OT_GSO_TAP_DEVICES && !device; i++)
    if (gso_tap->devices[i].index == index) device = &gso_tap->devices[i];
  if (!device || expired(nic, device->asked_ms, DEVICE_MS) || expired(nic, device->needed_ms, DEVICE_IDLE_MS)) {
    if (!device) device = &gso_tap->devices[gso_tap->next_device++ % OT_GSO_TAP_DEVICES];
    *device = (struct ot_gso_tap_device){.index = index, .asked_ms = now};
    ask_device(gso_tap, device);
  }
  device->needed_ms = now;
  return device;
}

/*
 * Reads link notifications and drops the cached abilities of the named devices. Once for a list of commands: to ask for
 * each superframe would be a system call more for each. Bounded, so that a stream of notifications does not hold the
 * engine up.
 */
static void hear_news(struct ot_gso_tap *gso_tap, uint32_t round) {
  if (gso_tap->heard_round == round) return;
  gso_tap->heard_round = round;
  for (int read = 0; read < MOST_NEWS; read++) {
    int index = ot_link_changed(gso_tap->listener);
    if (!index) return;
    for (int i = 0; i < OT_GSO_TAP_DEVICES; i++) {
      struct ot_gso_tap_device *device = &gso_tap->devices[i];
      if (!device->index || (index > 0 && device->index != (uint32_t)index)) continue;
      device->index = 0;
      gso_tap->news++;
    }
  }
}

/* ---- Paths ---- */

bool ot_is_bound(const struct ot_port *sender) {
  static const uint8_t any[16];
  return memcmp(sender->local, any, sizeof any) != 0;
}

static bool asked_as(const struct ot_path *path, const struct ot_port *sender) {
  return path->bound_to == sender->bound_to && path->ttl == sender->ttl && path->checksum == sender->checksum &&
         !memcmp(path->local, sender->local, sizeof path->local);
}

/*
 * The hop limit of the route, or of the device (a router may have announced it), applies where the sender has the
 * default; the socket's own value cannot be queried.
 */
static bool has_hop_limit(const struct ot_port *sender, const struct ot_route *route,
                          const struct ot_gso_tap_device *device) {
  if (route->hop_limit && route->hop_limit != sender->ttl) return true;
  return sender->family == AF_INET6 && sender->ttl == device->usual_hop_limit && sender->ttl != device->hop_limit;
}

/* The lookup with `bound_to` fails when the host is reached by another device only. */
static void ask_path(struct ot_nic *nic, const struct ot_port *sender, const struct ot_remote *remote,
                     struct ot_path *path) {
  struct ot_route route;
  bool bound = ot_is_bound(sender);
  const void *destination = sender->family == AF_INET6 ? (const void *)&remote->v6.sin6_addr : &remote->v4.sin_addr;
  path->device = 0;
  if (ot_route_get(nic->gso_tap->netlink, sender->family, destination, bound ? sender->local : NULL, sender->bound_to,
                   &route))
    return;
  if (route.type != RTN_UNICAST || !(bound || route.has_source)) return;
  const struct ot_gso_tap_device *device = find_device(nic, route.device);
  if (!(sender->checksum ? device->segments_checksum : device->segments) || has_hop_limit(sender, &route, device))
    return;
  memcpy(path->source, bound ? sender->local : route.source, sizeof path->source);
  memcpy(path->hop, route.hop, sizeof path->hop);
  path->hop_family = (uint32_t)route.hop_family;
  path->mtu = route.mtu;
  path->segments = device->most_segments;
  path->device = route.device;
}

static bool is_watched(struct ot_nic *nic) {
  struct ot_gso_tap *gso_tap = nic->gso_tap;
  if (!gso_tap->guarded) return false;
  if (gso_tap->asked && !expired(nic, gso_tap->watched_ms, gso_tap->watched ? WATCHED_MS : PATH_MS))
    return gso_tap->watched;
  gso_tap->asked = true;
  gso_tap->watched_ms = (uint32_t)nic->status[STATUS_NOW];
  gso_tap->watched = ot_gso_tap_watched(gso_tap->absences, gso_tap->watched_ms);
  return gso_tap->watched;
}

static void renew_path(struct ot_nic *nic, const struct ot_port *sender, struct ot_remote *remote) {
  struct ot_path *path = &remote->path;
  ask_path(nic, sender, remote, path);
  path->asked = true;
  path->news = nic->gso_tap->news;
  path->asked_ms = (uint32_t)nic->status[STATUS_NOW];
  path->bound_to = sender->bound_to;
  path->ttl = sender->ttl;
  path->checksum = sender->checksum;
  memcpy(path->local, sender->local, sizeof path->local);
}

/* The guard comes last: its queries cost most, and are needless where the path is unfit anyway. */
bool ot_gso_tap_judge(struct ot_nic *nic, const struct ot_port *sender, struct ot_remote *remote, uint32_t segments) {
  struct ot_path *path = &remote->path;
  hear_news(nic->gso_tap, nic->round);
  bool current = path->asked && path->news == nic->gso_tap->news && !expired(nic, path->asked_ms, PATH_MS);
  if (!current || !asked_as(path, sender)) renew_path(nic, sender, remote);
  return path->device && segments <= path->segments && !is_watched(nic);
}
