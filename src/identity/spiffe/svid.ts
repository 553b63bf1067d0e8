/** An X.509-SVID as the material that identities are loaded from, without a file. */
// Tests: test/identity/spiffe/load.test.ts
import type { Contents } from '../contents.ts';
import type { X509Svid } from './workload-api.ts';

/** @param svid its key is overwritten when the contents are wiped */
export function svidContents({ certificates, key }: X509Svid, value: string): Contents {
  const headers = new Map<string, string>();
  return {
    material: {
      flag: '--certificate',
      source: `--certificate ${value}`,
      bytes: new Uint8Array(),
      rereadable: false,
    },
    blocks: [
      ...certificates.map((der) => ({ label: 'CERTIFICATE', headers, der })),
      { label: 'PRIVATE KEY', headers, der: key },
    ],
  };
}
