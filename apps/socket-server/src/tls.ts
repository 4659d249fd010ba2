/** The server's side of TLS: a certificate from files, or one made for development. */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { createSecureContext, type SecureContext } from "node:tls";

export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
}

export interface ServerCertificate {
  readonly context: SecureContext;
  /** SHA-256 of a self-signed certificate, to compare by eye. */
  readonly fingerprint?: string;
}

const SELF_SIGNED_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Said in a record of TLS 1.0, which every version understands: fatal alert, handshake_failure. */
export const TLS_REFUSAL: Uint8Array = Uint8Array.of(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28);

/** Throws an Error that names the file, or says that the two don't belong together. */
export function certificateFromFiles({ certPath, keyPath }: TlsFiles): ServerCertificate {
  const [cert, key] = [readFileSync(certPath), readFileSync(keyPath)];
  try {
    return { context: createSecureContext({ cert, key, minVersion: "TLSv1.2" }) };
  } catch (error) {
    throw new Error(`${certPath} and ${keyPath} are no certificate with its key: ${(error as Error).message}`);
  }
}

/** A certificate for this machine's names that nobody can verify. Made anew at each start. */
export async function selfSignedCertificate(): Promise<ServerCertificate> {
  const { generate } = await import("selfsigned");
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
  const made = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    notAfterDate: new Date(Date.now() + SELF_SIGNED_DAYS * DAY_MS),
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          ...[...new Set(["127.0.0.1", "::1", ...addresses])]
            .filter((address) => !address.includes("%"))
            .map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  const context = createSecureContext({ cert: made.cert, key: made.private, minVersion: "TLSv1.2" });
  return { context, fingerprint: new X509Certificate(made.cert).fingerprint256 };
}
