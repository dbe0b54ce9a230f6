/* A route in the container, by rtnetlink. The addresses are on its NIC already: the switch has put them there. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cni.h"

struct route_request {
  struct nlmsghdr head;
  struct rtmsg route;
  char attributes[128];
};

static void add_attribute(struct route_request *request, unsigned short type, const void *value, size_t length) {
  struct rtattr *attribute = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));
  attribute->rta_type = type;
  attribute->rta_len = (unsigned short)RTA_LENGTH(length);
  memcpy(RTA_DATA(attribute), value, length);
  request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

/* False: the words are no route. */
static bool fill(struct route_request *request, const char *words, unsigned index) {
  char destination[64], gateway[64] = "";
  unsigned length;
  unsigned char bytes[16];
  if (sscanf(words, "%63[0-9a-fA-F:.]/%u %63[0-9a-fA-F:.]", destination, &length, gateway) < 2) return false;
  int family = strchr(destination, ':') != NULL ? AF_INET6 : AF_INET;
  size_t size = family == AF_INET6 ? 16 : 4;
  if (length > size * 8 || inet_pton(family, destination, bytes) != 1) return false;
  request->head.nlmsg_len = NLMSG_LENGTH(sizeof request->route);
  request->head.nlmsg_type = RTM_NEWROUTE;
  request->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
  request->route = (struct rtmsg){.rtm_family = (unsigned char)family,
                                  .rtm_dst_len = (unsigned char)length,
                                  .rtm_table = RT_TABLE_MAIN,
                                  .rtm_protocol = RTPROT_BOOT,
                                  .rtm_scope = gateway[0] == '\0' ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
                                  .rtm_type = RTN_UNICAST};
  if (length > 0) add_attribute(request, RTA_DST, bytes, size);
  if (gateway[0] != '\0') {
    if (inet_pton(family, gateway, bytes) != 1) return false;
    add_attribute(request, RTA_GATEWAY, bytes, size);
  }
  add_attribute(request, RTA_OIF, &index, sizeof index);
  return true;
}

static int send_request(const struct route_request *request) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -1;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct {
    struct nlmsghdr head;
    struct nlmsgerr error;
    char rest[1024];
  } answer;
  int result = -1;
  if (connect(fd, (struct sockaddr *)&kernel, sizeof kernel) == 0 &&
      send(fd, request, request->head.nlmsg_len, 0) > 0 &&
      recv(fd, &answer, sizeof answer, 0) >= (ssize_t)(sizeof answer.head + sizeof answer.error)) {
    bool is_done = answer.head.nlmsg_type == NLMSG_ERROR && answer.error.error == 0;
    if (!is_done) errno = answer.head.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
    result = is_done || errno == EEXIST ? 0 : -1;
  }
  int error = errno;
  close(fd);
  errno = error;
  return result;
}

int route_add(const char *netns, const char *ifname, const char *words) {
  struct route_request request = {0};
  int fd = open(netns, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int entered = setns(fd, CLONE_NEWNET);
  close(fd);
  if (entered < 0) return -1;
  unsigned index = if_nametoindex(ifname);
  if (index == 0) return -1;
  if (!fill(&request, words, index)) {
    errno = EINVAL;
    return -1;
  }
  return send_request(&request);
}
