/**
 * DNS messages (RFC 1035): questions for addresses and services, and what an answer says. Pure; every length is checked, and no more is
 * read than a bounded number of records.
 */

/** Types of records; SRV is RFC 2782, AAAA RFC 3596, OPT RFC 6891. */
export const DNS_TYPE = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, OPT: 41 } as const;
export type QueryType = 'A' | 'AAAA' | 'SRV';

/** Response codes (RFC 1035 section 4.1.1). */
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3 } as const;

const CLASS_IN = 1;
const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION = 0x0100;
/** What a datagram carries without fragments (DNS flag day 2020). */
const UDP_PAYLOAD = 1232;
/** Records of one answer that are read; the rest is left. */
const MAX_RECORDS = 512;
/** Steps through compression pointers in one name: each goes backwards, so there is no circle. */
const MAX_POINTERS = 64;
/** Aliases from one name to the next. */
const MAX_ALIASES = 8;
const NAME_MAX = 255;

export interface DnsQuery {
  id: number;
  /** ASCII, without a last dot. */
  name: string;
  type: QueryType;
  /** With a record that allows answers of more than 512 bytes. */
  edns: boolean;
}

/** A host that offers a service. */
export interface ServiceTarget {
  /** Lower case; empty: none. */
  target: string;
  port: number;
}

export interface DnsAnswer {
  rcode: number;
  isTruncated: boolean;
  /** Seconds that the records hold: the least of those used; null: none was used. */
  ttl: number | null;
  /** The bytes of each address, in the order of the answer. */
  addresses: Uint8Array[];
  services: ServiceTarget[];
}

/** Bytes of a question. */
export function encodeQuery({ id, name, type, edns }: DnsQuery): Uint8Array {
  const labels = name.split('.');
  const length = HEADER_BYTES + name.length + 2 + 4 + (edns ? 11 : 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, FLAG_RECURSION);
  view.setUint16(4, 1);
  view.setUint16(10, edns ? 1 : 0);
  let at = HEADER_BYTES;
  for (const label of labels) {
    bytes[at++] = label.length;
    for (let i = 0; i < label.length; i++) bytes[at++] = label.charCodeAt(i);
  }
  at++;
  view.setUint16(at, DNS_TYPE[type]);
  view.setUint16(at + 2, CLASS_IN);
  if (edns) {
    view.setUint16(at + 5, DNS_TYPE.OPT);
    view.setUint16(at + 7, UDP_PAYLOAD);
  }
  return bytes;
}

/**
 * Reads the answer to a question.
 * @returns undefined when it is none: too short, of another question, or unsound
 */
export function decodeAnswer(bytes: Uint8Array, query: Pick<DnsQuery, 'id' | 'name' | 'type'>): DnsAnswer | undefined {
  const reader = new Reader(bytes);
  const head = reader.header();
  if (head === undefined || head.id !== query.id || (head.flags & FLAG_RESPONSE) === 0) return undefined;
  const rcode = head.flags & 0xf;
  const isTruncated = (head.flags & FLAG_TRUNCATED) !== 0;
  const none: DnsAnswer = { rcode, isTruncated, ttl: null, addresses: [], services: [] };
  // A server that does not understand a question may leave it out.
  if (head.questions === 0 && rcode !== RCODE.NOERROR) return none;
  if (head.questions !== 1 || !reader.question(query)) return undefined;
  if (isTruncated || rcode !== RCODE.NOERROR) return none;
  const records = reader.records(Math.min(head.answers, MAX_RECORDS));
  return records === undefined ? undefined : { ...none, ...select(records, query) };
}

interface DnsRecord {
  name: string;
  type: number;
  ttl: number;
  data: Uint8Array;
  /** Of CNAME and SRV. */
  target: string;
}

