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
  'answers of the service': {
    'src/credentials/expiration.ts': ['test/credentials/expiration.test.ts'],
    'src/aws/credential-answer.ts': ['test/aws/credential-answer.test.ts', 'test/aws/create-session.test.ts'],
    'src/aws/create-session.ts': ['test/aws/create-session.test.ts'],
    'src/http/answer-reader.ts': ['test/http/answer-reader.test.ts'],
  },
  'guards of serve': {
    'src/server/authorization.ts': ['test/server/authorization.test.ts'],
    'src/server/session-tokens.ts': ['test/server/session-tokens.test.ts', 'test/server/session-key.test.ts'],
    'src/server/session-key.ts': ['test/server/session-key.test.ts'],
    'src/server/role-tokens.ts': ['test/server/role-tokens.test.ts'],
    'src/server/token-file.ts': ['test/server/token-file.test.ts'],
    'src/server/guards.ts': ['test/server/guards.test.ts'],
    'src/server/request-handler.ts': ['test/server/request-handler.test.ts'],
    'src/server/router.ts': ['test/server/router.test.ts', 'test/server/imds-routes.test.ts'],
    'src/server/imds-routes.ts': ['test/server/imds-routes.test.ts'],
    'src/server/container-routes.ts': ['test/server/container-routes.test.ts'],
    'src/server/vend.ts': ['test/server/vend.test.ts'],
    'src/server/peer-uid.ts': ['test/server/peer-uid.test.ts'],
  },
  console: {
    'src/console/lock.ts': ['test/console/lock.test.ts'],
    'src/console/guard.ts': ['test/console/guard.test.ts'],
  },
  'choice of the identity': {
    'src/identity/selector.ts': ['test/identity/selector.test.ts'],
    'src/identity/choice.ts': ['test/identity/choice.test.ts'],
    'src/identity/pairs.ts': ['test/identity/pairs.test.ts'],
    'src/identity/checks.ts': ['test/identity/checks.test.ts'],
    'src/x509/rules.ts': ['test/identity/checks.test.ts'],
    'src/identity/pkcs11/match.ts': ['test/identity/pkcs11/match.test.ts'],
  },
  cache: {
    'src/credentials/cache/entry.ts': ['test/credentials/cache/entry.test.ts'],
    'src/credentials/cache/read-entry.ts': ['test/credentials/cache/keep.test.ts'],
    'src/credentials/cache/keep.ts': ['test/credentials/cache/keep.test.ts'],
    'src/credentials/cache/folder.ts': ['test/credentials/cache/file-store.test.ts'],
    'src/credentials/cache/safe-file.ts': ['test/credentials/cache/file-store.test.ts'],
    'src/credentials/cache/file-store.ts': [
      'test/credentials/cache/file-store.test.ts',
      'test/credentials/cache/file-store-races.test.ts',
    ],
    'src/credentials/cache/place.ts': ['test/credentials/cache/place.test.ts'],
    'src/credentials/cache/line.ts': ['test/credentials/cache/line.test.ts'],
    'src/credentials/cache/lock.ts': ['test/credentials/cache/lock.test.ts'],
    'src/credentials/cache/holder.ts': ['test/credentials/cache/holder.test.ts'],
    'src/credentials/cached.ts': ['test/credentials/cached.test.ts'],
  },
  'credentials file': {
    'src/output/credentials-file.ts': [
      'test/output/credentials-file.test.ts',
      'test/output/credentials-file-races.test.ts',
    ],
    'src/output/profile-edit.ts': ['test/output/profile-edit.test.ts'],
  },
  refresher: {
    'src/credentials/outcome.ts': ['test/credentials/outcome.test.ts'],
    'src/credentials/chain.ts': ['test/credentials/chain.test.ts'],
    'src/credentials/refresher.ts': ['test/credentials/refresher.test.ts', 'test/credentials/provider.test.ts'],
  },
  'PIN guard': {
    'src/identity/pkcs11/login.ts': ['test/identity/pkcs11/login.test.ts'],
    'src/identity/pkcs11/pin.ts': ['test/identity/pkcs11/pin.test.ts'],
    'src/identity/pkcs11/pin-guard.ts': ['test/identity/pkcs11/pin-guard.test.ts'],
    'src/identity/pkcs11/pin-record.ts': ['test/identity/pkcs11/pin-record.test.ts'],
  },
};
