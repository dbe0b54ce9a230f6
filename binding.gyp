{
  "targets": [
    {
      "target_name": "overtap",
      "sources": [
        "src/native/addon.c",
        "src/native/fault.c",
        "src/native/args.c",
        "src/native/bind-process.c",
        "src/native/bind-service.c",
        "src/native/bind-addresses.c",
        "src/native/bind-tap.c",
        "src/native/bind-udp.c",
        "src/native/bind-packet.c",
        "src/native/bind-icmp.c",
        "src/native/bind-nic.c",
        "src/native/checksum.c",
        "src/native/netns.c",
        "src/native/netlink.c",
        "src/native/rtnetlink.c",
        "src/native/link-state.c",
        "src/native/link-plain.c",
        "src/native/tun.c",
        "src/native/tap.c",
        "src/native/tap-change.c",
        "src/native/udp.c",
        "src/native/packet.c",
        "src/native/icmp.c",
        "src/native/self-test.c",
        "src/native/nic.c",
        "src/native/receive.c",
        "src/native/headers.c",
        "src/native/finish.c",
        "src/native/split.c",
        "src/native/train.c",
        "src/native/merge.c",
        "src/native/tap-write.c",
        "src/native/transmit.c",
        "src/native/gso-tap.c",
        "src/native/gso-tap-guard.c",
        "src/native/gso-tap-path.c",
        "src/native/gso-tap-program.c"
      ],
      "cflags": ["-std=gnu11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "cflags!": ["-O2", "-Wno-unused-parameter"],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"]
    }
  ]
}