/** The records of the name that was asked for, or of what it is an alias of. */
function select(records: readonly DnsRecord[], { name, type }: Pick<DnsQuery, 'name' | 'type'>) {
  const out: Pick<DnsAnswer, 'ttl' | 'addresses' | 'services'> = { ttl: null, addresses: [], services: [] };
  const use = (ttl: number): void => {
    out.ttl = Math.min(out.ttl ?? ttl, ttl);
  };
  let owner = name.toLowerCase();
  for (let step = 0; step < MAX_ALIASES; step++) {
    const alias = records.find((one) => one.type === DNS_TYPE.CNAME && one.name === owner);
    if (alias === undefined) break;
    use(alias.ttl);
    owner = alias.target;
  }
  for (const record of records) {
    if (record.name !== owner || record.type !== DNS_TYPE[type]) continue;
    use(record.ttl);
    if (type !== 'SRV') out.addresses.push(record.data);
    else out.services.push({ target: record.target, port: ((record.data[4] ?? 0) << 8) | (record.data[5] ?? 0) });
  }
  return out;
}

/** Bytes of the data of a record: exactly so many, or at least. */
function fits(type: number, length: number): boolean {
  if (type === DNS_TYPE.A) return length === 4;
  if (type === DNS_TYPE.AAAA) return length === 16;
  return type === DNS_TYPE.SRV ? length >= 7 : true;
}

/** Reads one message from its beginning. Each method returns undefined where the message ends too early. */
class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  header(): { id: number; flags: number; questions: number; answers: number } | undefined {
    if (this.bytes.length < HEADER_BYTES) return undefined;
    this.at = HEADER_BYTES;
    const word = (at: number): number => this.view.getUint16(at);
    return { id: word(0), flags: word(2), questions: word(4), answers: word(6) };
  }

  /** Whether the next question is this one. */
  question({ name, type }: Pick<DnsQuery, 'name' | 'type'>): boolean {
    const found = this.name();
    if (found !== name.toLowerCase() || this.at + 4 > this.bytes.length) return false;
    const isThis = this.view.getUint16(this.at) === DNS_TYPE[type] && this.view.getUint16(this.at + 2) === CLASS_IN;
    this.at += 4;
    return isThis;
  }

  records(count: number): DnsRecord[] | undefined {
    const out: DnsRecord[] = [];
    for (let i = 0; i < count; i++) {
      const name = this.name();
      if (name === undefined || this.at + 10 > this.bytes.length) return undefined;
      const type = this.view.getUint16(this.at);
      const isInternet = this.view.getUint16(this.at + 2) === CLASS_IN;
      const ttl = this.view.getUint32(this.at + 4);
      const length = this.view.getUint16(this.at + 8);
      const from = this.at + 10;
      if (from + length > this.bytes.length || !fits(type, length)) return undefined;
      const target = this.targetOf(type, from);
      if (target === undefined) return undefined;
      this.at = from + length;
      // RFC 2181 section 8: a TTL with its first bit set is 0.
      const record = { name, type, ttl: ttl > 0x7fffffff ? 0 : ttl, target };
      if (isInternet) out.push({ ...record, data: this.bytes.slice(from, from + length) });
    }
    return out;
  }

  private targetOf(type: number, from: number): string | undefined {
    if (type !== DNS_TYPE.CNAME && type !== DNS_TYPE.SRV) return '';
    this.at = type === DNS_TYPE.SRV ? from + 6 : from;
    return this.name();
  }

  /** A name in lower case (RFC 1035 section 4.1.4); bytes that no name of a host has make it one that matches nothing. */
  private name(): string | undefined {
    const labels: string[] = [];
    let at = this.at;
    let end = -1;
    let pointers = 0;
    let size = 0;
    for (;;) {
      const length = this.bytes[at];
      if (length === undefined) return undefined;
      if (length === 0) break;
      if (length >= 0xc0) {
        const low = this.bytes[at + 1];
        const to = ((length & 0x3f) << 8) | (low ?? 0);
        if (low === undefined || to >= at || ++pointers > MAX_POINTERS) return undefined;
        if (end < 0) end = at + 2;
        at = to;
        continue;
      }
      size += length + 1;
      if (length > 63 || at + 1 + length > this.bytes.length || size > NAME_MAX) return undefined;
      labels.push(String.fromCharCode(...this.bytes.subarray(at + 1, at + 1 + length)).toLowerCase());
      at += 1 + length;
    }
    this.at = end < 0 ? at + 1 : end;
    return labels.join('.');
  }
}
