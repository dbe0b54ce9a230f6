/* The addon as Node loads it: its verbs, by what they bind. A failure becomes a thrown Error with code and syscall. */
#include "args.h"

NAPI_MODULE_INIT() {
  ot_spare_memory();
  ot_export_process(env, exports);
  ot_export_privilege(env, exports);
  ot_export_service(env, exports);
  ot_export_rights(env, exports);
  ot_export_addresses(env, exports);
  ot_export_taps(env, exports);
  ot_export_udp(env, exports);
  ot_export_netdevs(env, exports);
  ot_export_packets(env, exports);
  ot_export_frame_sockets(env, exports);
  ot_export_icmp(env, exports);
  ot_export_liveness(env, exports);
  ot_export_tcp(env, exports);
  ot_export_nic(env, exports);
  ot_export_flows(env, exports);
  return exports;
}
