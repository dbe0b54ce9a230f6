/*
 * Links and addresses by ioctls, netdevice(7), in the thread's namespace: for sandboxes that refuse netlink sockets.
 * Less than rtnetlink.c can do: no alias (the mark), no limit of segments, no move to another namespace.
 */
#include "link-plain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* linux/ipv6.h, which does not go together with netinet/in.h. */
struct in6_request {
  struct in6_addr address;
  uint32_t prefix;
  int index;
};

/* A socket of the family, and the name of the link in `request`. Returns the socket, or -1 with errno. */
static int open_for(int family, int index, struct ifreq *request) {
  int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  memset(request, 0, sizeof *request);
  request->ifr_ifindex = index;
  if (ioctl(fd, SIOCGIFNAME, request) == 0) {
    memset(&request->ifr_ifru, 0, sizeof request->ifr_ifru);
    return fd;
  }
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

/* Ends a request: 0, or the errno of its last call. */
static int done(int fd, int result) {
  int number = result < 0 ? errno : 0;
  close(fd);
  return number;
}

int ot_plain_set_mtu(int index, unsigned mtu) {
  struct ifreq request;
  int fd = open_for(AF_INET, index, &request);
  if (fd < 0) return errno;
  request.ifr_mtu = (int)mtu;
  return done(fd, ioctl(fd, SIOCSIFMTU, &request));
}

int ot_plain_set_mac(int index, const uint8_t mac[6]) {
  struct ifreq request;
  int fd = open_for(AF_INET, index, &request);
  if (fd < 0) return errno;
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  memcpy(request.ifr_hwaddr.sa_data, mac, 6);
  return done(fd, ioctl(fd, SIOCSIFHWADDR, &request));
}

int ot_plain_set_up(int index) {
  struct ifreq request;
  int fd = open_for(AF_INET, index, &request);
  if (fd < 0) return errno;
  int result = ioctl(fd, SIOCGIFFLAGS, &request);
  if (result == 0) {
    request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
    result = ioctl(fd, SIOCSIFFLAGS, &request);
  }
  return done(fd, result);
}

static struct sockaddr inet(const uint8_t bytes[4]) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  struct sockaddr result;
  memcpy(&address.sin_addr, bytes, 4);
  memcpy(&result, &address, sizeof result);
  return result;
}

/*
 * Completes the name in `request` to the label of an IPv4 address: the link's own, or NAME:1 and so on, since ioctls
 * know one address for each label. Without such an address it is the first free label. Returns 1 when it is there, 0,
 * or -1 with errno.
 */
static int find_label(int fd, struct ifreq *request, const uint8_t bytes[4]) {
  char name[IFNAMSIZ];
  struct sockaddr wanted = inet(bytes);
  struct sockaddr_in found, looked_for;
  memcpy(&looked_for, &wanted, sizeof looked_for);
  memcpy(name, request->ifr_name, sizeof name);
  struct ifreq label = *request, empty = {.ifr_name = ""};
  for (int i = 0; i < OT_MAX_ADDRESSES; i++) {
    int length = i ? snprintf(label.ifr_name, IFNAMSIZ, "%.*s:%d", IFNAMSIZ - 1, name, i) : 0;
    if (length >= IFNAMSIZ) break;
    if (ioctl(fd, SIOCGIFADDR, &label) < 0) {
      if (errno != EADDRNOTAVAIL && errno != ENODEV) return -1;
      if (!empty.ifr_name[0]) memcpy(empty.ifr_name, label.ifr_name, IFNAMSIZ);
      continue;
    }
    memcpy(&found, &label.ifr_addr, sizeof found);
    if (found.sin_addr.s_addr != looked_for.sin_addr.s_addr) continue;
    *request = label;
    return 1;
  }
  *request = empty;
  errno = ENOSPC;
  return empty.ifr_name[0] ? 0 : -1;
}

