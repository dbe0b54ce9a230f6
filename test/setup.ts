/**
 * The same random cases in every run, so that whoever changes something is not told of another one's fault; other cases with
 * OVERTAP_SEED. What fails prints its seed and path.
 */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.OVERTAP_SEED ?? 20_261_121) });
