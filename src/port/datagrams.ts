/** Datagram sockets of ports: one Ethernet frame a datagram, over UDP or between two unix sockets. */
import { bindDatagrams, closeFd, connectDatagrams, reconnectDatagrams } from '../native/binding.js';
import { codeOf, FrameSocketError } from './frame-socket-error.js';
import { continueSocketFile, openSocketFile, type SocketFile, type SocketFileAccess } from './socket-file.js';

/** An address and a UDP port, or the absolute path of a unix socket. */
export type FrameAddress = { address: string; port: number } | { path: string };

export interface DatagramSocket {
  readonly fd: number;
  /** For `attachDatagrams`: the path that frames go to; absent: the socket is connected. */
  readonly remotePath: string | undefined;
  /** Exchanges frames with another remote from now on; a path takes effect when it is attached anew. @throws FrameSocketError */
  setRemote(remote: FrameAddress): void;
  /** Of the file of a unix socket. @throws FrameSocketError */
  setAccess(access: SocketFileAccess): void;
  /** Idempotent. */
  close(): void;
}

/** Reads ADDRESS:PORT, with an IPv6 address in brackets, or a path: canonical text, as of a resolved configuration. */
export function frameAddress(text: string): FrameAddress {
  if (text.startsWith('/')) return { path: text };
  const colon = text.lastIndexOf(':');
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

/** @throws FrameSocketError; both addresses are of one kind and family */
export function openDatagrams(local: FrameAddress, remote: FrameAddress, access: SocketFileAccess): DatagramSocket {
  if ('path' in local) return openUnix(local.path, remote, access);
  return openUdp(local, remote as { address: string; port: number });
}

/** Goes on with the socket of the process before this one. @param custody until it is ours, a file is left as it is */
export function continueDatagrams(
  fd: number,
  local: FrameAddress,
  remote: FrameAddress,
  custody: { readonly isOurs: boolean },
): DatagramSocket {
  if ('path' in local) return unixSocket(continueSocketFile(local.path, fd, custody), remote);
  return udpSocket(fd, local);
}

function openUnix(path: string, remote: FrameAddress, access: SocketFileAccess): DatagramSocket {
  return unixSocket(openSocketFile(path, access, bindDatagrams), remote);
}

function unixSocket(file: SocketFile, remote: FrameAddress): DatagramSocket {
  let to = remote;
  let isOpen = true;
  return {
    fd: file.fd,
    get remotePath() {
      return (to as { path: string }).path;
    },
    setRemote(other) {
      to = other;
    },
    setAccess: (next) => file.setAccess(next),
    close() {
      if (!isOpen) return;
      isOpen = false;
      file.remove();
      closeFd(file.fd);
    },
  };
}

function openUdp(local: { address: string; port: number }, remote: { address: string; port: number }): DatagramSocket {
  const at = { family: familyOf(local), local: local.address, localPort: local.port };
  return udpSocket(
    explained(local, remote, () => connectDatagrams({ ...at, ...to(remote) })),
    local,
  );
}

const familyOf = ({ address }: { address: string }): 4 | 6 => (address.includes(':') ? 6 : 4);
const to = (there: { address: string; port: number }) => ({ remote: there.address, remotePort: there.port });

function udpSocket(fd: number, local: { address: string; port: number }): DatagramSocket {
  const family = familyOf(local);
  let isOpen = true;
  return {
    fd,
    remotePath: undefined,
    setRemote(other) {
      const next = other as { address: string; port: number };
      explained(local, next, () => reconnectDatagrams(fd, { family, ...to(next) }));
    },
    setAccess: () => undefined,
    close() {
      if (!isOpen) return;
      isOpen = false;
      closeFd(fd);
    },
  };
}

function explained<T>(
  local: { address: string; port: number },
  remote: { address: string; port: number },
  action: () => T,
): T {
  try {
    return action();
  } catch (error) {
    const code = codeOf(error);
    const reasons: Record<string, string> = {
      EADDRINUSE: `UDP port ${local.port} of ${local.address} is taken by another process or port; choose another one`,
      EADDRNOTAVAIL: `no device of this host has the address ${local.address}`,
      ENETUNREACH: `there is no route to ${remote.address}`,
      EHOSTUNREACH: `there is no route to ${remote.address}`,
    };
    const reason = reasons[code] ?? (error instanceof Error ? error.message : String(error));
    throw new FrameSocketError(reason, code, error);
  }
}
