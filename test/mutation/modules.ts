/** The modules that decide, in areas, each with the tests that must notice when one of them decides otherwise. */
export const AREAS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  signing: {
    'src/signing/canonical.ts': ['test/signing/vectors.test.ts', 'test/signing/sigv4.test.ts'],
    'src/signing/string-to-sign.ts': ['test/signing/vectors.test.ts', 'test/signing/sigv4.test.ts'],
    'src/signing/sigv4-x509.ts': ['test/signing/vectors.test.ts', 'test/signing/sigv4-x509.test.ts'],
    'src/signing/sigv4.ts': ['test/signing/vectors.test.ts', 'test/signing/sigv4.test.ts'],
  },
  'refresh policy': {
    'src/credentials/refresh-policy.ts': ['test/credentials/refresh-policy.test.ts'],
  },
};
