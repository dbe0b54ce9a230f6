/** `overtap shell`: `exec.ts` with a shell. */
export { runShell as run } from './exec.js';