static int set_inet(int index, const struct ot_address *address) {
  struct ifreq request;
  int fd = open_for(AF_INET, index, &request);
  if (fd < 0) return errno;
  int found = find_label(fd, &request, address->bytes), result = found < 0 ? -1 : 0;
  if (found == 0) {
    request.ifr_addr = inet(address->bytes);
    result = ioctl(fd, SIOCSIFADDR, &request);
  }
  if (result == 0) {
    uint32_t mask = htonl(address->prefix ? ~0u << (32 - address->prefix) : 0);
    uint8_t bytes[4];
    memcpy(bytes, &mask, 4);
    request.ifr_netmask = inet(bytes);
    result = ioctl(fd, SIOCSIFNETMASK, &request);
  }
  return done(fd, result);
}

static int remove_inet(int index, const struct ot_address *address) {
  struct ifreq request;
  static const uint8_t none[4];
  int fd = open_for(AF_INET, index, &request);
  if (fd < 0) return errno;
  int found = find_label(fd, &request, address->bytes), result = found < 0 ? -1 : 0;
  if (found > 0) {
    request.ifr_addr = inet(none);
    result = ioctl(fd, SIOCSIFADDR, &request);
  }
  return done(fd, result);
}

static int change_inet6(int index, unsigned long what, const struct ot_address *address) {
  struct in6_request request = {.prefix = (uint32_t)address->prefix, .index = index};
  int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  memcpy(&request.address, address->bytes, 16);
  return done(fd, ioctl(fd, what, &request));
}

int ot_plain_address_set(int index, const struct ot_address *address) {
  if (address->family == AF_INET) return set_inet(index, address);
  int number = change_inet6(index, SIOCSIFADDR, address);
  return number == EEXIST ? 0 : number;
}

int ot_plain_address_remove(int index, const struct ot_address *address) {
  if (address->family == AF_INET) return remove_inet(index, address);
  int number = change_inet6(index, SIOCDIFADDR, address);
  return number == EADDRNOTAVAIL || number == ENXIO ? 0 : number;
}

/* The rest of a row, once it has its address; the label of a further address is no part of the name. */
static void complete(struct ot_plain_address *row, const char *label) {
  struct ot_link link;
  snprintf(row->ifname, sizeof row->ifname, "%.*s", (int)strcspn(label, ":"), label);
  row->up = ot_link_look(row->ifname, &link) == 0 && (link.flags & IFF_UP) && (link.flags & IFF_RUNNING);
}

static int list_inet(struct ot_plain_address *addresses, int room) {
  struct ifconf list = {.ifc_len = room * (int)sizeof(struct ifreq)};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), count = -1;
  if (fd < 0) return -1;
  list.ifc_req = calloc((size_t)room, sizeof(struct ifreq));
  if (list.ifc_req && ioctl(fd, SIOCGIFCONF, &list) == 0) count = list.ifc_len / (int)sizeof(struct ifreq);
  int number = errno;
  for (int i = 0; i < count; i++) {
    struct sockaddr_in address;
    memcpy(&address, &list.ifc_req[i].ifr_addr, sizeof address);
    inet_ntop(AF_INET, &address.sin_addr, addresses[i].text, sizeof addresses[i].text);
    complete(&addresses[i], list.ifc_req[i].ifr_name);
  }
  free(list.ifc_req);
  close(fd);
  errno = number;
  return count;
}

/* Without IPv6 there is no such file. */
static int list_inet6(struct ot_plain_address *addresses, int room) {
  FILE *file = fopen("/proc/thread-self/net/if_inet6", "re");
  char digits[33], name[IFNAMSIZ];
  int count = 0;
  while (file && count < room && fscanf(file, "%32s %*s %*s %*s %*s %15s", digits, name) == 2) {
    struct in6_addr address;
    for (int i = 0; i < 16; i++) {
      unsigned byte = 0;
      sscanf(digits + 2 * i, "%2x", &byte);
      address.s6_addr[i] = (uint8_t)byte;
    }
    inet_ntop(AF_INET6, &address, addresses[count].text, sizeof addresses[count].text);
    complete(&addresses[count++], name);
  }
  if (file) fclose(file);
  return count;
}

int ot_plain_addresses(struct ot_plain_address *addresses, int room) {
  int count = list_inet(addresses, room);
  return count < 0 ? -1 : count + list_inet6(addresses + count, room - count);
}
