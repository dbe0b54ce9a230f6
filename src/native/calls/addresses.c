/*
 * The IP addresses of the thread's network namespace, by getifaddrs(3), which asks the kernel by netlink, ignores other
 * senders and checks every length; where a sandbox refuses that, by link-plain.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "../host/link-plain.h"

/* Bounds the answer where netlink is refused. */
#define MOST_ADDRESSES 4096

static bool address_text(const struct sockaddr *address, char text[INET6_ADDRSTRLEN]) {
  if (!address) return false;
  if (address->sa_family == AF_INET)
    return inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text, INET6_ADDRSTRLEN);
  if (address->sa_family == AF_INET6)
    return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text,
                     INET6_ADDRSTRLEN);
  return false;
}

static napi_value row_of(napi_env env, const char *ifname, bool up, const char *address) {
  napi_value row, text;
  napi_create_object(env, &row);
  /* Interface names need not be UTF-8; invalid bytes come out replaced. */
  if (napi_create_string_utf8(env, ifname, NAPI_AUTO_LENGTH, &text) == napi_ok) ot_set(env, row, "ifname", text);
  if (napi_create_string_utf8(env, address, NAPI_AUTO_LENGTH, &text) == napi_ok) ot_set(env, row, "address", text);
  ot_set_bool(env, row, "up", up);
  return row;
}

/* Returns NULL where a sandbox refuses netlink, with errno. */
static napi_value by_netlink(napi_env env) {
  struct ifaddrs *all;
  char text[INET6_ADDRSTRLEN];
  napi_value rows;
  uint32_t count = 0;
  if (getifaddrs(&all) < 0) return NULL;
  napi_create_array(env, &rows);
  for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
    bool up = (one->ifa_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
    if (address_text(one->ifa_addr, text)) napi_set_element(env, rows, count++, row_of(env, one->ifa_name, up, text));
  }
  freeifaddrs(all);
  return rows;
}

/* Likewise, as when no descriptor is free. */
static napi_value by_ioctls(napi_env env) {
  napi_value rows = NULL;
  struct ot_plain_address *all = calloc(MOST_ADDRESSES, sizeof *all);
  int count = all ? ot_plain_addresses(all, MOST_ADDRESSES) : -1;
  if (count >= 0) napi_create_array(env, &rows);
  for (int i = 0; i < count; i++)
    napi_set_element(env, rows, (uint32_t)i, row_of(env, all[i].ifname, all[i].up, all[i].text));
  free(all);
  return rows;
}

static napi_value host_addresses(napi_env env, napi_callback_info info) {
  struct ot_fault fault;
  (void)info;
  napi_value rows = by_netlink(env);
  if (!rows) rows = by_ioctls(env);
  if (rows) return rows;
  ot_fail(&fault, errno, "getifaddrs", "reading the addresses of this host");
  return ot_throw(env, &fault);
}

void ot_export_addresses(napi_env env, napi_value exports) { ot_export(env, exports, "hostAddresses", host_addresses); }
