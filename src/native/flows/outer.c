/*
 * The outer headers of a flow that is carried into a tunnel: those of the datagrams that the switch's own socket sends.
 * Owns no socket; asks netlink for the route.
 */
#include <arpa/inet.h>
#include <linux/in6.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../gso-tap/gso-tap.h"
#include "flows.h"

#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#endif

#define ETHERNET 14
#define IPV4 20
#define IPV6 40
#define UDP_HEADER 8

static int option(int fd, int level, int name, int otherwise) {
  int value = otherwise;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) < 0 ? otherwise : value;
}

static void put_word(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void write_vxlan(uint8_t *udp, uint16_t port, uint32_t vni) {
  put_word(udp + 2, port);
  udp[UDP_HEADER] = 0x08;
  udp[UDP_HEADER + 4] = (uint8_t)(vni >> 16);
  put_word(udp + UDP_HEADER + 5, vni & 0xffff);
}

static uint32_t device_to(int family, const void *destination, const void *source, uint32_t bound, int ttl) {
  struct ot_route route;
  struct ot_fault fault;
  int netlink = ot_netlink_open(&fault);
  if (netlink < 0) return 0;
  int number = ot_route_get(netlink, family, destination, source, bound, &route);
  close(netlink);
  if (number || route.type != RTN_UNICAST || (route.hop_limit && (int)route.hop_limit != ttl)) return 0;
  return route.device;
}

static uint32_t outer_ipv4(int fd, const uint32_t address[4], uint16_t port, uint32_t vni, bool asks,
                           struct ot_flow_outer *outer) {
  struct sockaddr_in local;
  socklen_t size = sizeof local;
  uint32_t to = htonl(address[3]);
  int ttl = option(fd, IPPROTO_IP, IP_TTL, 0);
  if (getsockname(fd, (struct sockaddr *)&local, &size) < 0 || local.sin_family != AF_INET || !local.sin_addr.s_addr)
    return 0;
  if ((!asks && !option(fd, SOL_SOCKET, SO_NO_CHECK, 0)) || ttl < 1 || ttl > 255) return 0;
  uint8_t *ip = outer->header + ETHERNET;
  put_word(outer->header + 12, 0x0800);
  ip[0] = 0x45;
  outer->df = option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO) == IP_PMTUDISC_DO;
  if (outer->df) ip[6] = 0x40;
  ip[8] = (uint8_t)ttl;
  ip[9] = IPPROTO_UDP;
  memcpy(ip + 12, &local.sin_addr, 4);
  memcpy(ip + 16, &to, 4);
  outer->sum = ot_sum(ip, IPV4);
  write_vxlan(ip + IPV4, port, vni);
  return device_to(AF_INET, &to, &local.sin_addr, (uint32_t)option(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 0), ttl);
}

static uint32_t outer_ipv6(int fd, const uint32_t address[4], uint16_t port, uint32_t vni, bool asks,
                           struct ot_flow_outer *outer) {
  struct sockaddr_in6 local;
  socklen_t size = sizeof local;
  uint32_t to[4];
  int ttl = option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 0);
  if (getsockname(fd, (struct sockaddr *)&local, &size) < 0 || local.sin6_family != AF_INET6 ||
      IN6_IS_ADDR_UNSPECIFIED(&local.sin6_addr) || local.sin6_scope_id)
    return 0;
  if ((!asks && !option(fd, IPPROTO_UDP, UDP_NO_CHECK6_TX, 0)) || ttl < 1 || ttl > 255) return 0;
  for (int i = 0; i < 4; i++) to[i] = htonl(address[i]);
  uint8_t *ip = outer->header + ETHERNET;
  put_word(outer->header + 12, 0x86dd);
  ip[0] = 0x60;
  ip[6] = IPPROTO_UDP;
  ip[7] = (uint8_t)ttl;
  memcpy(ip + 8, &local.sin6_addr, 16);
  memcpy(ip + 24, to, 16);
  outer->df = 1;
  write_vxlan(ip + IPV6, port, vni);
  return device_to(AF_INET6, to, &local.sin6_addr, (uint32_t)option(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 0), ttl);
}

uint32_t ot_flow_outer(int sender, const uint32_t address[4], uint16_t port, uint32_t vni, bool asks,
                       struct ot_flow_outer *outer) {
  memset(outer, 0, sizeof *outer);
  if (address[0] == 0 && address[1] == 0 && address[2] == 0xffff)
    return outer_ipv4(sender, address, port, vni, asks, outer);
  return outer_ipv6(sender, address, port, vni, asks, outer);
}

bool ot_flow_watched(void) {
  struct ot_gso_tap_absence absences[OT_GSO_TAP_SUBSYSTEMS] = {0};
  return ot_gso_tap_watched_both(absences, 0);
}
