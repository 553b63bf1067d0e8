/** What every issuer of certificates gives the rest of the renewal: a certificate for a request, and nothing that is believed yet. */
import type { Certificate } from '../x509/certificate.ts';
import type { Signer } from '../identity/identity.ts';

/** A certificate with the key that this process can use for TLS, in PEM. */
export interface TlsIdentity {
  /** The leaf, and its chain behind it. */
  readonly cert: string;
  /** PKCS#8, not encrypted. */
  readonly key: string;
}

/** The certificate that is to be renewed, and what proves that it is ours. */
export interface CurrentIdentity {
  readonly leaf: Certificate;
  /** Exact DER, the issuer of the leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly signer: Signer;
  /** Undefined where the key cannot leave its home: a token or a TPM. */
  readonly tls: TlsIdentity | undefined;
}

/** What is asked for. */
export interface IssueRequest {
  /** DER of a PKCS#10 request (RFC 2986), signed by the key that the certificate is for. */
  readonly csr: Uint8Array;
  /** Undefined at the first enrolment. */
  readonly current: CurrentIdentity | undefined;
  /** Whether the request is for another key than that of {@link current}. */
  readonly newKey: boolean;
}

/** What an issuer answered. Whether it is any good is for checks.ts. */
export interface Issued {
  /** DER of certificates that may be the new one, or lead to it. */
  readonly certificates: readonly Uint8Array[];
  /** A private key that came with them, in PEM: of a command that makes keys itself. */
  readonly privateKey?: string | undefined;
}

/** Something that issues certificates. */
export interface Issuer {
  /** How messages name it, for example `step-ca at ca.example`. */
  readonly name: string;
  /**
   * @throws RolesAnywhereError `ERR_RENEWAL_REFUSED` for a no, what the network's errors are, `ERR_SERVICE_FAILED`,
   * `ERR_THROTTLED`, `ERR_RESPONSE_INVALID`
   */
  issue(request: IssueRequest, signal?: AbortSignal): Promise<Issued>;
}
