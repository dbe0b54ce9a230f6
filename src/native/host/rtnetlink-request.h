/* Requests of rtnetlink(7), for the files that make them: a message with a fixed part, and attributes behind it. */
#ifndef OVERTAP_RTNETLINK_REQUEST_H
#define OVERTAP_RTNETLINK_REQUEST_H

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct request {
  struct nlmsghdr header;
  union {
    struct ifinfomsg link;
    struct ifaddrmsg address;
    struct rtmsg route;
  };
  uint8_t attributes[256];
};

/* An attribute with a copy of the data. */
static inline struct rtattr *add(struct request *request, int type, const void *data, size_t length) {
  struct rtattr *attribute = (struct rtattr *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));
  attribute->rta_type = (unsigned short)type;
  attribute->rta_len = (unsigned short)RTA_LENGTH(length);
  if (length) memcpy(RTA_DATA(attribute), data, length);
  request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
  return attribute;
}

static inline void add_text(struct request *request, int type, const char *text) {
  add(request, type, text, strlen(text) + 1);
}

/* What is added until its end lies in this attribute. */
static inline struct rtattr *begin_nest(struct request *request, int type) { return add(request, type, NULL, 0); }

static inline void end_nest(struct request *request, struct rtattr *nest) {
  nest->rta_len = (unsigned short)((uint8_t *)request + request->header.nlmsg_len - (uint8_t *)nest);
}

static inline struct request link_request(int type, int flags, int index) {
  struct request request;
  memset(&request, 0, sizeof request);
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
  request.header.nlmsg_type = (uint16_t)type;
  request.header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  request.link.ifi_family = AF_UNSPEC;
  request.link.ifi_index = index;
  return request;
}

#endif
