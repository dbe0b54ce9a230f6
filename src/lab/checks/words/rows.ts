/** Rows that several check words have. */
import { option, required } from '../../../config/options/option.js';
import { value } from '../../../values/value.js';
import { labValue } from '../../values/lab-value.js';

const names = (what: string) => ({ value: value.list(what), items: labValue.name });

/** A list of names, as values of the rows are typed before their items were read. */
export type Names = readonly string[] | undefined;
export const namesOf = (list: readonly unknown[] | undefined): Names => list as Names;

export const fromGuest = required({ value: labValue.name, doc: 'The guest that sends.' });
export const toGuest = required({ value: labValue.name, doc: 'The guest that it is for.' });
export const atHost = required({ value: labValue.name, doc: 'The host whose underlay NIC is read.' });
export const guestList = (otherwise: string, doc: string) => option({ ...names('guests'), otherwise, doc });

export const segmentOptions = {
  vni: required({ value: value.vni, doc: 'VNI in which frames of these guests must travel.' }),
  vlan: option({ value: value.vid, otherwise: 'any', doc: 'VLAN of their entries, for `fdb`.' }),
  guests: required({ ...names('guests'), doc: 'Its guests.' }),
};

/** A segment as it was read. */
export interface SegmentArgs {
  readonly vni: number;
  readonly vlan?: number;
  readonly guests: readonly string[];
}

const segments = { value: value.list('segments such as { vni: 2, guests: [a, b] }'), items: segmentOptions };

export const segmentList = required({ ...segments, doc: 'The segments, each with its `vni` and its `guests`.' });
export const optionalSegments = option({
  ...segments,
  otherwise: 'none',
  doc: 'Guests with the VNI, and the VLAN, that their entries must have.',
});
