/**
 * Keys of ML-DSA in the executable: takes the place of src/identity/ml-dsa.ts. Their arithmetic is JavaScript, which pays to be
 * compiled even in a one-shot.
 */
// Tests: test/standalone/loads.heavy.test.ts
import { compileAsUsual } from './runtime.ts';

export * from '../identity/ml-dsa.ts';

compileAsUsual();
