/**
 * Edits of the live document: what `link` and `vlan` commands do to the value of a configuration file.
 *
 * The way in. Each edit is a pure function from one document to the next: it never changes its input, shares what stays
 * as it was, and throws EditRefused when it cannot be made. Whether the result is sound is for `checkDocument`.
 */
export { withEntries } from './edit-entries.js';
export { addLink, deleteLink, type LinkAddition, type LinkChange, setLink } from './edit-links.js';
export { type Document, EditRefused } from './edit-tree.js';
export {
  addVlans,
  deleteVlans,
  setVlans,
  type VlanAddition,
  type VlanDeletion,
  type VlanSetting,
} from './edit-vlans.js';
export { withoutTables, withTables } from './table-entries.js';
