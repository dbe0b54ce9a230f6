/** A reporter of vitest: a line for each test that was left out, with the reason. The default one tells it of files that failed. */
import { relative } from 'node:path';

export default class TellSkipped {
  onTestRunEnd(modules) {
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const { note = 'its title, or what was printed above, says why' } = test.result();
        console.log(`skipped: ${relative('', module.moduleId)}: ${test.fullName}: ${note}`);
      }
    }
  }
}
