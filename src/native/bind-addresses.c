/*
 * The IP addresses of the thread's network namespace, by getifaddrs(3), which asks the kernel by netlink, ignores other
 * senders and checks every length.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "args.h"

static bool address_text(const struct sockaddr *address, char text[INET6_ADDRSTRLEN]) {
  if (!address) return false;
  if (address->sa_family == AF_INET)
    return inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text, INET6_ADDRSTRLEN);
  if (address->sa_family == AF_INET6)
    return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, text,
                     INET6_ADDRSTRLEN);
  return false;
}

static napi_value row_of(napi_env env, const struct ifaddrs *one, const char *address) {
  napi_value row, text;
  napi_create_object(env, &row);
  /* Interface names need not be UTF-8; invalid bytes come out replaced. */
  if (napi_create_string_utf8(env, one->ifa_name, NAPI_AUTO_LENGTH, &text) == napi_ok) ot_set(env, row, "ifname", text);
  if (napi_create_string_utf8(env, address, NAPI_AUTO_LENGTH, &text) == napi_ok) ot_set(env, row, "address", text);
  if (napi_get_boolean(env, (one->ifa_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING), &text) == napi_ok)
    ot_set(env, row, "up", text);
  return row;
}

static napi_value host_addresses(napi_env env, napi_callback_info info) {
  struct ifaddrs *all;
  struct ot_fault fault;
  char text[INET6_ADDRSTRLEN];
  napi_value rows;
  uint32_t count = 0;
  (void)info;
  if (getifaddrs(&all) < 0) {
    ot_fail(&fault, errno, "getifaddrs", "reading the addresses of this host");
    return ot_throw(env, &fault);
  }
  napi_create_array(env, &rows);
  for (const struct ifaddrs *one = all; one; one = one->ifa_next)
    if (address_text(one->ifa_addr, text)) napi_set_element(env, rows, count++, row_of(env, one, text));
  freeifaddrs(all);
  return rows;
}

void ot_export_addresses(napi_env env, napi_value exports) { ot_export(env, exports, "hostAddresses", host_addresses); }
