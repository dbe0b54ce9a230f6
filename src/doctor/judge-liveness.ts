/** Judges the BFD sessions of remotes. Pure. */
import type { LinkRow } from '../api/api.js';
import { type Check, fail, ok, warn } from './check.js';

/** Remotes of a port listed by themselves. */
const MOST = 8;

type Remote = NonNullable<LinkRow['bfd_remotes']>[number];

/** Diagnostics of RFC 5880 section 4.1, in words. */
const CAUSES: Readonly<Record<number, string>> = {
  1: 'nothing was heard of it for the detection time',
  2: 'its echo failed',
  3: 'it has said that its session is down',
  4: 'its forwarding plane was reset',
  5: 'it has said that the path is down',
  7: 'its administrator has closed the session',
};

export function judgeLiveness(links: readonly LinkRow[]): Check[] {
  return links.flatMap(({ ifname, bfd_remotes: remotes = [] }) => judgePort(ifname, remotes));
}

function judgePort(ifname: string, remotes: readonly Remote[]): Check[] {
  if (remotes.length === 0) return [];
  const dead = remotes.filter(({ state }) => state === 'down');
  const silent = remotes.filter(
    ({ state, session, remote_session: theirs }) =>
      state === 'unknown' && session === 'down' && theirs !== 'admin_down',
  );
  const up = remotes.filter(({ state }) => state === 'up').length;
  return [
    ...dead.slice(0, MOST).map((remote) => judgeDead(ifname, remote)),
    ...silent.slice(0, MOST).map((remote) => judgeSilent(ifname, remote)),
    ok(`${ifname} BFD`, `${up} of ${remotes.length} remotes are up`),
  ];
}

function judgeDead(ifname: string, { address, diag = 0, flaps = 0, damped }: Remote): Check {
  if (damped !== undefined) return judgeDamped(ifname, address, flaps, damped);
  const cause = CAUSES[diag] ?? `diagnostic ${diag}`;
  const finding = `is dead by BFD (${cause}): what is for it goes elsewhere`;
  return fail(`${ifname} ${address}`, finding, 'see whether that host and its switch run, and the way to it');
}

function judgeDamped(ifname: string, address: string, flaps: number, damped: number): Check {
  const finding = `its BFD session alternates between up and down (${flaps} times lately): it is used again when it has been up for ${damped / 1000} s`;
  const help =
    'see whether packets are lost on the way, or that host is overloaded; longer bfd_interval or a larger bfd_multiplier bear more';
  return fail(`${ifname} ${address}`, finding, help);
}

function judgeSilent(ifname: string, { address }: Remote): Check {
  const finding = 'its BFD session has never come up, so its death would not be noticed';
  return warn(`${ifname} ${address}`, finding, `configure BFD of the same mode there, or set bfd off at ${ifname}`);
}
