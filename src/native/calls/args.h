/* Reads JavaScript arguments and throws errors. Used only by the files that export verbs. */
#ifndef OVERTAP_ARGS_H
#define OVERTAP_ARGS_H

#include <node_api.h>

#include "../overtap.h"

/* A failed read leaves an exception pending and returns false; the verb then returns NULL. */
bool ot_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values);
/* Integers from `least` to `most`. */
bool ot_to_int(napi_env env, napi_value value, const char *name, int64_t least, int64_t most, int64_t *result);
bool ot_to_text(napi_env env, napi_value value, const char *name, char *text, size_t size);
bool ot_to_bytes(napi_env env, napi_value value, const char *name, uint8_t **bytes, size_t *length);
/* Properties of an object. An absent (undefined) one leaves `result` as it is, unless it is required. */
bool ot_get_int(napi_env env, napi_value object, const char *name, bool required, int64_t least, int64_t most,
                int64_t *result);
bool ot_get_bool(napi_env env, napi_value object, const char *name, bool required, bool *result);
bool ot_get_text(napi_env env, napi_value object, const char *name, bool required, char *text, size_t size);
/* True when the property is there; *value is then set. */
bool ot_has(napi_env env, napi_value object, const char *name, napi_value *value);
/* Interface names go to ioctls that would expand a pattern; they are checked here. */
bool ot_get_ifname(napi_env env, napi_value object, const char *name, bool required, char ifname[OT_NAME]);

/* The properties `netns` (empty when absent) and `ifname`. `netns` has room for OT_PATH bytes, `ifname` for OT_NAME. */
bool ot_get_place(napi_env env, napi_value options, char *netns, char *ifname);

napi_value ot_throw(napi_env env, const struct ot_fault *fault);
napi_value ot_throw_argument(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));
napi_value ot_int(napi_env env, int64_t value);
void ot_set(napi_env env, napi_value object, const char *name, napi_value value);
void ot_set_text(napi_env env, napi_value object, const char *name, const char *text);
void ot_set_bool(napi_env env, napi_value object, const char *name, bool flag);
/* Property `mac`, as text. */
void ot_set_mac(napi_env env, napi_value object, const uint8_t *mac);
void ot_export(napi_env env, napi_value exports, const char *name, napi_callback verb);

/* Each exports the verbs of one file: calls/process.c, calls/addresses.c and so on. */
void ot_export_process(napi_env env, napi_value exports);
void ot_export_privilege(napi_env env, napi_value exports);
void ot_export_service(napi_env env, napi_value exports);
void ot_export_rights(napi_env env, napi_value exports);
void ot_export_addresses(napi_env env, napi_value exports);
void ot_export_taps(napi_env env, napi_value exports);
void ot_export_udp(napi_env env, napi_value exports);
void ot_export_netdevs(napi_env env, napi_value exports);
void ot_export_packets(napi_env env, napi_value exports);
void ot_export_frame_sockets(napi_env env, napi_value exports);
void ot_export_icmp(napi_env env, napi_value exports);
void ot_export_liveness(napi_env env, napi_value exports);
void ot_export_tcp(napi_env env, napi_value exports);
void ot_export_nic(napi_env env, napi_value exports);
void ot_export_flows(napi_env env, napi_value exports);

#endif
