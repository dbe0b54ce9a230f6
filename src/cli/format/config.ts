/**
 * The configuration of a running switch as a file: YAML, as an operator would write it. Pure.
 */
import { Document, isMap, isScalar, isSeq, type Node, visit } from 'yaml';

/** Longest entry that stands on one line. */
const WIDTH = 120;

/** The text of a configuration file. @param config its value, as the switch tells it */
export function formatConfig(config: Readonly<Record<string, unknown>>): string {
  const document = new Document(config, { version: '1.2', aliasDuplicateObjects: false });
  visit(document, {
    Collection(_key, node, path) {
      if (isSmall(node) && (isSeq(node) || isSeq(path.at(-1)))) node.flow = true;
    },
  });
  document.commentBefore =
    ' The configuration in force, run-time changes included. Comments of the file that it was read from are not kept.';
  return document.toString({ lineWidth: WIDTH, flowCollectionPadding: true });
}

/** A list of plain values, or a mapping of such: an entry, a membership. */
function isSmall(node: Node): boolean {
  if (isSeq(node)) return node.items.every((item) => isScalar(item));
  const isPlain = (value: unknown): boolean => isScalar(value) || (isSeq(value) && isSmall(value));
  return isMap(node) && node.items.every(({ value }) => isPlain(value));
}
