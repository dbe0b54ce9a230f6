/**
 * The words of `bridge vni add` and `del` as requests. Pure.
 */
import type { VniAddRequest, VniDelRequest } from '../../api/api.js';
import { UsageError } from '../errors.js';
import { address, given, ids, VNI } from '../values.js';
import { type Grammars, one, parseWords, required, type WordRule } from '../words.js';

const WHERE: readonly WordRule[] = [
  { word: 'dev', key: 'dev', value: 'PORT' },
  { word: 'vni', key: 'vni', value: 'VNI' },
];

/** The words of each subcommand. */
export const VNI_GRAMMARS = {
  show: { command: 'vni show', rules: WHERE },
  add: {
    command: 'vni add',
    rules: [
      ...WHERE,
      { word: 'group', key: 'group', value: 'ADDRESS' },
      { word: 'remote', key: 'remote', value: 'ADDRESS' },
      // iproute2 accepts these for IPv6 too.
      { word: 'group6', key: 'group', value: 'ADDRESS' },
      { word: 'remote6', key: 'remote', value: 'ADDRESS' },
    ],
  },
  del: { command: 'vni del', rules: WHERE },
} as const satisfies Grammars;

/** One request for each part of a list such as `10,20-29`. @throws UsageError */
export function vniAdd(words: readonly string[]): VniAddRequest[] {
  const example = 'vni add dev PORT vni VNI[-VNI][,...] [group ADDRESS | remote ADDRESS]';
  const found = parseWords(VNI_GRAMMARS.add, words);
  const group = one(found, 'group');
  const remote = one(found, 'remote');
  if (group !== undefined && remote !== undefined)
    throw new UsageError('"vni add" takes a group or a remote; give one of them');
  const places = {
    group: group === undefined ? undefined : address('"group"', group),
    remote: remote === undefined ? undefined : address('"remote"', remote),
  };
  const dev = required(VNI_GRAMMARS.add, found, 'dev', 'a vxlan port', example);
  return rangesOf(required(VNI_GRAMMARS.add, found, 'vni', 'a VNI', example)).map((range) =>
    given({ op: 'vni_add' as const, dev, ...range, ...places }),
  );
}

/** Likewise. @throws UsageError */
export function vniDel(words: readonly string[]): VniDelRequest[] {
  const example = 'vni del dev PORT vni VNI[-VNI][,...]';
  const found = parseWords(VNI_GRAMMARS.del, words);
  const dev = required(VNI_GRAMMARS.del, found, 'dev', 'a vxlan port', example);
  return rangesOf(required(VNI_GRAMMARS.del, found, 'vni', 'a VNI', example)).map((range) => ({
    op: 'vni_del' as const,
    dev,
    ...range,
  }));
}

function rangesOf(list: string): { vni: number; vniEnd?: number }[] {
  return list.split(',').map((part) => {
    const { first, last } = ids('"vni"', part, VNI);
    return first === last ? { vni: first } : { vni: first, vniEnd: last };
  });
}
