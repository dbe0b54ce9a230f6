/**
 * A connection of a session: BGP messages on one side, bytes on the other. A message that cannot be read is a fault of the session; a
 * fault of our own while one is carried out is told, and the next one goes on.
 */
import { Framer } from '../../wire/bgp/framer.js';
import {
  decodeMessage,
  encodeKeepalive,
  encodeNotification,
  encodeOpen,
  encodeRefresh,
  type Message,
} from '../../wire/bgp/message.js';
import { AFI_L2VPN, MESSAGE_LIMIT, SAFI_EVPN, type SessionFormat } from '../../wire/bgp/session.js';
import type { Update } from '../../wire/bgp/update.js';
import type { Guard } from '../guard.js';
import type { Received, RefreshKind, Sent } from '../session/messages.js';
import type { Wire } from '../session/record.js';

/** What a wire needs of a connection. */
export interface Bytes {
  readonly hasRoom: boolean;
  /** As of `Wire`. */
  readonly stalledAt: number | null;
  send(bytes: Uint8Array): void;
  more(): void;
  close(): void;
}

/** Routes of an UPDATE, and how many attributes and routes of it were withdrawn for their form (RFC 7606). */
export interface JudgedUpdate {
  update: Update;
  malformed: number;
}

export type Incoming = Received<JudgedUpdate>;

export function formatOf(isInternal: boolean): SessionFormat {
  return { fourOctetAs: true, isInternal, maxLength: MESSAGE_LIMIT };
}

export class BgpWire implements Wire {
  private readonly framer = new Framer();
  private bytes: Bytes | null = null;
  private isClosed = false;
  private readonly take: (message: Uint8Array) => boolean | undefined;

  /** @param heard gets each message */
  constructor(
    format: SessionFormat,
    private readonly heard: (wire: BgpWire, message: Incoming) => void,
    guard: Guard,
  ) {
    const carryOut = guard('BGP message', (message: Uint8Array) => {
      heard(this, incoming(decodeMessage(message, format)));
    });
    this.take = (message) => {
      carryOut(message);
      return !this.isClosed;
    };
  }

  /** The connection, as soon as there is one. */
  attach(bytes: Bytes): void {
    if (this.isClosed) bytes.close();
    else this.bytes = bytes;
  }

  get hasRoom(): boolean {
    return !this.isClosed && this.bytes?.hasRoom === true;
  }

  get stalledAt(): number | null {
    return this.bytes?.stalledAt ?? null;
  }

  /** Bytes that have come. All whole messages in them are carried out. */
  receive(chunk: Uint8Array): void {
    if (this.isClosed) return;
    const notification = this.framer.push(chunk, this.take);
    if (notification !== null) this.heard(this, { type: 'fault', notification });
  }

  listen(): void {
    this.bytes?.more();
  }

  /** The next bytes are wanted. */
  more(): void {
    this.bytes?.more();
  }

  send(message: Sent): void {
    this.bytes?.send(encode(message));
  }

  /** Whole messages, as the encoder of routes makes them. */
  sendBytes(message: Uint8Array): void {
    this.bytes?.send(message);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.bytes?.close();
  }
}

function encode(message: Sent): Uint8Array {
  switch (message.type) {
    case 'open':
      return encodeOpen(message.open);
    case 'keepalive':
      return encodeKeepalive();
    case 'notification':
      return encodeNotification(message.notification);
    default:
      return encodeRefresh({ afi: AFI_L2VPN, safi: SAFI_EVPN, subtype: message.kind });
  }
}

function incoming(message: Message): Incoming {
  switch (message.kind) {
    case 'open':
      return { type: 'open', open: message.open };
    case 'keepalive':
      return { type: 'keepalive' };
    case 'notification':
      return { type: 'notification', notification: message.notification };
    case 'fault':
      return { type: 'fault', notification: message.notification };
    case 'refresh': {
      const { afi, safi, subtype } = message.refresh;
      const isOurs = afi === AFI_L2VPN && safi === SAFI_EVPN && subtype <= 2;
      return isOurs ? { type: 'refresh', kind: subtype as RefreshKind } : { type: 'ignored' };
    }
    default: {
      const { result } = message;
      if (result.verdict === 'reset') return { type: 'fault', notification: result.notification };
      const malformed = result.update.malformed + (result.verdict === 'withdraw' ? 1 : 0);
      return { type: 'update', update: { update: result.update, malformed }, isEndOfRib: result.update.isEndOfRib };
    }
  }
}
