/** Answers of the query protocol. */
// Tests: test/emulator/services/sts/sts.test.ts
import type { Answer } from '../../wire/answer.ts';
import type { RefusalDetails } from '../../wire/refusal.ts';
import { type Credentials, isoSeconds } from '../../callers/sessions.ts';
import { escapeXml } from '../../wire/xml.ts';

export const STS_VERSION = '2011-06-15';
const NAMESPACE = `https://sts.amazonaws.com/doc/${STS_VERSION}/`;

/** Elements in their order: text, further elements, or undefined for one that is left out. */
export interface Elements {
  readonly [name: string]: string | number | Elements | undefined;
}

/** The answer of an operation with the elements of its result. */
export function stsAnswer(operation: string, result: Elements, requestId: string): Answer {
  const body =
    `<${operation}Response xmlns="${NAMESPACE}"><${operation}Result>${render(result)}</${operation}Result>` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${operation}Response>\n`;
  return { status: 200, contentType: 'text/xml', body };
}

function render(elements: Elements): string {
  return Object.entries(elements)
    .map(([name, value]) => {
      if (value === undefined) return '';
      return `<${name}>${typeof value === 'object' ? render(value) : escapeXml(String(value))}</${name}>`;
    })
    .join('');
}

export function credentialElements({ accessKeyId, secretAccessKey, sessionToken, expiration }: Credentials): Elements {
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: isoSeconds(expiration),
  };
}

/** A refusal in the query protocol's form. */
export function stsError({ status, code, message }: RefusalDetails, requestId: string): Answer {
  const body =
    `<ErrorResponse xmlns="${NAMESPACE}"><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type>` +
    `<Code>${escapeXml(code)}</Code><Message>${escapeXml(message)}</Message></Error>` +
    `<RequestId>${requestId}</RequestId></ErrorResponse>\n`;
  return { status, contentType: 'text/xml', body };
}
