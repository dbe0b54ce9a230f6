/** An FDB entry as in a request: parsed by the API's schema, then checked against a configuration. */
import { FDB_PUT } from '../../src/api/fdb.js';
import { checkEntry as checkRead } from '../../src/config/edit/check-entry.js';
import { EditRefused } from '../../src/config/edit/tree.js';

/** @param given the request without its `op` @throws EditRefused */
export function checkEntry(config: Parameters<typeof checkRead>[0], given: unknown): ReturnType<typeof checkRead> {
  const { data, error } = FDB_PUT.safeParse({ op: 'add', ...(given as object) });
  const issue = error?.issues[0];
  if (issue !== undefined) throw new EditRefused(`${issue.path.join('.')}: ${issue.message}`);
  return checkRead(config, data as NonNullable<typeof data>);
}
