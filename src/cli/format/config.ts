/**
 * The configuration of a running switch as a YAML file. Pure.
 */
import { Document, isMap, isScalar, isSeq, type Node, visit } from 'yaml';

/** Maximum line length, in characters. */
const WIDTH = 120;

/** The text of a configuration file. @param config the answer to GET /v1/config */
export function formatConfig(config: Readonly<Record<string, unknown>>): string {
  const document = new Document(config, { version: '1.2', aliasDuplicateObjects: false });
  visit(document, {
    Collection(_key, node, path) {
      if (isSmall(node) && (isSeq(node) || isSeq(path.at(-1)))) node.flow = true;
    },
  });
  document.commentBefore =
    ' The present configuration, with all changes since the start. Comments of the original file are not kept.';
  return document.toString({ lineWidth: WIDTH, flowCollectionPadding: true });
}

/** Whether a node fits on one line: a list of scalars, or a mapping of scalars and such lists. */
function isSmall(node: Node): boolean {
  if (isSeq(node)) return node.items.every((item) => isScalar(item));
  const isPlain = (value: unknown): boolean => isScalar(value) || (isSeq(value) && isSmall(value));
  return isMap(node) && node.items.every(({ value }) => isPlain(value));
}
