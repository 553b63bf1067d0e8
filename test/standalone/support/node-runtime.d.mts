import type { Connect } from '../../../src/standalone/runtime.ts';

export declare const connect: Connect;
export declare class CryptoHasher {
  constructor(algorithm: string);
  update(data: string | Uint8Array): this;
  digest(encoding: 'hex'): string;
}
